//! Records of `__transaction_state`: what each transactional id is at.

use crate::Message;

/// Key of a transactional id.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0")]
pub struct TransactionLogKey {
    /// Transactional id.
    #[kafka(versions = "0")]
    pub transactional_id: String,
}

/// State of a transactional id.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-1", flexible = "1+")]
pub struct TransactionLogValue {
    /// Id of the producer.
    #[kafka(versions = "0+")]
    pub producer_id: i64,
    /// Producer id of the last committed transaction, -1 if it is the same.
    #[kafka(versions = "1+", tag = 0, default = -1)]
    pub previous_producer_id: i64,
    /// Newest producer id given to the producer, -1 if it is the same.
    #[kafka(versions = "1+", tag = 1, default = -1)]
    pub next_producer_id: i64,
    /// Epoch of the producer id.
    #[kafka(versions = "0+")]
    pub producer_epoch: i16,
    /// Epoch of the newest producer id, -1 if there is none.
    #[kafka(versions = "1+", tag = 3, default = -1)]
    pub next_producer_epoch: i16,
    /// Milliseconds without progress after which the coordinator aborts a transaction of the
    /// producer.
    #[kafka(versions = "0+")]
    pub transaction_timeout_ms: i32,
    /// State: 0 empty, 1 ongoing, 2 prepare commit, 3 prepare abort, 4 complete commit, 5 complete
    /// abort, 6 dead, 7 prepare epoch fence.
    #[kafka(versions = "0+")]
    pub transaction_status: i8,
    /// Partitions with records of the transaction; null if there is none.
    #[kafka(versions = "0+", nullable = "0+")]
    pub transaction_partitions: Option<Vec<PartitionsSchema>>,
    /// Time of the last change, in ms since the epoch.
    #[kafka(versions = "0+")]
    pub transaction_last_update_timestamp_ms: i64,
    /// Time of the transaction's start, in ms since the epoch; -1 if none is ongoing.
    #[kafka(versions = "0+")]
    pub transaction_start_timestamp_ms: i64,
    /// Transaction protocol that the client uses.
    #[kafka(versions = "1+", tag = 2)]
    pub client_transaction_version: i16,
}

/// Partitions of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct PartitionsSchema {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub topic: String,
    /// Indexes of the partitions.
    #[kafka(versions = "0+")]
    pub partition_ids: Vec<i32>,
}
