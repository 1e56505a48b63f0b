//! Listing transactions.

use crate::Message;

/// Asks for the transactional ids of the broker (KIP-664).
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = ListTransactions,
    response = ListTransactionsResponse,
    versions = "0-2",
    flexible = "0+"
)]
pub struct ListTransactionsRequest {
    /// Names of states to list; empty for all.
    #[kafka(versions = "0+")]
    pub state_filters: Vec<String>,
    /// Producer ids to list; empty for all.
    #[kafka(versions = "0+")]
    pub producer_id_filters: Vec<i64>,
    /// List only what has been open for more than so many milliseconds; below 0 for all (KIP-994).
    #[kafka(versions = "1+", default = -1)]
    pub duration_filter: i64,
    /// Regular expression of the transactional ids to list; null or empty for all (KIP-1152).
    #[kafka(versions = "2+", nullable = "2+", default = null)]
    pub transactional_id_pattern: Option<String>,
}

/// The transactional ids of the broker.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-2", flexible = "0+")]
pub struct ListTransactionsResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// Names in the request that are no states.
    #[kafka(versions = "0+")]
    pub unknown_state_filters: Vec<String>,
    /// Transactional ids, one by one.
    #[kafka(versions = "0+")]
    pub transaction_states: Vec<TransactionState>,
}

/// A transactional id.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct TransactionState {
    /// Transactional id of the producer.
    #[kafka(versions = "0+")]
    pub transactional_id: String,
    /// Id of the producer.
    #[kafka(versions = "0+")]
    pub producer_id: i64,
    /// Name of the state that the transaction is in.
    #[kafka(versions = "0+")]
    pub transaction_state: String,
}
