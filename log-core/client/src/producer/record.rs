//! What goes into a producer, and what comes back.

use std::sync::Arc;

use bytes::Bytes;

use crate::TopicPartition;
use crate::error::ClientError;

/// A record to be sent.
#[derive(Clone, Debug, Default)]
pub struct ProducerRecord {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition; `None` lets the key decide, or the producer if there is no key.
    pub partition: Option<i32>,
    /// Milliseconds since the epoch; `None` is now.
    pub timestamp: Option<i64>,
    /// The key.
    pub key: Option<Bytes>,
    /// The value; `None` is a tombstone in a compacted topic.
    pub value: Option<Bytes>,
    /// The headers, in order; names may repeat.
    pub headers: Vec<(String, Option<Bytes>)>,
}

impl ProducerRecord {
    /// A record without a key.
    pub fn new(topic: impl Into<Arc<str>>, value: impl Into<Bytes>) -> Self {
        Self {
            topic: topic.into(),
            value: Some(value.into()),
            ..Self::default()
        }
    }

    /// Sets the key.
    pub fn key(mut self, key: impl Into<Bytes>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets the partition.
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Sets the timestamp, in milliseconds since the epoch.
    pub fn timestamp(mut self, timestamp: i64) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.headers.push((name.into(), Some(value.into())));
        self
    }
}

/// Where an acknowledged record stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordMetadata {
    /// Topic and partition.
    pub partition: TopicPartition,
    /// Its offset; `None` with `acks=0`, and for a duplicate whose first answer was lost and whose
    /// offset the broker no longer knows.
    pub offset: Option<i64>,
    /// Milliseconds since the epoch: the record's own, or the broker's if the topic has
    /// `message.timestamp.type=LogAppendTime`.
    pub timestamp: i64,
}

/// Why a record could not be appended to its batch.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// `buffer.memory` is used up: await [`Producer::has_room`](crate::Producer::has_room), then
    /// append the same record again.
    #[error("the producer's {0} bytes of buffer.memory are in use")]
    QueueFull(usize),
    /// The record will never be accepted as it is, or the producer is not in a state to take it.
    #[error(transparent)]
    Rejected(#[from] ClientError),
}

impl From<AppendError> for ClientError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::QueueFull(_) => ClientError::IllegalState(error.to_string()),
            AppendError::Rejected(error) => error,
        }
    }
}
