//! Who may commit and fetch offsets of a group of the consumer protocol.

use headwater_wire::ErrorCode;
use uuid::Uuid;

use super::assignment::epoch_of;
use super::group::ConsumerGroup;
use super::member::ConsumerMember;
use crate::groups::offset_commit::Committer;

/// From this version on OffsetCommit says `STALE_MEMBER_EPOCH`; members need it.
const MEMBER_EPOCH_FROM: i16 = 9;

/// What a committer may commit.
pub(in crate::groups) enum Permission<'a> {
    Everything,
    /// What the member had in this epoch of its past (KIP-1251).
    AssignedBy(&'a ConsumerMember, i32),
}

impl Permission<'_> {
    /// Whether an offset of this partition may be committed.
    ///
    /// # Errors
    /// `STALE_MEMBER_EPOCH`, or `ILLEGAL_GENERATION` for a member of the classic protocol.
    pub(in crate::groups) fn check(
        &self,
        topic: Option<Uuid>,
        partition: i32,
    ) -> Result<(), ErrorCode> {
        let (member, epoch) = match self {
            Self::Everything => return Ok(()),
            Self::AssignedBy(member, epoch) => (*member, *epoch),
        };
        let current = &member.current;
        let assigned = topic.and_then(|topic| {
            epoch_of(&current.assigned, topic, partition)
                .or_else(|| epoch_of(&current.revoking, topic, partition))
        });
        match assigned {
            Some(assigned) if epoch >= assigned => Ok(()),
            _ => Err(stale(member)),
        }
    }
}

fn stale(member: &ConsumerMember) -> ErrorCode {
    if member.uses_classic_protocol() {
        ErrorCode::IllegalGeneration
    } else {
        ErrorCode::StaleMemberEpoch
    }
}

/// Fences commits of former members and of former epochs.
pub(in crate::groups) fn check_committer<'a>(
    group: &'a ConsumerGroup,
    committer: &Committer<'_>,
    is_transactional: bool,
    version: i16,
) -> Result<Permission<'a>, ErrorCode> {
    let epoch = committer.generation;
    if epoch < 0 && group.members.is_empty() {
        return Ok(Permission::Everything);
    }
    let names_nobody =
        epoch == -1 && committer.member_id.is_empty() && committer.instance_id.is_none();
    if is_transactional && names_nobody {
        return Ok(Permission::Everything);
    }
    let member = group
        .members
        .get(committer.member_id)
        .ok_or(ErrorCode::UnknownMemberId)?;
    if !is_transactional && !member.uses_classic_protocol() && version < MEMBER_EPOCH_FROM {
        return Err(ErrorCode::UnsupportedVersion);
    }
    match epoch.cmp(&member.current.epoch) {
        std::cmp::Ordering::Equal => Ok(Permission::Everything),
        std::cmp::Ordering::Greater => Err(stale(member)),
        std::cmp::Ordering::Less => Ok(Permission::AssignedBy(member, epoch)),
    }
}

/// Fences fetches of former members and of other epochs; whoever claims no membership may fetch.
pub(in crate::groups) fn check_fetch(
    group: &ConsumerGroup,
    member_id: Option<&str>,
    epoch: i32,
) -> Result<(), ErrorCode> {
    if member_id.is_none() && epoch < 0 {
        return Ok(());
    }
    let member = member_id
        .and_then(|id| group.members.get(id))
        .ok_or(ErrorCode::UnknownMemberId)?;
    if member.current.epoch == epoch {
        Ok(())
    } else {
        Err(stale(member))
    }
}
