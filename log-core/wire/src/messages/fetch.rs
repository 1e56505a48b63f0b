//! Reading record batches.

use bytes::Bytes;
use uuid::Uuid;

use crate::Message;

/// Reads record batches from partitions, waiting for some if need be.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(key = Fetch, response = FetchResponse, versions = "4-18", flexible = "12+")]
pub struct FetchRequest {
    /// Id of the cluster as the fetching controller knows it; only in the metadata quorum.
    #[kafka(versions = "12+", nullable = "12+", tag = 0, default = null, ignorable)]
    pub cluster_id: Option<String>,
    /// Broker id of the follower, -1 for a consumer.
    #[kafka(versions = "0-14", default = -1)]
    pub replica_id: i32,
    /// Which follower asks.
    #[kafka(versions = "15+", tag = 1)]
    pub replica_state: ReplicaState,
    /// Milliseconds to wait for `min_bytes`.
    #[kafka(versions = "0+")]
    pub max_wait_ms: i32,
    /// Bytes to wait for before answering.
    #[kafka(versions = "0+")]
    pub min_bytes: i32,
    /// Bytes that the whole answer should not exceed; its first batch comes whole all the same
    /// (KIP-74).
    #[kafka(versions = "3+", default = i32::MAX, ignorable)]
    pub max_bytes: i32,
    /// 0 to see all records, 1 (`read_committed`) to see those of committed transactions only.
    #[kafka(versions = "4+", ignorable)]
    pub isolation_level: i8,
    /// Id of the fetch session (KIP-227), 0 for none.
    #[kafka(versions = "7+", ignorable)]
    pub session_id: i32,
    /// Position of the request in its session; -1 for none, 0 to begin one.
    #[kafka(versions = "7+", default = -1, ignorable)]
    pub session_epoch: i32,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<FetchTopic>,
    /// Partitions to drop from an incremental fetch session.
    #[kafka(versions = "7+")]
    pub forgotten_topics_data: Vec<ForgottenTopic>,
    /// Rack of the client, for reads from a near replica.
    #[kafka(versions = "11+", ignorable)]
    pub rack_id: String,
}

/// A follower and its broker epoch.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct ReplicaState {
    /// Broker id of the follower, -1 for a consumer.
    #[kafka(versions = "15+", default = -1)]
    pub replica_id: i32,
    /// Broker epoch of the follower, -1 if unknown.
    #[kafka(versions = "15+", default = -1)]
    pub replica_epoch: i64,
}

/// A topic to read.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct FetchTopic {
    /// Name of the topic.
    #[kafka(versions = "0-12", ignorable)]
    pub topic: String,
    /// Id of the topic, all zeros if unknown.
    #[kafka(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<FetchPartition>,
}

/// A partition to read.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct FetchPartition {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition: i32,
    /// Leader epoch as the client knows it, which fences stale clients and stale leaders; -1 for no
    /// check.
    #[kafka(versions = "9+", default = -1, ignorable)]
    pub current_leader_epoch: i32,
    /// Offset of the first record wanted.
    #[kafka(versions = "0+")]
    pub fetch_offset: i64,
    /// Leader epoch of the last record fetched, -1 if there is none.
    #[kafka(versions = "12+", default = -1)]
    pub last_fetched_epoch: i32,
    /// First offset of the follower's log; consumers send -1.
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub log_start_offset: i64,
    /// Bytes that the partition's records should not exceed; the first batch comes whole all the
    /// same.
    #[kafka(versions = "0+")]
    pub partition_max_bytes: i32,
    /// Directory id of the fetching replica; only in the metadata quorum.
    #[kafka(versions = "17+", tag = 0, ignorable)]
    pub replica_directory_id: Uuid,
    /// High watermark as the follower knows it, -1 if unknown.
    #[kafka(versions = "18+", tag = 1, default = i64::MAX, ignorable)]
    pub high_watermark: i64,
}

/// Partitions of a topic that leave the session.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct ForgottenTopic {
    /// Name of the topic.
    #[kafka(versions = "7-12", ignorable)]
    pub topic: String,
    /// Id of the topic, all zeros if unknown.
    #[kafka(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    /// Indexes of the partitions.
    #[kafka(versions = "7+")]
    pub partitions: Vec<i32>,
}

/// Record batches, and where the partitions stand.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "4-18", flexible = "12+")]
pub struct FetchResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    /// Error, 0 for none.
    #[kafka(versions = "7+", ignorable)]
    pub error_code: i16,
    /// Id of the fetch session (KIP-227), 0 for none.
    #[kafka(versions = "7+")]
    pub session_id: i32,
    /// Results, one by one.
    #[kafka(versions = "0+")]
    pub responses: Vec<FetchableTopicResponse>,
    /// Addresses of the leaders named above.
    #[kafka(versions = "16+", tag = 0)]
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// Records of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct FetchableTopicResponse {
    /// Name of the topic.
    #[kafka(versions = "0-12", ignorable)]
    pub topic: String,
    /// Id of the topic, all zeros if unknown.
    #[kafka(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<PartitionData>,
}

/// Records of a partition, and where it stands.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct PartitionData {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// High watermark of the partition, -1 if unknown.
    #[kafka(versions = "0+")]
    pub high_watermark: i64,
    /// Offset below which every transaction is decided.
    #[kafka(versions = "4+", default = -1, ignorable)]
    pub last_stable_offset: i64,
    /// First offset of the log, -1 if unknown.
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub log_start_offset: i64,
    /// Largest epoch, with its end offset, up to which the follower's log agrees with the leader's.
    #[kafka(versions = "12+", tag = 0)]
    pub diverging_epoch: EpochEndOffset,
    /// Leader to go to, if this broker is not it any more (KIP-951).
    #[kafka(versions = "12+", tag = 1)]
    pub current_leader: LeaderIdAndEpoch,
    /// Snapshot to fetch instead; only in the metadata quorum.
    #[kafka(versions = "12+", tag = 2)]
    pub snapshot_id: SnapshotId,
    /// Aborted transactions that reach into the records, for `read_committed` readers.
    #[kafka(versions = "4+", nullable = "4+", ignorable)]
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    /// Broker that the consumer should rather read from (KIP-392), -1 for this one.
    #[kafka(versions = "11+", default = -1)]
    pub preferred_read_replica: i32,
    /// Record batches, as they stand on disk.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub records: Option<Bytes>,
}

/// A leader epoch and its end.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct EpochEndOffset {
    /// Leader epoch, -1 for none.
    #[kafka(versions = "12+", default = -1)]
    pub epoch: i32,
    /// End offset of the epoch, -1 if unknown.
    #[kafka(versions = "12+", default = -1)]
    pub end_offset: i64,
}

/// A leader and its epoch.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct LeaderIdAndEpoch {
    /// Broker id of the leader, -1 if there is none.
    #[kafka(versions = "12+", default = -1)]
    pub leader_id: i32,
    /// Leader epoch of the partition.
    #[kafka(versions = "12+", default = -1)]
    pub leader_epoch: i32,
}

/// End offset and epoch of a snapshot.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct SnapshotId {
    /// End offset of the snapshot.
    #[kafka(versions = "0+", default = -1)]
    pub end_offset: i64,
    /// Leader epoch of its last record.
    #[kafka(versions = "0+", default = -1)]
    pub epoch: i32,
}

/// A transaction to ignore.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct AbortedTransaction {
    /// Id of the producer.
    #[kafka(versions = "4+")]
    pub producer_id: i64,
    /// Offset of the transaction's first record.
    #[kafka(versions = "4+")]
    pub first_offset: i64,
}

/// The address of a node.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct NodeEndpoint {
    /// Id of the node.
    #[kafka(versions = "16+")]
    pub node_id: i32,
    /// Host name or address.
    #[kafka(versions = "16+")]
    pub host: String,
    /// Port number.
    #[kafka(versions = "16+")]
    pub port: i32,
    /// Rack of the node; null if none is set.
    #[kafka(versions = "16+", nullable = "16+", default = null)]
    pub rack: Option<String>,
}
