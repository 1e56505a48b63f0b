//! What a producer counts.

use crate::metrics::{Counter, Timer, Timing};

/// The counters, shared by the producer's handles and its sender.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) records_sent: Counter,
    pub(crate) bytes_sent: Counter,
    pub(crate) batches: Timer,
    pub(crate) record_errors: Counter,
    pub(crate) record_retries: Counter,
    pub(crate) batch_splits: Counter,
    pub(crate) requests: Timer,
    pub(crate) request_errors: Counter,
    pub(crate) buffer_waits: Timer,
    pub(crate) transactions_committed: Timer,
    pub(crate) transactions_aborted: Timer,
}

/// A producer's counters since it was made, and what it holds now. The comments name Kafka's
/// metrics where there is one of the kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProducerMetrics {
    /// Records acknowledged (`record-send-total`).
    pub records_sent: u64,
    /// Bytes of acknowledged batches as they went out (`outgoing-byte-total`, without requests).
    pub bytes_sent: u64,
    /// Batches acknowledged, timed from their first record on.
    pub batches: Timing,
    /// Records that failed for good (`record-error-total`).
    pub record_errors: u64,
    /// Records sent again (`record-retry-total`).
    pub record_retries: u64,
    /// Batches that were too large for the broker and were split (`batch-split-total`).
    pub batch_splits: u64,
    /// Produce requests answered (`request-total`, `request-latency`).
    pub requests: Timing,
    /// Produce requests that failed as a whole.
    pub request_errors: u64,
    /// Waits of `send` for room in `buffer.memory` (`bufferpool-wait-time`).
    pub buffer_waits: Timing,
    /// Transactions committed (`txn-commit-time-ns-total`).
    pub transactions_committed: Timing,
    /// Transactions aborted (`txn-abort-time-ns-total`).
    pub transactions_aborted: Timing,
    /// Bytes of `buffer.memory` that are free (`buffer-available-bytes`).
    pub buffer_available_bytes: usize,
    /// Batches not yet acknowledged.
    pub batches_incomplete: usize,
}

impl Counters {
    /// The counts; what the producer holds is the caller's to fill in.
    pub(crate) fn snapshot(&self) -> ProducerMetrics {
        ProducerMetrics {
            records_sent: self.records_sent.get(),
            bytes_sent: self.bytes_sent.get(),
            batches: self.batches.get(),
            record_errors: self.record_errors.get(),
            record_retries: self.record_retries.get(),
            batch_splits: self.batch_splits.get(),
            requests: self.requests.get(),
            request_errors: self.request_errors.get(),
            buffer_waits: self.buffer_waits.get(),
            transactions_committed: self.transactions_committed.get(),
            transactions_aborted: self.transactions_aborted.get(),
            ..ProducerMetrics::default()
        }
    }
}
