//! What comes out of a consumer: batches as they stand in the log, and the records in them.

use std::sync::Arc;

use bytes::Bytes;
use headwater_wire::records::{BatchError, RecordBatch, Records};

use crate::TopicPartition;
use crate::error::ClientError;

/// A record batch as it came from the log.
///
/// Control batches and, under read_committed, batches of aborted transactions never get here. The
/// first batch after a seek may begin below the position: what is before
/// [`start_offset`](Self::start_offset) is to be skipped, as [`records`](Self::records) does.
#[derive(Clone, Debug)]
pub struct FetchedBatch {
    /// Where it is from.
    pub partition: TopicPartition,
    /// The batch: header and bytes, its checksum already verified if `check.crcs` is on.
    pub batch: RecordBatch,
    /// The first offset of the batch that was asked for.
    pub start_offset: i64,
}

impl FetchedBatch {
    /// The offset after the batch: the position once it is read.
    pub fn next_offset(&self) -> i64 {
        self.batch.header.next_offset()
    }

    /// Records in the batch, counting those below `start_offset`.
    pub fn record_count(&self) -> usize {
        usize::try_from(self.batch.header.record_count).unwrap_or(0)
    }

    /// Decompresses the batch if it is compressed, and copies nothing otherwise.
    ///
    /// Records below [`start_offset`](Self::start_offset) are still in it.
    ///
    /// # Errors
    /// [`ClientError::CorruptBatch`] if it cannot be decompressed.
    pub fn decode(&self) -> Result<Records, ClientError> {
        self.batch.records().map_err(|error| self.corrupt(&error))
    }

    /// The records from `start_offset` on, as owned values that share the batch's memory.
    ///
    /// # Errors
    /// [`ClientError::CorruptBatch`] if a record cannot be read.
    pub fn records(&self) -> Result<Vec<ConsumerRecord>, ClientError> {
        let records = self.decode()?;
        let mut out = Vec::with_capacity(self.record_count());
        for record in records.iter() {
            let record = record.map_err(|error| self.corrupt(&error))?;
            if record.offset < self.start_offset {
                continue;
            }
            let body = records.body();
            let mut headers = Vec::with_capacity(record.headers.len());
            for header in record.headers.iter() {
                let header = header.map_err(|error| self.corrupt(&error))?;
                let value = header.value.map(|value| body.slice_ref(value));
                headers.push((header.key.to_owned(), value));
            }
            out.push(ConsumerRecord {
                topic: self.partition.topic.clone(),
                partition: self.partition.partition,
                offset: record.offset,
                leader_epoch: self.leader_epoch(),
                timestamp: record.timestamp,
                key: record.key_range().map(|range| body.slice(range)),
                value: record.value_range().map(|range| body.slice(range)),
                headers,
            });
        }
        Ok(out)
    }

    /// The epoch of the leader that appended the batch, to be committed with its offsets
    /// (KIP-320).
    pub fn leader_epoch(&self) -> Option<i32> {
        Some(self.batch.header.partition_leader_epoch).filter(|epoch| *epoch >= 0)
    }

    fn corrupt(&self, error: &BatchError) -> ClientError {
        ClientError::CorruptBatch {
            partition: self.partition.clone(),
            offset: self.batch.header.base_offset,
            reason: error.to_string(),
        }
    }
}

/// What one poll returned, in order within each partition.
#[derive(Clone, Debug, Default)]
pub struct FetchedBatches {
    batches: Vec<FetchedBatch>,
}

impl FetchedBatches {
    pub(crate) fn new(batches: Vec<FetchedBatch>) -> Self {
        Self { batches }
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// The batches.
    pub fn batches(&self) -> &[FetchedBatch] {
        &self.batches
    }

    /// Records in all batches, counting those below their batch's `start_offset`.
    pub fn record_count(&self) -> usize {
        self.batches.iter().map(FetchedBatch::record_count).sum()
    }

    /// All records, one by one.
    ///
    /// # Errors
    /// [`ClientError::CorruptBatch`] if a record cannot be read.
    pub fn records(&self) -> Result<Vec<ConsumerRecord>, ClientError> {
        let mut records = Vec::with_capacity(self.record_count());
        for batch in &self.batches {
            records.extend(batch.records()?);
        }
        Ok(records)
    }
}

impl IntoIterator for FetchedBatches {
    type Item = FetchedBatch;
    type IntoIter = std::vec::IntoIter<FetchedBatch>;

    fn into_iter(self) -> Self::IntoIter {
        self.batches.into_iter()
    }
}

/// A record read from the log. Key, value and headers share the memory of its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerRecord {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The position in the partition.
    pub offset: i64,
    /// The epoch of the leader that appended it.
    pub leader_epoch: Option<i32>,
    /// Milliseconds since the epoch; -1 for none.
    pub timestamp: i64,
    /// The key.
    pub key: Option<Bytes>,
    /// The value; `None` is a tombstone in a compacted topic.
    pub value: Option<Bytes>,
    /// The headers, in order; names may repeat.
    pub headers: Vec<(String, Option<Bytes>)>,
}

/// What the last fetch of a partition told of its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// The log start offset.
    pub log_start_offset: i64,
    /// The offset after the last replicated record.
    pub high_watermark: i64,
    /// The offset up to which every transaction has ended.
    pub last_stable_offset: i64,
}

/// An offset found by time, or one of the ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetAndTimestamp {
    /// The offset.
    pub offset: i64,
    /// The record's timestamp in milliseconds since the epoch; `None` for the ends.
    pub timestamp: Option<i64>,
    /// The epoch of the leader that appended the record.
    pub leader_epoch: Option<i32>,
}
