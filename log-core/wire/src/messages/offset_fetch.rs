//! Looking up a group's offsets.

use uuid::Uuid;

use crate::Message;

/// Asks for committed offsets of groups.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(key = OffsetFetch, response = OffsetFetchResponse, versions = "1-10", flexible = "6+")]
pub struct OffsetFetchRequest {
    /// Id of the group.
    #[kafka(versions = "0-7")]
    pub group_id: String,
    /// Partitions to look up; null for all. For versions with a single group.
    #[kafka(versions = "0-7", nullable = "2-7")]
    pub topics: Option<Vec<OffsetFetchRequestTopic>>,
    /// Groups, one by one.
    #[kafka(versions = "8+")]
    pub groups: Vec<OffsetFetchRequestGroup>,
    /// Whether to answer with an error while a transaction may still change an offset (KIP-447).
    #[kafka(versions = "7+")]
    pub require_stable: bool,
}

/// A topic to look up.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct OffsetFetchRequestTopic {
    /// Name of the topic.
    #[kafka(versions = "0-7")]
    pub name: String,
    /// Indexes of the partitions.
    #[kafka(versions = "0-7")]
    pub partition_indexes: Vec<i32>,
}

/// A group to look up.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct OffsetFetchRequestGroup {
    /// Id of the group.
    #[kafka(versions = "8+")]
    pub group_id: String,
    /// Id of the member in a new group; null if there is none.
    #[kafka(versions = "9+", nullable = "9+", default = null, ignorable)]
    pub member_id: Option<String>,
    /// Epoch of the member in a new group, -1 if there is none.
    #[kafka(versions = "9+", default = -1, ignorable)]
    pub member_epoch: i32,
    /// Partitions to look up; null for all.
    #[kafka(versions = "8+", nullable = "8+")]
    pub topics: Option<Vec<OffsetFetchRequestTopics>>,
}

/// A topic to look up.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct OffsetFetchRequestTopics {
    /// Name of the topic.
    #[kafka(versions = "8-9", ignorable)]
    pub name: String,
    /// Id of the topic, all zeros if unknown.
    #[kafka(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    /// Indexes of the partitions.
    #[kafka(versions = "8+")]
    pub partition_indexes: Vec<i32>,
}

/// The committed offsets.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "1-10", flexible = "6+")]
pub struct OffsetFetchResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "3+", ignorable)]
    pub throttle_time_ms: i32,
    /// Topics, one by one.
    #[kafka(versions = "0-7")]
    pub topics: Vec<OffsetFetchResponseTopic>,
    /// Error, 0 for none.
    #[kafka(versions = "2-7", ignorable)]
    pub error_code: i16,
    /// Groups, one by one.
    #[kafka(versions = "8+")]
    pub groups: Vec<OffsetFetchResponseGroup>,
}

/// Offsets of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct OffsetFetchResponseTopic {
    /// Name of the topic.
    #[kafka(versions = "0-7")]
    pub name: String,
    /// Partitions, one by one.
    #[kafka(versions = "0-7")]
    pub partitions: Vec<OffsetFetchResponsePartition>,
}

/// The offset of a partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct OffsetFetchResponsePartition {
    /// Index of the partition.
    #[kafka(versions = "0-7")]
    pub partition_index: i32,
    /// Offset of the next record to consume, -1 if nothing was committed.
    #[kafka(versions = "0-7")]
    pub committed_offset: i64,
    /// Leader epoch of the last record consumed, -1 if unknown.
    #[kafka(versions = "5-7", default = -1, ignorable)]
    pub committed_leader_epoch: i32,
    /// Text kept with the offset.
    #[kafka(versions = "0-7", nullable = "0-7")]
    pub metadata: Option<String>,
    /// Error, 0 for none.
    #[kafka(versions = "0-7")]
    pub error_code: i16,
}

/// Offsets of a group.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct OffsetFetchResponseGroup {
    /// Id of the group.
    #[kafka(versions = "8+")]
    pub group_id: String,
    /// Topics, one by one.
    #[kafka(versions = "8+")]
    pub topics: Vec<OffsetFetchResponseTopics>,
    /// Error, 0 for none.
    #[kafka(versions = "8+")]
    pub error_code: i16,
}

/// Offsets of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct OffsetFetchResponseTopics {
    /// Name of the topic.
    #[kafka(versions = "8-9", ignorable)]
    pub name: String,
    /// Id of the topic, all zeros if unknown.
    #[kafka(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    /// Partitions, one by one.
    #[kafka(versions = "8+")]
    pub partitions: Vec<OffsetFetchResponsePartitions>,
}

/// The offset of a partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct OffsetFetchResponsePartitions {
    /// Index of the partition.
    #[kafka(versions = "8+")]
    pub partition_index: i32,
    /// Offset of the next record to consume, -1 if nothing was committed.
    #[kafka(versions = "8+")]
    pub committed_offset: i64,
    /// Leader epoch of the last record consumed, -1 if unknown.
    #[kafka(versions = "8+", default = -1, ignorable)]
    pub committed_leader_epoch: i32,
    /// Text kept with the offset.
    #[kafka(versions = "8+", nullable = "8+")]
    pub metadata: Option<String>,
    /// Error, 0 for none.
    #[kafka(versions = "8+")]
    pub error_code: i16,
}
