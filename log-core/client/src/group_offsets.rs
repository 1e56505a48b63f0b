//! Offsets that groups commit: written to and read from the group's coordinator.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use headwater_wire::ErrorCode;
use headwater_wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse,
};
use headwater_wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    OffsetFetchResponse,
};
use uuid::Uuid;

use crate::cluster::{Cluster, Topics};
use crate::consumer::ConsumerGroupMetadata;
use crate::coordinator::{Coordinator, is_elsewhere};
use crate::error::ClientError;
use crate::metadata::ClusterView;
use crate::retry::Retry;
use crate::transport::Channel;
use crate::{OffsetAndMetadata, TopicPartition};

/// The last version with topic names; later ones have ids.
pub(crate) const NAMED_VERSION_MAX: i16 = 9;

/// Offsets by partition.
pub(crate) type Offsets = HashMap<TopicPartition, OffsetAndMetadata>;

/// Where calls about a group's offsets go.
#[derive(Clone, Copy)]
pub(crate) struct Route<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) channel: &'a Channel,
    pub(crate) coordinator: &'a Coordinator,
}

/// Commits offsets within `limit`. `member` tells as whom, anew for each try: a member whose epoch
/// has moved on meanwhile commits in the new one (KIP-848).
pub(crate) async fn commit_as(
    route: Route<'_>,
    member: impl Fn() -> ConsumerGroupMetadata,
    offsets: &Offsets,
    limit: Duration,
) -> Result<(), ClientError> {
    if offsets.is_empty() {
        return Ok(());
    }
    let mut group = member();
    let operation = format!("committing offsets of group {}", group.group_id);
    let mut retry = Retry::new(operation.clone(), limit, &route.cluster.config);
    loop {
        let view = route.cluster.view();
        let topics = commit_topics(offsets, &view);
        let build = |version: i16| OffsetCommitRequest {
            group_id: group.group_id.clone(),
            generation_id_or_member_epoch: group.generation_id,
            member_id: group.member_id.clone(),
            group_instance_id: group.group_instance_id.clone().filter(|_| version >= 7),
            topics: topics.clone(),
            ..OffsetCommitRequest::default()
        };
        let has_ids = topics.iter().all(|topic| !topic.topic_id.is_nil());
        let call = route.coordinator.call(
            route.cluster,
            route.channel,
            &mut retry,
            version_max(has_ids),
            build,
            |response| first_failure(response, &view).0,
        );
        let (code, partition) = first_failure(&call.await?, &view);
        if code == ErrorCode::None {
            return Ok(());
        }
        let operation = match partition {
            Some(partition) => format!("{operation} at {partition}"),
            None => operation.clone(),
        };
        let error = ClientError::broker(operation, code);
        if code == ErrorCode::StaleMemberEpoch {
            let now = member();
            if now.generation_id > 0 && now.generation_id != group.generation_id {
                group = now;
                retry.pause_anyway(error).await?;
                continue;
            }
        }
        // The member has to rejoin before it can commit again: waiting does not help.
        if error.is_rebalanced() {
            return Err(error);
        }
        retry.pause(error).await?;
        if code == ErrorCode::UnknownTopicId {
            let names = offsets.keys().map(|partition| partition.topic.clone());
            relearn(route, names.collect(), &retry).await;
        }
    }
}

/// The highest version that goes: ids instead of names only where all are known.
fn version_max(has_ids: bool) -> i16 {
    if has_ids { i16::MAX } else { NAMED_VERSION_MAX }
}

/// Asks for topics again whose ids have turned out to be of topics that are no more.
async fn relearn(route: Route<'_>, mut names: Vec<Arc<str>>, retry: &Retry) {
    names.sort();
    names.dedup();
    let topics = Topics::Named(&names);
    let refreshed = route
        .cluster
        .refresh(route.channel, topics, false, retry.remaining());
    if let Err(error) = refreshed.await {
        tracing::debug!(%error, "topic ids could not be refreshed");
    }
}

pub(crate) fn commit_topics(
    offsets: &Offsets,
    view: &ClusterView,
) -> Vec<OffsetCommitRequestTopic> {
    let mut sorted: Vec<(&TopicPartition, &OffsetAndMetadata)> = offsets.iter().collect();
    sorted.sort_by_key(|(partition, _)| *partition);
    let mut topics: Vec<OffsetCommitRequestTopic> = Vec::new();
    for (partition, offset) in sorted {
        let committed = OffsetCommitRequestPartition {
            partition_index: partition.partition,
            committed_offset: offset.offset,
            committed_leader_epoch: offset.leader_epoch.unwrap_or(-1),
            committed_metadata: Some(offset.metadata.clone()),
        };
        match topics
            .last_mut()
            .filter(|topic| *topic.name == *partition.topic)
        {
            Some(topic) => topic.partitions.push(committed),
            None => topics.push(OffsetCommitRequestTopic {
                name: partition.topic.to_string(),
                topic_id: view.topic_id(&partition.topic).unwrap_or_default(),
                partitions: vec![committed],
            }),
        }
    }
    topics
}

/// The name of a topic in an answer, which has either that or an id.
fn name_of(name: String, id: Uuid, view: &ClusterView) -> String {
    if !name.is_empty() || id.is_nil() {
        return name;
    }
    let known = view.topic_names.get(&id);
    known.map_or_else(|| id.to_string(), ToString::to_string)
}

/// The code that decides; one that sends the call elsewhere comes before the others.
pub(crate) fn first_failure(
    response: &OffsetCommitResponse,
    view: &ClusterView,
) -> (ErrorCode, Option<TopicPartition>) {
    let failures = || {
        response.topics.iter().flat_map(|topic| {
            topic.partitions.iter().filter_map(move |partition| {
                let code = ErrorCode::from_code(partition.error_code);
                (code != ErrorCode::None).then_some((code, topic, partition.partition_index))
            })
        })
    };
    let elsewhere = failures().find(|(code, ..)| is_elsewhere(*code));
    match elsewhere.or_else(|| failures().next()) {
        Some((code, topic, index)) => {
            let name = name_of(topic.name.clone(), topic.topic_id, view);
            (code, Some(TopicPartition::new(name, index)))
        }
        None => (ErrorCode::None, None),
    }
}

/// As whom offsets are read, and how.
pub(crate) struct ReadAs<M, R> {
    /// The member there is now; it is asked for anew for each try.
    pub(crate) member: M,
    /// Told when the coordinator says that the one it was asked by is no member any more.
    pub(crate) refused: R,
    /// Whether to wait until no transaction is about to change the offsets (KIP-447).
    pub(crate) require_stable: bool,
}

/// Reads a group's committed offsets: of `partitions`, or all there are. Partitions without one
/// are left out. A member in an old epoch asks again until the heartbeat, which may be on its way
/// yet, has told it the new one; one that is no member any more asks as nobody (KIP-848).
pub(crate) async fn fetch_as<M, R>(
    route: Route<'_>,
    how: ReadAs<M, R>,
    partitions: Option<&[TopicPartition]>,
    limit: Duration,
) -> Result<Offsets, ClientError>
where
    M: Fn() -> ConsumerGroupMetadata,
    R: Fn(&ConsumerGroupMetadata, ErrorCode),
{
    let ReadAs {
        member,
        refused,
        require_stable,
    } = how;
    let mut group = member();
    let operation = format!("reading offsets of group {}", group.group_id);
    let mut retry = Retry::new(operation.clone(), limit, &route.cluster.config);
    let wanted = partitions.map(by_topic);
    loop {
        let view = route.cluster.view();
        let topics = wanted.as_ref().map(|wanted| with_ids(wanted, &view));
        // All topics may be more than those whose ids are known.
        let has_ids = topics
            .as_ref()
            .is_some_and(|topics| topics.iter().all(|topic| !topic.topic_id.is_nil()));
        let call = route.coordinator.call(
            route.cluster,
            route.channel,
            &mut retry,
            version_max(has_ids),
            |version: i16| fetch_request(version, &group, topics.as_deref(), require_stable),
            fetch_code,
        );
        let response = call.await?;
        let failure = match fetch_code(&response) {
            ErrorCode::None => match read(response, &view) {
                Ok(offsets) => return Ok(offsets),
                Err((partition, code)) => {
                    ClientError::broker(format!("{operation} at {partition}"), code)
                }
            },
            code => ClientError::broker(&operation, code),
        };
        let of_member = failure.code().filter(|_| !group.member_id.is_empty());
        match of_member {
            Some(ErrorCode::StaleMemberEpoch) => {
                retry.pause_anyway(failure).await?;
                group = member();
                continue;
            }
            Some(code @ (ErrorCode::UnknownMemberId | ErrorCode::FencedMemberEpoch)) => {
                refused(&group, code);
                retry.pause_anyway(failure).await?;
                group = member();
                continue;
            }
            _ => {}
        }
        let is_unknown = failure.code() == Some(ErrorCode::UnknownTopicId);
        retry.pause(failure).await?;
        if is_unknown {
            let names = wanted.iter().flatten();
            let names = names.map(|(name, _)| name.as_str().into());
            relearn(route, names.collect(), &retry).await;
        }
    }
}

fn by_topic(partitions: &[TopicPartition]) -> Vec<(String, Vec<i32>)> {
    let mut sorted: Vec<&TopicPartition> = partitions.iter().collect();
    sorted.sort();
    sorted.dedup();
    let mut topics: Vec<(String, Vec<i32>)> = Vec::new();
    for partition in sorted {
        match topics
            .last_mut()
            .filter(|(name, _)| **name == *partition.topic)
        {
            Some((_, indexes)) => indexes.push(partition.partition),
            None => topics.push((partition.topic.to_string(), vec![partition.partition])),
        }
    }
    topics
}

pub(crate) fn with_ids(
    topics: &[(String, Vec<i32>)],
    view: &ClusterView,
) -> Vec<OffsetFetchRequestTopics> {
    let named = topics
        .iter()
        .map(|(name, indexes)| OffsetFetchRequestTopics {
            name: name.clone(),
            topic_id: view.topic_id(name).unwrap_or_default(),
            partition_indexes: indexes.clone(),
        });
    named.collect()
}

pub(crate) fn fetch_request(
    version: i16,
    group: &ConsumerGroupMetadata,
    topics: Option<&[OffsetFetchRequestTopics]>,
    require_stable: bool,
) -> OffsetFetchRequest {
    let mut request = OffsetFetchRequest {
        require_stable: require_stable && version >= 7,
        ..OffsetFetchRequest::default()
    };
    if version >= 8 {
        let is_member = !group.member_id.is_empty();
        request.groups = vec![OffsetFetchRequestGroup {
            group_id: group.group_id.clone(),
            member_id: Some(group.member_id.clone()).filter(|_| is_member),
            member_epoch: if is_member { group.generation_id } else { -1 },
            topics: topics.map(<[_]>::to_vec),
        }];
    } else {
        request.group_id.clone_from(&group.group_id);
        request.topics = topics.map(|topics| {
            let named = topics.iter().map(|topic| OffsetFetchRequestTopic {
                name: topic.name.clone(),
                partition_indexes: topic.partition_indexes.clone(),
            });
            named.collect()
        });
    }
    request
}

pub(crate) fn fetch_code(response: &OffsetFetchResponse) -> ErrorCode {
    let of_group = response.groups.first().map(|group| group.error_code);
    ErrorCode::from_code(of_group.unwrap_or(response.error_code))
}

/// One partition of an answer, whatever its version.
struct Found {
    index: i32,
    offset: i64,
    epoch: i32,
    metadata: Option<String>,
    code: i16,
}

pub(crate) fn read(
    response: OffsetFetchResponse,
    view: &ClusterView,
) -> Result<Offsets, (TopicPartition, ErrorCode)> {
    let mut offsets = Offsets::new();
    let mut add = |topic: &str, found: Found| {
        let partition = TopicPartition::new(topic, found.index);
        let code = ErrorCode::from_code(found.code);
        if code != ErrorCode::None {
            return Err((partition, code));
        }
        if found.offset >= 0 {
            let offset = OffsetAndMetadata {
                offset: found.offset,
                leader_epoch: Some(found.epoch).filter(|epoch| *epoch >= 0),
                metadata: found.metadata.unwrap_or_default(),
            };
            offsets.insert(partition, offset);
        }
        Ok(())
    };
    for topic in response.topics {
        for p in topic.partitions {
            let found = Found {
                index: p.partition_index,
                offset: p.committed_offset,
                epoch: p.committed_leader_epoch,
                metadata: p.metadata,
                code: p.error_code,
            };
            add(&topic.name, found)?;
        }
    }
    for topic in response.groups.into_iter().flat_map(|group| group.topics) {
        let name = name_of(topic.name, topic.topic_id, view);
        for p in topic.partitions {
            let found = Found {
                index: p.partition_index,
                offset: p.committed_offset,
                epoch: p.committed_leader_epoch,
                metadata: p.metadata,
                code: p.error_code,
            };
            add(&name, found)?;
        }
    }
    Ok(offsets)
}
