//! Groups that were made for a request and left as they were made.
//!
//! Kafka keeps the empty group that a refused JoinGroup or OffsetCommit leaves behind until it next
//! looks for expired offsets, and so do these; but anybody can leave as many as they like, so only
//! the latest are kept.

use std::collections::{BTreeMap, VecDeque};

use super::coordinator::{GroupCoordinator, forget_if_untouched};
use super::group::{Group, GroupId};
use super::input::Request;

/// Memory that such groups of one partition may take, in bytes.
const BYTES_MAX: usize = 256 * 1024;
/// What a group takes besides its name, about.
const GROUP_BYTES: usize = 1024;

/// The names of such groups, the oldest first. Some may have become more since.
#[derive(Debug, Default)]
pub(super) struct Passing {
    names: VecDeque<GroupId>,
    bytes: usize,
}

impl Passing {
    fn note(&mut self, groups: &mut BTreeMap<GroupId, Group>, id: GroupId) {
        self.bytes += size(&id);
        self.names.push_back(id);
        while self.bytes > BYTES_MAX
            && let Some(oldest) = self.names.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(size(&oldest));
            forget_if_untouched(groups, &oldest);
        }
    }

    /// To be called when all groups that nothing would be lost with were forgotten.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

fn size(id: &GroupId) -> usize {
    GROUP_BYTES + id.len()
}

impl GroupCoordinator {
    /// The group that `request` would make, if there is none of its name.
    pub(super) fn new_group_of(&self, request: &Request) -> Option<GroupId> {
        let id = match request {
            Request::Join { request, .. } => &request.group_id,
            Request::OffsetCommit(request) => &request.group_id,
            Request::TxnOffsetCommit(request) => &request.group_id,
            _ => return None,
        };
        (!self.groups.contains_key(id.as_str())).then(|| GroupId::from(id.as_str()))
    }

    /// Bounds what is kept of groups that were made in vain; `id` is the latest.
    pub(super) fn note_new_group(&mut self, id: GroupId) {
        if self.groups.get(&id).is_some_and(Group::is_untouched) {
            self.passing.note(&mut self.groups, id);
        }
    }
}
