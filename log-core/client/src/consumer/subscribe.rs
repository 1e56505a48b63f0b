//! How partitions come to a consumer: by subscription or by hand.

use std::sync::Arc;
use std::time::Duration;

use super::RebalanceListener;
use super::config::GroupProtocol;
use super::consumer::{Consumer, Mode, PollState};
use super::subscription::{Pattern, Subscription};
use crate::TopicPartition;
use crate::error::ClientError;

impl Consumer {
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
        let topics = topics.into_iter().map(Into::into).collect();
        self.subscribe_to(Subscription::Topics(topics), listener)
    }

    /// As [`subscribe`](Self::subscribe), to all topics whose whole names match `pattern`: those
    /// there are and those that come to be, looked for every `metadata.max.age.ms`. The consumer
    /// matches them itself, with Rust's regular expressions, under either protocol.
    ///
    /// # Errors
    /// As for `subscribe`, and for a pattern that is none.
    pub fn subscribe_pattern(
        &self,
        pattern: &str,
        listener: Option<Arc<dyn RebalanceListener>>,
    ) -> Result<(), ClientError> {
        let subscription = Subscription::Pattern {
            pattern: Pattern::new(pattern)?,
            topics: std::collections::BTreeSet::new(),
        };
        self.subscribe_to(subscription, listener)
    }

    /// As [`subscribe`](Self::subscribe), to all topics that match `regex` in RE2's syntax: matched
    /// by the coordinator, under `group.protocol=consumer` alone (KIP-848). A regex that the broker
    /// cannot read fails a later poll.
    ///
    /// # Errors
    /// As for `subscribe`, and under the classic protocol.
    pub fn subscribe_regex(
        &self,
        regex: impl Into<String>,
        listener: Option<Arc<dyn RebalanceListener>>,
    ) -> Result<(), ClientError> {
        if self.core().config.group_protocol != GroupProtocol::Consumer {
            let reason = "a regex for the broker to match needs group.protocol=consumer";
            return Err(ClientError::IllegalState(reason.to_owned()));
        }
        self.subscribe_to(Subscription::Regex(regex.into()), listener)
    }

    fn subscribe_to(
        &self,
        subscription: Subscription,
        listener: Option<Arc<dyn RebalanceListener>>,
    ) -> Result<(), ClientError> {
        let group = self.group()?;
        self.set_mode(Mode::Subscribed)?;
        *self.inner.listener.lock() = listener;
        group.subscribe(subscription);
        self.core().ready.notify_one();
        Ok(())
    }

    /// The topics subscribed to; of a pattern, those it matches as far as is known.
    pub fn subscription(&self) -> Vec<String> {
        let topics = self.core().group.as_ref().map(|group| {
            let state = group.state.lock();
            state.subscription.topics()
        });
        topics.unwrap_or_default().into_iter().collect()
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
        let limit = self.core().config.default_api_timeout;
        self.leave(&mut poll, "the consumer unsubscribed", limit)
            .await;
    }

    /// Leaves, with a last commit that takes no longer than `commit_limit`.
    pub(super) async fn leave(&self, poll: &mut PollState, reason: &str, commit_limit: Duration) {
        poll.joining = None;
        self.revoke_all(commit_limit).await;
        *self.inner.mode.lock() = Mode::None;
        if let Some(group) = &self.core().group {
            group.leave(self.core(), reason).await;
            let mut state = group.state.lock();
            state.subscription = Subscription::None;
            state.rejoin = None;
        }
        *self.inner.listener.lock() = None;
    }

    /// The partitions it has now.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.core().assigned.lock().partitions()
    }

    /// Has the group rebalance at the next poll, for reasons that only the caller knows
    /// (KIP-568). Under `group.protocol=consumer` the coordinator alone decides, and this does
    /// nothing.
    ///
    /// # Errors
    /// [`ClientError::IllegalState`] without `group.id`.
    pub fn enforce_rebalance(&self, reason: &str) -> Result<(), ClientError> {
        let group = self.group()?;
        if group.member.is_none() {
            group.request_rejoin(reason);
            self.core().ready.notify_one();
        }
        Ok(())
    }
}
