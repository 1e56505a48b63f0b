//! Producer ids for idempotence and transactions.

use crate::Message;

/// Asks for a producer id, fencing older producers of the same transactional id.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = InitProducerId,
    response = InitProducerIdResponse,
    versions = "0-5",
    flexible = "2+"
)]
pub struct InitProducerIdRequest {
    /// Transactional id; null without transactions.
    #[kafka(versions = "0+", nullable = "0+")]
    pub transactional_id: Option<String>,
    /// Milliseconds without progress after which the coordinator aborts a transaction of the
    /// producer.
    #[kafka(versions = "0+")]
    pub transaction_timeout_ms: i32,
    /// Id that the producer has already, -1 if none.
    #[kafka(versions = "3+", default = -1)]
    pub producer_id: i64,
    /// Epoch that the producer has already, -1 if none.
    #[kafka(versions = "3+", default = -1)]
    pub producer_epoch: i16,
}

/// A producer id and its epoch.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-5", flexible = "2+")]
pub struct InitProducerIdResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+", ignorable)]
    pub throttle_time_ms: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// Id of the producer.
    #[kafka(versions = "0+", default = -1)]
    pub producer_id: i64,
    /// Epoch of the producer id.
    #[kafka(versions = "0+")]
    pub producer_epoch: i16,
}
