//! What a source and a sink are: the traits a connector implements.
//!
//! The contracts are Kafka Connect's. A connector knows nothing of workers, REST or where its
//! tasks run: it divides work among tasks by configuration, and the worker runs them.
//!
//! A source that counts, and goes on counting where it was after a crash:
//!
//! ```
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use headwater_connect::Plugins;
//! use headwater_connect::config::{ConfigDef, ConfigKey, Properties};
//! use headwater_connect::data::{SchemaAndValue, SourceOffset, SourcePartition, SourceRecord};
//! use headwater_connect::spi::{
//!     ConnectError, ConnectorConfig, SourceConnector, SourceTask, SourceTaskContext,
//! };
//!
//! #[derive(Default)]
//! struct Counter {
//!     properties: Properties,
//! }
//!
//! impl ConnectorConfig for Counter {
//!     fn config_def(&self) -> ConfigDef {
//!         ConfigDef::new([ConfigKey::string("topic", None).required().doc("Where to count.")])
//!     }
//! }
//!
//! #[async_trait]
//! impl SourceConnector for Counter {
//!     async fn start(&mut self, properties: &Properties) -> Result<(), ConnectError> {
//!         self.properties = properties.clone();
//!         Ok(())
//!     }
//!
//!     fn task_configs(&self, _max_tasks: usize) -> Result<Vec<Properties>, ConnectError> {
//!         Ok(vec![self.properties.clone()])
//!     }
//!
//!     fn task(&self) -> Box<dyn SourceTask> {
//!         Box::new(CounterTask::default())
//!     }
//! }
//!
//! #[derive(Default)]
//! struct CounterTask {
//!     topic: Arc<str>,
//!     next: i64,
//! }
//!
//! #[async_trait]
//! impl SourceTask for CounterTask {
//!     async fn start(
//!         &mut self,
//!         context: SourceTaskContext,
//!         properties: &Properties,
//!     ) -> Result<(), ConnectError> {
//!         self.topic = properties["topic"].as_str().into();
//!         let kept = context.offsets.offset(&SourcePartition::new()).await?;
//!         self.next = kept.and_then(|offset| offset.get("next")?.as_i64()).unwrap_or(0);
//!         Ok(())
//!     }
//!
//!     async fn poll(&mut self) -> Result<Vec<SourceRecord>, ConnectError> {
//!         let value = SchemaAndValue::schemaless(self.next);
//!         self.next += 1;
//!         Ok(vec![SourceRecord {
//!             source_partition: Arc::new(SourcePartition::new()),
//!             source_offset: SourceOffset::from_iter([("next".to_owned(), self.next.into())]),
//!             topic: self.topic.clone(),
//!             partition: None,
//!             key: SchemaAndValue::NULL,
//!             value,
//!             timestamp: None,
//!             headers: Vec::new(),
//!         }])
//!     }
//! }
//!
//! let plugins = Plugins::default()
//!     .with_source("com.example.CounterConnector", "1.0", || Box::new(Counter::default()));
//! # let _ = plugins;
//! ```

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
