//! SyncGroup.

use std::collections::BTreeMap;

use bytes::Bytes;
use headwater_wire::ErrorCode;
use headwater_wire::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};

use super::consumer::classic;
use super::coordinator::{Cx, GroupCoordinator, TimerKey};
use super::effect::{Effect, Response};
use super::errors;
use super::group::{Group, State};
use super::member::Waiting;
use super::rebalance;
use super::records;
use crate::{Time, Token};

impl GroupCoordinator {
    pub(super) fn sync(
        &mut self,
        token: Token,
        version: i16,
        request: SyncGroupRequest,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        let (groups, mut cx) = self.split(time, out);
        let (written, result) = match groups.get_mut(request.group_id.as_str()) {
            _ if request.group_id.is_empty() => (cx.outbox.last(), Err(ErrorCode::InvalidGroupId)),
            None => (cx.outbox.last(), Err(ErrorCode::UnknownMemberId)),
            Some(group) if group.consumer.is_some() => {
                let result = classic::sync(&mut cx, group, request)
                    .map(|response| cx.reply(group.written, token, Response::Sync(response)));
                (group.written, result)
            }
            Some(group) => {
                let result = check(group, &request)
                    .map(|()| sync_group(&mut cx, group, Waiting { token, version }, request));
                (group.written, result)
            }
        };
        if let Err(code) = result {
            cx.reply(written, token, Response::Sync(errors::sync(code)));
        }
    }
}

fn check(group: &Group, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
    group.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
    if request.generation_id != group.generation {
        return Err(ErrorCode::IllegalGeneration);
    }
    let differs = |theirs: &Option<String>, ours: &Option<String>| {
        theirs.is_some() && ours.is_some() && theirs != ours
    };
    if differs(&request.protocol_type, &group.protocol_type)
        || differs(&request.protocol_name, &group.protocol_name)
    {
        return Err(ErrorCode::InconsistentGroupProtocol);
    }
    match group.state {
        State::Empty => Err(ErrorCode::UnknownMemberId),
        State::PreparingRebalance => Err(ErrorCode::RebalanceInProgress),
        State::CompletingRebalance | State::Stable => Ok(()),
    }
}

fn sync_group(cx: &mut Cx<'_>, group: &mut Group, waiting: Waiting, request: SyncGroupRequest) {
    let written = group.written;
    let is_leader = group.is_leader(&request.member_id);
    group.pending_syncs.remove(request.member_id.as_str());
    if group.pending_syncs.is_empty() {
        cx.timers.cancel(&TimerKey::Sync(group.id.clone()));
    }
    let Some(member) = group.members.get_mut(request.member_id.as_str()) else {
        return;
    };
    if group.state == State::Stable {
        let response = SyncGroupResponse {
            protocol_type: group.protocol_type.clone(),
            protocol_name: group.protocol_name.clone(),
            assignment: member.assignment.clone(),
            ..Default::default()
        };
        cx.restart_session(&group.id, member);
        cx.reply(written, waiting.token, Response::Sync(response));
        return;
    }
    if let Some(before) = member.syncing.replace(waiting) {
        // The same member asked again; its earlier request is most likely abandoned.
        let response = errors::sync(ErrorCode::RebalanceInProgress);
        cx.reply(written, before.token, Response::Sync(response));
    }
    if is_leader {
        assign(cx, group, request);
    }
}

/// The leader has spoken: the generation is stable once this is durable, and no member learns of
/// its assignment before.
fn assign(cx: &mut Cx<'_>, group: &mut Group, request: SyncGroupRequest) {
    let mut assignments: BTreeMap<String, Bytes> = request
        .assignments
        .into_iter()
        .map(|assignment| (assignment.member_id, assignment.assignment))
        .collect();
    for (id, member) in &mut group.members {
        member.assignment = assignments.remove(&**id).unwrap_or_default();
    }
    group.transition(State::Stable, cx.time.wall);
    match records::group_record(group) {
        Ok(record) if cx.fits(std::slice::from_ref(&record)) => {
            cx.append_in_batches(group, vec![record]);
            rebalance::propagate_assignments(cx, group);
        }
        _ => {
            rebalance::fail_syncs(cx, group, ErrorCode::RecordListTooLarge);
            rebalance::prepare(cx, group);
        }
    }
}
