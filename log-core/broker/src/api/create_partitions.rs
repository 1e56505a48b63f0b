//! CreatePartitions (KIP-195).

use std::collections::HashSet;
use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
    CreatePartitionsTopicResult,
};

use super::configs::outcome;
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::internal_topics;
use crate::metadata::Command;
use crate::node::Node;
use crate::topic_creation::{PARTITIONS_MAX, TopicRefused};

pub(crate) struct CreatePartitions;

impl Handler for CreatePartitions {
    type Request = CreatePartitionsRequest;

    fn start(
        node: &Arc<Node>,
        _context: &RequestContext,
        request: CreatePartitionsRequest,
    ) -> Reply<CreatePartitionsResponse> {
        let node = Arc::clone(node);
        Reply::later(async move {
            let mut seen = HashSet::new();
            let names = request.topics.iter().map(|topic| topic.name.clone());
            let doubled: HashSet<String> =
                names.filter(|name| !seen.insert(name.clone())).collect();
            let mut results = Vec::with_capacity(request.topics.len());
            for topic in request.topics {
                // Named more than once, it is answered once: clients key the answer by name.
                if !seen.remove(&topic.name) {
                    continue;
                }
                let grown = if request.timeout_ms <= 0 {
                    Err(TopicRefused::timed_out())
                } else if doubled.contains(&topic.name) {
                    let message = "the topic is named more than once in the request";
                    Err(TopicRefused::new(ErrorCode::InvalidRequest, message))
                } else {
                    grow(&node, &topic, request.validate_only).await
                };
                let (error_code, error_message) = outcome(grown);
                results.push(CreatePartitionsTopicResult {
                    name: topic.name,
                    error_code,
                    error_message,
                });
            }
            CreatePartitionsResponse {
                results,
                ..Default::default()
            }
        })
    }
}

async fn grow(
    node: &Node,
    topic: &CreatePartitionsTopic,
    validate_only: bool,
) -> Result<(), TopicRefused> {
    let name = &topic.name;
    let id = node.topic_id(name)?;
    if internal_topics::is_internal(name) {
        // Which partition a group or a transaction lives in follows from their number.
        let message = format!("topic {name} is internal and keeps its number of partitions");
        return Err(TopicRefused::new(ErrorCode::InvalidPartitions, message));
    }
    let topics = node.topics.load();
    let Some(found) = topics.by_id(id) else {
        let message = format!("topic {name} does not exist");
        return Err(TopicRefused::new(
            ErrorCode::UnknownTopicOrPartition,
            message,
        ));
    };
    let expected = found.image.partition_count();
    if topic.count <= expected {
        let message = if topic.count == expected {
            format!("topic {name} already has {expected} partitions")
        } else {
            format!(
                "topic {name} has {expected} partitions, which cannot become {}",
                topic.count
            )
        };
        return Err(TopicRefused::new(ErrorCode::InvalidPartitions, message));
    }
    let added = topic.count - expected;
    let replicas = match &topic.assignments {
        Some(given) => {
            if i32::try_from(given.len()) != Ok(added) {
                let message = format!("{added} partitions are added but {} assigned", given.len());
                return Err(TopicRefused::new(
                    ErrorCode::InvalidReplicaAssignment,
                    message,
                ));
            }
            for assignment in given {
                node.check_replicas(&assignment.broker_ids)?;
            }
            given
                .iter()
                .map(|assignment| assignment.broker_ids.clone())
                .collect()
        }
        None => {
            let copies = found
                .image
                .partitions
                .first()
                .map_or(1, |p| p.replicas.len());
            node.place_replicas(added, i16::try_from(copies).unwrap_or(i16::MAX))?
        }
    };
    if replicas.len() > PARTITIONS_MAX {
        return Err(TopicRefused::too_many_partitions());
    }
    if validate_only {
        return Ok(());
    }
    node.change_metadata(Command::AddPartitions {
        id,
        expected,
        replicas,
    })
    .await
    .map(drop)
}
