//! Appending record batches.

use bytes::Bytes;
use uuid::Uuid;

use crate::Message;

/// Appends record batches to partitions.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(key = Produce, response = ProduceResponse, versions = "3-13", flexible = "9+")]
pub struct ProduceRequest {
    /// Transactional id; null without transactions.
    #[kafka(versions = "3+", nullable = "3+", default = null)]
    pub transactional_id: Option<String>,
    /// Who must have the records before the answer: 0 nobody (no answer at all), 1 the leader, -1
    /// all replicas in sync.
    #[kafka(versions = "0+")]
    pub acks: i16,
    /// Milliseconds that the broker has for it.
    #[kafka(versions = "0+")]
    pub timeout_ms: i32,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topic_data: Vec<TopicProduceData>,
}

/// Records for a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct TopicProduceData {
    /// Name of the topic.
    #[kafka(versions = "0-12", ignorable)]
    pub name: String,
    /// Id of the topic, all zeros if unknown.
    #[kafka(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partition_data: Vec<PartitionProduceData>,
}

/// Records for a partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct PartitionProduceData {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub index: i32,
    /// Record batches, as they stand on disk.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub records: Option<Bytes>,
}

/// Where the records were put.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "3-13", flexible = "9+")]
pub struct ProduceResponse {
    /// Results, one by one.
    #[kafka(versions = "0+")]
    pub responses: Vec<TopicProduceResponse>,
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    /// Addresses of the leaders named above.
    #[kafka(versions = "10+", tag = 0)]
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// Results of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct TopicProduceResponse {
    /// Name of the topic.
    #[kafka(versions = "0-12", ignorable)]
    pub name: String,
    /// Id of the topic, all zeros if unknown.
    #[kafka(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    /// Results, one for each partition.
    #[kafka(versions = "0+")]
    pub partition_responses: Vec<PartitionProduceResponse>,
}

/// Result of a partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct PartitionProduceResponse {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub index: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// Offset given to the first record, -1 on failure.
    #[kafka(versions = "0+")]
    pub base_offset: i64,
    /// Time of the append, in ms since the epoch, if the broker stamps the topic's records; else
    /// -1.
    #[kafka(versions = "2+", default = -1, ignorable)]
    pub log_append_time_ms: i64,
    /// First offset of the log, -1 if unknown.
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub log_start_offset: i64,
    /// The records that made the batch fail (KIP-467).
    #[kafka(versions = "8+", ignorable)]
    pub record_errors: Vec<BatchIndexAndErrorMessage>,
    /// What went wrong, in words.
    #[kafka(versions = "8+", nullable = "8+", default = null, ignorable)]
    pub error_message: Option<String>,
    /// Leader to go to, if this broker is not it any more (KIP-951).
    #[kafka(versions = "10+", tag = 0)]
    pub current_leader: LeaderIdAndEpoch,
}

/// A record that was refused.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct BatchIndexAndErrorMessage {
    /// Position of the record in its batch.
    #[kafka(versions = "8+")]
    pub batch_index: i32,
    /// Why the record was refused.
    #[kafka(versions = "8+", nullable = "8+", default = null)]
    pub batch_index_error_message: Option<String>,
}

/// A leader and its epoch.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct LeaderIdAndEpoch {
    /// Broker id of the leader, -1 if there is none.
    #[kafka(versions = "10+", default = -1)]
    pub leader_id: i32,
    /// Leader epoch of the partition.
    #[kafka(versions = "10+", default = -1)]
    pub leader_epoch: i32,
}

/// The address of a node.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct NodeEndpoint {
    /// Id of the node.
    #[kafka(versions = "10+")]
    pub node_id: i32,
    /// Host name or address.
    #[kafka(versions = "10+")]
    pub host: String,
    /// Port number.
    #[kafka(versions = "10+")]
    pub port: i32,
    /// Rack of the node; null if none is set.
    #[kafka(versions = "10+", nullable = "10+", default = null)]
    pub rack: Option<String>,
}
