//! Finding the partition a request names.

use std::sync::Arc;

use headwater_storage::PartitionLog;
use headwater_wire::ErrorCode;
use uuid::Uuid;

use crate::topics::{Topic, TopicMap};

/// A partition a request named.
pub(crate) struct Located<'a> {
    /// Its topic.
    pub(crate) topic: &'a Arc<Topic>,
    /// Its log.
    pub(crate) log: &'a Arc<PartitionLog>,
    /// Its current leader epoch.
    pub(crate) leader_epoch: i32,
    /// Replicas that are in sync.
    pub(crate) in_sync_replicas: usize,
}

impl TopicMap {
    /// The topic a request names by id if the id is set, else by name.
    pub(crate) fn find(&self, id: Uuid, name: &str) -> Result<&Arc<Topic>, ErrorCode> {
        if id.is_nil() {
            self.by_name(name).ok_or(ErrorCode::UnknownTopicOrPartition)
        } else {
            self.by_id(id).ok_or(ErrorCode::UnknownTopicId)
        }
    }
}

impl Topic {
    /// Partition `index`, if it is on this node.
    pub(crate) fn locate(self: &Arc<Self>, index: i32) -> Result<Located<'_>, ErrorCode> {
        let at = usize::try_from(index).map_err(|_| ErrorCode::UnknownTopicOrPartition)?;
        let log = self
            .logs
            .get(at)
            .ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let image = self
            .image
            .partitions
            .get(at)
            .ok_or(ErrorCode::UnknownTopicOrPartition)?;
        Ok(Located {
            topic: self,
            log,
            leader_epoch: image.leader_epoch,
            in_sync_replicas: image.isr.len(),
        })
    }
}

/// Fences a client whose view of the leadership is older or newer than this broker's (KIP-320).
/// `theirs` is -1 if the client does not care.
pub(crate) fn check_leader_epoch(theirs: i32, ours: i32) -> Result<(), ErrorCode> {
    if theirs == -1 || theirs == ours {
        Ok(())
    } else if theirs < ours {
        Err(ErrorCode::FencedLeaderEpoch)
    } else {
        Err(ErrorCode::UnknownLeaderEpoch)
    }
}
