//! What a connector's code can fail with.

use std::error::Error;

use headwater_client::ClientError;

use crate::config::ConfigErrors;
use crate::converter::ConvertError;

type Cause = Box<dyn Error + Send + Sync>;

/// Why a connector or task failed.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The same call may succeed later; the worker tries it again as `errors.retry.*` says.
    #[error("{message}")]
    Retriable {
        /// What failed, and on what.
        message: String,
        /// Why.
        source: Option<Cause>,
    },
    /// Nothing but a person can help: the task fails.
    #[error("{message}")]
    Failed {
        /// What failed, on what, and what to do.
        message: String,
        /// Why.
        source: Option<Cause>,
    },
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// A record could not be converted.
    #[error("{what} could not be converted")]
    Convert {
        /// The record, and which part of it.
        what: String,
        /// Why.
        source: ConvertError,
    },
    /// The log could not be read or written.
    #[error(transparent)]
    Log(#[from] ClientError),
}

impl ConnectError {
    /// A failure that a person must see.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed {
            message: message.into(),
            source: None,
        }
    }

    /// A failure with its cause.
    pub fn caused(message: impl Into<String>, source: impl Into<Cause>) -> Self {
        Self::Failed {
            message: message.into(),
            source: Some(source.into()),
        }
    }

    /// A failure that may pass.
    pub fn retriable(message: impl Into<String>, source: impl Into<Cause>) -> Self {
        Self::Retriable {
            message: message.into(),
            source: Some(source.into()),
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Retriable { .. } => true,
            Self::Log(error) => error.is_retriable(),
            _ => false,
        }
    }

    /// The error and its causes, a line each: the `trace` of a failed task.
    pub fn trace(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str("\nCaused by: ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
