//! Listing reassignments of partitions.

use crate::Message;

/// Asks for the reassignments that are under way (KIP-455).
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = ListPartitionReassignments,
    response = ListPartitionReassignmentsResponse,
    versions = "0",
    flexible = "0+"
)]
pub struct ListPartitionReassignmentsRequest {
    /// Milliseconds that the broker has for it.
    #[kafka(versions = "0+", default = 60000)]
    pub timeout_ms: i32,
    /// Topics to look at; null for all.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub topics: Option<Vec<ListPartitionReassignmentsTopics>>,
}

/// A topic to look at.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct ListPartitionReassignmentsTopics {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Indexes of the partitions.
    #[kafka(versions = "0+")]
    pub partition_indexes: Vec<i32>,
}

/// The reassignments that are under way.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct ListPartitionReassignmentsResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// What went wrong, in words.
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<String>,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<OngoingTopicReassignment>,
}

/// Reassignments of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct OngoingTopicReassignment {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<OngoingPartitionReassignment>,
}

/// Reassignment of a partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct OngoingPartitionReassignment {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    /// Brokers that hold the partition now.
    #[kafka(versions = "0+")]
    pub replicas: Vec<i32>,
    /// Brokers that are being added.
    #[kafka(versions = "0+")]
    pub adding_replicas: Vec<i32>,
    /// Brokers that are being removed.
    #[kafka(versions = "0+")]
    pub removing_replicas: Vec<i32>,
}
