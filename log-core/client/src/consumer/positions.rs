//! Where a consumer reads, and moving it.

use super::assigned::Position;
use super::config::{AutoOffsetReset, IsolationLevel};
use super::consumer::Consumer;
use super::record::Watermarks;
use crate::TopicPartition;
use crate::error::ClientError;

impl Consumer {
    /// The offset of the next record that a poll returns; `None` if the partition is not assigned
    /// or its position is not known yet. Passes over control records and aborted transactions.
    pub fn position(&self, partition: &TopicPartition) -> Option<i64> {
        self.core().assigned.lock().position(partition)
    }

    /// Reads on from `offset`.
    ///
    /// # Errors
    /// [`ClientError::IllegalState`] if the partition is not assigned.
    pub fn seek(&self, partition: &TopicPartition, offset: i64) -> Result<(), ClientError> {
        self.seek_all(std::slice::from_ref(partition), Position::At(offset.max(0)))
    }

    /// Reads on from the log start; of all assigned partitions if `partitions` is empty.
    ///
    /// # Errors
    /// As [`seek`](Self::seek).
    pub fn seek_to_beginning(&self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.seek_all(partitions, Position::Reset(AutoOffsetReset::Earliest))
    }

    /// Reads on from the end; of all assigned partitions if `partitions` is empty.
    ///
    /// # Errors
    /// As [`seek`](Self::seek).
    pub fn seek_to_end(&self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.seek_all(partitions, Position::Reset(AutoOffsetReset::Latest))
    }

    fn seek_all(
        &self,
        partitions: &[TopicPartition],
        position: Position,
    ) -> Result<(), ClientError> {
        let mut assigned = self.core().assigned.lock();
        let all = if partitions.is_empty() {
            assigned.partitions()
        } else {
            partitions.to_vec()
        };
        for partition in all {
            if !assigned.seek(&partition, position) {
                return Err(not_assigned(&partition));
            }
        }
        drop(assigned);
        self.core().fetch.notify_one();
        Ok(())
    }

    /// Stops returning records of these partitions; what is buffered of them is kept.
    ///
    /// # Errors
    /// [`ClientError::IllegalState`] if one is not assigned.
    pub fn pause(&self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.set_paused(partitions, true)
    }

    /// Goes on with partitions that were paused.
    ///
    /// # Errors
    /// [`ClientError::IllegalState`] if one is not assigned.
    pub fn resume(&self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.set_paused(partitions, false)?;
        self.core().fetch.notify_one();
        self.core().ready.notify_one();
        Ok(())
    }

    fn set_paused(
        &self,
        partitions: &[TopicPartition],
        is_paused: bool,
    ) -> Result<(), ClientError> {
        let mut assigned = self.core().assigned.lock();
        for partition in partitions {
            if !assigned.set_paused(partition, is_paused) {
                return Err(not_assigned(partition));
            }
        }
        Ok(())
    }

    /// The partitions that are paused.
    pub fn paused(&self) -> Vec<TopicPartition> {
        self.core().assigned.lock().paused()
    }

    /// What the last fetch of the partition told of its ends; `None` before the first.
    pub fn watermarks(&self, partition: &TopicPartition) -> Option<Watermarks> {
        self.core().assigned.lock().watermarks(partition)
    }

    /// How many offsets the position is behind the end that the last fetch told: the high
    /// watermark, or the last stable offset under read_committed. `None` before the first fetch.
    pub fn lag(&self, partition: &TopicPartition) -> Option<i64> {
        let assigned = self.core().assigned.lock();
        let watermarks = assigned.watermarks(partition)?;
        let end = match self.core().config.isolation_level {
            IsolationLevel::ReadUncommitted => watermarks.high_watermark,
            IsolationLevel::ReadCommitted => watermarks.last_stable_offset,
        };
        Some((end - assigned.position(partition)?).max(0))
    }
}

fn not_assigned(partition: &TopicPartition) -> ClientError {
    ClientError::IllegalState(format!("{partition} is not assigned to this consumer"))
}
