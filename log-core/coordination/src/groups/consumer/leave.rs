//! Members leave, or are made to.

use std::collections::BTreeMap;

use headwater_wire::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
};

use super::assignment::Held;
use super::change::Change;
use super::edit::Edit;
use super::group::ConsumerGroup;
use super::heartbeat::{fenced_instance, not_a_consumer_group, unknown_member};
use super::member::{ConsumerMember, Current, LEAVING_FOR_A_WHILE};
use super::{downgrade, sessions};
use crate::groups::coordinator::{Cx, TimerKey};
use crate::groups::group::Group;
use crate::groups::member::MemberId;
use crate::groups::refusal::Refusal;

pub(super) fn leave(
    cx: &mut Cx<'_>,
    group: &mut Group,
    request: &ConsumerGroupHeartbeatRequest,
) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
    let consumer = group
        .consumer
        .as_deref()
        .ok_or_else(|| not_a_consumer_group(&group.id))?;
    let member = leaving(consumer, request)?;
    let id = member.id.clone();
    if request.member_epoch == LEAVING_FOR_A_WHILE {
        let current = away(member);
        leave_for_a_while(cx, group, &id, current);
    } else {
        fence(cx, group, &[id]);
    }
    Ok(ConsumerGroupHeartbeatResponse {
        member_id: Some(request.member_id.clone()),
        member_epoch: request.member_epoch,
        ..Default::default()
    })
}

fn leaving<'a>(
    group: &'a ConsumerGroup,
    request: &ConsumerGroupHeartbeatRequest,
) -> Result<&'a ConsumerMember, Refusal> {
    let id = request.member_id.as_str();
    let Some(instance) = request.instance_id.as_deref() else {
        return group
            .members
            .get(id)
            .ok_or_else(|| unknown_member(id, &request.group_id));
    };
    match group.static_member(instance) {
        None => Err(unknown_member(instance, &request.group_id)),
        Some(member) if &*member.id != id => Err(fenced_instance(instance)),
        Some(member) => Ok(member),
    }
}

/// A static member that is away keeps its partitions, but may not commit for any of them until it
/// is back.
fn away(member: &ConsumerMember) -> Current {
    let assigned: Held = member
        .current
        .assigned
        .iter()
        .map(|(topic, partitions)| {
            let reset: BTreeMap<i32, i32> = partitions.keys().map(|index| (*index, 0)).collect();
            (*topic, reset)
        })
        .collect();
    Current {
        epoch: LEAVING_FOR_A_WHILE,
        assigned,
        revoking: Held::new(),
        ..member.current.clone()
    }
}

/// Its session goes on: when that is over, somebody else gets the partitions.
fn leave_for_a_while(cx: &mut Cx<'_>, group: &mut Group, id: &MemberId, current: Current) {
    let Some(consumer) = group.consumer.as_deref_mut() else {
        return;
    };
    let mut edit = Edit::new(&group.id, consumer);
    edit.make(Change::Current(id.clone(), Some(current)));
    let records = edit.into_records();
    cx.timers
        .cancel(&TimerKey::Revocation(group.id.clone(), id.clone()));
    cx.append_in_batches(group, records);
}

/// Takes members out. If only members of the classic protocol remain, so does a classic group.
pub(in crate::groups) fn fence(cx: &mut Cx<'_>, group: &mut Group, ids: &[MemberId]) {
    let Some(consumer) = group.consumer.as_deref_mut() else {
        return;
    };
    let goes_back = downgrade::is_due(cx, consumer, ids);
    let mut edit = Edit::new(&group.id, consumer);
    for id in ids {
        sessions::cancel_all(cx, &edit.id, id);
        edit.remove_member(id);
    }
    edit.drop_unused_patterns();
    if !goes_back {
        edit.bump_epoch(cx.topics);
        let records = edit.into_records();
        cx.append_in_batches(group, records);
        return;
    }
    let records = edit.into_records();
    downgrade::convert(cx, group, records, true);
}
