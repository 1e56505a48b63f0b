//! Describing the producers of partitions.

use crate::Message;

/// Asks for the active producers of partitions (KIP-664).
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = DescribeProducers,
    response = DescribeProducersResponse,
    versions = "0",
    flexible = "0+"
)]
pub struct DescribeProducersRequest {
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<TopicRequest>,
}

/// A topic to describe.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct TopicRequest {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Indexes of the partitions.
    #[kafka(versions = "0+")]
    pub partition_indexes: Vec<i32>,
}

/// The active producers of the partitions.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct DescribeProducersResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<TopicResponse>,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct TopicResponse {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<PartitionResponse>,
}

/// The producers of a partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct PartitionResponse {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// What went wrong, in words.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<String>,
    /// Producers, one by one.
    #[kafka(versions = "0+")]
    pub active_producers: Vec<ProducerState>,
}

/// A producer.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct ProducerState {
    /// Id of the producer.
    #[kafka(versions = "0+")]
    pub producer_id: i64,
    /// Epoch of the producer.
    #[kafka(versions = "0+")]
    pub producer_epoch: i32,
    /// Sequence of its last record, -1 if there is none.
    #[kafka(versions = "0+", default = -1)]
    pub last_sequence: i32,
    /// Timestamp of its last batch in milliseconds since the epoch, -1 if there is none.
    #[kafka(versions = "0+", default = -1)]
    pub last_timestamp: i64,
    /// Epoch of the transaction coordinator that wrote its last marker.
    #[kafka(versions = "0+")]
    pub coordinator_epoch: i32,
    /// First offset of its open transaction, -1 if there is none.
    #[kafka(versions = "0+", default = -1)]
    pub current_txn_start_offset: i64,
}
