//! A group becomes classic again when its last member of the consumer protocol has gone.

use super::edit;
use super::group::ConsumerGroup;
use super::member::ConsumerMember;
use crate::Record;
use crate::groups::coordinator::Cx;
use crate::groups::group::{Group, State};
use crate::groups::member::{Member, MemberId, Protocol};
use crate::groups::rebalance;
use crate::groups::records;
use crate::groups::subscription::{self, CONSUMER_PROTOCOL_TYPE};

/// Whether the group is to become classic when these members leave: others remain, and all of
/// them use the classic protocol.
pub(in crate::groups) fn is_due(cx: &Cx<'_>, group: &ConsumerGroup, leaving: &[MemberId]) -> bool {
    let mut remaining = group
        .members
        .values()
        .filter(|member| !leaving.contains(&member.id))
        .peekable();
    remaining.peek().is_some()
        && remaining.all(ConsumerMember::uses_classic_protocol)
        && fits(cx, group.members.len().saturating_sub(leaving.len()))
        && can_be_written(cx, group)
}

/// Whether the group is to become classic when this member, the last of the consumer protocol,
/// comes back with the classic one.
pub(in crate::groups) fn is_due_for(
    cx: &Cx<'_>,
    group: &ConsumerGroup,
    returned: &ConsumerMember,
) -> bool {
    !returned.uses_classic_protocol()
        && group.classic_members() + 1 == group.members.len()
        && fits(cx, group.members.len())
        && can_be_written(cx, group)
}

fn fits(cx: &Cx<'_>, members: usize) -> bool {
    cx.config.migration_policy.allows_downgrade() && members <= cx.config.max_size
}

/// Whether what the members say of their protocols fits in the one record of a classic group.
fn can_be_written(cx: &Cx<'_>, group: &ConsumerGroup) -> bool {
    let members = group.members.values();
    let classic = members.filter_map(|member| member.metadata.classic.as_ref());
    let protocols = classic.flat_map(|classic| &classic.supported_protocols);
    let bytes: usize = protocols.map(|protocol| protocol.metadata.len()).sum();
    bytes <= cx.config.max_append_bytes
}

/// Turns the group into a classic one in the generation of its epoch, with its target as the
/// assignment, and writes that after `records`. The members are asked to join again if
/// `rebalances`.
pub(in crate::groups) fn convert(
    cx: &mut Cx<'_>,
    group: &mut Group,
    mut records: Vec<Record>,
    rebalances: bool,
) {
    let Some(consumer) = group.consumer.take() else {
        return;
    };
    for id in consumer.members.keys() {
        super::sessions::cancel_all(cx, &group.id, id);
    }
    records.extend(edit::records(&group.id, &consumer.end()));
    group.generation = consumer.epoch;
    for member in consumer.members.values() {
        group.add_member(classic(member), CONSUMER_PROTOCOL_TYPE);
    }
    group.protocol_name = group.select_protocol();
    let protocol = group.protocol_name.clone().unwrap_or_default();
    for member in group.members.values_mut() {
        let version = subscription::version(&member.metadata(&protocol));
        let target = consumer.target_of(&member.id);
        member.assignment = subscription::encode_assignment(&target, cx.topics, version);
    }
    group.transition(State::Stable, cx.time.wall);
    group.update_subscribed();
    records.extend(records::group_record(group));
    cx.append_in_batches(group, records);
    for member in group.members.values() {
        cx.restart_session(&group.id, member);
    }
    if rebalances {
        rebalance::prepare(cx, group);
    }
}

fn classic(member: &ConsumerMember) -> Member {
    let protocols = member.metadata.classic.as_ref().into_iter();
    let protocols = protocols
        .flat_map(|classic| &classic.supported_protocols)
        .map(|protocol| Protocol {
            name: protocol.name.clone(),
            metadata: protocol.metadata.clone(),
        })
        .collect();
    Member {
        id: member.id.clone(),
        instance_id: member.metadata.instance_id.clone(),
        client: member.metadata.client.clone(),
        rebalance_timeout: member.rebalance_timeout(),
        session_timeout: member.classic_session_timeout().unwrap_or_default(),
        protocols,
        assignment: bytes::Bytes::new(),
        joining: None,
        syncing: None,
        is_new: false,
    }
}
