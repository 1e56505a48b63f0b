//! DescribeTopicPartitions: topics page by page (KIP-966).

use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic, TopicRequest,
};

use super::{Handler, Reply, authorized_operations};
use crate::context::RequestContext;
use crate::internal_topics;
use crate::node::Node;
use crate::topics::{Topic, TopicMap};

pub(crate) struct DescribeTopicPartitions;

impl Handler for DescribeTopicPartitions {
    type Request = DescribeTopicPartitionsRequest;

    fn start(
        node: &Arc<Node>,
        _context: &RequestContext,
        request: DescribeTopicPartitionsRequest,
    ) -> Reply<DescribeTopicPartitionsResponse> {
        if let Some(cursor) = &request.cursor
            && !is_sound(cursor, &request.topics)
        {
            return Reply::Now(refused(request.topics));
        }
        let limit = node.config.settings.request_partition_limit;
        Reply::Now(page(&node.topics.load(), request, limit))
    }
}

/// Whether a request for `topics` can go on from `cursor`.
fn is_sound(cursor: &Cursor, topics: &[TopicRequest]) -> bool {
    let is_asked_for = |topic: &TopicRequest| topic.name == cursor.topic_name;
    cursor.partition_index >= 0 && (topics.is_empty() || topics.iter().any(is_asked_for))
}

fn refused(topics: Vec<TopicRequest>) -> DescribeTopicPartitionsResponse {
    let topics = topics
        .into_iter()
        .map(|topic| DescribeTopicPartitionsResponseTopic {
            error_code: ErrorCode::InvalidRequest.code(),
            name: Some(topic.name),
            ..Default::default()
        });
    DescribeTopicPartitionsResponse {
        topics: topics.collect(),
        ..Default::default()
    }
}

fn page(
    topics: &TopicMap,
    request: DescribeTopicPartitionsRequest,
    limit: i32,
) -> DescribeTopicPartitionsResponse {
    let mut names: Vec<String> = if request.topics.is_empty() {
        topics
            .in_name_order()
            .map(|topic| topic.image.name.clone())
            .collect()
    } else {
        request.topics.into_iter().map(|topic| topic.name).collect()
    };
    names.sort_unstable();
    names.dedup();
    let (from_topic, from_partition) = match &request.cursor {
        Some(cursor) => (cursor.topic_name.as_str(), cursor.partition_index),
        None => ("", 0),
    };
    let mut left = request.response_partition_limit.min(limit).max(1);
    let mut response = DescribeTopicPartitionsResponse::default();
    for name in names.iter().filter(|name| name.as_str() >= from_topic) {
        let first = if name == from_topic {
            from_partition
        } else {
            0
        };
        if left == 0 {
            response.next_cursor = Some(cursor(name, 0));
            break;
        }
        let Some(topic) = topics.by_name(name) else {
            response.topics.push(absent(name));
            continue;
        };
        let count = topic.image.partition_count();
        let upto = count.min(first.saturating_add(left));
        response.topics.push(describe(topic, first, upto));
        left -= (upto - first).max(0);
        if upto < count {
            response.next_cursor = Some(cursor(name, upto));
            break;
        }
    }
    response
}

fn cursor(topic: &str, partition_index: i32) -> Cursor {
    Cursor {
        topic_name: topic.to_owned(),
        partition_index,
    }
}

fn absent(name: &str) -> DescribeTopicPartitionsResponseTopic {
    let code = match crate::topic_creation::check_name(name) {
        Ok(()) => ErrorCode::UnknownTopicOrPartition,
        Err(refused) => refused.code,
    };
    DescribeTopicPartitionsResponseTopic {
        error_code: code.code(),
        name: Some(name.to_owned()),
        topic_authorized_operations: authorized_operations::TOPIC,
        ..Default::default()
    }
}

fn describe(topic: &Topic, from: i32, upto: i32) -> DescribeTopicPartitionsResponseTopic {
    let partitions = (0_i32..)
        .zip(&topic.image.partitions)
        .filter(|(index, _)| (from..upto).contains(index))
        .map(
            |(index, partition)| DescribeTopicPartitionsResponsePartition {
                partition_index: index,
                leader_id: partition.leader,
                leader_epoch: partition.leader_epoch,
                replica_nodes: partition.replicas.clone(),
                isr_nodes: partition.isr.clone(),
                eligible_leader_replicas: Some(Vec::new()),
                last_known_elr: Some(Vec::new()),
                ..Default::default()
            },
        );
    DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode::None.code(),
        name: Some(topic.image.name.clone()),
        topic_id: topic.image.id,
        is_internal: internal_topics::is_internal(&topic.image.name),
        partitions: partitions.collect(),
        topic_authorized_operations: authorized_operations::TOPIC,
    }
}
