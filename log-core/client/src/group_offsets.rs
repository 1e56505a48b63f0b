//! Offsets that groups commit: written to and read from the group's coordinator.

use std::collections::HashMap;
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

use crate::cluster::Cluster;
use crate::consumer::ConsumerGroupMetadata;
use crate::coordinator::{Coordinator, is_elsewhere};
use crate::error::ClientError;
use crate::retry::Retry;
use crate::transport::Channel;
use crate::{OffsetAndMetadata, TopicPartition};

/// The last version with topic names; later ones have ids.
const VERSION_MAX: i16 = 9;

/// Offsets by partition.
pub(crate) type Offsets = HashMap<TopicPartition, OffsetAndMetadata>;

/// Commits offsets as `group` within `limit`.
pub(crate) async fn commit(
    cluster: &Cluster,
    channel: &Channel,
    coordinator: &Coordinator,
    group: &ConsumerGroupMetadata,
    offsets: &Offsets,
    limit: Duration,
) -> Result<(), ClientError> {
    if offsets.is_empty() {
        return Ok(());
    }
    let operation = format!("committing offsets of group {}", group.group_id);
    let mut retry = Retry::new(operation.clone(), limit, &cluster.config);
    let topics = commit_topics(offsets);
    loop {
        let build = |version: i16| OffsetCommitRequest {
            group_id: group.group_id.clone(),
            generation_id_or_member_epoch: group.generation_id,
            member_id: group.member_id.clone(),
            group_instance_id: group.group_instance_id.clone().filter(|_| version >= 7),
            topics: topics.clone(),
            ..OffsetCommitRequest::default()
        };
        let call = coordinator.call(
            cluster,
            channel,
            &mut retry,
            VERSION_MAX,
            build,
            commit_code,
        );
        let (code, partition) = first_failure(&call.await?);
        if code == ErrorCode::None {
            return Ok(());
        }
        let operation = match partition {
            Some(partition) => format!("{operation} at {partition}"),
            None => operation.clone(),
        };
        let error = ClientError::broker(operation, code);
        // The member has to rejoin before it can commit again: waiting does not help.
        if error.is_rebalanced() {
            return Err(error);
        }
        retry.pause(error).await?;
    }
}

fn commit_topics(offsets: &Offsets) -> Vec<OffsetCommitRequestTopic> {
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
                partitions: vec![committed],
                ..OffsetCommitRequestTopic::default()
            }),
        }
    }
    topics
}

fn commit_code(response: &OffsetCommitResponse) -> ErrorCode {
    first_failure(response).0
}

/// The code that decides; one that sends the call elsewhere comes before the others.
fn first_failure(response: &OffsetCommitResponse) -> (ErrorCode, Option<TopicPartition>) {
    let failures = || {
        response.topics.iter().flat_map(|topic| {
            topic.partitions.iter().filter_map(|partition| {
                let code = ErrorCode::from_code(partition.error_code);
                let name = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                (code != ErrorCode::None).then_some((code, Some(name)))
            })
        })
    };
    let elsewhere = failures().find(|(code, _)| is_elsewhere(*code));
    elsewhere
        .or_else(|| failures().next())
        .unwrap_or((ErrorCode::None, None))
}

/// Reads a group's committed offsets: of `partitions`, or all there are. Partitions without one
/// are left out.
///
/// With `require_stable`, waits until no transaction is about to change them (KIP-447).
pub(crate) async fn fetch(
    cluster: &Cluster,
    channel: &Channel,
    coordinator: &Coordinator,
    group_id: &str,
    partitions: Option<&[TopicPartition]>,
    require_stable: bool,
    limit: Duration,
) -> Result<Offsets, ClientError> {
    let operation = format!("reading offsets of group {group_id}");
    let mut retry = Retry::new(operation.clone(), limit, &cluster.config);
    let topics = partitions.map(by_topic);
    loop {
        let build =
            |version: i16| fetch_request(version, group_id, topics.as_ref(), require_stable);
        let call = coordinator.call(cluster, channel, &mut retry, VERSION_MAX, build, fetch_code);
        let response = call.await?;
        let failure = match fetch_code(&response) {
            ErrorCode::None => match read(response) {
                Ok(offsets) => return Ok(offsets),
                Err((partition, code)) => {
                    ClientError::broker(format!("{operation} at {partition}"), code)
                }
            },
            code => ClientError::broker(&operation, code),
        };
        retry.pause(failure).await?;
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

fn fetch_request(
    version: i16,
    group_id: &str,
    topics: Option<&Vec<(String, Vec<i32>)>>,
    require_stable: bool,
) -> OffsetFetchRequest {
    let mut request = OffsetFetchRequest {
        require_stable: require_stable && version >= 7,
        ..OffsetFetchRequest::default()
    };
    if version >= 8 {
        let topics = topics.map(|topics| {
            let named = topics
                .iter()
                .map(|(name, indexes)| OffsetFetchRequestTopics {
                    name: name.clone(),
                    partition_indexes: indexes.clone(),
                    ..OffsetFetchRequestTopics::default()
                });
            named.collect()
        });
        request.groups = vec![OffsetFetchRequestGroup {
            group_id: group_id.to_owned(),
            topics,
            ..OffsetFetchRequestGroup::default()
        }];
    } else {
        request.group_id = group_id.to_owned();
        request.topics = topics.map(|topics| {
            let named = topics
                .iter()
                .map(|(name, indexes)| OffsetFetchRequestTopic {
                    name: name.clone(),
                    partition_indexes: indexes.clone(),
                });
            named.collect()
        });
    }
    request
}

fn fetch_code(response: &OffsetFetchResponse) -> ErrorCode {
    let of_group = response.groups.first().map(|group| group.error_code);
    ErrorCode::from_code(of_group.unwrap_or(response.error_code))
}

fn read(response: OffsetFetchResponse) -> Result<Offsets, (TopicPartition, ErrorCode)> {
    let mut offsets = Offsets::new();
    let mut add = |topic: &str, index, offset, epoch: i32, metadata: Option<String>, code| {
        let partition = TopicPartition::new(topic, index);
        let code = ErrorCode::from_code(code);
        if code != ErrorCode::None {
            return Err((partition, code));
        }
        if offset >= 0 {
            let leader_epoch = Some(epoch).filter(|epoch| *epoch >= 0);
            let metadata = metadata.unwrap_or_default();
            offsets.insert(
                partition,
                OffsetAndMetadata {
                    offset,
                    leader_epoch,
                    metadata,
                },
            );
        }
        Ok(())
    };
    for topic in response.topics {
        for p in topic.partitions {
            let (index, epoch) = (p.partition_index, p.committed_leader_epoch);
            add(
                &topic.name,
                index,
                p.committed_offset,
                epoch,
                p.metadata,
                p.error_code,
            )?;
        }
    }
    for topic in response.groups.into_iter().flat_map(|group| group.topics) {
        for p in topic.partitions {
            let (index, epoch) = (p.partition_index, p.committed_leader_epoch);
            add(
                &topic.name,
                index,
                p.committed_offset,
                epoch,
                p.metadata,
                p.error_code,
            )?;
        }
    }
    Ok(offsets)
}
