//! Storing a group's offsets.

use uuid::Uuid;

use crate::Message;

/// Stores offsets of a group.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(key = OffsetCommit, response = OffsetCommitResponse, versions = "2-10", flexible = "8+")]
pub struct OffsetCommitRequest {
    /// Id of the group.
    #[kafka(versions = "0+")]
    pub group_id: String,
    /// Generation of a classic group or member epoch of a new one, -1 if the client is not a
    /// member.
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub generation_id_or_member_epoch: i32,
    /// Id of the member.
    #[kafka(versions = "1+", ignorable)]
    pub member_id: String,
    /// Id of a static member (KIP-345); null for a dynamic one.
    #[kafka(versions = "7+", nullable = "7+", default = null)]
    pub group_instance_id: Option<String>,
    /// Milliseconds to keep the offsets; -1 for the broker's setting.
    #[kafka(versions = "2-4", default = -1, ignorable)]
    pub retention_time_ms: i64,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<OffsetCommitRequestTopic>,
}

/// Offsets of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct OffsetCommitRequestTopic {
    /// Name of the topic.
    #[kafka(versions = "0-9", ignorable)]
    pub name: String,
    /// Id of the topic, all zeros if unknown.
    #[kafka(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<OffsetCommitRequestPartition>,
}

/// The offset of a partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct OffsetCommitRequestPartition {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    /// Offset of the next record to consume.
    #[kafka(versions = "0+")]
    pub committed_offset: i64,
    /// Leader epoch of the last record consumed, -1 if unknown.
    #[kafka(versions = "6+", default = -1, ignorable)]
    pub committed_leader_epoch: i32,
    /// Text that the client keeps with the offset.
    #[kafka(versions = "0+", nullable = "0+")]
    pub committed_metadata: Option<String>,
}

/// What became of each offset.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "2-10", flexible = "8+")]
pub struct OffsetCommitResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "3+", ignorable)]
    pub throttle_time_ms: i32,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<OffsetCommitResponseTopic>,
}

/// Results of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct OffsetCommitResponseTopic {
    /// Name of the topic.
    #[kafka(versions = "0-9", ignorable)]
    pub name: String,
    /// Id of the topic, all zeros if unknown.
    #[kafka(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<OffsetCommitResponsePartition>,
}

/// Result of a partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct OffsetCommitResponsePartition {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
}
