//! Where topics and their partitions are.

use uuid::Uuid;

use crate::Message;

/// Asks for brokers, topics, partitions and their leaders.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(key = Metadata, response = MetadataResponse, versions = "0-13", flexible = "9+")]
pub struct MetadataRequest {
    /// Topics to describe; null for all (in version 0, empty for all).
    #[kafka(versions = "0+", nullable = "1+")]
    pub topics: Option<Vec<MetadataRequestTopic>>,
    /// Whether topics that do not exist may be created.
    #[kafka(versions = "4+", default = true)]
    pub allow_auto_topic_creation: bool,
    /// Whether to list what the client may do on the cluster.
    #[kafka(versions = "8-10")]
    pub include_cluster_authorized_operations: bool,
    /// Whether to list what the client may do on each topic.
    #[kafka(versions = "8+")]
    pub include_topic_authorized_operations: bool,
}

/// A topic, by name or by id.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct MetadataRequestTopic {
    /// Id of the topic, all zeros if unknown.
    #[kafka(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    /// Name of the topic.
    #[kafka(versions = "0+", nullable = "10+")]
    pub name: Option<String>,
}

/// Brokers, topics, partitions and their leaders.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-13", flexible = "9+")]
pub struct MetadataResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "3+", ignorable)]
    pub throttle_time_ms: i32,
    /// Brokers of the cluster.
    #[kafka(versions = "0+")]
    pub brokers: Vec<MetadataResponseBroker>,
    /// Id of the cluster.
    #[kafka(versions = "2+", nullable = "2+", default = null, ignorable)]
    pub cluster_id: Option<String>,
    /// Id of the active controller, -1 if there is none.
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub controller_id: i32,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<MetadataResponseTopic>,
    /// Operations that the client may do on the cluster, as a bit field; `i32::MIN` if not asked
    /// for.
    #[kafka(versions = "8-10", default = i32::MIN)]
    pub cluster_authorized_operations: i32,
    /// Error, 0 for none.
    #[kafka(versions = "13+", ignorable)]
    pub error_code: i16,
}

/// A broker.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct MetadataResponseBroker {
    /// Id of the node.
    #[kafka(versions = "0+")]
    pub node_id: i32,
    /// Host name or address.
    #[kafka(versions = "0+")]
    pub host: String,
    /// Port number.
    #[kafka(versions = "0+")]
    pub port: i32,
    /// Rack of the node; null if none is set.
    #[kafka(versions = "1+", nullable = "1+", default = null, ignorable)]
    pub rack: Option<String>,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct MetadataResponseTopic {
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// Name of the topic.
    #[kafka(versions = "0+", nullable = "12+")]
    pub name: Option<String>,
    /// Id of the topic, all zeros if unknown.
    #[kafka(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    /// Whether the topic is internal.
    #[kafka(versions = "1+", ignorable)]
    pub is_internal: bool,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<MetadataResponsePartition>,
    /// Operations that the client may do on the topic, as a bit field; `i32::MIN` if not asked for.
    #[kafka(versions = "8+", default = i32::MIN)]
    pub topic_authorized_operations: i32,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct MetadataResponsePartition {
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
    #[kafka(versions = "7+", default = -1, ignorable)]
    pub leader_epoch: i32,
    /// Brokers that hold the partition.
    #[kafka(versions = "0+")]
    pub replica_nodes: Vec<i32>,
    /// Replicas in sync with the leader.
    #[kafka(versions = "0+")]
    pub isr_nodes: Vec<i32>,
    /// Replicas on brokers that are down.
    #[kafka(versions = "5+", ignorable)]
    pub offline_replicas: Vec<i32>,
}
