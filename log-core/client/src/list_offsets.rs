//! Offsets by time, and the ends of partitions: asked of each partition's leader.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use headwater_wire::ErrorCode;
use headwater_wire::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsTopic,
};

use tokio::time::Instant;

use crate::cluster::{Cluster, Topics};
use crate::consumer::IsolationLevel;
use crate::error::ClientError;
use crate::metadata::ClusterView;
use crate::retry::Retry;
use crate::transport::{Channel, Target};
use crate::{TopicPartition, consumer::OffsetAndTimestamp};

/// Stands for the end of a partition.
pub(crate) const LATEST: i64 = -1;
/// Stands for the log start offset.
pub(crate) const EARLIEST: i64 = -2;
/// Stands for the record with the largest timestamp (KIP-734).
pub(crate) const MAX_TIMESTAMP: i64 = -3;
/// Stands for the first record that the leader has itself (KIP-405).
pub(crate) const EARLIEST_LOCAL: i64 = -4;
/// Stands for the last record in tiered storage (KIP-1005).
pub(crate) const LATEST_TIERED: i64 = -5;
/// Stands for the first record that is not in tiered storage yet (KIP-1023).
pub(crate) const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// The first version in which a timestamp is read as one of these, and not as a time.
fn version_of(timestamp: i64) -> i16 {
    match timestamp {
        MAX_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        LATEST_TIERED => 9,
        EARLIEST_PENDING_UPLOAD => 11,
        _ => 1,
    }
}

/// What was found of each partition.
pub(crate) type Listed = HashMap<TopicPartition, Result<Option<OffsetAndTimestamp>, ClientError>>;

/// The offset of each partition's first record at or after its timestamp, or at one of the ends.
///
/// Partitions whose leaders move are asked again until `limit` has passed; each then has its last
/// error. Those of topics that the metadata do not know have theirs once `patience` has passed.
pub(crate) async fn list_offsets(
    cluster: &Cluster,
    channel: &Channel,
    wanted: HashMap<TopicPartition, i64>,
    isolation: IsolationLevel,
    limit: Duration,
    patience: Duration,
) -> Listed {
    let started = Instant::now();
    let mut retry = Retry::new("listing offsets", limit, &cluster.config);
    let mut done = Listed::new();
    let mut open = wanted;
    let mut is_stale = false;
    loop {
        let mut failures: HashMap<TopicPartition, ClientError> = HashMap::new();
        if let Err(error) = ensure_leaders(cluster, channel, &open, is_stale, &retry).await {
            failures.extend(
                open.keys()
                    .map(|partition| (partition.clone(), error.clone())),
            );
        } else {
            let view = cluster.view();
            let mut nodes: HashMap<i32, Vec<(TopicPartition, i64)>> = HashMap::new();
            for (partition, timestamp) in &open {
                match view.leader(partition) {
                    Some(node) => {
                        nodes
                            .entry(node)
                            .or_default()
                            .push((partition.clone(), *timestamp));
                    }
                    None => {
                        failures.insert(partition.clone(), leaderless(&view, partition));
                    }
                }
            }
            let calls = nodes.into_iter().map(|(node, partitions)| {
                ask(channel, &view, node, partitions, isolation, &retry, cluster)
            });
            for (partition, result) in join_all(calls).await.into_iter().flatten() {
                match result {
                    Ok(found) => {
                        open.remove(&partition);
                        done.insert(partition, Ok(found));
                    }
                    Err(error) => {
                        failures.insert(partition, error);
                    }
                }
            }
        }
        let is_given_up = |error: &ClientError| {
            let is_missing = error.code() == Some(ErrorCode::UnknownTopicOrPartition);
            !error.is_retriable() || (is_missing && is_stale && started.elapsed() >= patience)
        };
        failures.retain(|partition, error| {
            if !is_given_up(error) {
                return true;
            }
            open.remove(partition);
            done.insert(partition.clone(), Err(error.clone()));
            false
        });
        let Some(error) = failures.values().find(|error| error.is_retriable()) else {
            return done;
        };
        if retry.pause(error.clone()).await.is_err() {
            for (partition, error) in failures {
                if open.remove(&partition).is_some() {
                    let error = retry.timed_out(Some(error));
                    done.insert(partition, Err(error));
                }
            }
            return done;
        }
        is_stale = true;
    }
}

async fn ensure_leaders(
    cluster: &Cluster,
    channel: &Channel,
    open: &HashMap<TopicPartition, i64>,
    is_stale: bool,
    retry: &Retry,
) -> Result<(), ClientError> {
    let view = cluster.view();
    let missing: HashSet<&Arc<str>> = open
        .keys()
        .filter(|partition| is_stale || view.leader(partition).is_none())
        .map(|partition| &partition.topic)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let topics: Vec<Arc<str>> = missing.into_iter().cloned().collect();
    cluster
        .refresh(channel, Topics::Named(&topics), false, retry.remaining())
        .await
        .map(|_| ())
}

fn leaderless(view: &ClusterView, partition: &TopicPartition) -> ClientError {
    let code = match view.partition(partition) {
        Some(_) => ErrorCode::LeaderNotAvailable,
        None => ErrorCode::UnknownTopicOrPartition,
    };
    ClientError::broker(format!("listing offsets of {partition}"), code)
}

async fn ask(
    channel: &Channel,
    view: &ClusterView,
    node: i32,
    partitions: Vec<(TopicPartition, i64)>,
    isolation: IsolationLevel,
    retry: &Retry,
    cluster: &Cluster,
) -> Vec<(
    TopicPartition,
    Result<Option<OffsetAndTimestamp>, ClientError>,
)> {
    let mut topics: HashMap<Arc<str>, Vec<ListOffsetsPartition>> = HashMap::new();
    for (partition, timestamp) in &partitions {
        let epoch = view
            .partition(partition)
            .map_or(-1, |partition| partition.leader_epoch);
        topics
            .entry(partition.topic.clone())
            .or_default()
            .push(ListOffsetsPartition {
                partition_index: partition.partition,
                current_leader_epoch: epoch,
                timestamp: *timestamp,
            });
    }
    let limit = retry.remaining().min(cluster.config.request_timeout);
    let request = ListOffsetsRequest {
        replica_id: -1,
        isolation_level: isolation.code(),
        topics: topics
            .into_iter()
            .map(|(name, partitions)| ListOffsetsTopic {
                name: name.to_string(),
                partitions,
            })
            .collect(),
        timeout_ms: i32::try_from(limit.as_millis()).unwrap_or(i32::MAX),
    };
    let mut version = 0;
    let call = channel.call(Target::Node(node), limit, i16::MAX, |picked| {
        version = picked;
        request
    });
    let response = match call.await {
        Ok(response) => response,
        Err(error) => {
            return partitions
                .into_iter()
                .map(|(p, _)| (p, Err(error.clone())))
                .collect();
        }
    };
    let mut answers: HashMap<(String, i32), ListOffsetsPartitionResponse> = HashMap::new();
    for topic in response.topics {
        for partition in topic.partitions {
            answers.insert((topic.name.clone(), partition.partition_index), partition);
        }
    }
    partitions
        .into_iter()
        .map(|(partition, timestamp)| {
            let answer = answers.remove(&(partition.topic.to_string(), partition.partition));
            let needed = version_of(timestamp);
            let result = match needed > version {
                true => Err(ClientError::UnsupportedVersion {
                    address: format!("node {node}"),
                    api: "ListOffsets".to_owned(),
                    wanted: format!("{needed} or later; {version} was the latest for both"),
                }),
                false => read(&partition, answer),
            };
            (partition, result)
        })
        .collect()
}

fn read(
    partition: &TopicPartition,
    answer: Option<ListOffsetsPartitionResponse>,
) -> Result<Option<OffsetAndTimestamp>, ClientError> {
    let operation = || format!("listing offsets of {partition}");
    let Some(answer) = answer else {
        let reason = "the response does not name it".to_owned();
        return Err(ClientError::Protocol {
            operation: operation(),
            reason,
        });
    };
    let code = ErrorCode::from_code(answer.error_code);
    if code != ErrorCode::None {
        return Err(ClientError::broker(operation(), code));
    }
    // No record is that young.
    if answer.offset < 0 {
        return Ok(None);
    }
    Ok(Some(OffsetAndTimestamp {
        offset: answer.offset,
        timestamp: Some(answer.timestamp).filter(|timestamp| *timestamp >= 0),
        leader_epoch: Some(answer.leader_epoch).filter(|epoch| *epoch >= 0),
    }))
}
