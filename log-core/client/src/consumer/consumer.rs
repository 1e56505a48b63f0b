//! The consumer as its users see it: made, polled, closed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;

use super::RebalanceListener;
use super::config::ConsumerConfig;
use super::core::Core;
use super::fetcher::Fetcher;
use super::group::{Group, Joined};
use super::metrics::ConsumerMetrics;
use super::record::FetchedBatches;
use crate::cluster::Cluster;
use crate::error::ClientError;

/// Reads records: as a member of a group, or of partitions named by hand.
///
/// Records are fetched ahead by a task of its own; polls return them, run rebalances and call the
/// listener. Cheap to clone; clones are the same consumer, and their polls take turns. A consumer
/// that is dropped without [`close`](Self::close) stays in its group until its session times out.
#[derive(Clone)]
pub struct Consumer {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) core: Arc<Core>,
    pub(super) mode: Mutex<Mode>,
    pub(super) listener: Mutex<Option<Arc<dyn RebalanceListener>>>,
    pub(super) poll: tokio::sync::Mutex<PollState>,
    /// Held by the commit under way; the next wait for it in the order of their calls.
    pub(super) commits: Arc<tokio::sync::Mutex<()>>,
    tasks: Vec<AbortHandle>,
}

/// How partitions come to the consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    None,
    Subscribed,
    Assigned,
}

pub(super) struct PollState {
    pub(super) joining: Option<Joining>,
    pub(super) last_auto_commit: Instant,
    pub(super) auto_commit: Option<JoinHandle<()>>,
}

/// A join under way; it ends with the consumer.
pub(super) struct Joining(pub(super) JoinHandle<Result<Joined, ClientError>>);

impl Drop for Joining {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer")
            .field("config", &self.core().config)
            .finish_non_exhaustive()
    }
}

/// Counts a poll under way, and notes when it began and ended.
struct Polling<'a>(Option<&'a Group>);

impl<'a> Polling<'a> {
    fn begin(group: Option<&'a Group>) -> Self {
        if let Some(group) = group {
            group.polls.fetch_add(1, Ordering::AcqRel);
        }
        Self(group)
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            group.state.lock().last_poll = Instant::now();
            group.polls.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Consumer {
    pub(crate) fn new(cluster: Arc<Cluster>, config: ConsumerConfig) -> Result<Self, ClientError> {
        config.validate()?;
        let runtime = cluster.runtime.clone();
        let core = Arc::new(Core::new(cluster, config));
        let mut tasks = vec![
            runtime
                .spawn(Fetcher::new(core.clone()).run())
                .abort_handle(),
        ];
        if core.group.is_some() {
            tasks.push(
                runtime
                    .spawn(Group::keep_alive(core.clone()))
                    .abort_handle(),
            );
        }
        let poll = PollState {
            joining: None,
            last_auto_commit: Instant::now(),
            auto_commit: None,
        };
        let inner = Inner {
            core,
            mode: Mutex::new(Mode::None),
            listener: Mutex::new(None),
            poll: tokio::sync::Mutex::new(poll),
            commits: Arc::default(),
            tasks,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.inner.core
    }

    pub(super) fn group(&self) -> Result<&Group, ClientError> {
        self.core()
            .group
            .as_ref()
            .ok_or_else(|| ClientError::IllegalState("this needs a group.id".to_owned()))
    }

    /// Returns batches that have come, or waits for some until `timeout` has passed. Rebalances
    /// happen in here, and only here. Dropping the future loses no records; but a listener that was
    /// being called is cut off.
    ///
    /// # Errors
    /// What retrying does not cure: authorization, a damaged batch, no valid offset with
    /// `auto.offset.reset=none`, a fenced `group.instance.id`, a failing assignor, bootstrap servers
    /// that were never reached. Other partitions can still be polled afterwards.
    pub async fn poll(&self, timeout: Duration) -> Result<FetchedBatches, ClientError> {
        let core = self.core();
        let now = Instant::now();
        let deadline = now.checked_add(timeout).unwrap_or(now + FAR);
        let mut poll = self.inner.poll.lock().await;
        let _polling = Polling::begin(core.group.as_ref());
        core.counters.polls.add(1);
        loop {
            if core.is_closed.load(Ordering::Acquire) {
                return Err(ClientError::Closed("the consumer"));
            }
            if let Some(error) = core.take_failure() {
                // Whoever polls on after the error must not read what is another's.
                self.give_up_lost().await;
                return Err(error);
            }
            self.rebalance(&mut poll).await?;
            self.auto_commit(&mut poll);
            let batches = core.assigned.lock().take(core.config.max_poll_records);
            if !batches.is_empty() {
                core.fetch.notify_one();
                return Ok(self.returned(FetchedBatches::new(batches)));
            }
            let has_joined = async {
                match &mut poll.joining {
                    Some(joining) => (&mut joining.0).await,
                    None => std::future::pending().await,
                }
            };
            let joined = tokio::select! {
                joined = has_joined => Some(joined),
                () = core.ready.notified() => None,
                () = tokio::time::sleep_until(deadline) => return Ok(FetchedBatches::default()),
            };
            if let Some(joined) = joined {
                self.joined(&mut poll, joined).await?;
            }
        }
    }

    /// Counts what a poll is about to return, and shows it to the interceptors.
    fn returned(&self, mut batches: FetchedBatches) -> FetchedBatches {
        let core = self.core();
        let bytes = batches
            .batches()
            .iter()
            .map(|batch| batch.batch.bytes.len());
        core.counters.bytes_consumed.add_size(bytes.sum());
        let records = batches.record_count();
        core.counters.records_consumed.add_size(records);
        for interceptor in &core.config.interceptors {
            batches = interceptor.on_consume(batches);
        }
        batches
    }

    /// What the consumer has counted since it was made.
    pub fn metrics(&self) -> ConsumerMetrics {
        let mut metrics = self.core().counters.snapshot();
        let assigned = self.core().assigned.lock();
        let partitions = assigned.partitions();
        metrics.assigned_partitions = partitions.len();
        metrics.bytes_buffered = assigned.buffered_bytes();
        drop(assigned);
        let lags = partitions
            .iter()
            .filter_map(|partition| self.lag(partition));
        metrics.records_lag_max = lags.max();
        metrics
    }

    /// Commits if that is automatic, gives the partitions up, leaves the group unless the member
    /// is static, and ends. A poll under way ends with [`ClientError::Closed`]. Takes at most 30 s,
    /// as Kafka's does; [`close_within`](Self::close_within) takes another limit.
    pub async fn close(&self) {
        self.close_within(CLOSE_LIMIT).await;
    }

    /// As [`close`](Self::close), and ends after `limit` whatever is left to do: the group then
    /// learns by the session timeout that the member is gone.
    pub async fn close_within(&self, limit: Duration) {
        self.core().is_closed.store(true, Ordering::Release);
        self.core().ready.notify_one();
        let leaving = async {
            let mut poll = self.inner.poll.lock().await;
            // The coordinator may be slow to commit, and is still to be told that the member goes.
            self.leave(&mut poll, "the consumer is closed", limit / 2)
                .await;
        };
        if tokio::time::timeout(limit, leaving).await.is_err() {
            tracing::warn!(
                ?limit,
                "the consumer was closed before it could leave in order"
            );
        }
        for task in &self.inner.tasks {
            task.abort();
        }
    }
}

/// How long a close takes at most.
const CLOSE_LIMIT: Duration = Duration::from_secs(30);

/// Stands for a timeout that no clock can hold.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);
