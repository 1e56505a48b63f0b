//! OffsetDelete: positions of a group are forgotten (KIP-496).

use std::sync::Arc;

use headwater_coordination::groups::{Request, Response};
use headwater_wire::ErrorCode;
use headwater_wire::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestTopic, OffsetDeleteResponse,
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};

use super::coordinated::{has_partition, own_kind, places, to_group};
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;
use crate::topics::TopicMap;

pub(crate) struct OffsetDelete;

impl Handler for OffsetDelete {
    type Request = OffsetDeleteRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        mut request: OffsetDeleteRequest,
    ) -> Reply<OffsetDeleteResponse> {
        let topics = node.topics.load();
        let mut refused = Vec::new();
        request
            .topics
            .retain_mut(|topic| keep_known(&topics, topic, &mut refused));
        let group_id = request.group_id.clone();
        let answer = to_group(node, context, &group_id, Request::OffsetDelete(request));
        Reply::later(async {
            let mut response = own_kind(match answer.await {
                Response::OffsetDelete(response) => Some(response),
                _ => None,
            });
            if response.error_code == 0 {
                merge(&mut response.topics, refused);
            }
            response
        })
    }
}

/// Keeps the partitions that there are; the others are answered in `refused`.
fn keep_known(
    topics: &TopicMap,
    topic: &mut OffsetDeleteRequestTopic,
    refused: &mut Vec<OffsetDeleteResponseTopic>,
) -> bool {
    let mut unknown = Vec::new();
    topic.partitions.retain(|partition| {
        let partition_index = partition.partition_index;
        let is_known = has_partition(topics, &topic.name, partition_index);
        if !is_known {
            unknown.push(OffsetDeleteResponsePartition {
                partition_index,
                error_code: ErrorCode::UnknownTopicOrPartition.code(),
            });
        }
        is_known
    });
    if !unknown.is_empty() {
        refused.push(OffsetDeleteResponseTopic {
            name: topic.name.clone(),
            partitions: unknown,
        });
    }
    !topic.partitions.is_empty()
}

/// One entry for each topic, as clients look them up by name.
fn merge(topics: &mut Vec<OffsetDeleteResponseTopic>, refused: Vec<OffsetDeleteResponseTopic>) {
    let mut places = places(topics.iter().map(|topic| &topic.name));
    for topic in refused {
        let place = *places.entry(topic.name.clone()).or_insert(topics.len());
        match topics.get_mut(place) {
            Some(other) => other.partitions.extend(topic.partitions),
            None => topics.push(topic),
        }
    }
}
