//! Timers of members, and what happens when they run out.

use std::time::Duration;

use super::leave::fence;
use super::member::{ConsumerMember, MemberState};
use crate::groups::coordinator::{Cx, TimerKey};
use crate::groups::group::{Group, GroupId};
use crate::groups::member::MemberId;

/// Expects to hear from the member within its session timeout from now on.
pub(in crate::groups) fn restart(cx: &mut Cx<'_>, group: &GroupId, member: &ConsumerMember) {
    let timeout = member
        .classic_session_timeout()
        .or_else(|| cx.topics.group_settings(group).session_timeout)
        .unwrap_or(cx.config.consumer_session_timeout);
    set(
        cx,
        TimerKey::Session(group.clone(), member.id.clone()),
        timeout,
    );
}

/// Gives a member its rebalance timeout to give up partitions, if it has to.
pub(in crate::groups) fn watch_revocation(
    cx: &mut Cx<'_>,
    group: &GroupId,
    member: &ConsumerMember,
) {
    let key = TimerKey::Revocation(group.clone(), member.id.clone());
    if member.current.state == MemberState::UnrevokedPartitions && !member.uses_classic_protocol() {
        set(cx, key, member.rebalance_timeout());
    } else {
        cx.timers.cancel(&key);
    }
}

/// Gives a member of the classic protocol, which was told to, its rebalance timeout to join again.
pub(in crate::groups) fn expect_join(cx: &mut Cx<'_>, group: &GroupId, member: &ConsumerMember) {
    let key = TimerKey::ClassicJoin(group.clone(), member.id.clone());
    if !cx.timers.contains(&key) {
        set(cx, key, member.rebalance_timeout());
    }
}

/// A member of the classic protocol has joined; gives it its rebalance timeout to sync.
pub(in crate::groups) fn expect_sync(cx: &mut Cx<'_>, group: &GroupId, member: &ConsumerMember) {
    cx.timers
        .cancel(&TimerKey::ClassicJoin(group.clone(), member.id.clone()));
    let key = TimerKey::ClassicSync(group.clone(), member.id.clone());
    set(cx, key, member.rebalance_timeout());
}

pub(in crate::groups) fn has_synced(cx: &mut Cx<'_>, group: &GroupId, id: &MemberId) {
    cx.timers
        .cancel(&TimerKey::ClassicSync(group.clone(), id.clone()));
}

pub(in crate::groups) fn cancel_all(cx: &mut Cx<'_>, group: &GroupId, id: &MemberId) {
    for key in [
        TimerKey::Session,
        TimerKey::Revocation,
        TimerKey::ClassicJoin,
        TimerKey::ClassicSync,
    ] {
        cx.timers.cancel(&key(group.clone(), id.clone()));
    }
}

/// The member has been silent, or has not done what it was told, for too long.
pub(in crate::groups) fn is_over(cx: &mut Cx<'_>, group: &mut Group, id: &MemberId) {
    let is_member = group
        .consumer
        .as_ref()
        .is_some_and(|consumer| consumer.members.contains_key(id));
    if is_member {
        fence(cx, group, std::slice::from_ref(id));
    }
}

fn set(cx: &mut Cx<'_>, key: TimerKey, after: Duration) {
    cx.timers.set(key, cx.time.now.after(after));
}
