//! Sinks: what takes records out of the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use headwater_client::{OffsetAndMetadata, TopicPartition};

use super::{ConnectError, ConnectorConfig};
use crate::config::Properties;
use crate::data::SinkRecord;

/// Positions of partitions: the next offset to read, with text kept beside it.
pub type SinkOffsets = BTreeMap<TopicPartition, OffsetAndMetadata>;

/// Divides a sink's work among tasks; partitions are divided by their consumer group.
#[async_trait]
pub trait SinkConnector: ConnectorConfig {
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
    fn task(&self) -> Box<dyn SinkTask>;

    /// Ends the connector. Its tasks have ended already.
    async fn stop(&mut self) {}
}

/// Writes records.
///
/// The worker calls `start`, then `open`, `put`, `pre_commit` and `close` as partitions and
/// records come, then `stop`, never two at a time.
#[async_trait]
pub trait SinkTask: Send {
    /// Takes the configuration.
    ///
    /// # Errors
    /// Any; the task is FAILED then.
    async fn start(
        &mut self,
        context: SinkTaskContext,
        properties: &Properties,
    ) -> Result<(), ConnectError>;

    /// These are all partitions the task has now, with what was committed for each. Records from
    /// those positions on will follow. A partition without a commit gets one, by
    /// [`pre_commit`](Self::pre_commit), before the first record is put.
    ///
    /// # Errors
    /// Any; the task is FAILED then.
    async fn open(&mut self, _partitions: &[CommittedPosition]) -> Result<(), ConnectError> {
        Ok(())
    }

    /// Writes records, in order within each partition. After a retriable error the same records
    /// come again.
    ///
    /// # Errors
    /// Any; a retriable one is tried again as `errors.retry.*` says, else the task is FAILED.
    async fn put(&mut self, records: &[SinkRecord]) -> Result<(), ConnectError>;

    /// Makes what was put durable and says which of `positions`, which cover all records put, may
    /// be committed, with what text. What is returned is committed together. An exactly-once sink
    /// keeps in the text how to find its output's state again.
    ///
    /// # Errors
    /// Any; nothing is committed then, and the task is FAILED.
    async fn pre_commit(&mut self, positions: SinkOffsets) -> Result<SinkOffsets, ConnectError>;

    /// These partitions leave the task; what was put of them has been committed if it could be.
    ///
    /// # Errors
    /// Logged.
    async fn close(&mut self, _partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        Ok(())
    }

    /// Ends the task.
    async fn stop(&mut self) {}
}

/// A partition that a sink task has been given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedPosition {
    /// Which.
    pub partition: TopicPartition,
    /// What the sink's group has committed for it; `None` before its first commit.
    pub committed: Option<OffsetAndMetadata>,
}

/// What a sink task may ask of the worker.
#[derive(Clone)]
pub struct SinkTaskContext {
    /// Where single bad records go (KIP-610).
    pub reporter: Arc<dyn ErrantRecordReporter>,
    /// The connector's name.
    pub connector: Arc<str>,
    /// The task's number, from 0.
    pub task: usize,
}

/// Takes records that a sink cannot write, so that one bad record need not fail the others.
#[async_trait]
pub trait ErrantRecordReporter: Send + Sync {
    /// Skips the record, with a dead letter and a log line as `errors.*` says. In a
    /// [`put`](SinkTask::put), that waits until it has succeeded: after a retriable error the
    /// record comes again, and must be reported again.
    ///
    /// # Errors
    /// The given error if `errors.tolerance=none`; the task must return it.
    async fn report(&self, record: &SinkRecord, error: ConnectError) -> Result<(), ConnectError>;
}
