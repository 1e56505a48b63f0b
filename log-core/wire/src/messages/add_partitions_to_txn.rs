//! Making partitions part of a transaction.

use crate::Message;

/// Adds partitions to transactions, or checks that they are in them.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = AddPartitionsToTxn,
    response = AddPartitionsToTxnResponse,
    versions = "0-5",
    flexible = "3+"
)]
pub struct AddPartitionsToTxnRequest {
    /// Transactions, one by one.
    #[kafka(versions = "4+")]
    pub transactions: Vec<AddPartitionsToTxnTransaction>,
    /// Transactional id; for versions with a single transaction.
    #[kafka(versions = "0-3")]
    pub v3_and_below_transactional_id: String,
    /// Id of the producer; for versions with a single transaction.
    #[kafka(versions = "0-3")]
    pub v3_and_below_producer_id: i64,
    /// Epoch of the producer id; for versions with a single transaction.
    #[kafka(versions = "0-3")]
    pub v3_and_below_producer_epoch: i16,
    /// Partitions to add; for versions with a single transaction.
    #[kafka(versions = "0-3")]
    pub v3_and_below_topics: Vec<AddPartitionsToTxnTopic>,
}

/// Partitions of one transaction.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct AddPartitionsToTxnTransaction {
    /// Transactional id.
    #[kafka(versions = "4+")]
    pub transactional_id: String,
    /// Id of the producer.
    #[kafka(versions = "4+")]
    pub producer_id: i64,
    /// Epoch of the producer id.
    #[kafka(versions = "4+")]
    pub producer_epoch: i16,
    /// Whether to check that the partitions are in the transaction instead of adding them
    /// (KIP-890).
    #[kafka(versions = "4+")]
    pub verify_only: bool,
    /// Topics, one by one.
    #[kafka(versions = "4+")]
    pub topics: Vec<AddPartitionsToTxnTopic>,
}

/// Partitions of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct AddPartitionsToTxnTopic {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Indexes of the partitions.
    #[kafka(versions = "0+")]
    pub partitions: Vec<i32>,
}

/// What became of each partition.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-5", flexible = "3+")]
pub struct AddPartitionsToTxnResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Error, 0 for none.
    #[kafka(versions = "4+", ignorable)]
    pub error_code: i16,
    /// Results, one for each transaction.
    #[kafka(versions = "4+")]
    pub results_by_transaction: Vec<AddPartitionsToTxnResult>,
    /// Results, one for each topic; for versions with a single transaction.
    #[kafka(versions = "0-3")]
    pub results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult>,
}

/// Results of a transaction.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct AddPartitionsToTxnResult {
    /// Transactional id.
    #[kafka(versions = "4+")]
    pub transactional_id: String,
    /// Results, one for each topic.
    #[kafka(versions = "4+")]
    pub topic_results: Vec<AddPartitionsToTxnTopicResult>,
}

/// Results of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct AddPartitionsToTxnTopicResult {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Results, one for each partition.
    #[kafka(versions = "0+")]
    pub results_by_partition: Vec<AddPartitionsToTxnPartitionResult>,
}

/// Result of a partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct AddPartitionsToTxnPartitionResult {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub partition_error_code: i16,
}
