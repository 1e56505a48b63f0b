//! LeaveGroup, from version 3 for several members at once (KIP-345).

use headwater_wire::ErrorCode;
use headwater_wire::messages::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse,
};

use super::consumer::classic;
use super::coordinator::{Cx, GroupCoordinator};
use super::effect::{Effect, Response};
use super::group::Group;
use super::member::MemberId;
use super::rebalance;
use crate::{Time, Token};

/// From this version on members are named in a list and answered one by one.
const BATCHED_FROM: i16 = 3;

impl GroupCoordinator {
    pub(super) fn leave(
        &mut self,
        token: Token,
        version: i16,
        request: LeaveGroupRequest,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        let (groups, mut cx) = self.split(time, out);
        let error = |code: ErrorCode| LeaveGroupResponse {
            error_code: code.code(),
            ..Default::default()
        };
        let (written, response) = match groups.get_mut(request.group_id.as_str()) {
            _ if request.group_id.is_empty() => {
                (cx.outbox.last(), error(ErrorCode::InvalidGroupId))
            }
            None if version < BATCHED_FROM => (cx.outbox.last(), error(ErrorCode::UnknownMemberId)),
            None => (cx.outbox.last(), unknown(request.members)),
            Some(group) if version < BATCHED_FROM => {
                let member = MemberIdentity {
                    member_id: request.member_id,
                    ..Default::default()
                };
                let results = leave_group(&mut cx, group, vec![member]);
                let error_code = results.first().map_or(0, |result| result.error_code);
                (
                    group.written,
                    LeaveGroupResponse {
                        error_code,
                        ..Default::default()
                    },
                )
            }
            Some(group) => {
                let members = leave_group(&mut cx, group, request.members);
                (
                    group.written,
                    LeaveGroupResponse {
                        members,
                        ..Default::default()
                    },
                )
            }
        };
        cx.reply(written, token, Response::Leave(response));
    }
}

/// Nobody is in a group that does not exist.
fn unknown(members: Vec<MemberIdentity>) -> LeaveGroupResponse {
    let members = members
        .into_iter()
        .map(|identity| MemberResponse {
            member_id: identity.member_id,
            group_instance_id: identity.group_instance_id,
            error_code: ErrorCode::UnknownMemberId.code(),
        })
        .collect();
    LeaveGroupResponse {
        members,
        ..Default::default()
    }
}

fn leave_group(
    cx: &mut Cx<'_>,
    group: &mut Group,
    leaving: Vec<MemberIdentity>,
) -> Vec<MemberResponse> {
    if group.consumer.is_some() {
        return classic::leave(cx, group, leaving);
    }
    let mut members_left = false;
    let responses = leaving
        .into_iter()
        .map(|identity| {
            let result = find(group, &identity).map(|id| {
                members_left |= group.members.contains_key(&id);
                rebalance::remove(cx, group, &id);
            });
            MemberResponse {
                member_id: identity.member_id,
                group_instance_id: identity.group_instance_id,
                error_code: result.err().unwrap_or(ErrorCode::None).code(),
            }
        })
        .collect();
    if members_left {
        rebalance::after_removal(cx, group);
    } else {
        // An id that never joined may be all that a rebalance was waiting for.
        rebalance::complete_if_all_joined(cx, group);
    }
    responses
}

/// Who is to leave. An operator may name a static member by its instance alone.
fn find(group: &Group, identity: &MemberIdentity) -> Result<MemberId, ErrorCode> {
    let instance = identity.group_instance_id.as_deref();
    if identity.member_id.is_empty() {
        return instance
            .and_then(|instance| group.static_members.get(instance))
            .cloned()
            .ok_or(ErrorCode::UnknownMemberId);
    }
    if let Some(id) = group.pending_joins.get(identity.member_id.as_str()) {
        return Ok(id.clone());
    }
    group.validate_member(&identity.member_id, instance)?;
    group
        .members
        .get(identity.member_id.as_str())
        .map(|member| member.id.clone())
        .ok_or(ErrorCode::UnknownMemberId)
}
