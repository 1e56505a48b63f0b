//! Deleting old records.

use crate::Message;

/// Deletes the records below an offset.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(key = DeleteRecords, response = DeleteRecordsResponse, versions = "0-2", flexible = "2+")]
pub struct DeleteRecordsRequest {
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<DeleteRecordsTopic>,
    /// Milliseconds that the broker has for it.
    #[kafka(versions = "0+")]
    pub timeout_ms: i32,
}

/// A topic to trim.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct DeleteRecordsTopic {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<DeleteRecordsPartition>,
}

/// A partition to trim.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct DeleteRecordsPartition {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    /// Offset below which records go; -1 for all up to the high watermark.
    #[kafka(versions = "0+")]
    pub offset: i64,
}

/// The new beginnings of the partitions.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-2", flexible = "2+")]
pub struct DeleteRecordsResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<DeleteRecordsTopicResult>,
}

/// Results of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct DeleteRecordsTopicResult {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<DeleteRecordsPartitionResult>,
}

/// Result of a partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct DeleteRecordsPartitionResult {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    /// New first offset of the partition, -1 on failure.
    #[kafka(versions = "0+")]
    pub low_watermark: i64,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
}
