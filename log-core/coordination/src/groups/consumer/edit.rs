//! Changing a group: every change is applied at once and written with the others of its request.

use super::change::{Change, GroupEpoch};
use super::group::ConsumerGroup;
use super::member::{ConsumerMember, Metadata};
use crate::Record;
use crate::groups::coordinator::Cx;
use crate::groups::group::{Group, GroupId};
use crate::groups::member::MemberId;
use crate::groups::topics::Topics;

/// A group that is being changed. Nothing in here fails: a request is checked before.
pub(in crate::groups) struct Edit<'a> {
    pub(in crate::groups) id: GroupId,
    pub(in crate::groups) group: &'a mut ConsumerGroup,
    changes: Vec<Change>,
}

impl<'a> Edit<'a> {
    pub(in crate::groups) fn new(id: &GroupId, group: &'a mut ConsumerGroup) -> Self {
        Self {
            id: id.clone(),
            group,
            changes: Vec::new(),
        }
    }

    pub(in crate::groups) fn make(&mut self, change: Change) {
        self.group.apply(change.clone());
        self.changes.push(change);
    }

    /// What was changed, as records. Its strings were short enough when they came in.
    pub(in crate::groups) fn into_records(self) -> Vec<Record> {
        records(&self.id, &self.changes)
    }

    pub(in crate::groups) fn remove_member(&mut self, id: &MemberId) {
        self.make(Change::Current(id.clone(), None));
        self.make(Change::Target(id.clone(), None));
        self.make(Change::Member(id.clone(), None));
    }

    /// Lets a static member go on under another id, with all it had (KIP-345).
    pub(in crate::groups) fn replace_member(&mut self, old: &ConsumerMember, new: &ConsumerMember) {
        let target = self.group.target_of(&old.id);
        self.remove_member(&old.id);
        self.make(Change::Member(new.id.clone(), Some(new.metadata.clone())));
        self.make(Change::Target(new.id.clone(), Some(target)));
        self.make(Change::Current(new.id.clone(), Some(new.current.clone())));
    }

    /// Forgets patterns that nobody subscribes to any more.
    pub(in crate::groups) fn drop_unused_patterns(&mut self) {
        let unused: Vec<String> = self
            .group
            .regexes
            .keys()
            .filter(|pattern| !self.group.has_subscribers(pattern))
            .cloned()
            .collect();
        for pattern in unused {
            self.make(Change::Regex(pattern, None));
        }
    }

    /// Calls for a new target.
    pub(in crate::groups) fn bump_epoch(&mut self, topics: &Topics) {
        let metadata_hash = self.group.hash_topics(topics);
        self.make(Change::Epoch(Some(GroupEpoch {
            epoch: self.group.epoch.saturating_add(1),
            metadata_hash,
        })));
    }
}

pub(in crate::groups) fn records(id: &GroupId, changes: &[Change]) -> Vec<Record> {
    changes
        .iter()
        .flat_map(|change| change.to_record(id))
        .collect()
}

/// Whether what a member says about itself can be written as one batch. Nothing else that a sender
/// sizes is written for a group.
pub(in crate::groups) fn fits(
    cx: &Cx<'_>,
    group: &str,
    id: &MemberId,
    metadata: &Metadata,
) -> bool {
    let change = Change::Member(id.clone(), Some(metadata.clone()));
    change
        .to_record(group)
        .is_ok_and(|record| cx.fits(std::slice::from_ref(&record)))
}

/// Ends the group of the consumer protocol in `group`; its offsets stay.
pub(in crate::groups) fn end(cx: &mut Cx<'_>, group: &mut Group) -> Vec<Record> {
    let Some(consumer) = group.consumer.take() else {
        return Vec::new();
    };
    for id in consumer.members.keys() {
        super::sessions::cancel_all(cx, &group.id, id);
    }
    records(&group.id, &consumer.end())
}
