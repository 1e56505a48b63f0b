//! The consumer as its users see it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;

use super::assigned::Position;
use super::config::{AutoOffsetReset, ConsumerConfig, IsolationLevel};
use super::core::Core;
use super::fetcher::Fetcher;
use super::group::{Group, Phase};
use super::join::{Joined, join};
use super::record::{FetchedBatches, OffsetAndTimestamp, Watermarks};
use super::{ConsumerGroupMetadata, RebalanceListener};
use crate::cluster::Cluster;
use crate::error::ClientError;
use crate::list_offsets::{EARLIEST, LATEST, list_offsets};
use crate::{OffsetAndMetadata, TopicPartition};

/// Offsets by partition.
type Offsets = HashMap<TopicPartition, OffsetAndMetadata>;

/// Reads records: as a member of a group, or of partitions named by hand.
///
/// Records are fetched ahead by a task of its own; polls return them, run rebalances and call the
/// listener. Cheap to clone; clones are the same consumer, and their polls take turns. A consumer
/// that is dropped without [`close`](Self::close) stays in its group until its session times out.
#[derive(Clone)]
pub struct Consumer {
    inner: Arc<Inner>,
}

struct Inner {
    core: Arc<Core>,
    mode: Mutex<Mode>,
    listener: Mutex<Option<Arc<dyn RebalanceListener>>>,
    poll: tokio::sync::Mutex<PollState>,
    /// Ends when the commit before the next has: commits are sent in the order of their calls.
    last_commit: Mutex<Option<oneshot::Receiver<()>>>,
    tasks: Vec<AbortHandle>,
}

/// How partitions come to the consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    None,
    Subscribed,
    Assigned,
}

struct PollState {
    joining: Option<Joining>,
    last_auto_commit: Instant,
}

/// A join under way; it ends with the consumer.
struct Joining(JoinHandle<Result<Joined, ClientError>>);

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
            polls(group).fetch_add(1, Ordering::AcqRel);
        }
        Self(group)
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            group.state.lock().last_poll = Instant::now();
            polls(group).fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn polls(group: &Group) -> &AtomicUsize {
    &group.polls
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
        };
        let inner = Inner {
            core,
            mode: Mutex::new(Mode::None),
            listener: Mutex::new(None),
            poll: tokio::sync::Mutex::new(poll),
            last_commit: Mutex::new(None),
            tasks,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    fn core(&self) -> &Arc<Core> {
        &self.inner.core
    }

    fn group(&self) -> Result<&Group, ClientError> {
        self.core()
            .group
            .as_ref()
            .ok_or_else(|| ClientError::IllegalState("this needs a group.id".to_owned()))
    }

    fn set_mode(&self, wanted: Mode) -> Result<(), ClientError> {
        let mut mode = self.inner.mode.lock();
        if *mode != Mode::None && *mode != wanted {
            let reason = "subscribe and assign exclude each other; unsubscribe first";
            return Err(ClientError::IllegalState(reason.to_owned()));
        }
        *mode = wanted;
        Ok(())
    }

    /// Joins the group at the next poll, to be given partitions of `topics`; or changes them.
    /// `listener` replaces an earlier one.
    ///
    /// # Errors
    /// [`ClientError::IllegalState`] without `group.id`, or after [`assign`](Self::assign).
    pub fn subscribe(
        &self,
        topics: impl IntoIterator<Item = impl Into<String>>,
        listener: Option<Arc<dyn RebalanceListener>>,
    ) -> Result<(), ClientError> {
        let group = self.group()?;
        self.set_mode(Mode::Subscribed)?;
        let topics = topics.into_iter().map(Into::into).collect();
        *self.inner.listener.lock() = listener;
        let is_new = {
            let mut state = group.state.lock();
            let is_new = state.subscription != topics;
            state.subscription = topics;
            is_new || state.phase == Phase::Out
        };
        if is_new {
            group.request_rejoin("the subscription has changed");
            self.core().ready.notify_one();
        }
        Ok(())
    }

    /// Reads exactly these partitions, outside any group's rebalances. Those it had before keep
    /// their positions; new ones begin at the group's committed offset, if there is a group, or
    /// where `auto.offset.reset` says.
    ///
    /// # Errors
    /// [`ClientError::IllegalState`] after [`subscribe`](Self::subscribe).
    pub fn assign(
        &self,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<(), ClientError> {
        self.set_mode(Mode::Assigned)?;
        self.core().assigned.lock().assign(partitions);
        self.core().fetch.notify_one();
        Ok(())
    }

    /// Gives all partitions up, and leaves the group unless the member is static. Waits for a poll
    /// under way.
    pub async fn unsubscribe(&self) {
        let mut poll = self.inner.poll.lock().await;
        self.leave(&mut poll, "the consumer unsubscribed").await;
    }

    async fn leave(&self, poll: &mut PollState, reason: &str) {
        poll.joining = None;
        self.revoke().await;
        *self.inner.mode.lock() = Mode::None;
        if let Some(group) = &self.core().group {
            group.leave(self.core(), reason).await;
            let mut state = group.state.lock();
            state.subscription.clear();
            state.rejoin = None;
        }
        *self.inner.listener.lock() = None;
    }

    /// The partitions it has now.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.core().assigned.lock().partitions()
    }

    /// Returns batches that have come, or waits for some until `timeout` has passed. Rebalances
    /// happen in here, and only here. Dropping the future loses no records; but a listener that was
    /// being called is cut off.
    ///
    /// # Errors
    /// What retrying does not cure: authorization, a damaged batch, no valid offset with
    /// `auto.offset.reset=none`, a fenced `group.instance.id`, a failing assignor. Other partitions
    /// can still be polled afterwards.
    pub async fn poll(&self, timeout: Duration) -> Result<FetchedBatches, ClientError> {
        let core = self.core();
        let now = Instant::now();
        let deadline = now.checked_add(timeout).unwrap_or(now + FAR);
        let mut poll = self.inner.poll.lock().await;
        let _polling = Polling::begin(core.group.as_ref());
        loop {
            if core.is_closed.load(Ordering::Acquire) {
                return Err(ClientError::Closed("the consumer"));
            }
            if let Some(error) = core.take_failure() {
                return Err(error);
            }
            self.ensure_member(&mut poll, deadline).await?;
            self.auto_commit(&mut poll);
            let batches = core.assigned.lock().take(core.config.max_poll_records);
            if !batches.is_empty() {
                core.fetch.notify_one();
                return Ok(FetchedBatches::new(batches));
            }
            if tokio::time::timeout_at(deadline, core.ready.notified())
                .await
                .is_err()
            {
                return Ok(FetchedBatches::default());
            }
        }
    }

    /// Joins if that is due, until `deadline`; a join that takes longer goes on in the background
    /// and is taken up by the next poll.
    async fn ensure_member(
        &self,
        poll: &mut PollState,
        deadline: Instant,
    ) -> Result<(), ClientError> {
        let core = self.core();
        let Some(group) = &core.group else {
            return Ok(());
        };
        loop {
            if poll.joining.is_none() {
                let is_due = {
                    let state = group.state.lock();
                    !state.subscription.is_empty() && state.rejoin.is_some()
                };
                if !is_due || core.is_closed.load(Ordering::Acquire) {
                    return Ok(());
                }
                let owned = self.revoke().await;
                group.state.lock().phase = Phase::Joining;
                poll.joining = Some(Joining(
                    core.cluster.runtime.spawn(join(core.clone(), owned)),
                ));
            }
            let Some(joining) = &mut poll.joining else {
                return Ok(());
            };
            let joined = tokio::select! {
                joined = &mut joining.0 => joined,
                () = core.ready.notified() => {
                    if core.is_closed.load(Ordering::Acquire) {
                        return Ok(());
                    }
                    continue;
                }
                () = tokio::time::sleep_until(deadline) => return Ok(()),
            };
            poll.joining = None;
            let joined = joined.unwrap_or_else(|error| {
                let operation = format!("joining group {}", group.id);
                Err(ClientError::Protocol {
                    operation,
                    reason: error.to_string(),
                })
            });
            match joined {
                Ok(joined) => self.take_assignment(group, joined).await,
                Err(error) => {
                    let mut state = group.state.lock();
                    state.phase = Phase::Out;
                    if error.code() == Some(headwater_wire::ErrorCode::FencedInstanceId) {
                        state.subscription.clear();
                    } else {
                        state.rejoin = Some("the last attempt failed".to_owned());
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Gives up all partitions of a group: commits if that is automatic, and tells the listener.
    /// Returns them, unless they were lost before.
    async fn revoke(&self) -> Vec<TopicPartition> {
        let core = self.core();
        let owned = core.assigned.lock().partitions();
        let is_lost = core
            .group
            .as_ref()
            .is_some_and(|group| group.state.lock().is_lost);
        let is_subscribed = *self.inner.mode.lock() == Mode::Subscribed;
        if !owned.is_empty() {
            if !is_lost
                && self.commits_automatically()
                && let Err(error) = self.commit().await
            {
                tracing::warn!(%error, "offsets could not be committed before a rebalance");
            }
            let listener = self.inner.listener.lock().clone();
            if let Some(listener) = listener.filter(|_| is_subscribed) {
                if is_lost {
                    listener.on_partitions_lost(self, &owned).await;
                } else {
                    listener.on_partitions_revoked(self, &owned).await;
                }
            }
        }
        core.assigned.lock().assign([]);
        if is_lost { Vec::new() } else { owned }
    }

    async fn take_assignment(&self, group: &Group, joined: Joined) {
        let Joined {
            assignor,
            assignment,
        } = joined;
        let metadata = group.metadata();
        tracing::debug!(
            group = %group.id,
            generation = metadata.generation_id,
            partitions = assignment.partitions.len(),
            "joined"
        );
        assignor.on_assignment(&assignment, &metadata);
        self.core()
            .assigned
            .lock()
            .assign(assignment.partitions.iter().cloned());
        let listener = self.inner.listener.lock().clone();
        if let Some(listener) = listener {
            listener
                .on_partitions_assigned(self, &assignment.partitions)
                .await;
        }
        self.core().fetch.notify_one();
    }

    fn commits_automatically(&self) -> bool {
        self.core().config.enable_auto_commit && self.core().group.is_some()
    }

    fn auto_commit(&self, poll: &mut PollState) {
        let is_due = poll.last_auto_commit.elapsed() >= self.core().config.auto_commit_interval;
        if !is_due || !self.commits_automatically() {
            return;
        }
        poll.last_auto_commit = Instant::now();
        let committing = self.commit_async(self.committable());
        self.core().cluster.runtime.spawn(async move {
            if let Ok(Err(error)) = committing.await {
                tracing::warn!(%error, "offsets could not be committed automatically");
            }
        });
    }

    /// Positions in the form in which they are committed.
    fn committable(&self) -> Offsets {
        let positions = self.core().assigned.lock().positions();
        let committable = positions
            .into_iter()
            .map(|(partition, offset, leader_epoch)| {
                (
                    partition,
                    OffsetAndMetadata {
                        offset,
                        leader_epoch,
                        metadata: String::new(),
                    },
                )
            });
        committable.collect()
    }

    /// Commits the positions: what polls have returned so far.
    ///
    /// # Errors
    /// As [`commit_offsets`](Self::commit_offsets).
    pub async fn commit(&self) -> Result<(), ClientError> {
        self.commit_offsets(&self.committable()).await
    }

    /// Commits these offsets, each that of the next record to read.
    ///
    /// # Errors
    /// [`ClientError::is_rebalanced`] if the group has gone on without this member: what it had
    /// may be another's. A timeout after `default.api.timeout.ms`.
    pub async fn commit_offsets(&self, offsets: &Offsets) -> Result<(), ClientError> {
        let (before, done) = self.queue_commit();
        if let Some(before) = before {
            let _ = before.await;
        }
        let committed = self.group()?.commit(self.core(), offsets).await;
        drop(done);
        committed
    }

    /// Commits in the background; commits arrive in the order of their calls. The handle gives the
    /// result and may be dropped.
    pub fn commit_async(&self, offsets: Offsets) -> JoinHandle<Result<(), ClientError>> {
        let (before, done) = self.queue_commit();
        let core = self.core().clone();
        self.core().cluster.runtime.spawn(async move {
            if let Some(before) = before {
                let _ = before.await;
            }
            let committed = match &core.group {
                Some(group) => group.commit(&core, &offsets).await,
                None => Err(ClientError::IllegalState(
                    "committing needs a group.id".to_owned(),
                )),
            };
            drop(done);
            committed
        })
    }

    /// A place in the order of commits: when the one before has ended, and what ends this one.
    fn queue_commit(&self) -> (Option<oneshot::Receiver<()>>, oneshot::Sender<()>) {
        let (done, next) = oneshot::channel();
        (self.inner.last_commit.lock().replace(next), done)
    }

    /// The group's committed offsets of these partitions; those without one are left out. Under
    /// read_committed, waits for transactions that are about to change them.
    ///
    /// # Errors
    /// A timeout after `default.api.timeout.ms`, or the coordinator's refusal.
    pub async fn committed(&self, partitions: &[TopicPartition]) -> Result<Offsets, ClientError> {
        if partitions.is_empty() {
            return Ok(Offsets::new());
        }
        self.group()?.committed(self.core(), Some(partitions)).await
    }

    /// The offset of the next record that a poll returns; `None` if the partition is not assigned
    /// or its position is not known yet. Passes over control records and aborted transactions.
    pub fn position(&self, partition: &TopicPartition) -> Option<i64> {
        self.core().assigned.lock().position(partition)
    }

    /// Reads on from `offset`.
    ///
    /// # Errors
    /// [`ClientError::IllegalState`] if the partition is not assigned.
    pub fn seek(&self, partition: &TopicPartition, offset: i64) -> Result<(), ClientError> {
        self.seek_all(std::slice::from_ref(partition), Position::At(offset.max(0)))
    }

    /// Reads on from the log start; of all assigned partitions if `partitions` is empty.
    ///
    /// # Errors
    /// As [`seek`](Self::seek).
    pub fn seek_to_beginning(&self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.seek_all(partitions, Position::Reset(AutoOffsetReset::Earliest))
    }

    /// Reads on from the end; of all assigned partitions if `partitions` is empty.
    ///
    /// # Errors
    /// As [`seek`](Self::seek).
    pub fn seek_to_end(&self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.seek_all(partitions, Position::Reset(AutoOffsetReset::Latest))
    }

    fn seek_all(
        &self,
        partitions: &[TopicPartition],
        position: Position,
    ) -> Result<(), ClientError> {
        let mut assigned = self.core().assigned.lock();
        let all = if partitions.is_empty() {
            assigned.partitions()
        } else {
            partitions.to_vec()
        };
        for partition in all {
            if !assigned.seek(&partition, position) {
                return Err(not_assigned(&partition));
            }
        }
        drop(assigned);
        self.core().fetch.notify_one();
        Ok(())
    }

    /// Stops returning records of these partitions; what is buffered of them is kept.
    ///
    /// # Errors
    /// [`ClientError::IllegalState`] if one is not assigned.
    pub fn pause(&self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.set_paused(partitions, true)
    }

    /// Goes on with partitions that were paused.
    ///
    /// # Errors
    /// [`ClientError::IllegalState`] if one is not assigned.
    pub fn resume(&self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.set_paused(partitions, false)?;
        self.core().fetch.notify_one();
        self.core().ready.notify_one();
        Ok(())
    }

    fn set_paused(
        &self,
        partitions: &[TopicPartition],
        is_paused: bool,
    ) -> Result<(), ClientError> {
        let mut assigned = self.core().assigned.lock();
        for partition in partitions {
            if !assigned.set_paused(partition, is_paused) {
                return Err(not_assigned(partition));
            }
        }
        Ok(())
    }

    /// The partitions that are paused.
    pub fn paused(&self) -> Vec<TopicPartition> {
        self.core().assigned.lock().paused()
    }

    /// What the last fetch of the partition told of its ends; `None` before the first.
    pub fn watermarks(&self, partition: &TopicPartition) -> Option<Watermarks> {
        self.core().assigned.lock().watermarks(partition)
    }

    /// How many offsets the position is behind the end that the last fetch told: the high
    /// watermark, or the last stable offset under read_committed. `None` before the first fetch.
    pub fn lag(&self, partition: &TopicPartition) -> Option<i64> {
        let assigned = self.core().assigned.lock();
        let watermarks = assigned.watermarks(partition)?;
        let end = match self.core().config.isolation_level {
            IsolationLevel::ReadUncommitted => watermarks.high_watermark,
            IsolationLevel::ReadCommitted => watermarks.last_stable_offset,
        };
        Some((end - assigned.position(partition)?).max(0))
    }

    /// The first offset of each partition.
    ///
    /// # Errors
    /// A timeout after `default.api.timeout.ms`, or the first partition's error.
    pub async fn beginning_offsets(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, i64>, ClientError> {
        self.ends(partitions, EARLIEST).await
    }

    /// The offset after the last record of each partition: the high watermark, or the last stable
    /// offset under read_committed.
    ///
    /// # Errors
    /// As [`beginning_offsets`](Self::beginning_offsets).
    pub async fn end_offsets(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, i64>, ClientError> {
        self.ends(partitions, LATEST).await
    }

    async fn ends(
        &self,
        partitions: &[TopicPartition],
        which: i64,
    ) -> Result<HashMap<TopicPartition, i64>, ClientError> {
        let wanted = partitions
            .iter()
            .map(|partition| (partition.clone(), which))
            .collect();
        let found = self.offsets_for_times(&wanted).await?;
        Ok(found
            .into_iter()
            .map(|(partition, found)| (partition, found.offset))
            .collect())
    }

    /// The first record of each partition at or after its timestamp (milliseconds since the
    /// epoch). Partitions without one are left out.
    ///
    /// # Errors
    /// As [`beginning_offsets`](Self::beginning_offsets).
    pub async fn offsets_for_times(
        &self,
        timestamps: &HashMap<TopicPartition, i64>,
    ) -> Result<HashMap<TopicPartition, OffsetAndTimestamp>, ClientError> {
        let core = self.core();
        let (isolation, limit) = (core.config.isolation_level, core.config.default_api_timeout);
        let wanted = timestamps.clone();
        let listed = list_offsets(&core.cluster, &core.channel, wanted, isolation, limit).await;
        let mut found = HashMap::with_capacity(listed.len());
        for (partition, result) in listed {
            if let Some(offset) = result? {
                found.insert(partition, offset);
            }
        }
        Ok(found)
    }

    /// Number of partitions of a topic.
    ///
    /// # Errors
    /// A timeout after `default.api.timeout.ms` if it is not there by then.
    pub async fn partitions_for(&self, topic: &str) -> Result<i32, ClientError> {
        let core = self.core();
        let limit = core.config.default_api_timeout;
        let allow = core.config.allow_auto_create_topics;
        let topic = core
            .cluster
            .topic(&core.channel, &topic.into(), allow, limit)
            .await?;
        Ok(topic.partition_count())
    }

    /// Who this consumer is in its group now, for
    /// [`Producer::send_offsets_to_transaction`](crate::Producer::send_offsets_to_transaction).
    ///
    /// # Errors
    /// [`ClientError::IllegalState`] without `group.id`.
    pub fn group_metadata(&self) -> Result<ConsumerGroupMetadata, ClientError> {
        self.group().map(Group::metadata)
    }

    /// Commits if that is automatic, gives the partitions up, leaves the group unless the member
    /// is static, and ends. A poll under way ends with [`ClientError::Closed`].
    pub async fn close(&self) {
        self.core().is_closed.store(true, Ordering::Release);
        self.core().ready.notify_one();
        let mut poll = self.inner.poll.lock().await;
        self.leave(&mut poll, "the consumer is closed").await;
        for task in &self.inner.tasks {
            task.abort();
        }
    }
}

/// Stands for a timeout that no clock can hold.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

fn not_assigned(partition: &TopicPartition) -> ClientError {
    ClientError::IllegalState(format!("{partition} is not assigned to this consumer"))
}
