//! Heartbeat.

use headwater_wire::ErrorCode;
use headwater_wire::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};

use super::consumer::classic;
use super::coordinator::{Cx, GroupCoordinator};
use super::effect::{Effect, Response};
use super::group::{Group, State};
use crate::{Time, Token};

impl GroupCoordinator {
    pub(super) fn heartbeat(
        &mut self,
        token: Token,
        request: &HeartbeatRequest,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        let (groups, mut cx) = self.split(time, out);
        let (written, result) = match groups.get(request.group_id.as_str()) {
            _ if request.group_id.is_empty() => (cx.outbox.last(), Err(ErrorCode::InvalidGroupId)),
            None => (cx.outbox.last(), Err(ErrorCode::UnknownMemberId)),
            Some(group) if group.consumer.is_some() => {
                (group.written, classic::beat(&mut cx, group, request))
            }
            Some(group) => (group.written, beat(&mut cx, group, request)),
        };
        let error_code = result.err().unwrap_or(ErrorCode::None).code();
        let response = HeartbeatResponse {
            error_code,
            ..Default::default()
        };
        cx.reply(written, token, Response::Heartbeat(response));
    }
}

fn beat(cx: &mut Cx<'_>, group: &Group, request: &HeartbeatRequest) -> Result<(), ErrorCode> {
    group.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
    if request.generation_id != group.generation {
        return Err(ErrorCode::IllegalGeneration);
    }
    if let Some(member) = group.members.get(request.member_id.as_str()) {
        cx.restart_session(&group.id, member);
    }
    match group.state {
        State::Empty => Err(ErrorCode::UnknownMemberId),
        State::PreparingRebalance => Err(ErrorCode::RebalanceInProgress),
        State::CompletingRebalance | State::Stable => Ok(()),
    }
}
