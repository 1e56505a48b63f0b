//! What a source and a sink are: the traits a connector implements.
//!
//! The contracts are Kafka Connect's. A connector knows nothing of workers, REST or where its
//! tasks run: it divides work among tasks by configuration, and the worker runs them.

mod error;
mod sink;
mod source;

pub use error::ConnectError;
pub use sink::{
    CommittedPosition, ErrantRecordReporter, SinkConnector, SinkOffsets, SinkTask, SinkTaskContext,
};
pub use source::{SourceConnector, SourceOffsets, SourceProgress, SourceTask, SourceTaskContext};

use crate::config::{ConfigDef, ConfigErrors, Properties};

/// What source and sink connectors share.
pub trait ConnectorConfig: Send + Sync {
    /// The keys this connector takes, beside those of every connector.
    fn config_def(&self) -> ConfigDef;

    /// Checks across keys, called when each key alone is right. Nothing is started by it.
    ///
    /// # Errors
    /// [`ConfigErrors`] naming the keys at fault.
    fn check(&self, _properties: &Properties) -> Result<(), ConfigErrors> {
        Ok(())
    }
}
