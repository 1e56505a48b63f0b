//! Log directories: what is in them, and replicas moved between them.

use std::collections::{BTreeMap, HashMap};

use futures::future::join_all;
use headwater_wire::messages::alter_replica_log_dirs::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
};
use headwater_wire::messages::describe_log_dirs::{
    DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeLogDirsResult,
};

use super::Admin;
use super::drive::{Results, by_topic, checked, settled, unanswered};
use crate::TopicPartition;
use crate::error::ClientError;
use crate::transport::Target;

/// A directory of a node that holds logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDirDescription {
    /// Its path on the node.
    pub path: String,
    /// Bytes of its file system; `None` if not told (KIP-827).
    pub total_bytes: Option<i64>,
    /// Bytes of it that are free; `None` if not told (KIP-827).
    pub usable_bytes: Option<i64>,
    /// Whether no new partitions are put there (KIP-1066).
    pub is_cordoned: bool,
    /// The replicas in it.
    pub replicas: BTreeMap<TopicPartition, ReplicaInfo>,
}

/// A replica in a log directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaInfo {
    /// Bytes of its segments.
    pub size: i64,
    /// How far it is behind: of the high watermark, or of the present replica if it is to replace
    /// that one.
    pub offset_lag: i64,
    /// Whether it is to replace the present replica once it has caught up.
    pub is_future: bool,
}

impl Admin {
    /// The log directories of these nodes, with their replicas of `partitions`, or all. A directory
    /// that is offline is its node's error.
    ///
    /// # Errors
    /// If nothing could be asked; each node has its own result.
    pub async fn describe_log_dirs(
        &self,
        nodes: &[i32],
        partitions: Option<&[TopicPartition]>,
    ) -> Result<HashMap<i32, Result<Vec<LogDirDescription>, ClientError>>, ClientError> {
        let calls = nodes.iter().map(|node| async move {
            let mut retry = self.retry(describing(*node));
            let build = |_| DescribeLogDirsRequest {
                topics: partitions.map(|partitions| {
                    let topics = by_topic(partitions).into_iter();
                    let topics = topics.map(|(topic, partitions)| {
                        headwater_wire::messages::describe_log_dirs::DescribableLogDirTopic {
                            topic,
                            partitions,
                        }
                    });
                    topics.collect()
                }),
            };
            let response = self.ask_known(Target::Node(*node), &mut retry, build).await;
            (*node, response.and_then(|response| read(*node, response)))
        });
        settled(join_all(calls).await.into_iter().collect())
    }

    /// Moves replicas of a node to other directories of it (KIP-113): each partition to the path
    /// beside it. Returns once the moves have begun. Each partition has its own result.
    ///
    /// # Errors
    /// A timeout, or what the transport fails with.
    pub async fn alter_replica_log_dirs(
        &self,
        node: i32,
        moves: &HashMap<TopicPartition, String>,
    ) -> Result<HashMap<TopicPartition, Result<(), ClientError>>, ClientError> {
        let mut retry = self.retry(format!("moving replicas of node {node}"));
        let mut dirs: BTreeMap<&String, Vec<&TopicPartition>> = BTreeMap::new();
        for (partition, path) in moves {
            dirs.entry(path).or_default().push(partition);
        }
        let build = |_| AlterReplicaLogDirsRequest {
            dirs: dirs
                .iter()
                .map(|(path, partitions)| AlterReplicaLogDir {
                    path: (*path).clone(),
                    topics: by_topic(partitions.iter().copied())
                        .into_iter()
                        .map(|(name, partitions)| AlterReplicaLogDirTopic { name, partitions })
                        .collect(),
                })
                .collect(),
        };
        let response = self
            .ask_known(Target::Node(node), &mut retry, build)
            .await?;
        let mut results = Results::new();
        for topic in response.results {
            let name: std::sync::Arc<str> = topic.topic_name.into();
            for answer in topic.partitions {
                let at = TopicPartition::new(name.clone(), answer.partition_index);
                let moved = checked(answer.error_code, None, || moving(node, &at));
                results.insert(at, moved);
            }
        }
        for partition in moves.keys() {
            results
                .entry(partition.clone())
                .or_insert_with(|| Err(unanswered(moving(node, partition))));
        }
        Ok(results)
    }
}

fn describing(node: i32) -> String {
    format!("describing the log directories of node {node}")
}

fn moving(node: i32, partition: &TopicPartition) -> String {
    format!("moving the replica of {partition} on node {node}")
}

fn read(
    node: i32,
    response: DescribeLogDirsResponse,
) -> Result<Vec<LogDirDescription>, ClientError> {
    checked(response.error_code, None, || describing(node))?;
    response
        .results
        .into_iter()
        .map(|dir| {
            let offline = || format!("describing log directory {} of node {node}", dir.log_dir);
            checked(dir.error_code, None, offline)?;
            Ok(log_dir(dir))
        })
        .collect()
}

fn log_dir(dir: DescribeLogDirsResult) -> LogDirDescription {
    let known = |bytes: i64| Some(bytes).filter(|bytes| *bytes >= 0);
    let mut replicas = BTreeMap::new();
    for topic in dir.topics {
        let name: std::sync::Arc<str> = topic.name.into();
        for partition in topic.partitions {
            let replica = ReplicaInfo {
                size: partition.partition_size,
                offset_lag: partition.offset_lag,
                is_future: partition.is_future_key,
            };
            let at = TopicPartition::new(name.clone(), partition.partition_index);
            replicas.insert(at, replica);
        }
    }
    LogDirDescription {
        path: dir.log_dir,
        total_bytes: known(dir.total_bytes),
        usable_bytes: known(dir.usable_bytes),
        is_cordoned: dir.is_cordoned,
        replicas,
    }
}
