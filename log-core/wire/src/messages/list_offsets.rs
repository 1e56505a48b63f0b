//! Finding offsets by time.

use crate::Message;

/// Asks for the offsets of points in time.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(key = ListOffsets, response = ListOffsetsResponse, versions = "1-11", flexible = "6+")]
pub struct ListOffsetsRequest {
    /// Broker id of the follower, -1 for a consumer.
    #[kafka(versions = "0+")]
    pub replica_id: i32,
    /// 0 to see all records, 1 (`read_committed`) to see those of committed transactions only.
    #[kafka(versions = "2+")]
    pub isolation_level: i8,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<ListOffsetsTopic>,
    /// Milliseconds that the broker has for it.
    #[kafka(versions = "10+", ignorable)]
    pub timeout_ms: i32,
}

/// A topic to look into.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct ListOffsetsTopic {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<ListOffsetsPartition>,
}

/// A partition to look into.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct ListOffsetsPartition {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    /// Leader epoch as the client knows it, which fences stale clients and stale leaders; -1 for no
    /// check.
    #[kafka(versions = "4+", default = -1, ignorable)]
    pub current_leader_epoch: i32,
    /// Time in ms since the epoch, or what is wanted: -1 latest, -2 earliest, -3 largest timestamp,
    /// -4 earliest local, -5 latest tiered, -6 earliest not yet tiered.
    #[kafka(versions = "0+")]
    pub timestamp: i64,
}

/// The offsets found.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "1-11", flexible = "6+")]
pub struct ListOffsetsResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "2+", ignorable)]
    pub throttle_time_ms: i32,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<ListOffsetsTopicResponse>,
}

/// Offsets in a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct ListOffsetsTopicResponse {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<ListOffsetsPartitionResponse>,
}

/// The offset in a partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct ListOffsetsPartitionResponse {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// Time in ms since the epoch; -1 for none.
    #[kafka(versions = "1+", default = -1)]
    pub timestamp: i64,
    /// Offset found, -1 if there is none.
    #[kafka(versions = "1+", default = -1)]
    pub offset: i64,
    /// Leader epoch of the record at the offset, -1 if unknown.
    #[kafka(versions = "4+", default = -1)]
    pub leader_epoch: i32,
}
