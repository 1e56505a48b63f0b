//! A group of the consumer protocol.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::assignment::{Partitions, each};
use super::assignors::Assignor;
use super::change::Change;
use super::member::{ConsumerMember, Current, MemberState, Metadata};
use super::regex::Resolved;
use crate::Timestamp;
use crate::groups::member::MemberId;
use crate::groups::topics::Topics;

/// Where a group is on the way to its assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::groups) enum ConsumerState {
    /// No members.
    Empty,
    /// A new target assignment is to be computed.
    Assigning,
    /// Members are on the way to their targets.
    Reconciling,
    /// Every member has what it is to have.
    Stable,
}

impl ConsumerState {
    /// Kafka's name for the state.
    pub(in crate::groups) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

/// A group of the consumer protocol. All of it but `seen_version` changes by
/// [`apply`](Self::apply) alone.
#[derive(Debug, Default, PartialEq)]
pub(in crate::groups) struct ConsumerGroup {
    pub(in crate::groups) epoch: i32,
    pub(in crate::groups) metadata_hash: i64,
    pub(in crate::groups) members: BTreeMap<MemberId, ConsumerMember>,
    /// Member by instance.
    pub(in crate::groups) static_members: BTreeMap<String, MemberId>,
    /// Epoch of the target assignment; 0 before there is one.
    pub(in crate::groups) target_epoch: i32,
    pub(in crate::groups) target_computed_at: Option<Timestamp>,
    pub(in crate::groups) target: BTreeMap<MemberId, Partitions>,
    pub(in crate::groups) regexes: BTreeMap<String, Resolved>,
    /// How many members subscribe to each topic by its name.
    by_name: BTreeMap<String, usize>,
    /// How many members subscribe to each pattern.
    by_pattern: BTreeMap<String, usize>,
    /// Who has each partition, as long as it is not given up.
    owners: BTreeMap<(Uuid, i32), MemberId>,
    /// Version of the topics that the hash and the patterns were last compared with; `None` since
    /// the group was loaded. Not written down.
    pub(in crate::groups) seen_version: Option<u64>,
}

impl ConsumerGroup {
    pub(in crate::groups) fn new() -> Self {
        Self {
            // Kafka's first epoch, which the first member to subscribe to anything moves on.
            epoch: 1,
            ..Self::default()
        }
    }

    /// Applies a change, as it was or will be written.
    pub(in crate::groups) fn apply(&mut self, change: Change) {
        match change {
            Change::Epoch(Some(value)) => {
                self.epoch = value.epoch;
                self.metadata_hash = value.metadata_hash;
            }
            Change::Epoch(None) => *self = Self::new(),
            Change::TargetEpoch(value) => {
                self.target_epoch = value.map_or(0, |value| value.epoch);
                self.target_computed_at = value.and_then(|value| value.computed_at);
            }
            Change::Target(id, Some(target)) => {
                self.target.insert(id, target);
            }
            Change::Target(id, None) => {
                self.target.remove(&id);
            }
            Change::Regex(pattern, Some(resolved)) => {
                self.regexes.insert(pattern, resolved);
            }
            Change::Regex(pattern, None) => {
                self.regexes.remove(&pattern);
            }
            Change::Member(id, Some(metadata)) => {
                if let Some(instance) = &metadata.instance_id {
                    self.static_members.insert(instance.clone(), id.clone());
                }
                count(&mut self.by_name, &metadata.topics);
                count(&mut self.by_pattern, pattern_of(&metadata));
                let member = self.member_or_new(id);
                let before = std::mem::replace(&mut member.metadata, metadata);
                self.discount(&before);
            }
            Change::Member(id, None) => self.remove_member(&id),
            Change::Current(id, current) => {
                // A member without its metadata is nobody: its end is already written.
                let is_end = current.is_none();
                if !is_end || self.members.contains_key(&id) {
                    self.set_current(id, current.unwrap_or_default());
                }
            }
        }
    }

    fn member_or_new(&mut self, id: MemberId) -> &mut ConsumerMember {
        self.members
            .entry(id.clone())
            .or_insert_with(|| ConsumerMember::new(id))
    }

    fn remove_member(&mut self, id: &MemberId) {
        self.release(id);
        let Some(member) = self.members.remove(id) else {
            return;
        };
        self.discount(&member.metadata);
        if let Some(instance) = &member.metadata.instance_id
            && self.static_members.get(instance) == Some(id)
        {
            self.static_members.remove(instance);
        }
    }

    fn discount(&mut self, before: &Metadata) {
        discount(&mut self.by_name, &before.topics);
        discount(&mut self.by_pattern, pattern_of(before));
    }

    fn set_current(&mut self, id: MemberId, current: Current) {
        self.release(&id);
        for partition in each(&current.assigned).chain(each(&current.revoking)) {
            self.owners.insert(partition, id.clone());
        }
        self.member_or_new(id).current = current;
    }

    fn release(&mut self, id: &MemberId) {
        let Some(member) = self.members.get(id) else {
            return;
        };
        for partition in each(&member.current.assigned).chain(each(&member.current.revoking)) {
            if self.owners.get(&partition) == Some(id) {
                self.owners.remove(&partition);
            }
        }
    }

    pub(in crate::groups) fn state(&self) -> ConsumerState {
        let is_reconciled = |member: &ConsumerMember| member.is_reconciled_to(self.target_epoch);
        if self.members.is_empty() {
            ConsumerState::Empty
        } else if self.epoch > self.target_epoch {
            ConsumerState::Assigning
        } else if self.members.values().all(is_reconciled) {
            ConsumerState::Stable
        } else {
            ConsumerState::Reconciling
        }
    }

    pub(in crate::groups) fn static_member(&self, instance: &str) -> Option<&ConsumerMember> {
        self.members.get(self.static_members.get(instance)?)
    }

    /// Whether somebody has the partition or has yet to give it up.
    pub(in crate::groups) fn is_owned(&self, topic: Uuid, partition: i32) -> bool {
        self.owners.contains_key(&(topic, partition))
    }

    pub(in crate::groups) fn target_of(&self, id: &MemberId) -> Partitions {
        self.target.get(id).cloned().unwrap_or_default()
    }

    /// Patterns that members subscribe to.
    pub(in crate::groups) fn patterns(&self) -> impl Iterator<Item = &str> {
        self.by_pattern.keys().map(String::as_str)
    }

    pub(in crate::groups) fn has_subscribers(&self, pattern: &str) -> bool {
        self.by_pattern.contains_key(pattern)
    }

    /// Names of the topics a member subscribes to, whether they exist or not.
    pub(in crate::groups) fn topics_of<'a>(
        &'a self,
        member: &'a ConsumerMember,
    ) -> impl Iterator<Item = &'a String> {
        let matched = self
            .regexes
            .get(&member.metadata.regex)
            .filter(|_| !member.metadata.regex.is_empty());
        let matched = matched.into_iter().flat_map(|resolved| &resolved.topics);
        member.metadata.topics.iter().chain(matched)
    }

    /// Names of all topics that somebody subscribes to.
    pub(in crate::groups) fn subscribed_topics(&self) -> BTreeSet<&str> {
        let matched = self
            .by_pattern
            .keys()
            .filter_map(|pattern| self.regexes.get(pattern))
            .flat_map(|resolved| &resolved.topics);
        self.by_name
            .keys()
            .chain(matched)
            .map(String::as_str)
            .collect()
    }

    pub(in crate::groups) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.by_name.contains_key(topic)
            || self
                .by_pattern
                .keys()
                .filter_map(|pattern| self.regexes.get(pattern))
                .any(|resolved| resolved.topics.contains(topic))
    }

    /// The assignor that most members ask for, `default` if none asks for any.
    pub(in crate::groups) fn assignor(&self, default: Assignor) -> Assignor {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for name in self
            .members
            .values()
            .filter_map(|member| member.metadata.assignor.as_deref())
        {
            *votes.entry(name).or_default() += 1;
        }
        votes
            .into_iter()
            .filter_map(|(name, votes)| Some((votes, Assignor::from_name(name)?)))
            .max_by_key(|(votes, _)| *votes)
            .map_or(default, |(_, assignor)| assignor)
    }

    pub(in crate::groups) fn classic_members(&self) -> usize {
        self.members
            .values()
            .filter(|member| member.uses_classic_protocol())
            .count()
    }

    /// Whether the partitions that a member still waits for are with somebody else.
    pub(in crate::groups) fn waits_for_others(&self, member: &ConsumerMember) -> bool {
        member.current.state == MemberState::UnreleasedPartitions
            && self.target.get(&member.id).is_some_and(|target| {
                target.iter().any(|(topic, partitions)| {
                    let has = member.current.assigned.get(topic);
                    partitions.iter().any(|partition| {
                        !has.is_some_and(|has| has.contains_key(partition))
                            && self.is_owned(*topic, *partition)
                    })
                })
            })
    }

    /// A hash over the subscribed topics: when it changes, so must the assignment.
    pub(in crate::groups) fn hash_topics(&self, topics: &Topics) -> i64 {
        let mut hash = Fnv::default();
        let mut is_empty = true;
        for name in self.subscribed_topics() {
            if let Some((id, partitions)) = topics.find(name) {
                is_empty = false;
                hash.write(id.as_bytes());
                hash.write(&partitions.to_be_bytes());
            }
        }
        if is_empty { 0 } else { hash.0.cast_signed() }
    }

    /// Everything there is, as the changes that undo it.
    pub(in crate::groups) fn end(&self) -> Vec<Change> {
        let ids = || self.members.keys().cloned();
        let mut changes: Vec<Change> = ids().map(|id| Change::Current(id, None)).collect();
        changes.extend(
            self.target
                .keys()
                .map(|id| Change::Target(id.clone(), None)),
        );
        changes.push(Change::TargetEpoch(None));
        changes.extend(ids().map(|id| Change::Member(id, None)));
        let patterns = self.regexes.keys();
        changes.extend(patterns.map(|pattern| Change::Regex(pattern.clone(), None)));
        changes.push(Change::Epoch(None));
        changes
    }
}

/// The pattern that a member subscribes to, if it does.
fn pattern_of(metadata: &Metadata) -> Option<&String> {
    Some(&metadata.regex).filter(|pattern| !pattern.is_empty())
}

fn count<'a>(counts: &mut BTreeMap<String, usize>, names: impl IntoIterator<Item = &'a String>) {
    for name in names {
        match counts.get_mut(name) {
            Some(count) => *count += 1,
            None => {
                counts.insert(name.clone(), 1);
            }
        }
    }
}

fn discount<'a>(counts: &mut BTreeMap<String, usize>, names: impl IntoIterator<Item = &'a String>) {
    for name in names {
        match counts.get_mut(name) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                counts.remove(name);
            }
        }
    }
}

/// FNV-1a: any hash does, as long as it is the same after a restart.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
