//! Describing topics page by page.

use uuid::Uuid;

use crate::Message;

/// Asks for topics and their partitions, a page at a time.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = DescribeTopicPartitions,
    response = DescribeTopicPartitionsResponse,
    versions = "0",
    flexible = "0+"
)]
pub struct DescribeTopicPartitionsRequest {
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<TopicRequest>,
    /// Largest number of partitions in the answer.
    #[kafka(versions = "0+", default = 2000)]
    pub response_partition_limit: i32,
    /// Where to go on; null to start from the first.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub cursor: Option<Cursor>,
}

/// A topic to describe.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct TopicRequest {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
}

/// A partition to go on from.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct Cursor {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub topic_name: String,
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
}

/// A page of topics and their partitions.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct DescribeTopicPartitionsResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+", ignorable)]
    pub throttle_time_ms: i32,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<DescribeTopicPartitionsResponseTopic>,
    /// Where to go on; null at the end.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub next_cursor: Option<Cursor>,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct DescribeTopicPartitionsResponseTopic {
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// Name of the topic.
    #[kafka(versions = "0+", nullable = "0+")]
    pub name: Option<String>,
    /// Id of the topic, all zeros if unknown.
    #[kafka(versions = "0+", ignorable)]
    pub topic_id: Uuid,
    /// Whether the topic is internal.
    #[kafka(versions = "0+", ignorable)]
    pub is_internal: bool,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<DescribeTopicPartitionsResponsePartition>,
    /// Operations that the client may do on the topic, as a bit field; `i32::MIN` if not asked for.
    #[kafka(versions = "0+", default = i32::MIN)]
    pub topic_authorized_operations: i32,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct DescribeTopicPartitionsResponsePartition {
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    /// Broker id of the leader, -1 if there is none.
    #[kafka(versions = "0+")]
    pub leader_id: i32,
    /// Leader epoch of the partition.
    #[kafka(versions = "0+", default = -1, ignorable)]
    pub leader_epoch: i32,
    /// Brokers that hold the partition.
    #[kafka(versions = "0+")]
    pub replica_nodes: Vec<i32>,
    /// Replicas in sync with the leader.
    #[kafka(versions = "0+")]
    pub isr_nodes: Vec<i32>,
    /// Replicas out of sync that may still lead without losing records (KIP-966).
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub eligible_leader_replicas: Option<Vec<i32>>,
    /// Eligible leader replicas that were last known (KIP-966).
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub last_known_elr: Option<Vec<i32>>,
    /// Replicas on brokers that are down.
    #[kafka(versions = "0+", ignorable)]
    pub offline_replicas: Vec<i32>,
}
