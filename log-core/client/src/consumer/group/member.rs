//! A member of a group of the consumer protocol (KIP-848), as a pure state machine.
//!
//! ```text
//! Out -> Joining -> In <-> (reconciling: the target differs from what is owned)
//!           ^        |
//!           |        v
//!         Fenced <---+        any -> Out, when it leaves
//!                             any -> Barred -> Out, when it can never be a member like this
//! ```
//!
//! The coordinator answers each heartbeat with the member's epoch and, when it has changed, its
//! target assignment. The member gives up what is no longer in it, takes what is new, and tells
//! in its next heartbeat what it then owns. No I/O and no clock.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use headwater_wire::ErrorCode;
use headwater_wire::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, TopicPartitions,
};
use uuid::Uuid;

use crate::TopicPartition;

/// Partitions by topic id.
pub(crate) type Parts = BTreeMap<Uuid, BTreeSet<i32>>;

/// The epoch of a member that wants to join.
const JOINING_EPOCH: i32 = 0;
/// The epoch of a member that leaves for good.
const LEAVING_EPOCH: i32 = -1;
/// The epoch of a static member that leaves and may come back.
const STATIC_LEAVING_EPOCH: i32 = -2;

/// What stays the same of a member as long as it lives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    pub(crate) group_id: String,
    /// Chosen by the member, for as long as the consumer lives (KIP-1082).
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) rack_id: Option<String>,
    /// `group.remote.assignor`.
    pub(crate) assignor: Option<String>,
    pub(crate) rebalance_timeout_ms: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Not in the group, and nothing to be done about it.
    Out,
    /// About to join: the next heartbeat says so.
    Joining,
    In,
    /// Put out by the coordinator, or slow: what it owned is another's. Joins once that is given up.
    Fenced,
    /// Refused for good: what it owned is another's, or will be. Out once that is given up.
    Barred,
}

/// When the next heartbeat is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Never,
    Now,
    /// This long after the last.
    After(Duration),
}

/// What an answer means for the shell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing to be done until the next heartbeat.
    Quiet,
    /// There is something to reconcile.
    Reconcile,
    /// The partitions are lost.
    Fenced,
    /// The coordinator is elsewhere.
    Elsewhere,
    /// Again after a pause.
    Later(ErrorCode),
    /// A poll has to fail with it, and the member goes on.
    Tell(ErrorCode, Option<String>),
    /// It will never be a member like this.
    Fatal(ErrorCode, Option<String>),
}

/// What the member has told the coordinator since it joined.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    topics: BTreeSet<String>,
    regex: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Member {
    identity: Identity,
    stage: Stage,
    epoch: i32,
    /// The epoch of the last answer, which stays when the membership ends: what was read in it must
    /// not be committed by one who is no member any more.
    last_epoch: Option<i32>,
    /// Whether the coordinator still has a member that it has refused.
    is_left_behind: bool,
    topics: BTreeSet<String>,
    regex: Option<String>,
    /// `None` makes the next heartbeat a complete one.
    told: Option<Told>,
    /// What the coordinator wants the member to own.
    target: Option<Parts>,
    owned: Parts,
    /// The names of topics in the target, once they were known: metadata may lose them for a while.
    names: BTreeMap<Uuid, Arc<str>>,
    /// Whether the coordinator has to be told what is owned.
    must_acknowledge: bool,
    interval: Duration,
}

impl Member {
    pub(crate) fn new(identity: Identity) -> Self {
        Self {
            identity,
            stage: Stage::Out,
            epoch: JOINING_EPOCH,
            last_epoch: None,
            is_left_behind: false,
            topics: BTreeSet::new(),
            regex: None,
            told: None,
            target: None,
            owned: Parts::new(),
            names: BTreeMap::new(),
            must_acknowledge: false,
            interval: Duration::ZERO,
        }
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    pub(crate) fn id(&self) -> &str {
        &self.identity.member_id
    }

    /// The epoch, -1 while it is not in the group.
    pub(crate) fn epoch(&self) -> i32 {
        match self.stage {
            Stage::In => self.epoch,
            _ => -1,
        }
    }

    /// The epoch it has or had last, -1 before any and after it has left.
    pub(crate) fn last_epoch(&self) -> i32 {
        self.last_epoch.unwrap_or(-1)
    }

    /// Whether what it owned is another's.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self.stage, Stage::Fenced | Stage::Barred)
    }

    /// How long from one heartbeat to the next.
    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    /// Joins with this subscription, or changes it.
    pub(crate) fn subscribe(&mut self, topics: BTreeSet<String>, regex: Option<String>) {
        self.topics = topics;
        self.regex = regex;
        match self.stage {
            Stage::Out => self.begin_joining(),
            // First what it had is given up.
            Stage::Barred => self.stage = Stage::Fenced,
            Stage::Joining | Stage::In | Stage::Fenced => {}
        }
    }

    fn begin_joining(&mut self) {
        self.stage = Stage::Joining;
        self.epoch = JOINING_EPOCH;
        self.told = None;
        self.target = None;
        self.owned.clear();
        self.must_acknowledge = false;
    }

    fn now(&self) -> Told {
        Told {
            topics: self.topics.clone(),
            regex: self.regex.clone(),
        }
    }

    /// When the next heartbeat is due.
    pub(crate) fn due(&self) -> Due {
        match self.stage {
            Stage::Out | Stage::Fenced | Stage::Barred => Due::Never,
            Stage::Joining => Due::Now,
            Stage::In if self.must_acknowledge || self.told.as_ref() != Some(&self.now()) => {
                Due::Now
            }
            Stage::In => Due::After(self.interval),
        }
    }

    /// The next heartbeat: complete when the member joins or the last one failed, and otherwise
    /// with what has changed alone.
    pub(crate) fn heartbeat(&mut self) -> ConsumerGroupHeartbeatRequest {
        let now = self.now();
        let told = self.told.take();
        let is_complete = told.is_none();
        let identity = &self.identity;
        let mut request = ConsumerGroupHeartbeatRequest {
            group_id: identity.group_id.clone(),
            member_id: identity.member_id.clone(),
            member_epoch: self.epoch,
            // A static member is known by its instance, so it is always named.
            instance_id: identity.instance_id.clone(),
            ..ConsumerGroupHeartbeatRequest::default()
        };
        if is_complete {
            request.rack_id.clone_from(&identity.rack_id);
            request.rebalance_timeout_ms = identity.rebalance_timeout_ms;
            request.server_assignor.clone_from(&identity.assignor);
        }
        let topics_told = told.as_ref().map(|told| &told.topics);
        if topics_told != Some(&now.topics) {
            let names = now.topics.iter().cloned().collect();
            request.subscribed_topic_names = Some(names);
        }
        let regex_told = told.as_ref().map(|told| &told.regex);
        if regex_told != Some(&now.regex) {
            // Null says that nothing has changed; a regex that is no more is an empty one.
            let is_cleared = regex_told.is_some_and(Option::is_some);
            request.subscribed_topic_regex = now.regex.clone().or(is_cleared.then(String::new));
        }
        if is_complete || self.must_acknowledge {
            request.topic_partitions = Some(listed(&self.owned));
        }
        self.must_acknowledge = false;
        self.told = Some(now);
        request
    }

    /// The last heartbeat got no answer: the next is complete.
    pub(crate) fn failed(&mut self) {
        self.told = None;
    }

    /// Takes the answer in to a heartbeat that was sent in `epoch`.
    pub(crate) fn answered(
        &mut self,
        epoch: i32,
        response: ConsumerGroupHeartbeatResponse,
    ) -> Verdict {
        // The member has left or joined anew since it asked.
        if !matches!(self.stage, Stage::Joining | Stage::In) || epoch != self.epoch {
            return Verdict::Quiet;
        }
        let code = ErrorCode::from_code(response.error_code);
        match code {
            ErrorCode::None => self.took_part(response),
            ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId => {
                self.fence();
                Verdict::Fenced
            }
            ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable => {
                self.told = None;
                Verdict::Elsewhere
            }
            // The coordinator may know nothing of some topics yet, or not be told of them.
            ErrorCode::TopicAuthorizationFailed => {
                self.told = None;
                Verdict::Tell(code, response.error_message)
            }
            code if code.is_retriable() => {
                self.told = None;
                Verdict::Later(code)
            }
            code => {
                let has_successor = matches!(
                    code,
                    ErrorCode::FencedInstanceId | ErrorCode::UnreleasedInstanceId
                );
                self.is_left_behind = self.stage == Stage::In && !has_successor;
                self.stage = Stage::Barred;
                Verdict::Fatal(code, response.error_message)
            }
        }
    }

    fn took_part(&mut self, response: ConsumerGroupHeartbeatResponse) -> Verdict {
        self.stage = Stage::In;
        self.epoch = response.member_epoch;
        self.last_epoch = Some(self.epoch);
        self.is_left_behind = false;
        let interval = u64::try_from(response.heartbeat_interval_ms).unwrap_or(0);
        self.interval = Duration::from_millis(interval.max(1));
        if let Some(assignment) = response.assignment {
            self.target = Some(collected(assignment.topic_partitions));
        }
        if self.target().is_some() {
            Verdict::Reconcile
        } else {
            Verdict::Quiet
        }
    }

    /// What the member is to own, if it does not yet.
    pub(crate) fn target(&self) -> Option<&Parts> {
        self.target
            .as_ref()
            .filter(|target| self.stage == Stage::In && **target != self.owned)
    }

    /// The part of the target whose topics have names, by id and by name. A topic that has had one
    /// keeps it when `known` has lost it: that is no reason to give its partitions up.
    pub(crate) fn resolve(
        &mut self,
        known: &HashMap<Uuid, Arc<str>>,
    ) -> Option<(Parts, BTreeSet<TopicPartition>)> {
        let mut parts = self.target()?.clone();
        self.names.retain(|id, _| parts.contains_key(id));
        let mut share = BTreeSet::new();
        parts.retain(|id, partitions| {
            if let Some(name) = known.get(id) {
                self.names.insert(*id, name.clone());
            }
            let Some(name) = self.names.get(id) else {
                return false;
            };
            let named = partitions.iter();
            share.extend(named.map(|p| TopicPartition::new(name.clone(), *p)));
            true
        });
        Some((parts, share))
    }

    /// The topics of the target that have no name yet.
    pub(crate) fn unnamed(&self, known: &HashMap<Uuid, Arc<str>>) -> Vec<Uuid> {
        let ids = self.target().into_iter().flat_map(BTreeMap::keys).copied();
        ids.filter(|id| !known.contains_key(id) && !self.names.contains_key(id))
            .collect()
    }

    /// The member now owns exactly these: the coordinator is told in a heartbeat that is due now.
    /// False if that is nothing new.
    pub(crate) fn reconciled(&mut self, owned: Parts) -> bool {
        if self.stage != Stage::In || self.owned == owned {
            return false;
        }
        self.owned = owned;
        self.must_acknowledge = true;
        true
    }

    /// The coordinator has put the member out, or the member itself could not keep up.
    pub(crate) fn fence(&mut self) {
        if matches!(self.stage, Stage::Joining | Stage::In) {
            self.stage = Stage::Fenced;
        }
    }

    /// What was owned is given up: joins again after a fencing.
    pub(crate) fn gave_up(&mut self) {
        match self.stage {
            Stage::Fenced => self.begin_joining(),
            Stage::Barred => {
                self.stage = Stage::Out;
                self.owned.clear();
                self.target = None;
            }
            Stage::Out | Stage::Joining | Stage::In => {}
        }
    }

    /// Leaves. Returns the heartbeat that says so, if the coordinator knows of the member.
    pub(crate) fn leave(&mut self) -> Option<ConsumerGroupHeartbeatRequest> {
        let was_in = self.stage == Stage::In
            || (self.stage == Stage::Joining && self.told.is_some())
            || self.is_left_behind;
        let request = was_in.then(|| self.parting());
        self.stage = Stage::Out;
        self.last_epoch = None;
        self.is_left_behind = false;
        self.owned.clear();
        self.target = None;
        request
    }

    /// The heartbeat by which the member leaves.
    pub(crate) fn parting(&self) -> ConsumerGroupHeartbeatRequest {
        let identity = &self.identity;
        ConsumerGroupHeartbeatRequest {
            group_id: identity.group_id.clone(),
            member_id: identity.member_id.clone(),
            member_epoch: if identity.instance_id.is_some() {
                STATIC_LEAVING_EPOCH
            } else {
                LEAVING_EPOCH
            },
            instance_id: identity.instance_id.clone(),
            ..ConsumerGroupHeartbeatRequest::default()
        }
    }
}

fn listed(parts: &Parts) -> Vec<TopicPartitions> {
    let topics = parts.iter().map(|(topic_id, partitions)| TopicPartitions {
        topic_id: *topic_id,
        partitions: partitions.iter().copied().collect(),
    });
    topics.collect()
}

fn collected(topics: Vec<TopicPartitions>) -> Parts {
    let mut parts = Parts::new();
    for topic in topics {
        let partitions = parts.entry(topic.topic_id).or_default();
        partitions.extend(topic.partitions);
    }
    parts.retain(|_, partitions| !partitions.is_empty());
    parts
}

#[cfg(test)]
mod tests;
