//! Settings of the transaction coordinator, under Kafka's names and with Kafka's defaults.

use std::time::Duration;

use crate::{Now, Time};

/// What bounds and times transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionConfig {
    /// `transaction.max.timeout.ms`: producers that ask for more are refused with
    /// `INVALID_TRANSACTION_TIMEOUT`.
    pub max_timeout: Duration,
    /// `transactional.id.expiration.ms`: how long an id without transactions is remembered.
    pub id_expiration: Duration,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`: how often unused ids are
    /// looked for.
    pub expiration_check_interval: Duration,
    /// How long a request waits for a decided transaction to complete, before it is answered with
    /// `CONCURRENT_TRANSACTIONS` as Kafka does at once, however many transactions complete
    /// meanwhile. Zero is Kafka's behaviour.
    pub completion_wait: Duration,
    /// How many requests may wait for one transaction; more are answered at once. Bounds memory:
    /// a request is at most a frame.
    pub waiting_max: usize,
    /// `max.message.bytes` of the internal topic: a transaction whose state would not fit in one
    /// batch of this many bytes takes no further partitions.
    pub max_append_bytes: usize,
}

impl TransactionConfig {
    /// When a request that comes now and has waited before has waited for long enough.
    pub(super) fn wait_until(&self, time: Time, waited: Duration) -> Now {
        time.now.after(self.completion_wait.saturating_sub(waited))
    }
}

impl Default for TransactionConfig {
    fn default() -> Self {
        Self {
            max_timeout: Duration::from_secs(15 * 60),
            id_expiration: Duration::from_secs(7 * 24 * 60 * 60),
            expiration_check_interval: Duration::from_secs(60 * 60),
            completion_wait: Duration::from_secs(5),
            waiting_max: 16,
            max_append_bytes: 1024 * 1024 + 12,
        }
    }
}
