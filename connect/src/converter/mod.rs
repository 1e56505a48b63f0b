//! Converters between the data model and the bytes of the log.

mod bytes;
mod json;
mod json_read;
mod json_write;
mod number;
mod string;

use std::sync::Arc;

use ::bytes::Bytes;

use crate::config::{ConfigDef, ConfigErrors, Properties};
use crate::data::{DataError, Schema, SchemaAndValue, Value};

pub(crate) use self::bytes::ByteArrayFactory;
pub(crate) use json::JsonFactory;
pub(crate) use number::NumberFactory;
pub(crate) use string::StringFactory;

pub use self::bytes::ByteArrayConverter;
pub use json::{DecimalFormat, JsonConverter, JsonSettings};
pub(crate) use json_read::schemaless;
pub use number::NumberConverter;
pub use string::StringConverter;

/// Turns values into the bytes of a key, value or header, and back.
///
/// One converter serves all records of a task, from one thread at a time or several.
pub trait Converter: Send + Sync {
    /// The bytes of a value going to `topic`. `None` is a missing key or a tombstone.
    ///
    /// # Errors
    /// [`ConvertError`] if the value does not fit its schema, or has no form in this format.
    fn to_bytes(
        &self,
        topic: &str,
        schema: Option<&Arc<Schema>>,
        value: &Value,
    ) -> Result<Option<Bytes>, ConvertError>;

    /// The value of bytes read from `topic`.
    ///
    /// # Errors
    /// [`ConvertError`] if the bytes are not of this format.
    fn to_data(&self, topic: &str, bytes: Option<&Bytes>) -> Result<SchemaAndValue, ConvertError>;
}

/// What a converter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConverterRole {
    /// Record keys.
    Key,
    /// Record values.
    Value,
    /// Header values.
    Header,
}

impl ConverterRole {
    /// The key of a connector's configuration that names the converter's class; its settings
    /// stand under the same prefix.
    pub fn config_key(self) -> &'static str {
        match self {
            Self::Key => "key.converter",
            Self::Value => "value.converter",
            Self::Header => "header.converter",
        }
    }
}

/// A kind of converter, as it is registered.
pub trait ConverterFactory: Send + Sync {
    /// The settings it takes, named without their prefix.
    fn config_def(&self) -> ConfigDef;

    /// A converter with these settings.
    ///
    /// # Errors
    /// [`ConfigErrors`] naming each setting that is wrong.
    fn create(
        &self,
        role: ConverterRole,
        settings: &Properties,
    ) -> Result<Arc<dyn Converter>, ConfigErrors>;
}

/// Why a key, value or header could not be converted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// The value does not fit its schema.
    #[error("{path}: {source}")]
    Data {
        /// Which part of the value.
        path: String,
        /// What is wrong with it.
        source: DataError,
    },
    /// The bytes are not of the format.
    #[error("not {format}: {reason}; it begins with {head}")]
    Malformed {
        /// The format that was expected, such as JSON.
        format: &'static str,
        /// What is wrong.
        reason: String,
        /// The first bytes, escaped.
        head: String,
    },
    /// The value has no form in this format.
    #[error("{converter} cannot write {what}")]
    Unsupported {
        /// The converter.
        converter: &'static str,
        /// What it was given.
        what: String,
    },
}

impl ConvertError {
    fn malformed(format: &'static str, reason: impl Into<String>, bytes: &[u8]) -> Self {
        Self::Malformed {
            format,
            reason: reason.into(),
            head: head(bytes),
        }
    }
}

/// The first bytes of a record, for a message that lets its reader recognise the format.
fn head(bytes: &[u8]) -> String {
    const SHOWN: usize = 60;
    let shown = bytes.get(..SHOWN).unwrap_or(bytes);
    let more = if shown.len() < bytes.len() {
        " …"
    } else {
        ""
    };
    match shown.first() {
        None => "nothing: it is empty".to_owned(),
        Some(0) => format!(
            "\"{}\"{more} (a first byte of 0 is a schema registry's framing)",
            shown.escape_ascii()
        ),
        Some(_) => format!("\"{}\"{more}", shown.escape_ascii()),
    }
}
