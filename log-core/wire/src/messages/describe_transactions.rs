//! Describing transactions.

use crate::Message;

/// Asks for the state of transactional ids (KIP-664).
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = DescribeTransactions,
    response = DescribeTransactionsResponse,
    versions = "0",
    flexible = "0+"
)]
pub struct DescribeTransactionsRequest {
    /// Transactional ids to describe.
    #[kafka(versions = "0+")]
    pub transactional_ids: Vec<String>,
}

/// The state of the transactional ids.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct DescribeTransactionsResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Transactional ids, one by one.
    #[kafka(versions = "0+")]
    pub transaction_states: Vec<TransactionState>,
}

/// A transactional id.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct TransactionState {
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// Transactional id of the producer.
    #[kafka(versions = "0+")]
    pub transactional_id: String,
    /// Name of the state that the transaction is in.
    #[kafka(versions = "0+")]
    pub transaction_state: String,
    /// Milliseconds that a transaction may take.
    #[kafka(versions = "0+")]
    pub transaction_timeout_ms: i32,
    /// When the transaction began, in milliseconds since the epoch; -1 if none is open.
    #[kafka(versions = "0+")]
    pub transaction_start_time_ms: i64,
    /// Id of the producer.
    #[kafka(versions = "0+")]
    pub producer_id: i64,
    /// Epoch of the producer.
    #[kafka(versions = "0+")]
    pub producer_epoch: i16,
    /// Partitions in the open transaction; while it ends, those that still wait for their marker.
    #[kafka(versions = "0+")]
    pub topics: Vec<TopicData>,
}

/// Partitions of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct TopicData {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub topic: String,
    /// Indexes of the partitions.
    #[kafka(versions = "0+")]
    pub partitions: Vec<i32>,
}
