//! Appending without a wait: record by record, or many to one partition.

use std::sync::Arc;

use headwater_wire::records::Header;
use parking_lot::MutexGuard;

use super::accumulator::{PartitionQueue, QueueState};
use super::producer::Producer;
use super::record::AppendError;
use crate::TopicPartition;
use crate::error::ClientError;

impl Producer {
    /// Encodes a record straight into its partition's batch, without waiting and without a future
    /// per record. What becomes of it is told by [`flush`](Self::flush) and
    /// [`commit_transaction`](Self::commit_transaction).
    ///
    /// `timestamp` is in milliseconds since the epoch. For more than a few records of a partition,
    /// [`appender`](Self::appender) saves the look-up and the lock.
    ///
    /// # Errors
    /// [`AppendError::QueueFull`]: await [`has_room`](Self::has_room) and append again.
    /// [`AppendError::Rejected`]: the record, or the producer's state, is to blame.
    pub fn append(
        &self,
        topic: &str,
        partition: i32,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<(), AppendError> {
        let core = self.core();
        core.check_gate()?;
        let queue = core.accumulator.queue(topic, partition)?;
        let mut state = queue.state.lock();
        core.accumulator
            .append(&queue, &mut state, timestamp, key, value, headers)
            .map(|_| ())
    }

    /// A handle to append many records to one partition.
    ///
    /// # Errors
    /// If there can be no such partition; whether it exists is only found out by sending.
    pub fn appender(&self, topic: &str, partition: i32) -> Result<PartitionAppender, ClientError> {
        let queue = self.core().accumulator.queue(topic, partition)?;
        Ok(PartitionAppender {
            producer: self.clone(),
            queue,
        })
    }
}

/// One partition to append to.
#[derive(Clone)]
pub struct PartitionAppender {
    producer: Producer,
    queue: Arc<PartitionQueue>,
}

impl std::fmt::Debug for PartitionAppender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PartitionAppender")
            .field(&self.queue.partition)
            .finish()
    }
}

impl PartitionAppender {
    /// The partition.
    pub fn partition(&self) -> &TopicPartition {
        &self.queue.partition
    }

    /// Locks the partition for a run of appends. Hold it briefly and never across an await: the
    /// sender needs it too.
    ///
    /// # Errors
    /// If the producer takes no records now; see [`Producer::append`].
    pub fn lock(&self) -> Result<AppendGuard<'_>, ClientError> {
        self.producer.core().check_gate()?;
        Ok(AppendGuard {
            appender: self,
            state: self.queue.state.lock(),
        })
    }
}

/// A partition locked for appending.
pub struct AppendGuard<'a> {
    appender: &'a PartitionAppender,
    state: MutexGuard<'a, QueueState>,
}

impl std::fmt::Debug for AppendGuard<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AppendGuard")
            .field(&self.appender.queue.partition)
            .finish()
    }
}

impl AppendGuard<'_> {
    /// Encodes a record into the partition's batch; `timestamp` is in milliseconds since the epoch.
    ///
    /// # Errors
    /// [`AppendError::QueueFull`]: drop the guard, await [`Producer::has_room`], lock again and
    /// append the same record. [`AppendError::Rejected`]: the record is too large.
    #[inline]
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<(), AppendError> {
        let PartitionAppender { producer, queue } = self.appender;
        let accumulator = &producer.core().accumulator;
        accumulator
            .append(queue, &mut self.state, timestamp, key, value, headers)
            .map(|_| ())
    }
}
