//! Storing a group's offsets in a transaction.

use crate::Message;

/// Stores offsets of a group that count once the transaction commits.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = TxnOffsetCommit,
    response = TxnOffsetCommitResponse,
    versions = "0-5",
    flexible = "3+"
)]
pub struct TxnOffsetCommitRequest {
    /// Transactional id.
    #[kafka(versions = "0+")]
    pub transactional_id: String,
    /// Id of the group.
    #[kafka(versions = "0+")]
    pub group_id: String,
    /// Id of the producer.
    #[kafka(versions = "0+")]
    pub producer_id: i64,
    /// Epoch of the producer id.
    #[kafka(versions = "0+")]
    pub producer_epoch: i16,
    /// Generation of the group, -1 if the client is not a member.
    #[kafka(versions = "3+", default = -1)]
    pub generation_id: i32,
    /// Id of the member.
    #[kafka(versions = "3+")]
    pub member_id: String,
    /// Id of a static member (KIP-345); null for a dynamic one.
    #[kafka(versions = "3+", nullable = "3+", default = null)]
    pub group_instance_id: Option<String>,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<TxnOffsetCommitRequestTopic>,
}

/// Offsets of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct TxnOffsetCommitRequestTopic {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<TxnOffsetCommitRequestPartition>,
}

/// The offset of a partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct TxnOffsetCommitRequestPartition {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    /// Offset of the next record to consume.
    #[kafka(versions = "0+")]
    pub committed_offset: i64,
    /// Leader epoch of the last record consumed, -1 if unknown.
    #[kafka(versions = "2+", default = -1, ignorable)]
    pub committed_leader_epoch: i32,
    /// Text that the client keeps with the offset.
    #[kafka(versions = "0+", nullable = "0+")]
    pub committed_metadata: Option<String>,
}

/// What became of each offset.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-5", flexible = "3+")]
pub struct TxnOffsetCommitResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<TxnOffsetCommitResponseTopic>,
}

/// Results of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct TxnOffsetCommitResponseTopic {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<TxnOffsetCommitResponsePartition>,
}

/// Result of a partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct TxnOffsetCommitResponsePartition {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
}
