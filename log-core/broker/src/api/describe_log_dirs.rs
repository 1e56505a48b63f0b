//! DescribeLogDirs: how much room the logs take, and how much there is (KIP-113, KIP-827).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::FutureExt;
use headwater_wire::ErrorCode;
use headwater_wire::messages::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsRequest,
    DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};

use super::{Answer, Handler, Reply, measured};
use crate::context::RequestContext;
use crate::node::Node;
use crate::topics::Topic;

pub(crate) struct DescribeLogDirs;

/// What a topic takes in memory and on the wire, without its name and its partitions.
const TOPIC_BYTES: usize = 100;
/// What a partition takes.
const PARTITION_BYTES: usize = 64;

impl Handler for DescribeLogDirs {
    type Request = DescribeLogDirsRequest;

    fn start(
        node: &Arc<Node>,
        _context: &RequestContext,
        request: DescribeLogDirsRequest,
    ) -> Reply<DescribeLogDirsResponse> {
        // The file system may take its time to tell how much room it has.
        let answer = measured::answer(Arc::clone(node), request.topics, measure, describe);
        let response = |result| DescribeLogDirsResponse {
            results: vec![result],
            ..Default::default()
        };
        let failed = || {
            Answer::from(DescribeLogDirsResponse {
                error_code: ErrorCode::UnknownServerError.code(),
                ..Default::default()
            })
        };
        let answer = answer.map(move |made| made.map_or_else(failed, |made| made.map(response)));
        Reply::Later(answer.boxed())
    }
}

/// Bytes that the answer takes: that about all there is, whatever part of it is wanted.
fn measure(node: &Node, _wanted: &Option<Vec<DescribableLogDirTopic>>) -> usize {
    let all = node.topics.load();
    let of_topic = |topic: &Arc<Topic>| {
        TOPIC_BYTES + 2 * topic.image.name.len() + topic.logs.len() * PARTITION_BYTES
    };
    all.in_name_order().map(of_topic).sum()
}

fn describe(node: &Node, wanted: Option<Vec<DescribableLogDirTopic>>) -> DescribeLogDirsResult {
    let all = node.topics.load();
    let log_dir = node.log_dir();
    let topics = match wanted {
        None => all
            .in_name_order()
            .filter_map(|topic| partitions(topic, |_| true))
            .collect(),
        Some(wanted) => {
            let mut by_name: HashMap<&str, HashSet<i32>> = HashMap::new();
            for topic in &wanted {
                let partitions = by_name.entry(&topic.topic).or_default();
                partitions.extend(&topic.partitions);
            }
            all.in_name_order()
                .filter_map(|topic| {
                    let wanted = by_name.get(topic.image.name.as_str())?;
                    partitions(topic, |partition| wanted.contains(&partition))
                })
                .collect()
        }
    };
    match node.storage.space() {
        Ok(space) => DescribeLogDirsResult {
            log_dir,
            topics,
            total_bytes: i64::try_from(space.total).unwrap_or(i64::MAX),
            usable_bytes: i64::try_from(space.available).unwrap_or(i64::MAX),
            ..Default::default()
        },
        Err(error) => {
            tracing::error!(%error, "the data directory cannot be asked for its room");
            DescribeLogDirsResult {
                error_code: ErrorCode::KafkaStorageError.code(),
                log_dir,
                ..Default::default()
            }
        }
    }
}

/// The wanted partitions of a topic, if there are any. Nothing lags, for there is one replica.
fn partitions(topic: &Topic, is_wanted: impl Fn(i32) -> bool) -> Option<DescribeLogDirsTopic> {
    let logs = (0_i32..).zip(&topic.logs);
    let partitions: Vec<_> = logs
        .filter(|(index, _)| is_wanted(*index))
        .map(|(index, log)| DescribeLogDirsPartition {
            partition_index: index,
            partition_size: i64::try_from(log.size_in_bytes()).unwrap_or(i64::MAX),
            offset_lag: 0,
            is_future_key: false,
        })
        .collect();
    (!partitions.is_empty()).then(|| DescribeLogDirsTopic {
        name: topic.image.name.clone(),
        partitions,
    })
}
