//! One group: its members, its generation and its offsets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use headwater_wire::ErrorCode;
use headwater_wire::messages::join_group::{JoinGroupRequestProtocol, JoinGroupResponseMember};

use super::consumer::group::ConsumerGroup;
use super::member::{Member, MemberId};
use super::offsets::{CommittedOffset, OffsetMap};
use super::subscription::{CONSUMER_PROTOCOL_TYPE, subscribed_topics};
use crate::{AppendId, Timestamp};

pub(super) type GroupId = Arc<str>;

/// Where a group is in its rebalances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No members.
    Empty,
    /// Members are asked to rejoin.
    PreparingRebalance,
    /// The generation is decided; the leader's assignment is awaited.
    CompletingRebalance,
    /// Every member can have its assignment.
    Stable,
}

impl State {
    /// Kafka's name for the state.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// The first rebalance of an empty group, which waits a little for more members (KIP-134).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InitialDelay {
    /// How much longer the delay may still be extended.
    pub(super) remaining: Duration,
    /// Whether a member came since the delay was last set, so that it is extended once more.
    pub(super) member_added: bool,
}

#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: GroupId,
    pub(super) state: State,
    /// When the group entered its state; unknown for records of old brokers.
    pub(super) state_since: Option<Timestamp>,
    pub(super) generation: i32,
    /// `None` for a group that has only ever stored offsets.
    pub(super) protocol_type: Option<String>,
    pub(super) protocol_name: Option<String>,
    pub(super) leader: Option<MemberId>,
    pub(super) members: BTreeMap<MemberId, Member>,
    /// Member by `group.instance.id`.
    pub(super) static_members: BTreeMap<String, MemberId>,
    /// Ids given out that have not joined with them yet (KIP-394).
    pub(super) pending_joins: BTreeSet<MemberId>,
    /// Members of this generation that have not asked for their assignment yet.
    pub(super) pending_syncs: BTreeSet<MemberId>,
    pub(super) initial_delay: Option<InitialDelay>,
    /// Topics the members of this generation subscribe to, if they say so in Kafka's format.
    pub(super) subscribed: Option<BTreeSet<String>>,
    /// The group if it is one of the consumer protocol; then everything above is as in a new one.
    pub(super) consumer: Option<Box<ConsumerGroup>>,
    pub(super) offsets: OffsetMap,
    /// Offsets of open transactions, by producer id.
    pub(super) pending_offsets: BTreeMap<i64, OffsetMap>,
    /// The append that holds the latest durable state of this group; answers that reveal the
    /// group wait for it.
    pub(super) written: AppendId,
}

impl Group {
    pub(super) fn new(id: GroupId, written: AppendId) -> Self {
        Self {
            id,
            state: State::Empty,
            state_since: None,
            generation: 0,
            protocol_type: None,
            protocol_name: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_joins: BTreeSet::new(),
            pending_syncs: BTreeSet::new(),
            initial_delay: None,
            subscribed: None,
            consumer: None,
            offsets: OffsetMap::default(),
            pending_offsets: BTreeMap::new(),
            written,
        }
    }

    /// Forgets everything of the classic group; its offsets stay.
    pub(super) fn reset_classic(&mut self) {
        let mut fresh = Self::new(self.id.clone(), self.written);
        std::mem::swap(&mut fresh.offsets, &mut self.offsets);
        std::mem::swap(&mut fresh.pending_offsets, &mut self.pending_offsets);
        fresh.consumer = self.consumer.take();
        *self = fresh;
    }

    /// Whether nobody is in the group, by either protocol.
    pub(super) fn has_no_members(&self) -> bool {
        match &self.consumer {
            Some(consumer) => consumer.members.is_empty(),
            None => self.state == State::Empty,
        }
    }

    pub(super) fn transition(&mut self, state: State, at: Timestamp) {
        self.state = state;
        self.state_since = Some(at);
    }

    pub(super) fn add_member(&mut self, member: Member, protocol_type: &str) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.to_owned());
        }
        if let Some(instance) = &member.instance_id {
            self.static_members
                .insert(instance.clone(), member.id.clone());
        }
        if self.leader.is_none() {
            self.leader = Some(member.id.clone());
        }
        self.pending_joins.remove(&member.id);
        self.members.insert(member.id.clone(), member);
    }

    pub(super) fn remove_member(&mut self, id: &str) -> Option<Member> {
        self.pending_joins.remove(id);
        self.pending_syncs.remove(id);
        let member = self.members.remove(id)?;
        if let Some(instance) = &member.instance_id {
            self.static_members.remove(instance);
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(member)
    }

    /// Gives a static member a new id; everything else about it stays (KIP-345).
    pub(super) fn rename_member(&mut self, from: &str, to: MemberId) -> bool {
        let Some(mut member) = self.members.remove(from) else {
            return false;
        };
        if self.is_leader(from) {
            self.leader = Some(to.clone());
        }
        if self.pending_syncs.remove(from) {
            self.pending_syncs.insert(to.clone());
        }
        if let Some(instance) = &member.instance_id {
            self.static_members.insert(instance.clone(), to.clone());
        }
        member.id = to.clone();
        self.members.insert(to, member);
        true
    }

    pub(super) fn is_leader(&self, id: &str) -> bool {
        self.leader.as_deref() == Some(id)
    }

    pub(super) fn leader_name(&self) -> String {
        self.leader.as_deref().unwrap_or_default().to_owned()
    }

    /// Fences a request that claims to come from a member.
    ///
    /// # Errors
    /// `UNKNOWN_MEMBER_ID`, or `FENCED_INSTANCE_ID` if the instance has come back under another
    /// member id.
    pub(super) fn validate_member(
        &self,
        id: &str,
        instance: Option<&str>,
    ) -> Result<(), ErrorCode> {
        if let Some(instance) = instance {
            match self.static_members.get(instance) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(current) if **current != *id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(id) {
            Ok(())
        } else {
            Err(ErrorCode::UnknownMemberId)
        }
    }

    /// Whether a member with these protocols can be in this group.
    pub(super) fn supports_protocols(
        &self,
        protocol_type: &str,
        protocols: &[JoinGroupRequestProtocol],
    ) -> bool {
        if self.state == State::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|protocol| {
                self.members
                    .values()
                    .all(|member| member.supports(&protocol.name))
            })
    }

    /// The protocol most members prefer among those all support; the first by name on a tie.
    pub(super) fn select_protocol(&self) -> Option<String> {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let choice = member.protocols.iter().find(|protocol| {
                self.members
                    .values()
                    .all(|other| other.supports(&protocol.name))
            });
            if let Some(choice) = choice {
                *votes.entry(choice.name.as_str()).or_default() += 1;
            }
        }
        // `max_by_key` keeps the last of equals, hence the reversal.
        votes
            .into_iter()
            .rev()
            .max_by_key(|(_, count)| *count)
            .map(|(name, _)| name.to_owned())
    }

    pub(super) fn awaiting_join(&self) -> usize {
        self.members
            .values()
            .filter(|member| member.joining.is_some())
            .count()
    }

    pub(super) fn has_all_members_joined(&self) -> bool {
        self.pending_joins.is_empty()
            && self.members.values().all(|member| member.joining.is_some())
    }

    /// Hands the lead to a member that has rejoined, unless the leader has. False if none has.
    pub(super) fn elect_joined_leader(&mut self) -> bool {
        let has_joined = |id: &MemberId| {
            self.members
                .get(id)
                .is_some_and(|member| member.joining.is_some())
        };
        if self.leader.as_ref().is_some_and(has_joined) {
            return true;
        }
        match self
            .members
            .values()
            .find(|member| member.joining.is_some())
        {
            Some(member) => {
                self.leader = Some(member.id.clone());
                true
            }
            None => false,
        }
    }

    /// Begins the next generation with the members there are.
    pub(super) fn next_generation(&mut self, at: Timestamp) {
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.initial_delay = None;
        self.pending_syncs.clear();
        if self.members.is_empty() {
            self.protocol_name = None;
            self.leader = None;
            self.transition(State::Empty, at);
        } else {
            self.protocol_name = self.select_protocol();
            self.transition(State::CompletingRebalance, at);
        }
        self.update_subscribed();
    }

    /// What the leader is told about the members.
    pub(super) fn members_for_leader(&self) -> Vec<JoinGroupResponseMember> {
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        self.members
            .values()
            .map(|member| JoinGroupResponseMember {
                member_id: member.id.to_string(),
                group_instance_id: member.instance_id.clone(),
                metadata: member.metadata(protocol),
            })
            .collect()
    }

    pub(super) fn rebalance_timeout(&self) -> Duration {
        self.members
            .values()
            .map(|member| member.rebalance_timeout)
            .max()
            .unwrap_or_default()
    }

    pub(super) fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER_PROTOCOL_TYPE)
    }

    pub(super) fn update_subscribed(&mut self) {
        self.subscribed = if !self.uses_consumer_protocol() {
            None
        } else if self.members.is_empty() {
            Some(BTreeSet::new())
        } else {
            self.protocol_name.as_deref().and_then(|protocol| {
                let mut topics = BTreeSet::new();
                for member in self.members.values() {
                    topics.append(&mut subscribed_topics(&member.metadata(protocol))?);
                }
                Some(topics)
            })
        };
    }

    /// Whether members may be consuming `topic`. A consumer group whose subscriptions cannot be
    /// read may consume anything.
    pub(super) fn is_subscribed_to(&self, topic: &str) -> bool {
        if let Some(consumer) = &self.consumer {
            return consumer.is_subscribed_to(topic);
        }
        match &self.subscribed {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_protocol(),
        }
    }

    /// Whether the subscriptions of a consumer group in its current generation are known.
    pub(super) fn knows_subscriptions(&self) -> bool {
        self.uses_consumer_protocol() && self.subscribed.is_some()
    }

    pub(super) fn has_pending_offset(&self, topic: &str, partition: i32) -> bool {
        self.pending_offsets
            .values()
            .any(|offsets| offsets.get(topic, partition).is_some())
    }

    pub(super) fn put_pending(
        &mut self,
        producer_id: i64,
        topic: &str,
        partition: i32,
        offset: CommittedOffset,
    ) {
        self.pending_offsets
            .entry(producer_id)
            .or_default()
            .put(topic, partition, offset);
    }

    /// Forgets an offset, committed and pending: a deletion is later than any commit before it.
    pub(super) fn drop_offset(&mut self, topic: &str, partition: i32) {
        self.offsets.remove(topic, partition);
        self.pending_offsets.retain(|_, offsets| {
            offsets.remove(topic, partition);
            !offsets.is_empty()
        });
    }

    pub(super) fn end_transaction(&mut self, producer_id: i64, committed: bool) {
        if let Some(pending) = self.pending_offsets.remove(&producer_id)
            && committed
        {
            self.offsets.merge(pending);
        }
    }

    /// Whether the group is as it was made.
    pub(super) fn is_untouched(&self) -> bool {
        self.is_forgettable()
            && self.consumer.is_none()
            && self.protocol_type.is_none()
            && self.generation == 0
    }

    /// Whether nothing would be lost if the group were forgotten.
    pub(super) fn is_forgettable(&self) -> bool {
        self.has_no_members()
            && self.pending_joins.is_empty()
            && self.offsets.is_empty()
            && self.pending_offsets.is_empty()
    }
}
