//! OffsetCommit: positions of a group.

use std::sync::Arc;

use headwater_coordination::groups::{Request, Response};
use headwater_wire::ErrorCode;
use headwater_wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestTopic, OffsetCommitResponse,
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};

use super::coordinated::{has_partition, own_kind, to_group, topic_name};
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;
use crate::topics::TopicMap;

pub(crate) struct OffsetCommit;

impl Handler for OffsetCommit {
    type Request = OffsetCommitRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        mut request: OffsetCommitRequest,
    ) -> Reply<OffsetCommitResponse> {
        let topics = node.topics.load();
        let mut refused = Vec::new();
        let mut known = Vec::with_capacity(request.topics.len());
        for topic in request.topics {
            known.extend(keep_known(&topics, topic, &mut refused));
        }
        if known.is_empty() && !refused.is_empty() {
            return Reply::Now(OffsetCommitResponse {
                topics: refused,
                ..Default::default()
            });
        }
        request.topics = known;
        let group_id = request.group_id.clone();
        let answer = to_group(node, context, &group_id, Request::OffsetCommit(request));
        Reply::later(async {
            let mut response = own_kind(match answer.await {
                Response::OffsetCommit(response) => Some(response),
                _ => None,
            });
            response.topics = merge(refused, response.topics);
            response
        })
    }
}

/// What of the topic exists, with its name; the rest is answered in `refused`.
fn keep_known(
    topics: &TopicMap,
    mut topic: OffsetCommitRequestTopic,
    refused: &mut Vec<OffsetCommitResponseTopic>,
) -> Option<OffsetCommitRequestTopic> {
    let name = topic_name(topics, topic.topic_id, &topic.name);
    let code = name
        .as_ref()
        .err()
        .copied()
        .unwrap_or(ErrorCode::UnknownTopicOrPartition);
    let is_known = |partition: i32| {
        name.as_ref()
            .is_ok_and(|name| has_partition(topics, name, partition))
    };
    let (known, unknown): (Vec<_>, Vec<_>) = topic
        .partitions
        .into_iter()
        .partition(|partition| is_known(partition.partition_index));
    if !unknown.is_empty() {
        let partitions = unknown
            .iter()
            .map(|partition| OffsetCommitResponsePartition {
                partition_index: partition.partition_index,
                error_code: code.code(),
            })
            .collect();
        let (name, topic_id) = (topic.name.clone(), topic.topic_id);
        refused.push(OffsetCommitResponseTopic {
            name,
            topic_id,
            partitions,
        });
    }
    topic.partitions = known;
    topic.name = name.ok()?;
    // Offsets are written with the id, so that they do not pass for those of a later topic of the
    // same name.
    if let Some(found) = topics.by_name(&topic.name) {
        topic.topic_id = found.image.id;
    }
    (!topic.partitions.is_empty()).then_some(topic)
}

/// One entry for each topic, as clients look them up by id or name.
fn merge(
    refused: Vec<OffsetCommitResponseTopic>,
    answered: Vec<OffsetCommitResponseTopic>,
) -> Vec<OffsetCommitResponseTopic> {
    let mut topics = refused;
    for topic in answered {
        let is_same = |other: &&mut OffsetCommitResponseTopic| {
            if other.topic_id.is_nil() {
                other.name == topic.name
            } else {
                other.topic_id == topic.topic_id
            }
        };
        match topics.iter_mut().find(is_same) {
            Some(other) => other.partitions.extend(topic.partitions),
            None => topics.push(topic),
        }
    }
    topics
}
