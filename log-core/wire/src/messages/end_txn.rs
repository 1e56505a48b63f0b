//! Ending a transaction.

use crate::Message;

/// Commits or aborts a transaction.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(key = EndTxn, response = EndTxnResponse, versions = "0-5", flexible = "3+")]
pub struct EndTxnRequest {
    /// Transactional id.
    #[kafka(versions = "0+")]
    pub transactional_id: String,
    /// Id of the producer.
    #[kafka(versions = "0+")]
    pub producer_id: i64,
    /// Epoch of the producer id.
    #[kafka(versions = "0+")]
    pub producer_epoch: i16,
    /// True to commit, false to abort.
    #[kafka(versions = "0+")]
    pub committed: bool,
}

/// Whether the end is decided.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-5", flexible = "3+")]
pub struct EndTxnResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// Id of the producer.
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub producer_id: i64,
    /// Epoch of the producer id.
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub producer_epoch: i16,
}
