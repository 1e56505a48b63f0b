//! JoinGroup.

use headwater_wire::ErrorCode;
use headwater_wire::messages::join_group::{JoinGroupRequest, JoinGroupResponse};
use uuid::Uuid;

use super::consumer::classic;
use super::consumer::edit::end as end_consumer_group;
use super::coordinator::{Cx, GroupCoordinator, TimerKey, get_or_create};
use super::effect::{Effect, Response};
use super::errors;
use super::group::{Group, State};
use super::input::Client;
use super::member::{Member, MemberId, NAME_MAX, Waiting, millis};
use super::rebalance;
use super::records;
use super::subscription::subscribed_topics;
use crate::{Time, Token};

/// From this version on a new dynamic member first gets its id and has to come back with it, so
/// that lost answers leave no members behind (KIP-394).
pub(super) const MEMBER_ID_REQUIRED_FROM: i16 = 4;
/// From this version on a returning static leader is told that it leads, and to leave the
/// assignment as it is (KIP-814).
const SKIP_ASSIGNMENT_FROM: i16 = 9;

/// A JoinGroup on its way through the group.
pub(super) struct Join {
    pub(super) waiting: Waiting,
    pub(super) request: JoinGroupRequest,
    pub(super) client: Client,
    pub(super) fresh: Uuid,
}

impl GroupCoordinator {
    #[allow(
        clippy::too_many_arguments,
        reason = "the parts of one input, destructured"
    )]
    pub(super) fn join(
        &mut self,
        token: Token,
        version: i16,
        request: JoinGroupRequest,
        client: Client,
        fresh: Uuid,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        let (groups, mut cx) = self.split(time, out);
        let join = Join {
            waiting: Waiting { token, version },
            request,
            client,
            fresh,
        };
        let written = cx.outbox.last();
        if let Err(code) = check_request(&cx, &join.request, &join.client) {
            reply_error(&mut cx, written, &join, code);
            return;
        }
        let group_id = join.request.group_id.clone();
        if let Some(group) = groups.get_mut(group_id.as_str())
            && group.consumer.is_some()
            && !group.has_no_members()
        {
            join_consumer_group(&mut cx, group, &join);
        } else if join.request.member_id.is_empty() {
            let group = get_or_create(groups, &group_id, &cx);
            // A group of the consumer protocol without members gives way to a classic one.
            let ended = end_consumer_group(&mut cx, group);
            cx.append_in_batches(group, ended);
            join_group(&mut cx, group, join);
        } else if let Some(group) = groups.get_mut(group_id.as_str()) {
            join_group(&mut cx, group, join);
        } else {
            reply_error(&mut cx, written, &join, ErrorCode::UnknownMemberId);
        }
    }
}

fn join_consumer_group(cx: &mut Cx<'_>, group: &mut Group, join: &Join) {
    let Waiting { token, version } = join.waiting;
    let response = classic::join(cx, group, join)
        .unwrap_or_else(|(code, member_id)| errors::join(version, code, &member_id));
    cx.reply(group.written, token, Response::Join(response));
}

fn check_request(
    cx: &Cx<'_>,
    request: &JoinGroupRequest,
    client: &Client,
) -> Result<(), ErrorCode> {
    let session = millis(request.session_timeout_ms);
    let instance = request.group_instance_id.as_deref();
    let names = request
        .protocols
        .iter()
        .map(|protocol| protocol.name.as_str());
    let is_too_long = [
        &*request.group_id,
        &*request.protocol_type,
        instance.unwrap_or_default(),
    ]
    .into_iter()
    .chain([client.id.as_str(), client.host.as_str()])
    .chain(names)
    .any(|name| name.len() > NAME_MAX);
    if request.group_id.is_empty() {
        Err(ErrorCode::InvalidGroupId)
    } else if is_too_long {
        Err(ErrorCode::InvalidRequest)
    } else if !cx.has_room_for(request.protocols.iter().map(|one| one.metadata.len())) {
        // As Kafka calls what cannot be written.
        Err(ErrorCode::UnknownServerError)
    } else if session < cx.config.min_session_timeout || session > cx.config.max_session_timeout {
        Err(ErrorCode::InvalidSessionTimeout)
    } else {
        Ok(())
    }
}

fn reply_error(cx: &mut Cx<'_>, after: crate::AppendId, join: &Join, code: ErrorCode) {
    let response = errors::join(join.waiting.version, code, &join.request.member_id);
    cx.reply(after, join.waiting.token, Response::Join(response));
}

fn join_group(cx: &mut Cx<'_>, group: &mut Group, join: Join) {
    if !has_room(cx, group, &join.request.member_id) {
        if let Some(id) = group
            .members
            .get(join.request.member_id.as_str())
            .map(|m| m.id.clone())
        {
            rebalance::remove(cx, group, &id);
        }
        group.pending_joins.remove(join.request.member_id.as_str());
        let response = errors::join(join.waiting.version, ErrorCode::GroupMaxSizeReached, "");
        cx.reply(group.written, join.waiting.token, Response::Join(response));
    } else if !group.supports_protocols(&join.request.protocol_type, &join.request.protocols) {
        reply_error(
            cx,
            group.written,
            &join,
            ErrorCode::InconsistentGroupProtocol,
        );
    } else if !join.request.member_id.is_empty() {
        join_known_member(cx, group, join);
    } else if join.request.group_instance_id.is_some() {
        join_new_static_member(cx, group, join);
    } else {
        join_new_dynamic_member(cx, group, join);
    }
}

/// Whether the group takes one more member. While it rebalances those count that have rejoined,
/// so that a group over its limit loses its last comers (KIP-389).
fn has_room(cx: &Cx<'_>, group: &Group, member_id: &str) -> bool {
    let member = group.members.get(member_id);
    match group.state {
        State::Empty => true,
        State::PreparingRebalance => {
            member.is_some_and(|member| member.joining.is_some())
                || group.awaiting_join() < cx.config.max_size
        }
        State::CompletingRebalance | State::Stable => {
            member.is_some() || group.members.len() < cx.config.max_size
        }
    }
}

fn join_new_dynamic_member(cx: &mut Cx<'_>, group: &mut Group, join: Join) {
    let id = MemberId::from(format!("{}-{}", join.client.id, join.fresh));
    if join.waiting.version < MEMBER_ID_REQUIRED_FROM {
        add_member(cx, group, id, join);
        return;
    }
    group.pending_joins.insert(id.clone());
    cx.timers.set(
        TimerKey::Session(group.id.clone(), id.clone()),
        cx.time.now.after(millis(join.request.session_timeout_ms)),
    );
    let response = errors::join(join.waiting.version, ErrorCode::MemberIdRequired, &id);
    cx.reply(group.written, join.waiting.token, Response::Join(response));
}

fn join_new_static_member(cx: &mut Cx<'_>, group: &mut Group, join: Join) {
    let instance = join.request.group_instance_id.clone().unwrap_or_default();
    let id = MemberId::from(format!("{instance}-{}", join.fresh));
    match group.static_members.get(&instance).cloned() {
        Some(current) => replace_static_member(cx, group, &current, id, join),
        None => add_member(cx, group, id, join),
    }
}

fn add_member(cx: &mut Cx<'_>, group: &mut Group, id: MemberId, join: Join) {
    let mut member = Member::new(id, &join.request, join.client);
    member.joining = Some(join.waiting);
    if let Some(delay) = &mut group.initial_delay {
        delay.member_added = true;
    }
    cx.restart_session(&group.id, &member);
    group.add_member(member, &join.request.protocol_type);
    rebalance::prepare_or_move_on(cx, group);
}

/// A static member has come back under its instance id (KIP-345): it takes its old place under a
/// new member id, and whoever still uses the old one is fenced.
fn replace_static_member(
    cx: &mut Cx<'_>,
    group: &mut Group,
    old: &MemberId,
    new: MemberId,
    join: Join,
) {
    let leader_before = group.leader_name();
    let protocol = group.protocol_name.clone().unwrap_or_default();
    cx.cancel_session(&group.id, old);
    if let Some(member) = group.members.get_mut(old) {
        let (joining, syncing) = (member.joining.take(), member.syncing.take());
        if let Some(waiting) = joining {
            let response = errors::join(waiting.version, ErrorCode::FencedInstanceId, old);
            cx.reply(group.written, waiting.token, Response::Join(response));
        }
        if let Some(waiting) = syncing {
            let response = errors::sync(ErrorCode::FencedInstanceId);
            cx.reply(group.written, waiting.token, Response::Sync(response));
        }
    }
    group.rename_member(old, new.clone());
    let mut same_topics = true;
    if let Some(member) = group.members.get_mut(&new) {
        let before = subscribed_topics(&member.metadata(&protocol));
        member.update(&join.request);
        member.client = join.client;
        member.joining = Some(join.waiting);
        same_topics = before == subscribed_topics(&member.metadata(&protocol));
        cx.restart_session(&group.id, member);
    }
    // Kafka compares only the protocol; a member that comes back with other topics would then be
    // left with an assignment that does not fit it.
    let is_unchanged = same_topics
        && group.protocol_name.is_some()
        && group.select_protocol() == group.protocol_name;
    match group.state {
        State::Stable if is_unchanged => reply_to_returned(cx, group, &new, leader_before),
        // The leader may be assigning partitions to the old id right now.
        State::Stable | State::CompletingRebalance | State::Empty => rebalance::prepare(cx, group),
        State::PreparingRebalance => rebalance::complete_if_all_joined(cx, group),
    }
}

/// Lets a returned static member go on in the current generation, without a rebalance.
fn reply_to_returned(cx: &mut Cx<'_>, group: &mut Group, id: &MemberId, leader_before: String) {
    if !records::group_record(group).is_ok_and(|record| cx.fits(std::slice::from_ref(&record))) {
        // The end of the rebalance tells the members so.
        rebalance::prepare(cx, group);
        return;
    }
    let Some(waiting) = group.members.get_mut(id).and_then(|member| {
        member.is_new = false;
        member.joining.take()
    }) else {
        return;
    };
    if let Some(member) = group.members.get(id) {
        cx.restart_session(&group.id, member);
    }
    rebalance::write(cx, group);
    let is_leader = group.is_leader(id);
    let knows_to_skip = waiting.version >= SKIP_ASSIGNMENT_FROM;
    let response = JoinGroupResponse {
        generation_id: group.generation,
        protocol_type: group.protocol_type.clone(),
        protocol_name: group.protocol_name.clone(),
        // An old client that learns it leads would assign anew; it is shown the id it had.
        leader: if knows_to_skip {
            group.leader_name()
        } else {
            leader_before
        },
        skip_assignment: knows_to_skip && is_leader,
        member_id: id.to_string(),
        members: if knows_to_skip && is_leader {
            group.members_for_leader()
        } else {
            Vec::new()
        },
        ..Default::default()
    };
    cx.reply(group.written, waiting.token, Response::Join(response));
}

fn join_known_member(cx: &mut Cx<'_>, group: &mut Group, join: Join) {
    let Some(id) = known_id(group, &join.request.member_id) else {
        // The instance id decides which of the two errors it is.
        let code = group
            .validate_member(
                &join.request.member_id,
                join.request.group_instance_id.as_deref(),
            )
            .err()
            .unwrap_or(ErrorCode::UnknownMemberId);
        reply_error(cx, group.written, &join, code);
        return;
    };
    if group.pending_joins.contains(&id) {
        // Ids are given out only to dynamic members.
        if join.request.group_instance_id.is_some() {
            reply_error(cx, group.written, &join, ErrorCode::UnknownMemberId);
        } else {
            add_member(cx, group, id, join);
        }
        return;
    }
    let instance = join.request.group_instance_id.as_deref();
    if let Err(code) = group.validate_member(&id, instance) {
        reply_error(cx, group.written, &join, code);
        return;
    }
    let is_same = group
        .members
        .get(&id)
        .is_some_and(|m| m.matches(&join.request.protocols));
    match group.state {
        State::PreparingRebalance => rejoin(cx, group, &id, &join),
        // The answer to its join may have been lost; this generation is still to be had.
        State::CompletingRebalance if is_same => {
            rebalance::reply_joined(cx, group, &id, join.waiting);
        }
        // A leader rejoins when what it assigns has changed, which its own metadata need not show.
        State::Stable if is_same && !group.is_leader(&id) => {
            rebalance::reply_joined(cx, group, &id, join.waiting);
        }
        State::CompletingRebalance | State::Stable => rejoin(cx, group, &id, &join),
        State::Empty => reply_error(cx, group.written, &join, ErrorCode::UnknownMemberId),
    }
}

fn known_id(group: &Group, member_id: &str) -> Option<MemberId> {
    group
        .pending_joins
        .get(member_id)
        .or_else(|| group.members.get(member_id).map(|member| &member.id))
        .cloned()
}

fn rejoin(cx: &mut Cx<'_>, group: &mut Group, id: &MemberId, join: &Join) {
    let written = group.written;
    if let Some(member) = group.members.get_mut(id) {
        member.update(&join.request);
        member.client = join.client.clone();
        if let Some(before) = member.joining.replace(join.waiting) {
            // The same member asked again; its earlier request is most likely abandoned.
            let response = errors::join(before.version, ErrorCode::RebalanceInProgress, id);
            cx.reply(written, before.token, Response::Join(response));
        }
    }
    rebalance::prepare_or_move_on(cx, group);
}
