//! Topics as vectors.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::engine::{Headers, RawChunk, RawColumnBuilder, RowMeta};

/// A record as it lies in a partition; its offset is its index.
#[derive(Clone, Debug)]
pub(super) struct LogRecord {
    pub(super) key: Option<Bytes>,
    pub(super) value: Option<Bytes>,
    pub(super) timestamp: i64,
    pub(super) headers: Headers,
}

#[derive(Debug, Default)]
pub(super) struct Partition {
    pub(super) records: Vec<LogRecord>,
    /// Records before this are committed; what comes after is lost in a crash.
    pub(super) committed: usize,
}

impl Partition {
    /// The committed records from `offset` on.
    pub(super) fn read(&self, offset: usize) -> RawChunk {
        let records = self.records.get(offset..self.committed).unwrap_or(&[]);
        let mut keys = RawColumnBuilder::default();
        let mut values = RawColumnBuilder::default();
        let mut meta = RowMeta::default();
        for (at, record) in (offset as i64..).zip(records) {
            keys.push(record.key.as_deref());
            values.push(record.value.as_deref());
            meta.timestamps.push(record.timestamp);
            meta.offsets.push(at);
        }
        if records.iter().any(|record| !record.headers.is_empty()) {
            meta.headers = Some(
                records
                    .iter()
                    .map(|record| record.headers.clone())
                    .collect(),
            );
        }
        RawChunk {
            keys: keys.finish(),
            values: values.finish(),
            meta,
        }
    }
}

/// All topics by name.
#[derive(Debug, Default)]
pub(super) struct Log {
    topics: BTreeMap<String, Vec<Partition>>,
    /// Spreads records without a key.
    keyless: usize,
}

impl Log {
    pub(super) fn create(&mut self, topic: &str, partitions: usize) {
        let topic = self.topics.entry(topic.to_owned()).or_default();
        if topic.len() < partitions {
            topic.resize_with(partitions, Partition::default);
        }
    }

    pub(super) fn partitions(&self, topic: &str) -> usize {
        self.topics.get(topic).map_or(0, Vec::len)
    }

    pub(super) fn partition(&self, topic: &str, partition: i32) -> Option<&Partition> {
        self.topics
            .get(topic)?
            .get(usize::try_from(partition).ok()?)
    }

    pub(super) fn topic(&self, topic: &str) -> &[Partition] {
        self.topics.get(topic).map_or(&[], Vec::as_slice)
    }

    /// Appends to a partition and returns the offset after the record.
    pub(super) fn append(&mut self, topic: &str, partition: usize, record: LogRecord) -> usize {
        self.create(topic, partition + 1);
        match self
            .topics
            .get_mut(topic)
            .and_then(|topic| topic.get_mut(partition))
        {
            Some(partition) => {
                partition.records.push(record);
                partition.records.len()
            }
            None => 0,
        }
    }

    /// The partition that Kafka's producer would choose.
    pub(super) fn partition_of(&mut self, topic: &str, key: Option<&[u8]>) -> usize {
        let count = self.partitions(topic).max(1);
        match key {
            Some(key) => {
                let count = i32::try_from(count).unwrap_or(i32::MAX);
                usize::try_from(headwater_client::partition_for_key(key, count)).unwrap_or(0)
            }
            None => {
                self.keyless += 1;
                (self.keyless - 1) % count
            }
        }
    }

    /// Makes what was written to one partition so far visible, and all before it.
    pub(super) fn commit_partition(&mut self, topic: &str, partition: usize) {
        if let Some(partition) = self
            .topics
            .get_mut(topic)
            .and_then(|all| all.get_mut(partition))
        {
            partition.committed = partition.records.len();
        }
    }

    pub(super) fn commit(&mut self) {
        for partition in self.topics.values_mut().flatten() {
            partition.committed = partition.records.len();
        }
    }

    pub(super) fn abort(&mut self) {
        for partition in self.topics.values_mut().flatten() {
            partition.records.truncate(partition.committed);
        }
    }
}

pub(super) fn no_headers() -> Headers {
    Arc::new([])
}
