//! OffsetFetch: positions of groups.

use std::sync::Arc;

use headwater_coordination::groups::{Request, Response};
use headwater_wire::ErrorCode;
use headwater_wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse, OffsetFetchResponseGroup,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};

use super::coordinated::{by_partition, collect, own_kind, to_group};
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;
use crate::topics::TopicMap;

pub(crate) struct OffsetFetch;

/// From this version on the request names groups in a list.
const BATCHED_FROM: i16 = 8;
/// From this version on topics are named by id.
const TOPIC_IDS_FROM: i16 = 10;

impl Handler for OffsetFetch {
    type Request = OffsetFetchRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: OffsetFetchRequest,
    ) -> Reply<OffsetFetchResponse> {
        if context.version >= BATCHED_FROM {
            return fetch_groups(node, context, request);
        }
        let group_id = request.group_id.clone();
        let answer = to_group(node, context, &group_id, Request::OffsetFetch(request));
        Reply::later(async {
            own_kind(match answer.await {
                Response::OffsetFetch(response) => Some(response),
                _ => None,
            })
        })
    }
}

fn fetch_groups(
    node: &Arc<Node>,
    context: &RequestContext,
    request: OffsetFetchRequest,
) -> Reply<OffsetFetchResponse> {
    let uses_ids = context.version >= TOPIC_IDS_FROM;
    let topics = node.topics.load();
    let mut unknown = Vec::new();
    let mut groups = request.groups;
    if uses_ids {
        for group in &mut groups {
            name_topics(&topics, group, &mut unknown);
        }
    }
    let answers = by_partition(node, groups, |group| &group.group_id)
        .into_iter()
        .map(|(key, groups)| {
            let part = OffsetFetchRequest {
                groups,
                require_stable: request.require_stable,
                ..Default::default()
            };
            to_group(node, context, &key, Request::OffsetFetch(part))
        })
        .collect();
    Reply::later(async move {
        let mut groups: Vec<OffsetFetchResponseGroup> = collect(answers, |answer| match answer {
            Response::OffsetFetch(response) => Some(response.groups),
            _ => None,
        })
        .await;
        if uses_ids {
            for group in &mut groups {
                identify_topics(&topics, group);
                for (group_id, topic) in &unknown {
                    if *group_id == group.group_id && group.error_code == 0 {
                        group.topics.push(OffsetFetchResponseTopics::clone(topic));
                    }
                }
            }
        }
        OffsetFetchResponse {
            groups,
            ..Default::default()
        }
    })
}

/// Finds the names of topics that are named by id; those that do not exist go to `unknown`.
fn name_topics(
    topics: &TopicMap,
    group: &mut OffsetFetchRequestGroup,
    unknown: &mut Vec<(String, OffsetFetchResponseTopics)>,
) {
    let Some(wanted) = &mut group.topics else {
        return;
    };
    wanted.retain_mut(|wanted| match topics.by_id(wanted.topic_id) {
        Some(topic) => {
            wanted.name.clone_from(&topic.image.name);
            true
        }
        None => {
            let partitions = wanted
                .partition_indexes
                .iter()
                .map(|index| OffsetFetchResponsePartitions {
                    partition_index: *index,
                    committed_offset: -1,
                    metadata: Some(String::new()),
                    error_code: ErrorCode::UnknownTopicId.code(),
                    ..Default::default()
                })
                .collect();
            let topic = OffsetFetchResponseTopics {
                topic_id: wanted.topic_id,
                partitions,
                ..Default::default()
            };
            unknown.push((group.group_id.clone(), topic));
            false
        }
    });
}

/// Gives topics that were asked for all together the ids they are named by. Offsets of topics that
/// do not exist any more cannot be named.
fn identify_topics(topics: &TopicMap, group: &mut OffsetFetchResponseGroup) {
    group
        .topics
        .retain_mut(|found| match topics.by_name(&found.name) {
            Some(topic) => {
                found.topic_id = topic.image.id;
                true
            }
            None => false,
        });
}
