//! Records on their way out of a source and into a sink.

use std::sync::Arc;

use super::value::SchemaAndValue;

/// Where a source's rows come from, such as `{"filename": "orders.csv"}`.
pub type SourcePartition = serde_json::Map<String, serde_json::Value>;

/// How far a source partition has been read, such as `{"position": 4096}`.
pub type SourceOffset = serde_json::Map<String, serde_json::Value>;

/// Headers in order; names may repeat.
pub type Headers = Vec<(String, SchemaAndValue)>;

/// A row that a source produced.
#[derive(Clone, Debug)]
pub struct SourceRecord {
    /// Where it comes from. Shared by all rows of a partition.
    pub source_partition: Arc<SourcePartition>,
    /// The position after it: where the source goes on if this row was the last to be kept.
    pub source_offset: SourceOffset,
    /// The topic it goes to.
    pub topic: Arc<str>,
    /// The topic's partition; `None` lets the key decide, as Kafka's default partitioner does.
    pub partition: Option<i32>,
    /// The key.
    pub key: SchemaAndValue,
    /// The value.
    pub value: SchemaAndValue,
    /// Milliseconds since the epoch; `None` is the time it is produced.
    pub timestamp: Option<i64>,
    /// Headers.
    pub headers: Headers,
}

/// A record for a sink.
#[derive(Clone, Debug)]
pub struct SinkRecord {
    /// The topic it was read from.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Milliseconds since the epoch, if it has one.
    pub timestamp: Option<i64>,
    /// The key.
    pub key: SchemaAndValue,
    /// The value; null is a tombstone in a compacted topic.
    pub value: SchemaAndValue,
    /// Headers.
    pub headers: Headers,
}
