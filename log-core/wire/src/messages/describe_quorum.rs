//! Describing the metadata quorum.

use uuid::Uuid;

use crate::Message;

/// Asks for the state of quorums (KIP-595).
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = DescribeQuorum,
    response = DescribeQuorumResponse,
    versions = "0-2",
    flexible = "0+"
)]
pub struct DescribeQuorumRequest {
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<TopicRequest>,
}

/// A topic to describe.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct TopicRequest {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub topic_name: String,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<PartitionRequest>,
}

/// A partition to describe.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct PartitionRequest {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
}

/// The state of the quorums.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-2", flexible = "0+")]
pub struct DescribeQuorumResponse {
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// What went wrong, in words.
    #[kafka(versions = "2+", nullable = "2+", ignorable)]
    pub error_message: Option<String>,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<TopicData>,
    /// Nodes of the quorum.
    #[kafka(versions = "2+")]
    pub nodes: Vec<Node>,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct TopicData {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub topic_name: String,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<PartitionData>,
}

/// The quorum of a partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct PartitionData {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// What went wrong, in words.
    #[kafka(versions = "2+", nullable = "2+", ignorable)]
    pub error_message: Option<String>,
    /// Id of the leader, -1 if there is none.
    #[kafka(versions = "0+")]
    pub leader_id: i32,
    /// Latest epoch that is known.
    #[kafka(versions = "0+")]
    pub leader_epoch: i32,
    /// Offset up to which the quorum has agreed.
    #[kafka(versions = "0+")]
    pub high_watermark: i64,
    /// Replicas that vote.
    #[kafka(versions = "0+")]
    pub current_voters: Vec<ReplicaState>,
    /// Replicas that only follow.
    #[kafka(versions = "0+")]
    pub observers: Vec<ReplicaState>,
}

/// A node of the quorum.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct Node {
    /// Id of the node.
    #[kafka(versions = "2+")]
    pub node_id: i32,
    /// Where the node listens as a controller.
    #[kafka(versions = "2+")]
    pub listeners: Vec<Listener>,
}

/// Where a node listens.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct Listener {
    /// Name of the listener.
    #[kafka(versions = "2+")]
    pub name: String,
    /// Host of the node.
    #[kafka(versions = "2+")]
    pub host: String,
    /// Port of the node.
    #[kafka(versions = "2+")]
    pub port: u16,
}

/// How far a replica is.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct ReplicaState {
    /// Id of the replica.
    #[kafka(versions = "0+")]
    pub replica_id: i32,
    /// Id of the directory of the replica (KIP-853).
    #[kafka(versions = "2+")]
    pub replica_directory_id: Uuid,
    /// End of its log as far as the leader knows, -1 if unknown.
    #[kafka(versions = "0+")]
    pub log_end_offset: i64,
    /// When it last fetched by the leader's clock, in milliseconds since the epoch; -1 for the
    /// leader itself or if unknown.
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub last_fetch_timestamp: i64,
    /// When the leader had appended what it fetched last, by the leader's clock, in milliseconds
    /// since the epoch; now for the leader itself, -1 if unknown.
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub last_caught_up_timestamp: i64,
}
