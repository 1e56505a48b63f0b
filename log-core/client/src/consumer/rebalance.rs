//! Rebalances, as polls run them: what is given up, what is taken up, and who is told.

use std::collections::BTreeSet;
use std::time::Duration;

use headwater_wire::ErrorCode;
use parking_lot::Mutex;
use tokio::task::JoinError;

use super::assignor::RebalanceProtocol;
use super::consumer::{Consumer, Joining, Mode, PollState};
use super::group::member::Member;
use super::group::{Group, Joined, Phase, is_forgotten, join};
use super::subscription::Subscription;
use crate::TopicPartition;
use crate::error::ClientError;

impl Consumer {
    /// Does what the membership asks for now, without waiting for other members: a join goes on in
    /// the background while polls return what the consumer still has.
    pub(super) async fn rebalance(&self, poll: &mut PollState) -> Result<(), ClientError> {
        let Some(group) = &self.core().group else {
            return Ok(());
        };
        self.give_up_lost().await;
        match &group.member {
            Some(member) => self.reconcile(group, member).await,
            None => self.join_if_due(group, poll).await,
        }
        Ok(())
    }

    /// Gives up what is another's already, whether or not the member joins again.
    pub(super) async fn give_up_lost(&self) {
        let Some(group) = self.core().group.as_ref().filter(|group| group.is_lost()) else {
            return;
        };
        self.lose_all().await;
        match &group.member {
            Some(member) => {
                member.lock().gave_up();
                group.beat.notify_one();
            }
            None => group.state.lock().is_lost = false,
        }
    }

    /// The classic protocol: begins to join if that is due.
    async fn join_if_due(&self, group: &Group, poll: &mut PollState) {
        if poll.joining.is_some() {
            return;
        }
        let topics = {
            let state = group.state.lock();
            // A pattern that has not been matched yet is nothing to join with.
            let topics = state.subscription.topics();
            let is_ready =
                !topics.is_empty() || matches!(state.subscription, Subscription::Topics(_));
            if state.rejoin.is_none() || !is_ready {
                return;
            }
            topics
        };
        let owned = if self.is_cooperative() {
            self.commit_before_rebalance(self.core().config.default_api_timeout)
                .await;
            let gone = |partition: &TopicPartition| !topics.contains(&*partition.topic);
            let revoked = self.assignment().into_iter().filter(gone).collect();
            self.revoke(revoked).await;
            self.assignment()
        } else {
            let owned = self.assignment();
            self.revoke_all(self.core().config.default_api_timeout)
                .await;
            owned
        };
        group.state.lock().phase = Phase::Joining;
        let core = self.core().clone();
        let joining = core.cluster.runtime.clone().spawn(join(core, owned));
        poll.joining = Some(Joining(joining));
    }

    /// Whether partitions are handed over one by one: all assignors have to support it.
    fn is_cooperative(&self) -> bool {
        let assignors = &self.core().config.assignors;
        assignors
            .iter()
            .all(|assignor| assignor.rebalance_protocol() == RebalanceProtocol::Cooperative)
    }

    /// Takes up what a join came to.
    pub(super) async fn joined(
        &self,
        poll: &mut PollState,
        joined: Result<Result<Joined, ClientError>, JoinError>,
    ) -> Result<(), ClientError> {
        poll.joining = None;
        let group = self.group()?;
        let joined = joined.unwrap_or_else(|error| {
            Err(ClientError::Protocol {
                operation: format!("joining group {}", group.id),
                reason: error.to_string(),
            })
        });
        match joined {
            Ok(joined) => {
                self.take_assignment(group, joined).await;
                Ok(())
            }
            Err(error) => {
                self.core().counters.failed_rebalances.add(1);
                self.not_joined(group, &error);
                if is_forgotten(&error) {
                    return Ok(());
                }
                self.give_up_lost().await;
                Err(error)
            }
        }
    }

    fn not_joined(&self, group: &Group, error: &ClientError) {
        let mut state = group.state.lock();
        state.phase = Phase::Out;
        if error.code() == Some(ErrorCode::FencedInstanceId) {
            state.subscription = Subscription::None;
        } else {
            state.rejoin = Some("the last attempt failed".to_owned());
        }
        // A coordinator that does not let it in gives what it had to others.
        if error.code().is_some() {
            state.is_lost = true;
        }
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
        let added = if self.is_cooperative() {
            let share: BTreeSet<TopicPartition> = assignment.partitions.iter().cloned().collect();
            let owned = self.assignment();
            let added = assignment.partitions.iter();
            let added = added.filter(|p| !owned.contains(p)).cloned().collect();
            let revoked: Vec<TopicPartition> =
                owned.into_iter().filter(|p| !share.contains(p)).collect();
            if !revoked.is_empty() {
                self.revoke(revoked).await;
                // Only now may they be given to others (KIP-429).
                group.request_rejoin("partitions were given up for others to take");
                self.core().ready.notify_one();
            }
            added
        } else {
            assignment.partitions.clone()
        };
        self.take_up(assignment.partitions, added).await;
    }

    /// The assignment is now `all`, of which the listener has not heard of `added`.
    async fn take_up(&self, all: Vec<TopicPartition>, added: Vec<TopicPartition>) {
        let core = self.core();
        core.counters.rebalances.add(1);
        core.assigned.lock().assign(all);
        let listener = self.inner.listener.lock().clone();
        if let Some(listener) = listener {
            listener.on_partitions_assigned(self, &added).await;
        }
        core.fetch.notify_one();
    }

    /// The consumer protocol: makes the assignment what the coordinator wants it to be (KIP-848).
    async fn reconcile(&self, group: &Group, member: &Mutex<Member>) {
        loop {
            let view = self.core().cluster.view();
            let resolved = member.lock().resolve(&view.topic_names);
            let Some((parts, share)) = resolved else {
                return;
            };
            let owned: BTreeSet<TopicPartition> = self.assignment().into_iter().collect();
            let revoked: Vec<TopicPartition> = owned.difference(&share).cloned().collect();
            let added: Vec<TopicPartition> = share.difference(&owned).cloned().collect();
            if !revoked.is_empty() {
                self.commit_before_rebalance(self.core().config.default_api_timeout)
                    .await;
                self.revoke(revoked).await;
            }
            if !added.is_empty() || share.len() != owned.len() {
                self.take_up(share.into_iter().collect(), added).await;
            }
            // Fenced meanwhile: what was just taken up is lost, and the next poll sees to it.
            if group.is_lost() {
                return;
            }
            if !member.lock().reconciled(parts) {
                return;
            }
            group.beat.notify_one();
        }
    }

    pub(super) fn commits_automatically(&self) -> bool {
        self.core().config.enable_auto_commit && self.core().group.is_some()
    }

    async fn commit_before_rebalance(&self, limit: Duration) {
        if self.commits_automatically()
            && !self.assignment().is_empty()
            && let Err(error) = self.commit_within(limit).await
        {
            tracing::warn!(%error, "offsets could not be committed before a rebalance");
        }
    }

    /// Gives these up: the listener is told while the consumer still has them.
    async fn revoke(&self, partitions: Vec<TopicPartition>) {
        if partitions.is_empty() {
            return;
        }
        let listener = self.inner.listener.lock().clone();
        if let Some(listener) = listener.filter(|_| *self.inner.mode.lock() == Mode::Subscribed) {
            listener.on_partitions_revoked(self, &partitions).await;
        }
        self.core().assigned.lock().remove(&partitions);
    }

    /// Gives up all there is, unless it was lost before.
    pub(super) async fn revoke_all(&self, commit_limit: Duration) {
        let group = self.core().group.as_ref();
        if group.is_some_and(Group::is_lost) {
            return self.lose_all().await;
        }
        self.commit_before_rebalance(commit_limit).await;
        self.revoke(self.assignment()).await;
        self.core().assigned.lock().assign([]);
    }

    /// All there is has become others' already.
    async fn lose_all(&self) {
        let lost = self.assignment();
        if !lost.is_empty() {
            self.core().counters.partitions_lost.add_size(lost.len());
            let listener = self.inner.listener.lock().clone();
            if let Some(listener) = listener.filter(|_| *self.inner.mode.lock() == Mode::Subscribed)
            {
                listener.on_partitions_lost(self, &lost).await;
            }
        }
        self.core().assigned.lock().assign([]);
    }
}
