//! A classic group becomes one of the consumer protocol when a member of that protocol joins it.

use std::collections::BTreeMap;

use headwater_wire::ErrorCode;
use headwater_wire::internal::consumer_group::{ClassicMemberMetadata, ClassicProtocol};

use super::assignment::{Partitions, with_epoch};
use super::change::{Change, GroupEpoch, TargetEpoch};
use super::edit::{self, Edit};
use super::group::ConsumerGroup;
use super::member::{Current, MemberState, Metadata};
use super::sessions;
use crate::Record;
use crate::groups::coordinator::{Cx, TimerKey};
use crate::groups::group::{Group, State};
use crate::groups::member::{Member, MemberId};
use crate::groups::rebalance;
use crate::groups::records;
use crate::groups::refusal::Refusal;
use crate::groups::subscription::{self, CONSUMER_PROTOCOL_TYPE};
use crate::groups::topics::Topics;

/// Makes the group one of the consumer protocol if it is not one yet, and returns what is to be
/// written for it.
pub(in crate::groups) fn make_consumer_group(
    cx: &mut Cx<'_>,
    group: &mut Group,
) -> Result<Vec<Record>, Refusal> {
    if group.consumer.is_some() {
        return Ok(Vec::new());
    }
    let mut records = Vec::new();
    let mut consumer = Box::new(ConsumerGroup::new());
    if group.state == State::Empty {
        records.extend(records::group_tombstone(&group.id));
    } else {
        check_upgrade(cx, group)?;
        let members = translate(group, cx.topics)?;
        let mut all = members.iter();
        if !all.all(|(id, metadata, _)| edit::fits(cx, &group.id, id, metadata)) {
            let message = format!(
                "classic group {} is not upgraded: what a member says about itself is too large",
                group.id
            );
            return Err(Refusal::new(ErrorCode::GroupIdNotFound, message));
        }
        rebalance::fail_waiting(cx, group, ErrorCode::RebalanceInProgress);
        records.extend(records::group_tombstone(&group.id));
        let mut edit = Edit::new(&group.id, &mut consumer);
        fill(&mut edit, group.generation, members, cx.topics);
        records.extend(edit.into_records());
    }
    cancel_timers(cx, group);
    group.reset_classic();
    for member in consumer.members.values() {
        sessions::restart(cx, &group.id, member);
    }
    group.consumer = Some(consumer);
    Ok(records)
}

fn check_upgrade(cx: &Cx<'_>, group: &Group) -> Result<(), Refusal> {
    let refuse = |why: &str| {
        let message = format!("classic group {} is not upgraded: {why}", group.id);
        Err(Refusal::new(ErrorCode::GroupIdNotFound, message))
    };
    if !cx.config.migration_policy.allows_upgrade() {
        refuse("group.consumer.migration.policy does not allow it")
    } else if group.protocol_type.as_deref() != Some(CONSUMER_PROTOCOL_TYPE) {
        refuse("its members are not consumers")
    } else if group.members.len() > cx.config.consumer_max_size {
        refuse("it has more members than a group of the consumer protocol may have")
    } else {
        Ok(())
    }
}

/// A member as it will be, and its partitions.
type Translated = (MemberId, Metadata, Partitions);

fn translate(group: &Group, topics: &Topics) -> Result<Vec<Translated>, Refusal> {
    let protocol = group.protocol_name.as_deref();
    group
        .members
        .values()
        .map(|member| translate_member(member, protocol, topics))
        .collect::<Result<_, &str>>()
        .map_err(|why| {
            let message = format!("classic group {} is not upgraded: {why}", group.id);
            Refusal::new(ErrorCode::GroupIdNotFound, message)
        })
}

fn translate_member(
    member: &Member,
    protocol: Option<&str>,
    topics: &Topics,
) -> Result<Translated, &'static str> {
    // A group that forms has not chosen a protocol yet.
    let protocol = protocol
        .or_else(|| member.protocols.first().map(|first| first.name.as_str()))
        .unwrap_or_default();
    let subscription = subscription::subscription(&member.metadata(protocol))
        .ok_or("the subscription of a member cannot be read")?;
    let mut partitions = Partitions::new();
    if !member.assignment.is_empty() {
        let assignment = subscription::assignment(&member.assignment)
            .ok_or("the assignment of a member cannot be read")?;
        if assignment.user_data.is_some_and(|data| !data.is_empty()) {
            return Err("its assignor keeps data of its own, which would be lost");
        }
        partitions = subscription::by_id(&assignment.assigned_partitions, topics);
    }
    let millis = |span: std::time::Duration| i32::try_from(span.as_millis()).unwrap_or(i32::MAX);
    let protocols = member.protocols.iter().map(|protocol| ClassicProtocol {
        name: protocol.name.clone(),
        metadata: protocol.metadata.clone(),
    });
    let metadata = Metadata {
        instance_id: member.instance_id.clone(),
        rack_id: subscription.rack_id.filter(|rack| !rack.is_empty()),
        client: member.client.clone(),
        topics: subscription.topics.into_iter().collect(),
        regex: String::new(),
        rebalance_timeout_ms: millis(member.rebalance_timeout),
        assignor: None,
        classic: Some(ClassicMemberMetadata {
            session_timeout_ms: millis(member.session_timeout),
            supported_protocols: protocols.collect(),
        }),
    };
    Ok((member.id.clone(), metadata, partitions))
}

fn fill(edit: &mut Edit<'_>, generation: i32, members: Vec<Translated>, topics: &Topics) {
    let mut targets = BTreeMap::new();
    for (id, metadata, partitions) in members {
        edit.make(Change::Member(id.clone(), Some(metadata)));
        targets.insert(id, partitions);
    }
    let metadata_hash = edit.group.hash_topics(topics);
    edit.make(Change::Epoch(Some(GroupEpoch {
        epoch: generation,
        metadata_hash,
    })));
    for (id, partitions) in &targets {
        edit.make(Change::Target(id.clone(), Some(partitions.clone())));
    }
    edit.make(Change::TargetEpoch(Some(TargetEpoch {
        epoch: generation,
        computed_at: None,
    })));
    for (id, partitions) in targets {
        let current = Current {
            epoch: generation,
            previous_epoch: generation,
            state: MemberState::Stable,
            assigned: with_epoch(&partitions, generation),
            ..Current::default()
        };
        edit.make(Change::Current(id, Some(current)));
    }
}

fn cancel_timers(cx: &mut Cx<'_>, group: &Group) {
    cx.timers.cancel(&TimerKey::Join(group.id.clone()));
    cx.timers.cancel(&TimerKey::Sync(group.id.clone()));
    for id in group.members.keys().chain(&group.pending_joins) {
        cx.cancel_session(&group.id, id);
    }
}
