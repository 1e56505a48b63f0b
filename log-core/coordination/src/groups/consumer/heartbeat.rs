//! ConsumerGroupHeartbeat: members join, report what they own and learn what they are to own.

use std::collections::BTreeMap;

use headwater_wire::ErrorCode;
use headwater_wire::messages::consumer_group_heartbeat::{
    Assignment, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, TopicPartitions,
};
use uuid::Uuid;

use super::assignment::{Held, Partitions};
use super::change::Change;
use super::edit::Edit;
use super::group::ConsumerGroup;
use super::member::{ConsumerMember, JOINING, LEAVING, LEAVING_FOR_A_WHILE, MemberState, Metadata};
use super::reconcile::Step;
use super::regex::TopicPattern;
use super::{edit, leave, sessions, target, upgrade, validate};
use crate::groups::coordinator::{Cx, GroupCoordinator, forget_if_untouched, get_or_create};
use crate::groups::effect::{Effect, Response};
use crate::groups::errors;
use crate::groups::group::{Group, GroupId};
use crate::groups::input::Client;
use crate::groups::member::MemberId;
use crate::groups::refusal::Refusal;
use crate::{Time, Token};

/// A ConsumerGroupHeartbeat and who sent it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::groups) struct Beat {
    pub(in crate::groups) request: ConsumerGroupHeartbeatRequest,
    pub(in crate::groups) client: Client,
    /// What it subscribes to by pattern, if it does.
    pub(in crate::groups) pattern: Option<TopicPattern>,
    /// Used if a member id has to be made up.
    pub(in crate::groups) fresh: Uuid,
}

impl GroupCoordinator {
    pub(in crate::groups) fn consumer_heartbeat(
        &mut self,
        token: Token,
        version: i16,
        beat: Beat,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        let (groups, mut cx) = self.split(time, out);
        let group_id = beat.request.group_id.clone();
        let was_there = groups.contains_key(group_id.as_str());
        let result =
            validate::check(cx.config, &beat, version).and_then(|()| answer(&mut cx, groups, beat));
        let response = result.unwrap_or_else(|refusal| errors::consumer_heartbeat(&refusal));
        let written = groups
            .get(group_id.as_str())
            .map_or_else(|| cx.outbox.last(), |group| group.written);
        cx.reply(written, token, Response::ConsumerHeartbeat(response));
        if !was_there {
            forget_if_untouched(groups, &group_id);
        }
    }
}

fn answer(
    cx: &mut Cx<'_>,
    groups: &mut BTreeMap<GroupId, Group>,
    beat: Beat,
) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
    let id = beat.request.group_id.as_str();
    let group = match beat.request.member_epoch {
        JOINING => get_or_create(groups, id, cx),
        _ => groups
            .get_mut(id)
            .filter(|group| group.consumer.is_some())
            .ok_or_else(|| not_a_consumer_group(id))?,
    };
    match beat.request.member_epoch {
        LEAVING | LEAVING_FOR_A_WHILE => leave::leave(cx, group, &beat.request),
        _ => join_or_stay(cx, group, beat),
    }
}

pub(in crate::groups) fn not_a_consumer_group(id: &str) -> Refusal {
    let message = format!("group {id} is not a group of the consumer protocol");
    Refusal::new(ErrorCode::GroupIdNotFound, message)
}

fn join_or_stay(
    cx: &mut Cx<'_>,
    group: &mut Group,
    beat: Beat,
) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
    let Beat {
        request,
        client,
        pattern,
        fresh,
    } = beat;
    let id = if request.member_id.is_empty() {
        MemberId::from(fresh.to_string())
    } else {
        MemberId::from(request.member_id.as_str())
    };
    let mut records = Vec::new();
    check_room(cx, group, &id)?;
    // What it leaves out was checked when it came.
    if request.subscribed_topic_names.is_some() {
        let alone = updated(&Metadata::default(), &request, client.clone());
        if !edit::fits(cx, &group.id, &id, &alone) {
            return Err(too_large(&group.id));
        }
    }
    if request.member_epoch == JOINING {
        records = upgrade::make_consumer_group(cx, group)?;
    }
    let group_id = group.id.clone();
    let consumer = group
        .consumer
        .as_deref_mut()
        .ok_or_else(|| not_a_consumer_group(&group_id))?;
    let subscriber = find(consumer, &id, &request)?;
    let mut edit = Edit::new(&group_id, consumer);
    let before = subscribe(cx, &mut edit, subscriber, &id);
    let metadata = updated(&before.metadata, &request, client);
    let has_subscription_changed = set_metadata(&mut edit, &before, metadata);
    target::follow_topics(cx, &mut edit, has_subscription_changed, pattern.as_ref());
    target::update(cx, &mut edit);
    let owned = request.topic_partitions.as_deref().map(partitions);
    reconcile(cx, &mut edit, &id, has_subscription_changed, owned.as_ref());
    let response = respond(cx, edit.group, &group_id, &before, &request);
    if let Some(member) = edit.group.members.get(&id) {
        sessions::restart(cx, &group_id, member);
    }
    records.extend(edit.into_records());
    cx.append_in_batches(group, records);
    response.ok_or_else(|| unknown_member(&id, &group_id))
}

fn check_room(cx: &Cx<'_>, group: &Group, id: &MemberId) -> Result<(), Refusal> {
    let (count, is_member) = match &group.consumer {
        Some(consumer) => (consumer.members.len(), consumer.members.contains_key(id)),
        None => (group.members.len(), group.members.contains_key(id)),
    };
    if count >= cx.config.consumer_max_size && !is_member {
        let message = format!("group {} has as many members as it may have", group.id);
        return Err(Refusal::new(ErrorCode::GroupMaxSizeReached, message));
    }
    Ok(())
}

/// As Kafka calls what cannot be written.
fn too_large(group: &str) -> Refusal {
    let message = format!(
        "what the member says about itself is too large to be kept for group {group}; subscribe to \
         fewer topics"
    );
    Refusal::new(ErrorCode::UnknownServerError, message)
}

/// Who a heartbeat comes from.
#[derive(Clone, Debug)]
pub(in crate::groups) enum Subscriber {
    Known(ConsumerMember),
    New,
    /// A static member that comes back under another id.
    Returned(ConsumerMember),
}

fn find(
    group: &ConsumerGroup,
    id: &MemberId,
    request: &ConsumerGroupHeartbeatRequest,
) -> Result<Subscriber, Refusal> {
    let joins = request.member_epoch == JOINING;
    let Some(instance) = request.instance_id.as_deref() else {
        return match group.members.get(id) {
            Some(member) => {
                check_epoch(member, request)?;
                Ok(Subscriber::Known(member.clone()))
            }
            None if joins => Ok(Subscriber::New),
            None => Err(unknown_member(id, &request.group_id)),
        };
    };
    match group.static_member(instance) {
        None if joins => Ok(group
            .members
            .get(id)
            .map_or(Subscriber::New, |member| Subscriber::Known(member.clone()))),
        None => Err(unknown_member(instance, &request.group_id)),
        Some(member) if joins => {
            if !member.uses_classic_protocol() && member.current.epoch != LEAVING_FOR_A_WHILE {
                let message = format!("instance {instance} is still in use by another member");
                return Err(Refusal::new(ErrorCode::UnreleasedInstanceId, message));
            }
            Ok(Subscriber::Returned(member.clone()))
        }
        Some(member) if member.id != *id => Err(fenced_instance(instance)),
        Some(member) => {
            check_epoch(member, request)?;
            Ok(Subscriber::Known(member.clone()))
        }
    }
}

pub(in crate::groups) fn unknown_member(id: &str, group: &str) -> Refusal {
    let message = format!("{id} is not a member of group {group}");
    Refusal::new(ErrorCode::UnknownMemberId, message)
}

pub(in crate::groups) fn fenced_instance(instance: &str) -> Refusal {
    let message = format!("another member has taken over instance {instance}");
    Refusal::new(ErrorCode::FencedInstanceId, message)
}

/// Fences a member that is not in the epoch it says. One epoch behind it may be if the answer was
/// lost, as long as it has nothing that is not its own.
fn check_epoch(
    member: &ConsumerMember,
    request: &ConsumerGroupHeartbeatRequest,
) -> Result<(), Refusal> {
    let current = &member.current;
    let missed_an_answer = || {
        request.member_epoch == current.previous_epoch
            && request
                .topic_partitions
                .as_ref()
                .is_some_and(|owned| is_within(owned, &current.assigned))
    };
    let is_valid = request.member_epoch == JOINING
        || request.member_epoch == current.epoch
        || (request.member_epoch < current.epoch && missed_an_answer());
    let owns_nothing = request.topic_partitions.as_ref().is_some_and(Vec::is_empty);
    if is_valid && (current.state != MemberState::Unknown || owns_nothing) {
        return Ok(());
    }
    let message = format!(
        "the member is in epoch {}, not {}; it must give up its partitions and join again",
        current.epoch, request.member_epoch
    );
    Err(Refusal::new(ErrorCode::FencedMemberEpoch, message))
}

fn is_within(owned: &[TopicPartitions], assigned: &Held) -> bool {
    owned.iter().all(|topic| {
        assigned.get(&topic.topic_id).is_some_and(|of_topic| {
            topic
                .partitions
                .iter()
                .all(|partition| of_topic.contains_key(partition))
        })
    })
}

/// Has the member in the group, and returns it as it was before the request.
pub(in crate::groups) fn subscribe(
    cx: &mut Cx<'_>,
    edit: &mut Edit<'_>,
    subscriber: Subscriber,
    id: &MemberId,
) -> ConsumerMember {
    match subscriber {
        Subscriber::Known(member) => member,
        Subscriber::New => ConsumerMember::new(id.clone()),
        Subscriber::Returned(old) => {
            let mut member = old.clone();
            member.id = id.clone();
            member.current.epoch = JOINING;
            member.current.previous_epoch = JOINING;
            sessions::cancel_all(cx, &edit.id, &old.id);
            edit.replace_member(&old, &member);
            member
        }
    }
}

/// What the member says about itself now; what it leaves out stays as it was.
fn updated(before: &Metadata, request: &ConsumerGroupHeartbeatRequest, client: Client) -> Metadata {
    let or_before =
        |new: &Option<String>, old: &Option<String>| new.clone().or_else(|| old.clone());
    Metadata {
        instance_id: or_before(&request.instance_id, &before.instance_id),
        rack_id: or_before(&request.rack_id, &before.rack_id),
        client,
        topics: request.subscribed_topic_names.as_ref().map_or_else(
            || before.topics.clone(),
            |names| names.iter().cloned().collect(),
        ),
        regex: request
            .subscribed_topic_regex
            .clone()
            .unwrap_or_else(|| before.regex.clone()),
        rebalance_timeout_ms: if request.rebalance_timeout_ms == -1 {
            before.rebalance_timeout_ms
        } else {
            request.rebalance_timeout_ms
        },
        assignor: or_before(&request.server_assignor, &before.assignor),
        classic: None,
    }
}

/// Writes down what the member says about itself, and returns whether it subscribes to others
/// than before.
pub(in crate::groups) fn set_metadata(
    edit: &mut Edit<'_>,
    before: &ConsumerMember,
    metadata: Metadata,
) -> bool {
    let has_changed =
        before.metadata.topics != metadata.topics || before.metadata.regex != metadata.regex;
    if metadata != before.metadata || !edit.group.members.contains_key(&before.id) {
        edit.make(Change::Member(before.id.clone(), Some(metadata)));
    }
    if has_changed {
        edit.drop_unused_patterns();
    }
    has_changed
}

/// Takes the member a step towards its target.
pub(in crate::groups) fn reconcile(
    cx: &mut Cx<'_>,
    edit: &mut Edit<'_>,
    id: &MemberId,
    has_subscription_changed: bool,
    owned: Option<&Partitions>,
) {
    let group = &*edit.group;
    let Some(member) = group.members.get(id) else {
        return;
    };
    if !has_subscription_changed && member.is_reconciled_to(group.target_epoch) {
        return;
    }
    let step = Step {
        current: &member.current,
        target_epoch: group.target_epoch,
        target: &group.target_of(id),
        subscribed: &cx.topics.ids(group.topics_of(member)),
        has_subscription_changed,
        owned,
    };
    let next = step.next(|topic, partition| group.is_owned(topic, partition));
    if next != member.current {
        edit.make(Change::Current(id.clone(), Some(next)));
        if let Some(member) = edit.group.members.get(id) {
            sessions::watch_revocation(cx, &edit.id, member);
        }
    }
}

fn respond(
    cx: &Cx<'_>,
    group: &ConsumerGroup,
    group_id: &GroupId,
    before: &ConsumerMember,
    request: &ConsumerGroupHeartbeatRequest,
) -> Option<ConsumerGroupHeartbeatResponse> {
    let member = group.members.get(&before.id)?;
    let current = &member.current;
    let is_full = request.rebalance_timeout_ms != -1
        && (request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some())
        && request.topic_partitions.is_some();
    let wants_assignment =
        request.member_epoch == JOINING || is_full || current.assigned != before.current.assigned;
    let interval = cx
        .topics
        .group_settings(group_id)
        .heartbeat_interval
        .unwrap_or(cx.config.consumer_heartbeat_interval);
    Some(ConsumerGroupHeartbeatResponse {
        member_id: Some(member.id.to_string()),
        member_epoch: current.epoch,
        heartbeat_interval_ms: i32::try_from(interval.as_millis()).unwrap_or(i32::MAX),
        assignment: wants_assignment.then(|| Assignment {
            topic_partitions: current
                .assigned
                .iter()
                .map(|(topic_id, partitions)| TopicPartitions {
                    topic_id: *topic_id,
                    partitions: partitions.keys().copied().collect(),
                })
                .collect(),
        }),
        ..Default::default()
    })
}

fn partitions(topics: &[TopicPartitions]) -> Partitions {
    let mut partitions = Partitions::new();
    for topic in topics {
        partitions
            .entry(topic.topic_id)
            .or_default()
            .extend(&topic.partitions);
    }
    partitions.retain(|_, of_topic| !of_topic.is_empty());
    partitions
}
