//! Making a group's offsets part of a transaction.

use crate::Message;

/// Adds a group's offsets to a transaction.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = AddOffsetsToTxn,
    response = AddOffsetsToTxnResponse,
    versions = "0-4",
    flexible = "3+"
)]
pub struct AddOffsetsToTxnRequest {
    /// Transactional id.
    #[kafka(versions = "0+")]
    pub transactional_id: String,
    /// Id of the producer.
    #[kafka(versions = "0+")]
    pub producer_id: i64,
    /// Epoch of the producer id.
    #[kafka(versions = "0+")]
    pub producer_epoch: i16,
    /// Id of the group.
    #[kafka(versions = "0+")]
    pub group_id: String,
}

/// Whether the offsets may be committed in the transaction.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-4", flexible = "3+")]
pub struct AddOffsetsToTxnResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
}
