//! Joining a group: JoinGroup, the assignment if this member leads, SyncGroup; until it works.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use headwater_wire::messages::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};

use super::super::assignor::{Assignor, MemberAssignment, MemberSubscription, TopicPartitions};
use super::super::core::Core;
use super::classic::count;
use super::{Group, Phase, millis, protocol};
use crate::TopicPartition;
use crate::cluster::Topics;
use crate::coordinator::is_elsewhere;
use crate::error::ClientError;
use crate::retry::Backoff;
use crate::transport::Target;

/// What a member has once it is in.
pub(in crate::consumer) struct Joined {
    pub(in crate::consumer) assignor: Arc<dyn Assignor>,
    pub(in crate::consumer) assignment: MemberAssignment,
}

/// What an attempt came to.
enum Attempt {
    Joined(Joined),
    /// Again: at once, or after a pause.
    Again,
    Later(ClientError),
}

/// Joins, however often it takes. Only what waiting cannot cure is an error.
///
/// `owned` are the partitions the member had until now, for assignors that keep them.
pub(in crate::consumer) async fn join(
    core: Arc<Core>,
    owned: Vec<TopicPartition>,
) -> Result<Joined, ClientError> {
    let Some(group) = &core.group else {
        return Err(ClientError::IllegalState(
            "joining needs a group.id".to_owned(),
        ));
    };
    let config = &core.cluster.config;
    let mut backoff = Backoff::new(config.retry_backoff, config.retry_backoff_max);
    loop {
        let failure = match attempt(&core, group, &owned).await {
            Ok(Attempt::Joined(joined)) => return Ok(joined),
            Ok(Attempt::Again) => continue,
            Ok(Attempt::Later(error)) => error,
            Err(error) if error.is_retriable() => error,
            Err(error) if is_forgotten(&error) => {
                tokio::time::sleep(backoff.advance()).await;
                return Err(error);
            }
            Err(error) => return Err(error),
        };
        core.tell_if_unreachable(&failure);
        tracing::debug!(group = %group.id, %failure, "joining again");
        tokio::time::sleep(backoff.advance()).await;
    }
}

/// Whether a join failed because the coordinator knows the member no more: what it owned is lost,
/// and it joins as a new one once that is given up.
pub(in crate::consumer) fn is_forgotten(error: &ClientError) -> bool {
    matches!(
        error.code(),
        Some(ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration)
    )
}

async fn attempt(
    core: &Core,
    group: &Group,
    owned: &[TopicPartition],
) -> Result<Attempt, ClientError> {
    let limit = core.config.request_timeout;
    let node = group
        .coordinator
        .find(&core.cluster, &core.channel, limit)
        .await?;
    let (member_id, subscription, reason) = {
        let mut state = group.state.lock();
        // What asks for another rebalance from here on is for the next one.
        let reason = state.rejoin.take();
        (state.member_id.clone(), state.subscription.topics(), reason)
    };
    let protocols = protocols(core, group, &subscription, owned)?;
    // The coordinator answers when all members are there, at the latest after the rebalance timeout.
    let limit = core.config.max_poll_interval + core.config.request_timeout;
    let call = group
        .join_channel
        .call(Target::Node(node), limit, i16::MAX, |version| {
            JoinGroupRequest {
                group_id: group.id.clone(),
                session_timeout_ms: millis(core.config.session_timeout),
                rebalance_timeout_ms: millis(core.config.max_poll_interval),
                member_id,
                group_instance_id: group.instance_id.clone().filter(|_| version >= 5),
                protocol_type: protocol::PROTOCOL_TYPE.to_owned(),
                protocols,
                reason: reason.filter(|_| version >= 8),
            }
        });
    let response = call.await.inspect_err(|_| group.coordinator.forget(node))?;
    let code = ErrorCode::from_code(response.error_code);
    if code != ErrorCode::None {
        return refused(group, node, "joining", code, Some(&response.member_id));
    }
    // The generation is the member's own only with its share in it: until then it owns what it had,
    // in the generation in which it was given that.
    group.state.lock().member_id.clone_from(&response.member_id);
    let assignor = chosen(core, response.protocol_name.as_deref())?;
    let leads = response.leader == response.member_id;
    let (shares, counted) = if leads {
        lead(core, assignor.as_ref(), &response).await?
    } else {
        (Vec::new(), None)
    };
    let synced = sync(core, group, node, &response, shares).await?;
    let code = ErrorCode::from_code(synced.error_code);
    if code != ErrorCode::None {
        return refused(group, node, "syncing", code, None);
    }
    let assignment = protocol::decode_assignment(synced.assignment).map_err(|error| {
        let operation = format!("decoding the assignment of group {}", group.id);
        ClientError::Protocol {
            operation,
            reason: error.to_string(),
        }
    })?;
    let mut state = group.state.lock();
    state.generation_id = response.generation_id;
    state.joined_last = Some((response.generation_id, response.member_id));
    state.phase = Phase::Stable;
    state.is_lost = false;
    state.counted = counted;
    drop(state);
    group.beat.notify_one();
    Ok(Attempt::Joined(Joined {
        assignor,
        assignment,
    }))
}

/// This member's subscription in every assignor's words.
fn protocols(
    core: &Core,
    group: &Group,
    subscription: &BTreeSet<String>,
    owned: &[TopicPartition],
) -> Result<Vec<JoinGroupRequestProtocol>, ClientError> {
    let generation_id = Some(group.state.lock().generation_id).filter(|id| *id >= 0);
    core.config
        .assignors
        .iter()
        .map(|assignor| {
            let mut subscription = MemberSubscription {
                topics: subscription.clone(),
                user_data: None,
                owned_partitions: owned.to_vec(),
                generation_id,
                group_instance_id: group.instance_id.clone(),
                rack_id: core.config.client_rack.clone(),
            };
            subscription.user_data = assignor.user_data(&subscription);
            let metadata = protocol::encode_subscription(&subscription).map_err(|error| {
                let operation = format!("encoding the subscription of group {}", group.id);
                ClientError::Protocol {
                    operation,
                    reason: error.to_string(),
                }
            })?;
            Ok(JoinGroupRequestProtocol {
                name: assignor.name().to_owned(),
                metadata,
            })
        })
        .collect()
}

fn chosen(core: &Core, name: Option<&str>) -> Result<Arc<dyn Assignor>, ClientError> {
    let name = name.unwrap_or_default();
    let found = core
        .config
        .assignors
        .iter()
        .find(|assignor| assignor.name() == name);
    found.cloned().ok_or_else(|| ClientError::Protocol {
        operation: "joining".to_owned(),
        reason: format!("the group chose assignor {name:?}, which this member does not have"),
    })
}

type Shares = Vec<SyncGroupRequestAssignment>;

/// Divides the partitions among the members.
async fn lead(
    core: &Core,
    assignor: &dyn Assignor,
    response: &JoinGroupResponse,
) -> Result<(Shares, Option<TopicPartitions>), ClientError> {
    let failed = |reason: String| ClientError::Assignor {
        assignor: assignor.name().to_owned(),
        reason,
    };
    let mut members: BTreeMap<String, MemberSubscription> = BTreeMap::new();
    for member in &response.members {
        let instance = member.group_instance_id.clone();
        let subscription = protocol::decode_subscription(member.metadata.clone(), instance)
            .map_err(|error| failed(format!("subscription of {}: {error}", member.member_id)))?;
        members.insert(member.member_id.clone(), subscription);
    }
    let names: BTreeSet<&String> = members.values().flat_map(|member| &member.topics).collect();
    let topics: Vec<Arc<str>> = names.into_iter().map(|name| name.as_str().into()).collect();
    let (allow, limit) = (
        core.config.allow_auto_create_topics,
        core.config.request_timeout,
    );
    core.cluster
        .refresh(&core.channel, Topics::Named(&topics), allow, limit)
        .await?;
    let counted = count(&core.cluster, &topics);
    // A static leader that came back within its session (KIP-814): the assignment stays as it was,
    // but watching the topics is this member's task again.
    if response.skip_assignment {
        return Ok((Vec::new(), Some(counted)));
    }
    let shares = assignor.assign(&counted, &members).await?;
    let mut encoded = Vec::with_capacity(shares.len());
    for (member_id, share) in shares {
        let assignment = protocol::encode_assignment(&share)
            .map_err(|error| failed(format!("share of {member_id}: {error}")))?;
        encoded.push(SyncGroupRequestAssignment {
            member_id,
            assignment,
        });
    }
    Ok((encoded, Some(counted)))
}

async fn sync(
    core: &Core,
    group: &Group,
    node: i32,
    joined: &JoinGroupResponse,
    assignments: Shares,
) -> Result<SyncGroupResponse, ClientError> {
    // Answered when the leader has assigned, which has the rebalance timeout for it.
    let limit = core.config.max_poll_interval + core.config.request_timeout;
    let call = group
        .join_channel
        .call(Target::Node(node), limit, i16::MAX, |version| {
            SyncGroupRequest {
                group_id: group.id.clone(),
                generation_id: joined.generation_id,
                member_id: joined.member_id.clone(),
                group_instance_id: group.instance_id.clone().filter(|_| version >= 3),
                protocol_type: Some(protocol::PROTOCOL_TYPE.to_owned()).filter(|_| version >= 5),
                protocol_name: joined.protocol_name.clone().filter(|_| version >= 5),
                assignments,
            }
        });
    call.await.inspect_err(|_| group.coordinator.forget(node))
}

/// Sorts a refusal into what to do about it.
fn refused(
    group: &Group,
    node: i32,
    what: &str,
    code: ErrorCode,
    member_id: Option<&String>,
) -> Result<Attempt, ClientError> {
    let error = ClientError::broker(format!("{what} group {}", group.id), code);
    match code {
        // The id that every later attempt is to bring (KIP-394).
        ErrorCode::MemberIdRequired => {
            if let Some(member_id) = member_id {
                group.state.lock().member_id.clone_from(member_id);
            }
            Ok(Attempt::Again)
        }
        ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration => {
            let mut state = group.state.lock();
            if code == ErrorCode::UnknownMemberId {
                state.member_id = String::new();
            }
            state.generation_id = -1;
            state.is_lost = true;
            Err(error)
        }
        ErrorCode::RebalanceInProgress => Ok(Attempt::Again),
        code if is_elsewhere(code) => {
            group.coordinator.forget(node);
            Ok(Attempt::Later(error))
        }
        _ => Err(error),
    }
}
