//! What members that speak the classic protocol see of a group of the consumer protocol
//! (KIP-848, online migration).
//!
//! To them the member's epoch is the generation, a new target a rebalance; nobody leads, and a
//! SyncGroup fetches what the coordinator has assigned.

use headwater_wire::ErrorCode;
use headwater_wire::internal::consumer_group::{ClassicMemberMetadata, ClassicProtocol};
use headwater_wire::messages::consumer_protocol::ConsumerProtocolSubscription;
use headwater_wire::messages::heartbeat::HeartbeatRequest;
use headwater_wire::messages::join_group::{JoinGroupRequest, JoinGroupResponse};
use headwater_wire::messages::leave_group::{MemberIdentity, MemberResponse};
use headwater_wire::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};

use super::assignment::without_epochs;
use super::edit::{self, Edit};
use super::group::ConsumerGroup;
use super::heartbeat::{self, Subscriber};
use super::leave::fence;
use super::member::{ConsumerMember, MemberState, Metadata};
use super::{downgrade, sessions, target};
use crate::groups::config::MigrationPolicy;
use crate::groups::coordinator::Cx;
use crate::groups::group::Group;
use crate::groups::input::Client;
use crate::groups::join::{Join, MEMBER_ID_REQUIRED_FROM};
use crate::groups::member::MemberId;
use crate::groups::subscription::{self, CONSUMER_PROTOCOL_TYPE};

/// Carries out a JoinGroup.
///
/// # Errors
/// The code, and the member id to answer with.
pub(in crate::groups) fn join(
    cx: &mut Cx<'_>,
    group: &mut Group,
    join: &Join,
) -> Result<JoinGroupResponse, (ErrorCode, String)> {
    let request = &join.request;
    let is_new = request.member_id.is_empty();
    let id = if is_new {
        MemberId::from(join.fresh.to_string())
    } else {
        MemberId::from(request.member_id.as_str())
    };
    let refuse = |code| (code, request.member_id.clone());
    let group_id = group.id.clone();
    let consumer = group
        .consumer
        .as_deref_mut()
        .ok_or_else(|| refuse(ErrorCode::UnknownMemberId))?;
    let subscription = check(cx, consumer, request, &id).map_err(refuse)?;
    let must_name_itself = join.waiting.version >= MEMBER_ID_REQUIRED_FROM;
    if is_new && request.group_instance_id.is_none() && must_name_itself {
        return Err((ErrorCode::MemberIdRequired, id.to_string()));
    }
    let subscriber = find(consumer, request, &id).map_err(refuse)?;
    let alone = metadata(&Metadata::default(), request, &subscription, &join.client);
    if !edit::fits(cx, &group_id, &id, &alone) {
        return Err(refuse(ErrorCode::UnknownServerError));
    }
    let goes_back = match &subscriber {
        Subscriber::Known(member) => downgrade::is_due_for(cx, consumer, member),
        Subscriber::Returned(member) => downgrade::is_due_for(cx, consumer, member),
        Subscriber::New => false,
    } && request.group_instance_id.is_some();

    let mut edit = Edit::new(&group_id, consumer);
    let before = heartbeat::subscribe(cx, &mut edit, subscriber, &id);
    let metadata = metadata(&before.metadata, request, &subscription, &join.client);
    let has_changed = heartbeat::set_metadata(&mut edit, &before, metadata);
    target::follow_topics(cx, &mut edit, has_changed, None);
    if !goes_back {
        target::update(cx, &mut edit);
    }
    let rebalances = goes_back && edit.group.target_epoch < edit.group.epoch;
    if !rebalances {
        let owned = subscription::by_id(&subscription.owned_partitions, cx.topics);
        heartbeat::reconcile(cx, &mut edit, &id, has_changed, Some(&owned));
    }
    let response = JoinGroupResponse {
        generation_id: edit
            .group
            .members
            .get(&id)
            .map_or(0, |member| member.current.epoch),
        protocol_type: Some(CONSUMER_PROTOCOL_TYPE.to_owned()),
        protocol_name: request.protocols.first().map(|first| first.name.clone()),
        member_id: id.to_string(),
        ..Default::default()
    };
    if let Some(member) = edit.group.members.get(&id)
        && !goes_back
    {
        sessions::restart(cx, &group_id, member);
        sessions::expect_sync(cx, &group_id, member);
    }
    let records = edit.into_records();
    if goes_back {
        downgrade::convert(cx, group, records, rebalances);
    } else {
        cx.append_in_batches(group, records);
    }
    Ok(response)
}

fn check(
    cx: &Cx<'_>,
    group: &ConsumerGroup,
    request: &JoinGroupRequest,
    id: &MemberId,
) -> Result<ConsumerProtocolSubscription, ErrorCode> {
    if cx.config.migration_policy == MigrationPolicy::Disabled {
        return Err(ErrorCode::InconsistentGroupProtocol);
    }
    let is_member = group.members.contains_key(id);
    if group.members.len() >= cx.config.consumer_max_size && !is_member {
        return Err(ErrorCode::GroupMaxSizeReached);
    }
    let is_supported = request.protocol_type == CONSUMER_PROTOCOL_TYPE
        && request
            .protocols
            .iter()
            .any(|protocol| is_supported_by_all(group, &protocol.name));
    let first = request.protocols.first().filter(|_| is_supported);
    first
        .and_then(|protocol| subscription::subscription(&protocol.metadata))
        .ok_or(ErrorCode::InconsistentGroupProtocol)
}

fn is_supported_by_all(group: &ConsumerGroup, protocol: &str) -> bool {
    let classic = group
        .members
        .values()
        .filter_map(|member| member.metadata.classic.as_ref());
    classic
        .map(|classic| &classic.supported_protocols)
        .all(|protocols| protocols.iter().any(|other| other.name == protocol))
}

fn find(
    group: &ConsumerGroup,
    request: &JoinGroupRequest,
    id: &MemberId,
) -> Result<Subscriber, ErrorCode> {
    let known = || group.members.get(id).cloned().map(Subscriber::Known);
    let Some(instance) = request.group_instance_id.as_deref() else {
        return Ok(known().unwrap_or(Subscriber::New));
    };
    match group.static_member(instance) {
        Some(member) if request.member_id.is_empty() => Ok(Subscriber::Returned(member.clone())),
        None if request.member_id.is_empty() => Ok(known().unwrap_or(Subscriber::New)),
        None => Err(ErrorCode::UnknownMemberId),
        Some(member) if member.id != *id => Err(ErrorCode::FencedInstanceId),
        Some(member) => Ok(Subscriber::Known(member.clone())),
    }
}

fn metadata(
    before: &Metadata,
    request: &JoinGroupRequest,
    subscription: &ConsumerProtocolSubscription,
    client: &Client,
) -> Metadata {
    let rack = subscription.rack_id.clone().filter(|rack| !rack.is_empty());
    let protocols = request.protocols.iter().map(|protocol| ClassicProtocol {
        name: protocol.name.clone(),
        metadata: protocol.metadata.clone(),
    });
    Metadata {
        instance_id: request
            .group_instance_id
            .clone()
            .or_else(|| before.instance_id.clone()),
        rack_id: rack.or_else(|| before.rack_id.clone()),
        client: client.clone(),
        topics: subscription.topics.iter().cloned().collect(),
        regex: String::new(),
        // Version 0 has no rebalance timeout; the session timeout stands in for it (KIP-62).
        rebalance_timeout_ms: if request.rebalance_timeout_ms < 0 {
            request.session_timeout_ms
        } else {
            request.rebalance_timeout_ms
        },
        assignor: before.assignor.clone(),
        classic: Some(ClassicMemberMetadata {
            session_timeout_ms: request.session_timeout_ms,
            supported_protocols: protocols.collect(),
        }),
    }
}

/// The member that a SyncGroup or Heartbeat comes from.
fn member<'a>(
    group: &'a ConsumerGroup,
    id: &str,
    instance: Option<&str>,
    generation: i32,
) -> Result<&'a ConsumerMember, ErrorCode> {
    let member = match instance {
        None => group.members.get(id),
        Some(instance) => group.static_member(instance),
    };
    let member = member.ok_or(ErrorCode::UnknownMemberId)?;
    if &*member.id != id {
        Err(ErrorCode::FencedInstanceId)
    } else if !member.uses_classic_protocol() {
        Err(ErrorCode::UnknownMemberId)
    } else if member.current.epoch != generation {
        Err(ErrorCode::IllegalGeneration)
    } else {
        Ok(member)
    }
}

/// Carries out a SyncGroup.
pub(in crate::groups) fn sync(
    cx: &mut Cx<'_>,
    group: &Group,
    request: SyncGroupRequest,
) -> Result<SyncGroupResponse, ErrorCode> {
    let consumer = group
        .consumer
        .as_deref()
        .ok_or(ErrorCode::UnknownMemberId)?;
    let instance = request.group_instance_id.as_deref();
    let member = member(
        consumer,
        &request.member_id,
        instance,
        request.generation_id,
    )?;
    let differs = |theirs: &Option<String>, ours: Option<&str>| {
        theirs.as_deref().is_some_and(|theirs| Some(theirs) != ours)
    };
    if differs(&request.protocol_type, Some(CONSUMER_PROTOCOL_TYPE))
        || differs(&request.protocol_name, member.classic_protocol_name())
    {
        return Err(ErrorCode::InconsistentGroupProtocol);
    }
    if consumer.target_epoch > member.current.epoch
        && member.current.state != MemberState::UnrevokedPartitions
    {
        sessions::expect_join(cx, &group.id, member);
        return Err(ErrorCode::RebalanceInProgress);
    }
    sessions::has_synced(cx, &group.id, &member.id);
    sessions::restart(cx, &group.id, member);
    let classic = member.metadata.classic.as_ref();
    let version = classic
        .and_then(|classic| classic.supported_protocols.first())
        .map_or(0, |first| subscription::version(&first.metadata));
    let assigned = without_epochs(&member.current.assigned);
    Ok(SyncGroupResponse {
        protocol_type: request.protocol_type,
        protocol_name: request.protocol_name,
        assignment: subscription::encode_assignment(&assigned, cx.topics, version),
        ..Default::default()
    })
}

/// Carries out a Heartbeat.
pub(in crate::groups) fn beat(
    cx: &mut Cx<'_>,
    group: &Group,
    request: &HeartbeatRequest,
) -> Result<(), ErrorCode> {
    let consumer = group
        .consumer
        .as_deref()
        .ok_or(ErrorCode::UnknownMemberId)?;
    let instance = request.group_instance_id.as_deref();
    let member = member(
        consumer,
        &request.member_id,
        instance,
        request.generation_id,
    )?;
    sessions::restart(cx, &group.id, member);
    let must_join = match member.current.state {
        _ if member.current.epoch < consumer.target_epoch => true,
        MemberState::UnrevokedPartitions => true,
        MemberState::UnreleasedPartitions => !consumer.waits_for_others(member),
        MemberState::Stable | MemberState::Unknown => false,
    };
    if must_join {
        sessions::expect_join(cx, &group.id, member);
        return Err(ErrorCode::RebalanceInProgress);
    }
    Ok(())
}

/// Carries out a LeaveGroup.
pub(in crate::groups) fn leave(
    cx: &mut Cx<'_>,
    group: &mut Group,
    identities: Vec<MemberIdentity>,
) -> Vec<MemberResponse> {
    let mut leaving: Vec<MemberId> = Vec::new();
    let responses = identities
        .into_iter()
        .map(|identity| {
            let found = leaver(group.consumer.as_deref(), &identity);
            let error_code = found.as_ref().err().map_or(0, |code| code.code());
            if let Ok(id) = found
                && !leaving.contains(&id)
            {
                leaving.push(id);
            }
            MemberResponse {
                member_id: identity.member_id,
                group_instance_id: identity.group_instance_id,
                error_code,
            }
        })
        .collect();
    if !leaving.is_empty() {
        fence(cx, group, &leaving);
    }
    responses
}

/// Who is to leave. An operator may name a static member by its instance alone.
fn leaver(group: Option<&ConsumerGroup>, identity: &MemberIdentity) -> Result<MemberId, ErrorCode> {
    let group = group.ok_or(ErrorCode::UnknownMemberId)?;
    let id = identity.member_id.as_str();
    let member = match identity.group_instance_id.as_deref() {
        None => group.members.get(id),
        Some(instance) => group.static_member(instance),
    };
    let member = member.ok_or(ErrorCode::UnknownMemberId)?;
    if !id.is_empty() && &*member.id != id {
        return Err(ErrorCode::FencedInstanceId);
    }
    Ok(member.id.clone())
}
