//! The course of a rebalance: prepare, join, sync, and members that fall silent on the way.

use headwater_wire::ErrorCode;
use headwater_wire::messages::join_group::JoinGroupResponse;
use headwater_wire::messages::sync_group::SyncGroupResponse;

use super::coordinator::{Cx, TimerKey};
use super::effect::Response;
use super::errors;
use super::group::{Group, InitialDelay, State};
use super::member::{MemberId, Waiting};
use super::records;

/// Starts a rebalance, or moves on the one that is under way.
pub(super) fn prepare_or_move_on(cx: &mut Cx<'_>, group: &mut Group) {
    if group.state == State::PreparingRebalance {
        complete_if_all_joined(cx, group);
    } else {
        prepare(cx, group);
    }
}

pub(super) fn prepare(cx: &mut Cx<'_>, group: &mut Group) {
    if group.state == State::CompletingRebalance {
        fail_syncs(cx, group, ErrorCode::RebalanceInProgress);
    }
    cx.timers.cancel(&TimerKey::Sync(group.id.clone()));
    let was_empty = group.state == State::Empty;
    group.transition(State::PreparingRebalance, cx.time.wall);
    let delay = cx.config.initial_rebalance_delay;
    if was_empty && delay.is_zero() {
        complete_join(cx, group);
    } else if was_empty {
        // A group that forms gets time for its first members to arrive (KIP-134).
        group.initial_delay = Some(InitialDelay {
            remaining: group.rebalance_timeout().saturating_sub(delay),
            member_added: false,
        });
        cx.timers
            .set(TimerKey::Join(group.id.clone()), cx.time.now.after(delay));
    } else if group.has_all_members_joined() {
        complete_join(cx, group);
    } else {
        wait_for_joins(cx, group);
    }
}

fn wait_for_joins(cx: &mut Cx<'_>, group: &Group) {
    cx.timers.set(
        TimerKey::Join(group.id.clone()),
        cx.time.now.after(group.rebalance_timeout()),
    );
}

pub(super) fn complete_if_all_joined(cx: &mut Cx<'_>, group: &mut Group) {
    if group.state == State::PreparingRebalance
        && group.initial_delay.is_none()
        && group.has_all_members_joined()
    {
        complete_join(cx, group);
    }
}

/// The join timer has run out: go on with those who came.
pub(super) fn join_time_is_over(cx: &mut Cx<'_>, group: &mut Group) {
    if group.state != State::PreparingRebalance {
        return;
    }
    if let Some(delay) = &mut group.initial_delay
        && delay.member_added
        && !delay.remaining.is_zero()
    {
        let extension = delay.remaining.min(cx.config.initial_rebalance_delay);
        delay.remaining = delay.remaining.saturating_sub(extension);
        delay.member_added = false;
        cx.timers.set(
            TimerKey::Join(group.id.clone()),
            cx.time.now.after(extension),
        );
        return;
    }
    complete_join(cx, group);
}

/// Drops members that did not rejoin, decides the generation, and answers the others.
fn complete_join(cx: &mut Cx<'_>, group: &mut Group) {
    cx.timers.cancel(&TimerKey::Join(group.id.clone()));
    // Static members keep their place until their session ends (KIP-345).
    let absent: Vec<MemberId> = group
        .members
        .values()
        .filter(|member| member.joining.is_none() && member.instance_id.is_none())
        .map(|member| member.id.clone())
        .collect();
    for id in &absent {
        remove(cx, group, id);
    }
    if !group.members.is_empty() && !group.elect_joined_leader() {
        // Nobody is there to lead: the sessions of the static members decide.
        wait_for_joins(cx, group);
        return;
    }
    group.next_generation(cx.time.wall);
    if group.state == State::Empty {
        write(cx, group);
        return;
    }
    let members: Vec<MemberId> = group.members.keys().cloned().collect();
    for id in members {
        group.pending_syncs.insert(id.clone());
        let waiting = group.members.get_mut(&id).and_then(|member| {
            member.is_new = false;
            member.joining.take()
        });
        if let Some(waiting) = waiting {
            reply_joined(cx, group, &id, waiting);
        }
        if let Some(member) = group.members.get(&id) {
            cx.restart_session(&group.id, member);
        }
    }
    cx.timers.set(
        TimerKey::Sync(group.id.clone()),
        cx.time.now.after(group.rebalance_timeout()),
    );
}

/// Writes down the group as it is now. Its strings were short enough when they came in.
pub(super) fn write(cx: &mut Cx<'_>, group: &mut Group) {
    let records = records::group_record(group).into_iter().collect();
    cx.append_in_batches(group, records);
}

/// Tells a member the current generation, and the leader the members.
pub(super) fn reply_joined(cx: &mut Cx<'_>, group: &Group, id: &MemberId, waiting: Waiting) {
    let members = if group.is_leader(id) {
        group.members_for_leader()
    } else {
        Vec::new()
    };
    let response = JoinGroupResponse {
        generation_id: group.generation,
        protocol_type: group.protocol_type.clone(),
        protocol_name: group.protocol_name.clone(),
        leader: group.leader_name(),
        member_id: id.to_string(),
        members,
        ..Default::default()
    };
    cx.reply(group.written, waiting.token, Response::Join(response));
}

/// The generation has waited long enough: members that never synced are gone.
pub(super) fn sync_time_is_over(cx: &mut Cx<'_>, group: &mut Group) {
    if !matches!(group.state, State::CompletingRebalance | State::Stable)
        || group.pending_syncs.is_empty()
    {
        return;
    }
    let silent: Vec<MemberId> = group.pending_syncs.iter().cloned().collect();
    for id in &silent {
        remove(cx, group, id);
    }
    prepare(cx, group);
}

/// A member, or an id that was given out, has not been heard of for its session timeout.
pub(super) fn session_is_over(cx: &mut Cx<'_>, group: &mut Group, id: &MemberId) {
    if group.pending_joins.remove(id) {
        complete_if_all_joined(cx, group);
        return;
    }
    if group
        .members
        .get(id)
        .is_some_and(|member| !member.is_excused_from_heartbeats())
    {
        remove(cx, group, id);
        after_removal(cx, group);
    }
}

/// Takes a member out and tells it so, if it waits for an answer.
pub(super) fn remove(cx: &mut Cx<'_>, group: &mut Group, id: &MemberId) {
    cx.cancel_session(&group.id, id);
    let Some(member) = group.remove_member(id) else {
        return;
    };
    if let Some(waiting) = member.joining {
        let response = errors::join(waiting.version, ErrorCode::UnknownMemberId, "");
        cx.reply(group.written, waiting.token, Response::Join(response));
    }
    if let Some(waiting) = member.syncing {
        let response = errors::sync(ErrorCode::UnknownMemberId);
        cx.reply(group.written, waiting.token, Response::Sync(response));
    }
}

/// The remaining members take over what the removed ones had.
pub(super) fn after_removal(cx: &mut Cx<'_>, group: &mut Group) {
    match group.state {
        State::Empty => {}
        State::PreparingRebalance => complete_if_all_joined(cx, group),
        State::CompletingRebalance | State::Stable => prepare(cx, group),
    }
}

/// Answers all syncs that wait with an error; the assignment they wait for will not come, and
/// what members had before ended with the generation before.
pub(super) fn fail_syncs(cx: &mut Cx<'_>, group: &mut Group, code: ErrorCode) {
    let Group {
        id,
        members,
        written,
        ..
    } = group;
    for member in members.values_mut() {
        member.assignment.clear();
        if let Some(waiting) = member.syncing.take() {
            cx.reply(*written, waiting.token, Response::Sync(errors::sync(code)));
            cx.restart_session(id, member);
        }
    }
}

/// Answers all syncs that wait with the members' assignments.
pub(super) fn propagate_assignments(cx: &mut Cx<'_>, group: &mut Group) {
    let Group {
        id,
        members,
        written,
        protocol_type,
        protocol_name,
        ..
    } = group;
    for member in members.values_mut() {
        if let Some(waiting) = member.syncing.take() {
            let response = SyncGroupResponse {
                protocol_type: protocol_type.clone(),
                protocol_name: protocol_name.clone(),
                assignment: member.assignment.clone(),
                ..Default::default()
            };
            cx.reply(*written, waiting.token, Response::Sync(response));
            // The session may have run out, excused, while the member waited.
            cx.restart_session(id, member);
        }
    }
}

/// Answers every join and sync that waits with an error.
pub(super) fn fail_waiting(cx: &mut Cx<'_>, group: &mut Group, code: ErrorCode) {
    fail_syncs(cx, group, code);
    let Group {
        members, written, ..
    } = group;
    for member in members.values_mut() {
        if let Some(waiting) = member.joining.take() {
            let response = errors::join(waiting.version, code, &member.id);
            cx.reply(*written, waiting.token, Response::Join(response));
        }
    }
}
