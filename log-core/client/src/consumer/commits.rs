//! Committing: what polls have returned, or what the caller says.

use std::collections::HashMap;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::consumer::{Consumer, PollState};
use crate::error::ClientError;
use crate::{OffsetAndMetadata, TopicPartition};

/// Offsets by partition.
type Offsets = HashMap<TopicPartition, OffsetAndMetadata>;

impl Consumer {
    pub(super) fn auto_commit(&self, poll: &mut PollState) {
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
}
