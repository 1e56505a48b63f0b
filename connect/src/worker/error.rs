//! Why a worker refuses a request.

use headwater_client::ClientError;

use crate::config::ConfigErrors;

/// What a request to a worker can fail with. The texts of those that Kafka Connect has too are its
/// own, because its tools match on them.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// There is no connector of that name.
    #[error("Connector {0} not found")]
    UnknownConnector(String),
    /// There is no such task.
    #[error("Unknown task: {connector}-{task}")]
    UnknownTask {
        /// The connector.
        connector: String,
        /// The number asked for.
        task: usize,
    },
    /// There is no status of it.
    #[error("No status found for {0}")]
    NoStatus(String),
    /// A connector of that name is there already.
    #[error("Connector {0} already exists")]
    Exists(String),
    /// The configuration has faults.
    #[error("Connector configuration is invalid and contains the following {} error(s):\n{}\nYou can also find the above list of errors at the endpoint `/connector-plugins/{{connectorType}}/config/validate`", .0.errors.len(), messages(.0))]
    InvalidConfig(ConfigErrors),
    /// The request makes no sense.
    #[error("{0}")]
    BadRequest(String),
    /// There is no such class.
    #[error("Unknown plugin {0}.")]
    UnknownPlugin(String),
    /// The worker is on its way down.
    #[error("the worker is shutting down")]
    ShuttingDown,
    /// The log could not be read or written.
    #[error(transparent)]
    Log(#[from] ClientError),
}

fn messages(errors: &ConfigErrors) -> String {
    errors
        .errors
        .iter()
        .map(|error| error.message.as_str())
        .collect::<Vec<_>>()
        .join("\n")
}
