//! Membership of a consumer in its group: who it is, what it wants, and its commits.
//!
//! - `classic`, `join`, `protocol`: the classic protocol, in which members assign (KIP-62, KIP-345,
//!   KIP-429).
//! - `member`, `heartbeats`: the consumer protocol, in which the coordinator assigns (KIP-848).
//! - `matching`: patterns of topics.
//!
//! Polls run the rebalances; heartbeats go on beside them.

mod classic;
mod heartbeats;
mod join;
mod matching;
pub(super) mod member;
pub(crate) mod protocol;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use headwater_wire::ErrorCode;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

pub(super) use join::{Joined, is_forgotten, join};

use self::member::{Identity, Member};
use super::ConsumerGroupMetadata;
use super::assignor::TopicPartitions;
use super::config::{ConsumerConfig, GroupProtocol, IsolationLevel};
use super::core::Core;
use super::subscription::Subscription;
use crate::TopicPartition;
use crate::cluster::Cluster;
use crate::coordinator::{Coordinator, CoordinatorKind};
use crate::error::ClientError;
use crate::group_offsets::{self, Offsets, ReadAs, Route};
use crate::transport::Channel;

/// Where a member of the classic protocol stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not in the group: not yet, or not any more.
    Out,
    Joining,
    /// In it, with an assignment: heartbeats are due.
    Stable,
}

#[derive(Debug)]
pub(super) struct GroupState {
    pub(super) subscription: Subscription,
    /// When the last poll came.
    pub(super) last_poll: Instant,
    pub(super) member_id: String,
    pub(super) generation_id: i32,
    /// The generation joined last and the member's id in it. It outlives the membership: what was
    /// read in it must not be committed by one who is no member any more.
    pub(super) joined_last: Option<(i32, String)>,
    pub(super) phase: Phase,
    /// Why the member has to join, if it has to.
    pub(super) rejoin: Option<String>,
    /// Whether the partitions it had are already another's.
    pub(super) is_lost: bool,
    /// On the leader: the topics of the group as the assignment counted them.
    pub(super) counted: Option<TopicPartitions>,
}

pub(crate) struct Group {
    pub(super) id: String,
    pub(super) instance_id: Option<String>,
    pub(super) coordinator: Coordinator,
    /// For JoinGroup and SyncGroup, which wait for other members.
    pub(super) join_channel: Channel,
    pub(super) state: Mutex<GroupState>,
    /// The member, if the group's protocol is `consumer`.
    pub(super) member: Option<Mutex<Member>>,
    /// Wakes the heartbeat task.
    pub(super) beat: Notify,
    /// Wakes the task that matches patterns.
    pub(super) look: Notify,
    /// Polls under way: while there are any, the member cannot be called slow.
    pub(super) polls: AtomicUsize,
}

impl Group {
    pub(super) fn new(cluster: Arc<Cluster>, id: String, config: &ConsumerConfig) -> Self {
        let member = (config.group_protocol == GroupProtocol::Consumer).then(|| {
            Mutex::new(Member::new(Identity {
                group_id: id.clone(),
                // Its own choice, for as long as the consumer lives (KIP-1082).
                member_id: Uuid::new_v4().to_string(),
                instance_id: config.group_instance_id.clone(),
                rack_id: config.client_rack.clone(),
                assignor: config.group_remote_assignor.clone(),
                rebalance_timeout_ms: millis(config.max_poll_interval),
            }))
        });
        Self {
            coordinator: Coordinator::new(CoordinatorKind::Group, id.clone()),
            id,
            instance_id: config.group_instance_id.clone(),
            join_channel: Channel::new(cluster),
            state: Mutex::new(GroupState {
                subscription: Subscription::None,
                last_poll: Instant::now(),
                member_id: String::new(),
                generation_id: -1,
                joined_last: None,
                phase: Phase::Out,
                rejoin: None,
                is_lost: false,
                counted: None,
            }),
            member,
            beat: Notify::new(),
            look: Notify::new(),
            polls: AtomicUsize::new(0),
        }
    }

    /// As whom the consumer has read what it has: fences what it commits in transactions. After a
    /// membership that was lost still that one, so that coordinators refuse it; nobody would be let
    /// through.
    pub(super) fn reader(&self) -> ConsumerGroupMetadata {
        let joined_last = match &self.member {
            Some(member) => {
                let member = member.lock();
                let epoch = member.last_epoch();
                (epoch >= 0).then(|| (epoch, member.id().to_owned()))
            }
            None => self.state.lock().joined_last.clone(),
        };
        let (generation_id, member_id) = joined_last.unwrap_or((-1, String::new()));
        ConsumerGroupMetadata {
            group_id: self.id.clone(),
            generation_id,
            member_id,
            group_instance_id: self.instance_id.clone(),
        }
    }

    /// The member that the consumer is now; of none, generation -1.
    pub(super) fn metadata(&self) -> ConsumerGroupMetadata {
        let (generation_id, member_id) = match &self.member {
            Some(member) => {
                let member = member.lock();
                (member.epoch(), member.id().to_owned())
            }
            None => {
                let state = self.state.lock();
                (state.generation_id, state.member_id.clone())
            }
        };
        ConsumerGroupMetadata {
            group_id: self.id.clone(),
            generation_id,
            member_id: if self.member.is_some() && generation_id < 0 {
                String::new()
            } else {
                member_id
            },
            group_instance_id: self.instance_id.clone(),
        }
    }

    /// Changes the subscription. Whether a rebalance follows is the protocol's business.
    pub(super) fn subscribe(&self, subscription: Subscription) {
        let topics = subscription.topics();
        let regex = match &subscription {
            Subscription::Regex(regex) => Some(regex.clone()),
            _ => None,
        };
        // Held throughout, so that member and state change in the same order.
        let member = self.member.as_ref().map(Mutex::lock);
        let is_new = {
            let mut state = self.state.lock();
            let is_new = !state.subscription.is_same(&subscription);
            if is_new {
                state.subscription = subscription;
            }
            is_new || state.phase == Phase::Out
        };
        self.look.notify_one();
        match member {
            Some(mut member) => {
                if is_new {
                    member.subscribe(topics, regex);
                }
                self.beat.notify_one();
            }
            None if is_new => self.request_rejoin("the subscription has changed"),
            None => {}
        }
    }

    /// A pattern matches these topics now.
    fn matched(&self, matched: BTreeSet<String>) {
        let member = self.member.as_ref().map(Mutex::lock);
        {
            let mut state = self.state.lock();
            match &mut state.subscription {
                Subscription::Pattern { topics, .. } if *topics != matched => {
                    topics.clone_from(&matched);
                }
                _ => return,
            }
        }
        match member {
            Some(mut member) => {
                member.subscribe(matched, None);
                self.beat.notify_one();
            }
            None => self.request_rejoin("the topics that match the pattern have changed"),
        }
    }

    pub(super) fn is_subscribed(&self) -> bool {
        !self.state.lock().subscription.is_none()
    }

    /// Whether what the member had is already another's.
    pub(super) fn is_lost(&self) -> bool {
        match &self.member {
            Some(member) => member.lock().is_lost(),
            None => self.state.lock().is_lost,
        }
    }

    /// Runs for as long as the consumer lives: heartbeats, and what else is due regularly.
    pub(super) async fn keep_alive(core: Arc<Core>) {
        let Some(group) = &core.group else { return };
        let beats = async {
            match &group.member {
                Some(member) => group.beat_as_member(&core, member).await,
                None => group.beat_as_classic(&core).await,
            }
        };
        tokio::join!(beats, group.match_topics(&core));
    }

    /// Committed offsets of the group.
    pub(super) async fn committed(
        &self,
        core: &Core,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<Offsets, ClientError> {
        let require_stable = core.config.isolation_level == IsolationLevel::ReadCommitted;
        let limit = core.config.default_api_timeout;
        let member = || match self.member {
            Some(_) => self.metadata(),
            // The classic protocol knows no members here.
            None => ConsumerGroupMetadata::new(&self.id),
        };
        // Refused as a member that is no more: it joins again, and the offsets are the group's.
        let refused = |asked: &ConsumerGroupMetadata, code| {
            self.commit_refused(asked, Some(code));
            core.ready.notify_one();
        };
        let how = ReadAs {
            member,
            refused,
            require_stable,
        };
        group_offsets::fetch_as(self.route(core), how, partitions, limit).await
    }

    fn route<'a>(&'a self, core: &'a Core) -> Route<'a> {
        Route {
            cluster: &core.cluster,
            channel: &core.channel,
            coordinator: &self.coordinator,
        }
    }

    /// Commits as the member that this consumer is now, within `limit`.
    pub(super) async fn commit(
        &self,
        core: &Core,
        offsets: &Offsets,
        limit: Duration,
    ) -> Result<(), ClientError> {
        if offsets.is_empty() {
            return Ok(());
        }
        let metadata = self.metadata();
        if self.is_subscribed() && metadata.generation_id < 0 {
            let operation = format!("committing offsets of group {}", self.id);
            return Err(ClientError::broker(
                operation,
                ErrorCode::RebalanceInProgress,
            ));
        }
        let started = Instant::now();
        let member = || self.metadata();
        let result = group_offsets::commit_as(self.route(core), member, offsets, limit).await;
        match &result {
            Ok(()) => {
                core.counters.commits.add(started.elapsed());
                for interceptor in &core.config.interceptors {
                    interceptor.on_commit(offsets);
                }
            }
            Err(error) => {
                core.counters.commit_failures.add(1);
                self.commit_refused(&metadata, error.code());
            }
        }
        result
    }

    /// A refused commit may be the first to tell that the membership is over.
    fn commit_refused(&self, as_member: &ConsumerGroupMetadata, code: Option<ErrorCode>) {
        match (&self.member, code) {
            (Some(member), Some(ErrorCode::UnknownMemberId | ErrorCode::FencedMemberEpoch)) => {
                let mut member = member.lock();
                if member.epoch() == as_member.generation_id {
                    member.fence();
                }
            }
            (None, Some(code @ (ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration))) => {
                self.lose(as_member.generation_id, code);
            }
            (None, Some(ErrorCode::RebalanceInProgress)) => {
                self.met_rebalance("a commit met a rebalance");
            }
            _ => {}
        }
    }

    /// Leaves the group. Under the classic protocol static members stay, so that a restart within
    /// the session timeout finds their partitions again (KIP-345); under the other they say that
    /// they will be back.
    pub(super) async fn leave(&self, core: &Core, reason: &str) {
        match &self.member {
            Some(member) => {
                let parting = member.lock().leave();
                if let Some(parting) = parting {
                    self.part(core, parting).await;
                }
            }
            None => {
                self.state.lock().joined_last = None;
                self.leave_classic(core, reason).await;
            }
        }
    }
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
