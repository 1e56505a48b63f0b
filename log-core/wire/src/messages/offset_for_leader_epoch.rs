//! Where leader epochs end.

use crate::Message;

/// Asks for the end offsets of leader epochs, to find where logs diverge.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = OffsetForLeaderEpoch,
    response = OffsetForLeaderEpochResponse,
    versions = "2-4",
    flexible = "4+"
)]
pub struct OffsetForLeaderEpochRequest {
    /// Broker id of the follower, -1 for a consumer, -2 in versions that do not say.
    #[kafka(versions = "3+", default = -2, ignorable)]
    pub replica_id: i32,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<OffsetForLeaderTopic>,
}

/// A topic to look into.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct OffsetForLeaderTopic {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub topic: String,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<OffsetForLeaderPartition>,
}

/// A partition to look into.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct OffsetForLeaderPartition {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition: i32,
    /// Leader epoch as the client knows it, which fences stale clients and stale leaders; -1 for no
    /// check.
    #[kafka(versions = "2+", default = -1, ignorable)]
    pub current_leader_epoch: i32,
    /// Leader epoch whose end is wanted.
    #[kafka(versions = "0+")]
    pub leader_epoch: i32,
}

/// The end offsets.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "2-4", flexible = "4+")]
pub struct OffsetForLeaderEpochResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "2+", ignorable)]
    pub throttle_time_ms: i32,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<OffsetForLeaderTopicResult>,
}

/// Results of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct OffsetForLeaderTopicResult {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub topic: String,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<EpochEndOffset>,
}

/// The end of a leader epoch in a partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct EpochEndOffset {
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition: i32,
    /// Leader epoch of the partition.
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub leader_epoch: i32,
    /// End offset of the epoch, -1 if unknown.
    #[kafka(versions = "0+", default = -1)]
    pub end_offset: i64,
}
