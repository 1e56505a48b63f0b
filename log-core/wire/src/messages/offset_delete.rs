//! Deleting a group's offsets.

use crate::Message;

/// Deletes committed offsets of a group (KIP-496).
#[derive(Debug, Clone, PartialEq, Message)]
#[message(key = OffsetDelete, response = OffsetDeleteResponse, versions = "0")]
pub struct OffsetDeleteRequest {
    /// Id of the group.
    #[kafka(versions = "0+")]
    pub group_id: String,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<OffsetDeleteRequestTopic>,
}

/// A topic to forget.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct OffsetDeleteRequestTopic {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<OffsetDeleteRequestPartition>,
}

/// A partition to forget.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct OffsetDeleteRequestPartition {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
}

/// What came of it, by partition.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0")]
pub struct OffsetDeleteResponse {
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+", ignorable)]
    pub throttle_time_ms: i32,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<OffsetDeleteResponseTopic>,
}

/// Results of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct OffsetDeleteResponseTopic {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<OffsetDeleteResponsePartition>,
}

/// Result of a partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct OffsetDeleteResponsePartition {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
}
