//! Committing: what polls have returned, or what the caller says.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::{JoinHandle, unconstrained};
use tokio::time::{Instant, timeout};

use super::consumer::{Consumer, PollState};
use super::core::Core;
use crate::error::ClientError;
use crate::{OffsetAndMetadata, TopicPartition};

/// Offsets by partition.
type Offsets = HashMap<TopicPartition, OffsetAndMetadata>;

/// A place in the order of commits, taken when it is made and given up when it is dropped: commits
/// are sent one after the other in the order of their calls.
struct Place {
    turn: BoxFuture<'static, OwnedMutexGuard<()>>,
    has_come: Option<OwnedMutexGuard<()>>,
}

impl Place {
    fn take(order: &Arc<Mutex<()>>) -> Self {
        // The lock is fair: the first look at it is what queues.
        let mut turn = unconstrained(order.clone().lock_owned()).boxed();
        let has_come = (&mut turn).now_or_never();
        Self { turn, has_come }
    }

    async fn come(self) -> OwnedMutexGuard<()> {
        match self.has_come {
            Some(turn) => turn,
            None => self.turn.await,
        }
    }
}

/// Commits when the turn of `place` has come, all within `limit`.
async fn commit_in_turn(
    core: &Core,
    place: Place,
    offsets: &Offsets,
    limit: Duration,
) -> Result<(), ClientError> {
    let Some(group) = &core.group else {
        return Err(ClientError::IllegalState(
            "committing needs a group.id".to_owned(),
        ));
    };
    let started = Instant::now();
    let Ok(_turn) = timeout(limit, place.come()).await else {
        return Err(ClientError::Timeout {
            operation: format!("waiting for earlier commits of group {}", group.id),
            after: limit,
            cause: None,
        });
    };
    let left = limit.saturating_sub(started.elapsed());
    group.commit(core, offsets, left).await
}

impl Consumer {
    pub(super) fn auto_commit(&self, poll: &mut PollState) {
        let is_due = poll.last_auto_commit.elapsed() >= self.core().config.auto_commit_interval;
        let is_under_way = |commit: &JoinHandle<()>| !commit.is_finished();
        // The next comes when the last has ended: a coordinator that does not answer gathers none.
        if !is_due
            || !self.commits_automatically()
            || poll.auto_commit.as_ref().is_some_and(is_under_way)
        {
            return;
        }
        poll.last_auto_commit = Instant::now();
        let committing = self.commit_async(self.committable());
        let commit = self.core().cluster.runtime.spawn(async move {
            if let Ok(Err(error)) = committing.await {
                tracing::warn!(%error, "offsets could not be committed automatically");
            }
        });
        poll.auto_commit = Some(commit);
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
    /// may be another's. A timeout after `default.api.timeout.ms`, which counts from the call:
    /// earlier commits that are still under way are waited for.
    pub async fn commit_offsets(&self, offsets: &Offsets) -> Result<(), ClientError> {
        let place = Place::take(&self.inner.commits);
        let limit = self.core().config.default_api_timeout;
        commit_in_turn(self.core(), place, offsets, limit).await
    }

    /// Commits the positions within `limit`.
    pub(super) async fn commit_within(&self, limit: Duration) -> Result<(), ClientError> {
        let place = Place::take(&self.inner.commits);
        commit_in_turn(self.core(), place, &self.committable(), limit).await
    }

    /// Commits in the background; commits arrive in the order of their calls. The handle gives the
    /// result and may be dropped.
    pub fn commit_async(&self, offsets: Offsets) -> JoinHandle<Result<(), ClientError>> {
        let place = Place::take(&self.inner.commits);
        let core = self.core().clone();
        self.core().cluster.runtime.spawn(async move {
            let limit = core.config.default_api_timeout;
            commit_in_turn(&core, place, &offsets, limit).await
        })
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
}
