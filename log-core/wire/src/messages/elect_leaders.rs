//! Electing leaders of partitions.

use crate::Message;

/// Starts elections.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(key = ElectLeaders, response = ElectLeadersResponse, versions = "0-2", flexible = "2+")]
pub struct ElectLeadersRequest {
    /// Kind of the election: 0 for the preferred replica, 1 for any live one if none is in sync
    /// (KIP-460).
    #[kafka(versions = "1+")]
    pub election_type: i8,
    /// Partitions to elect leaders for; null for all.
    #[kafka(versions = "0+", nullable = "0+")]
    pub topic_partitions: Option<Vec<TopicPartitions>>,
    /// Milliseconds that the broker has for it.
    #[kafka(versions = "0+", default = 60000)]
    pub timeout_ms: i32,
}

/// Partitions of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct TopicPartitions {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub topic: String,
    /// Indexes of the partitions.
    #[kafka(versions = "0+")]
    pub partitions: Vec<i32>,
}

/// Results of the elections.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-2", flexible = "2+")]
pub struct ElectLeadersResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Error, 0 for none.
    #[kafka(versions = "1+")]
    pub error_code: i16,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub replica_election_results: Vec<ReplicaElectionResult>,
}

/// Results of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct ReplicaElectionResult {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub topic: String,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partition_result: Vec<PartitionResult>,
}

/// Result of a partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct PartitionResult {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_id: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// What went wrong, in words.
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<String>,
}
