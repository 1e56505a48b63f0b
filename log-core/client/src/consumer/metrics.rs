//! What a consumer counts.

use crate::metrics::{Counter, Timer, Timing};

/// The counters, shared by the consumer's handles and tasks.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) polls: Counter,
    pub(crate) records_consumed: Counter,
    pub(crate) bytes_consumed: Counter,
    pub(crate) fetches: Timer,
    pub(crate) fetch_failures: Counter,
    pub(crate) bytes_fetched: Counter,
    pub(crate) commits: Timer,
    pub(crate) commit_failures: Counter,
    pub(crate) heartbeats: Timer,
    pub(crate) rebalances: Counter,
    pub(crate) failed_rebalances: Counter,
    pub(crate) partitions_lost: Counter,
}

/// A consumer's counters since it was made, and what it holds now. The comments name Kafka's
/// metrics where there is one of the kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConsumerMetrics {
    /// Calls of `poll`.
    pub polls: u64,
    /// Records returned by polls (`records-consumed-total`).
    pub records_consumed: u64,
    /// Bytes of the batches returned by polls (`bytes-consumed-total`).
    pub bytes_consumed: u64,
    /// Fetches answered, the broker's wait for data included (`fetch-total`, `fetch-latency`).
    pub fetches: Timing,
    /// Fetches that failed as a whole.
    pub fetch_failures: u64,
    /// Bytes of records that fetches brought.
    pub bytes_fetched: u64,
    /// Commits that succeeded (`commit-total`, `commit-latency`).
    pub commits: Timing,
    /// Commits that failed.
    pub commit_failures: u64,
    /// Heartbeats answered (`heartbeat-total`, `heartbeat-response-time`).
    pub heartbeats: Timing,
    /// Assignments taken up (`rebalance-total`).
    pub rebalances: u64,
    /// Attempts to join that failed (`failed-rebalance-total`).
    pub failed_rebalances: u64,
    /// Partitions that became another member's before they were given up.
    pub partitions_lost: u64,
    /// Partitions assigned now (`assigned-partitions`).
    pub assigned_partitions: usize,
    /// Bytes fetched and not yet returned by a poll.
    pub bytes_buffered: usize,
    /// The largest lag of an assigned partition whose end is known (`records-lag-max`).
    pub records_lag_max: Option<i64>,
}

impl Counters {
    /// The counts; what the consumer holds is the caller's to fill in.
    pub(crate) fn snapshot(&self) -> ConsumerMetrics {
        ConsumerMetrics {
            polls: self.polls.get(),
            records_consumed: self.records_consumed.get(),
            bytes_consumed: self.bytes_consumed.get(),
            fetches: self.fetches.get(),
            fetch_failures: self.fetch_failures.get(),
            bytes_fetched: self.bytes_fetched.get(),
            commits: self.commits.get(),
            commit_failures: self.commit_failures.get(),
            heartbeats: self.heartbeats.get(),
            rebalances: self.rebalances.get(),
            failed_rebalances: self.failed_rebalances.get(),
            partitions_lost: self.partitions_lost.get(),
            ..ConsumerMetrics::default()
        }
    }
}
