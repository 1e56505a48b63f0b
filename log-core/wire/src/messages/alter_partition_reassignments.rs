//! Moving partitions between brokers.

use crate::Message;

/// Starts or cancels reassignments (KIP-455).
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = AlterPartitionReassignments,
    response = AlterPartitionReassignmentsResponse,
    versions = "0-1",
    flexible = "0+"
)]
pub struct AlterPartitionReassignmentsRequest {
    /// Milliseconds that the broker has for it.
    #[kafka(versions = "0+", default = 60000)]
    pub timeout_ms: i32,
    /// Whether a partition may get more or fewer replicas than it has.
    #[kafka(versions = "1+", default = true)]
    pub allow_replication_factor_change: bool,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<ReassignableTopic>,
}

/// A topic to reassign.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct ReassignableTopic {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<ReassignablePartition>,
}

/// A partition to reassign.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct ReassignablePartition {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    /// Brokers that shall hold the partition; null to cancel what is under way.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub replicas: Option<Vec<i32>>,
}

/// What came of it, by partition.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-1", flexible = "0+")]
pub struct AlterPartitionReassignmentsResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Whether a partition could get more or fewer replicas than it had.
    #[kafka(versions = "1+", default = true, ignorable)]
    pub allow_replication_factor_change: bool,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// What went wrong, in words.
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<String>,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub responses: Vec<ReassignableTopicResponse>,
}

/// Results of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct ReassignableTopicResponse {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<ReassignablePartitionResponse>,
}

/// Result of a partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct ReassignablePartitionResponse {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// What went wrong, in words.
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<String>,
}
