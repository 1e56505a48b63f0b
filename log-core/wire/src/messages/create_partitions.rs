//! Adding partitions to topics.

use crate::Message;

/// Adds partitions to topics.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = CreatePartitions,
    response = CreatePartitionsResponse,
    versions = "0-3",
    flexible = "2+"
)]
pub struct CreatePartitionsRequest {
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<CreatePartitionsTopic>,
    /// Milliseconds that the broker has for it.
    #[kafka(versions = "0+")]
    pub timeout_ms: i32,
    /// Whether to check only and change nothing.
    #[kafka(versions = "0+")]
    pub validate_only: bool,
}

/// A topic to grow.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct CreatePartitionsTopic {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Number of partitions after the call, old ones included.
    #[kafka(versions = "0+")]
    pub count: i32,
    /// Brokers of each new partition; null to let the controller choose.
    #[kafka(versions = "0+", nullable = "0+")]
    pub assignments: Option<Vec<CreatePartitionsAssignment>>,
}

/// The brokers of a new partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct CreatePartitionsAssignment {
    /// Brokers of the partition, the preferred leader first.
    #[kafka(versions = "0+")]
    pub broker_ids: Vec<i32>,
}

/// What became of each topic.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-3", flexible = "2+")]
pub struct CreatePartitionsResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Results, one by one.
    #[kafka(versions = "0+")]
    pub results: Vec<CreatePartitionsTopicResult>,
}

/// What became of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct CreatePartitionsTopicResult {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// What went wrong, in words.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<String>,
}
