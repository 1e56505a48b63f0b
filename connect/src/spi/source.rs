//! Sources: what brings rows into the log.

use std::sync::Arc;

use async_trait::async_trait;

use super::{ConnectError, ConnectorConfig};
use crate::config::Properties;
use crate::data::{SourceOffset, SourcePartition, SourceRecord};

/// Divides a source's work among tasks.
#[async_trait]
pub trait SourceConnector: ConnectorConfig {
    /// Takes the configuration, which has been checked. Called once, before all else.
    ///
    /// # Errors
    /// Any; the connector is FAILED then.
    async fn start(&mut self, properties: &Properties) -> Result<(), ConnectError>;

    /// The configurations of at most `max_tasks` tasks.
    ///
    /// # Errors
    /// Any; the connector is FAILED then.
    fn task_configs(&self, max_tasks: usize) -> Result<Vec<Properties>, ConnectError>;

    /// A task, not started yet.
    fn task(&self) -> Box<dyn SourceTask>;

    /// Ends the connector. Its tasks have ended already.
    async fn stop(&mut self) {}
}

/// Reads rows.
///
/// The worker calls `start`, then `poll` over and over, then `stop`, never two at a time.
#[async_trait]
pub trait SourceTask: Send {
    /// Begins where `context.offsets` says that rows were last kept.
    ///
    /// # Errors
    /// Any; the task is FAILED then.
    async fn start(
        &mut self,
        context: SourceTaskContext,
        properties: &Properties,
    ) -> Result<(), ConnectError>;

    /// The next rows, waiting until there are some. An empty answer is one too: it lets the
    /// worker take note of [`progress`](Self::progress).
    ///
    /// Must be cancel safe: the worker drops the call to pause or stop the task, and rows that
    /// were not returned must come with the next call.
    ///
    /// # Errors
    /// Any; a retriable one is tried again as `errors.retry.*` says, else the task is FAILED.
    async fn poll(&mut self) -> Result<Vec<SourceRecord>, ConnectError>;

    /// How far the task has come with the rows returned so far.
    fn progress(&self) -> SourceProgress {
        SourceProgress::default()
    }

    /// All rows returned so far are kept, and so are their offsets. For sources that must tell
    /// the system they read from.
    ///
    /// # Errors
    /// Logged; the rows are kept all the same.
    async fn commit(&mut self) -> Result<(), ConnectError> {
        Ok(())
    }

    /// Ends the task.
    async fn stop(&mut self) {}
}

/// How much of its input a source task has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceProgress {
    /// Rows read so far, over all runs of the task.
    pub rows: u64,
    /// Bytes of input read so far, over all runs of the task.
    pub bytes: u64,
    /// Bytes of input there are, as far as that is known.
    pub bytes_total: u64,
    /// Whether the input's end, as it is now, has been reached.
    pub at_end: bool,
}

/// What a source task may ask of the worker.
#[derive(Clone)]
pub struct SourceTaskContext {
    /// Where to begin.
    pub offsets: Arc<dyn SourceOffsets>,
    /// The connector's name.
    pub connector: Arc<str>,
    /// The task's number, from 0.
    pub task: usize,
}

/// The source offsets kept so far.
#[async_trait]
pub trait SourceOffsets: Send + Sync {
    /// How far a source partition was read, or `None` if nothing of it has been kept.
    ///
    /// # Errors
    /// [`ConnectError::Log`] if the log cannot be read.
    async fn offset(
        &self,
        partition: &SourcePartition,
    ) -> Result<Option<SourceOffset>, ConnectError>;
}
