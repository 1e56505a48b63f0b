//! Creating topics.

use uuid::Uuid;

use crate::Message;

/// Creates topics.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(key = CreateTopics, response = CreateTopicsResponse, versions = "2-7", flexible = "5+")]
pub struct CreateTopicsRequest {
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<CreatableTopic>,
    /// Milliseconds that the broker has for it.
    #[kafka(versions = "0+", default = 60_000)]
    pub timeout_ms: i32,
    /// Whether to check only and change nothing.
    #[kafka(versions = "1+")]
    pub validate_only: bool,
}

/// A topic to create.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct CreatableTopic {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Number of partitions; -1 for the broker's default or if `assignments` say.
    #[kafka(versions = "0+")]
    pub num_partitions: i32,
    /// Number of replicas; -1 for the broker's default or if `assignments` say.
    #[kafka(versions = "0+")]
    pub replication_factor: i16,
    /// Brokers of each partition; empty to let the controller choose.
    #[kafka(versions = "0+")]
    pub assignments: Vec<CreatableReplicaAssignment>,
    /// Configurations.
    #[kafka(versions = "0+")]
    pub configs: Vec<CreatableTopicConfig>,
}

/// The brokers of a partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct CreatableReplicaAssignment {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    /// Brokers of the partition, the preferred leader first.
    #[kafka(versions = "0+")]
    pub broker_ids: Vec<i32>,
}

/// A configuration of a topic to create.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct CreatableTopicConfig {
    /// Name of the configuration.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Value of the configuration.
    #[kafka(versions = "0+", nullable = "0+")]
    pub value: Option<String>,
}

/// What became of each topic.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "2-7", flexible = "5+")]
pub struct CreateTopicsResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "2+", ignorable)]
    pub throttle_time_ms: i32,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<CreatableTopicResult>,
}

/// What became of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct CreatableTopicResult {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Id of the topic, all zeros if unknown.
    #[kafka(versions = "7+", ignorable)]
    pub topic_id: Uuid,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// What went wrong, in words.
    #[kafka(versions = "1+", nullable = "0+", ignorable)]
    pub error_message: Option<String>,
    /// Why `configs` are missing, 0 if they are not.
    #[kafka(versions = "5+", tag = 0, ignorable)]
    pub topic_config_error_code: i16,
    /// Number of partitions, -1 if the client may not see it.
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub num_partitions: i32,
    /// Number of replicas, -1 if the client may not see it.
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub replication_factor: i16,
    /// Configuration of the new topic; null if the client may not see it.
    #[kafka(versions = "5+", nullable = "5+", ignorable)]
    pub configs: Option<Vec<CreatableTopicConfigs>>,
}

/// A configuration of a new topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct CreatableTopicConfigs {
    /// Name of the configuration.
    #[kafka(versions = "5+")]
    pub name: String,
    /// Value of the configuration.
    #[kafka(versions = "5+", nullable = "5+")]
    pub value: Option<String>,
    /// Whether the value cannot be changed.
    #[kafka(versions = "5+")]
    pub read_only: bool,
    /// Where the value comes from: 1 topic, 2 dynamic broker, 3 dynamic default broker, 4 static
    /// broker, 5 default, 6 dynamic broker logger, 7 client metrics, 8 group.
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub config_source: i8,
    /// Whether the value is secret and therefore null.
    #[kafka(versions = "5+")]
    pub is_sensitive: bool,
}
