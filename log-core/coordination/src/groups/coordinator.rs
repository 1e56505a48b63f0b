//! The machine's data, and what its handlers share.

use std::collections::{BTreeMap, BTreeSet};

use super::config::GroupConfig;
use super::effect::{Effect, Response};
use super::group::{Group, GroupId};
use super::member::{Member, MemberId};
use super::passing::Passing;
use super::topics::Topics;
use crate::outbox::Outbox;
use crate::timers::Timers;
use crate::{Append, AppendId, Now, Record, Time, Timestamp, Token};

/// The groups and committed offsets of one partition of `__consumer_offsets`.
///
/// Made empty by [`new`](Self::new), filled by [`load`](Self::load), opened by
/// [`finish_loading`](Self::finish_loading), driven by [`step`](Self::step).
#[derive(Debug)]
pub struct GroupCoordinator {
    pub(super) config: GroupConfig,
    pub(super) groups: BTreeMap<GroupId, Group>,
    pub(super) producers: BTreeMap<i64, Producer>,
    pub(super) timers: Timers<TimerKey>,
    pub(super) outbox: Outbox<Effect>,
    pub(super) phase: Phase,
    pub(super) wake_asked: Option<Now>,
    /// The newest there were with a request.
    pub(super) topics: Topics,
    /// Groups that were made in vain.
    pub(super) passing: Passing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Loading,
    Active,
    Failed,
}

/// What this partition knows of a transactional producer.
#[derive(Debug)]
pub(super) struct Producer {
    /// The latest epoch seen; requests of earlier ones are fenced.
    pub(super) epoch: i16,
    pub(super) last_seen: Timestamp,
    /// Groups in which its open transaction has pending offsets.
    pub(super) groups: BTreeSet<GroupId>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TimerKey {
    /// The rebalance has waited long enough for members to join.
    Join(GroupId),
    /// The generation has waited long enough for members to sync.
    Sync(GroupId),
    /// The member, or the id given out, has been silent for its session timeout.
    Session(GroupId, MemberId),
    /// The member was to give up partitions by now.
    Revocation(GroupId, MemberId),
    /// The member, which speaks the classic protocol in a group of the other, was to join by now.
    ClassicJoin(GroupId, MemberId),
    /// The same, to sync.
    ClassicSync(GroupId, MemberId),
    /// Expired offsets are looked for.
    Expiry,
}

impl GroupCoordinator {
    /// A coordinator that knows no group yet and refuses requests until it is loaded.
    #[must_use]
    pub fn new(config: GroupConfig) -> Self {
        Self {
            config,
            groups: BTreeMap::new(),
            producers: BTreeMap::new(),
            timers: Timers::default(),
            outbox: Outbox::default(),
            phase: Phase::Loading,
            wake_asked: None,
            topics: Topics::default(),
            passing: Passing::default(),
        }
    }

    /// How many groups are held.
    #[must_use]
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// Topics that a group has committed offsets for, in a transaction still open too. To be
    /// compared with the topics there are, once loaded.
    #[must_use]
    pub fn topics_with_offsets(&self) -> BTreeSet<&str> {
        self.groups
            .values()
            .flat_map(|group| group.pending_offsets.values().chain([&group.offsets]))
            .flat_map(|offsets| offsets.topics().map(|(topic, _)| topic.as_str()))
            .collect()
    }

    /// The groups, and apart from them everything a handler needs to change one.
    pub(super) fn split<'a>(
        &'a mut self,
        time: Time,
        out: &'a mut Vec<Effect>,
    ) -> (&'a mut BTreeMap<GroupId, Group>, Cx<'a>) {
        let cx = Cx {
            config: &self.config,
            topics: &self.topics,
            producers: &mut self.producers,
            timers: &mut self.timers,
            outbox: &mut self.outbox,
            time,
            out,
        };
        (&mut self.groups, cx)
    }
}

/// The group named `id`, made if it does not exist. One that stays empty is forgotten with the
/// next look for expired offsets, or before if there are many.
pub(super) fn get_or_create<'a>(
    groups: &'a mut BTreeMap<GroupId, Group>,
    id: &str,
    cx: &Cx<'_>,
) -> &'a mut Group {
    let id = GroupId::from(id);
    // A group of this name may just have been deleted: what is said about the new one must not
    // be known before the deletion is durable.
    let written = cx.outbox.last();
    groups
        .entry(id.clone())
        .or_insert_with(|| Group::new(id, written))
}

/// Drops a group that was made for a request and left as it was made.
pub(super) fn forget_if_untouched(groups: &mut BTreeMap<GroupId, Group>, id: &str) {
    if groups.get(id).is_some_and(Group::is_untouched) {
        groups.remove(id);
    }
}

/// What a handler works with, besides the group it changes.
pub(super) struct Cx<'a> {
    pub(super) config: &'a GroupConfig,
    pub(super) topics: &'a Topics,
    pub(super) producers: &'a mut BTreeMap<i64, Producer>,
    pub(super) timers: &'a mut Timers<TimerKey>,
    pub(super) outbox: &'a mut Outbox<Effect>,
    pub(super) time: Time,
    pub(super) out: &'a mut Vec<Effect>,
}

impl Cx<'_> {
    pub(super) fn append(&mut self, append: Append) -> AppendId {
        let id = self.outbox.next_append();
        self.out.push(Effect::Append { id, append });
        id
    }

    /// Writes records of a group in as many batches as they need, and makes answers about the
    /// group wait for the last.
    pub(super) fn append_in_batches(&mut self, group: &mut Group, records: Vec<Record>) {
        let mut batch = Vec::new();
        let mut size = BATCH_OVERHEAD;
        for record in records {
            let next = size_of_record(&record);
            if !batch.is_empty() && size + next > self.config.max_append_bytes {
                group.written = self.append(Append::Records(std::mem::take(&mut batch)));
                size = BATCH_OVERHEAD;
            }
            size += next;
            batch.push(record);
        }
        if !batch.is_empty() {
            group.written = self.append(Append::Records(batch));
        }
    }

    /// Whether `records` can be written as one batch.
    pub(super) fn fits(&self, records: &[Record]) -> bool {
        records
            .iter()
            .map(size_of_record)
            .fold(BATCH_OVERHEAD, usize::saturating_add)
            <= self.config.max_append_bytes
    }

    /// Whether values of these sizes can be written as one batch, whatever else is in it.
    pub(super) fn has_room_for(&self, sizes: impl Iterator<Item = usize>) -> bool {
        sizes.fold(BATCH_OVERHEAD, usize::saturating_add) <= self.config.max_append_bytes
    }

    /// Answers once `after` is durable.
    pub(super) fn reply(&mut self, after: AppendId, token: Token, response: Response) {
        self.outbox
            .release(after, Effect::Reply { token, response }, self.out);
    }

    /// Expects to hear from the member within its session timeout from now on.
    pub(super) fn restart_session(&mut self, group: &GroupId, member: &Member) {
        let timeout = if member.is_new {
            self.config.new_member_join_timeout
        } else {
            member.session_timeout
        };
        self.timers.set(
            TimerKey::Session(group.clone(), member.id.clone()),
            self.time.now.after(timeout),
        );
    }

    pub(super) fn cancel_session(&mut self, group: &GroupId, member: &MemberId) {
        self.timers
            .cancel(&TimerKey::Session(group.clone(), member.clone()));
    }
}

/// Bytes of a batch that are not records.
const BATCH_OVERHEAD: usize = 61;

/// Upper bound for the bytes a record takes in a batch.
fn size_of_record(record: &Record) -> usize {
    const LENGTHS_AND_DELTAS: usize = 32;
    record.key.len() + record.value.as_ref().map_or(0, bytes::Bytes::len) + LENGTHS_AND_DELTAS
}
