//! OffsetCommit: positions of a group.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_coordination::groups::{Request, Response};
use headwater_wire::ErrorCode;
use headwater_wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestTopic, OffsetCommitResponse,
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use uuid::Uuid;

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
    let mut places = HashMap::with_capacity(topics.len());
    for (place, topic) in topics.iter().enumerate() {
        places.entry(named(topic)).or_insert(place);
    }
    for topic in answered {
        // A topic that was named by its name is answered with its id too.
        let by_id = places.get(&(topic.topic_id, None));
        let by_name = || places.get(&(Uuid::nil(), Some(topic.name.clone())));
        let place = by_id.or_else(by_name).copied();
        match place.and_then(|place| topics.get_mut(place)) {
            Some(other) => other.partitions.extend(topic.partitions),
            None => {
                places.insert(named(&topic), topics.len());
                topics.push(topic);
            }
        }
    }
    topics
}

/// By what the topic is looked up: its id, or its name if it has none.
fn named(topic: &OffsetCommitResponseTopic) -> (Uuid, Option<String>) {
    let name = topic.topic_id.is_nil().then(|| topic.name.clone());
    (topic.topic_id, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_topic_stands_in_one_place() {
        let topic = |id: u128, name: &str, partition_index| OffsetCommitResponseTopic {
            topic_id: Uuid::from_u128(id),
            name: name.to_owned(),
            partitions: vec![OffsetCommitResponsePartition {
                partition_index,
                error_code: 0,
            }],
        };
        let refused = vec![topic(0, "a", 9), topic(2, "b", 9)];
        let answered = vec![
            topic(1, "a", 0),
            topic(2, "b", 1),
            topic(3, "c", 2),
            topic(3, "c", 3),
        ];
        let merged: Vec<_> = merge(refused, answered)
            .iter()
            .map(|topic| {
                let partitions = topic.partitions.iter();
                let indexes: Vec<_> = partitions.map(|it| it.partition_index).collect();
                (topic.name.clone(), indexes)
            })
            .collect();
        let expected = [("a", vec![9, 0]), ("b", vec![9, 1]), ("c", vec![2, 3])];
        assert_eq!(merged, expected.map(|(name, it)| (name.to_owned(), it)));
    }
}
