//! A node of the same process, called without a socket and without encoding.

use async_trait::async_trait;
use headwater_wire::{RequestKind, ResponseKind};

/// A node that lives in this process and answers for the whole cluster.
#[async_trait]
pub trait LocalNode: Send + Sync {
    /// Handles one request as if it had come at `version` over a connection of `client_id`.
    ///
    /// The answer must be of the request's kind; error codes travel inside it, as over TCP. Calls
    /// come concurrently and may be dropped before they end. Produce requests must take effect in
    /// the order in which their futures are first polled, as those of one connection would.
    ///
    /// # Errors
    /// What over TCP would have closed the connection.
    async fn call(
        &self,
        client_id: &str,
        request: RequestKind,
        version: i16,
    ) -> Result<ResponseKind, LocalNodeError>;
}

/// Why a node of this process gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LocalNodeError {
    /// It is shutting down or has shut down.
    #[error("the node is shutting down")]
    ShuttingDown,
    /// It does not serve the request or the version.
    #[error("the node does not serve {api} version {version}")]
    Unsupported {
        /// The API's name.
        api: String,
        /// The version asked at.
        version: i16,
    },
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}
