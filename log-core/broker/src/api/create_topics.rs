//! CreateTopics.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfigs, CreatableTopicResult,
    CreateTopicsRequest, CreateTopicsResponse,
};

use super::configs::topic_entries;
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::metadata::NewTopic;
use crate::node::Node;
use crate::topic_creation::TopicRefused;

pub(crate) struct CreateTopics;

impl Handler for CreateTopics {
    type Request = CreateTopicsRequest;

    fn start(
        node: &Arc<Node>,
        _context: &RequestContext,
        request: CreateTopicsRequest,
    ) -> Reply<CreateTopicsResponse> {
        let node = Arc::clone(node);
        Reply::later(async move { create_all(&node, request).await })
    }
}

async fn create_all(node: &Node, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let mut seen = HashSet::new();
    let mut doubled = HashSet::new();
    for topic in &request.topics {
        if !seen.insert(topic.name.clone()) {
            doubled.insert(topic.name.clone());
        }
    }
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        if doubled.contains(&topic.name) {
            // Named twice, it is answered once: clients key the answer by name.
            if seen.remove(&topic.name) {
                let refused = TopicRefused::new(
                    ErrorCode::InvalidRequest,
                    format!(
                        "topic {} is named more than once in the request",
                        topic.name
                    ),
                );
                topics.push(refusal(&topic.name, refused));
            }
            continue;
        }
        topics.push(match create(node, topic, request.validate_only).await {
            Ok(result) => result,
            Err(refused) => refusal(&topic.name, refused),
        });
    }
    CreateTopicsResponse {
        topics,
        ..Default::default()
    }
}

async fn create(
    node: &Node,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<CreatableTopicResult, TopicRefused> {
    let mut configs = BTreeMap::new();
    for config in &topic.configs {
        let Some(value) = &config.value else {
            return Err(TopicRefused::new(
                ErrorCode::InvalidConfig,
                format!("null value not supported for topic config {}", config.name),
            ));
        };
        configs.insert(config.name.clone(), value.clone());
    }
    let replicas = if topic.assignments.is_empty() {
        node.place_replicas(topic.num_partitions, topic.replication_factor)?
    } else {
        assigned(node, topic)?
    };
    let new = node.check_new_topic(&topic.name, replicas, configs)?;
    let result = created(node, &new, validate_only);
    if !validate_only {
        node.create_topic(new).await?;
    }
    Ok(result)
}

/// The replicas the request lays down itself.
fn assigned(node: &Node, topic: &CreatableTopic) -> Result<Vec<Vec<i32>>, TopicRefused> {
    let refuse = |reason: String| TopicRefused::new(ErrorCode::InvalidReplicaAssignment, reason);
    if topic.num_partitions != -1 || topic.replication_factor != -1 {
        return Err(TopicRefused::new(
            ErrorCode::InvalidRequest,
            "numbers of partitions and replicas are given by the assignment; set both to -1",
        ));
    }
    let mut ordered: Vec<&CreatableReplicaAssignment> = topic.assignments.iter().collect();
    ordered.sort_by_key(|assignment| assignment.partition_index);
    let mut replicas = Vec::with_capacity(ordered.len());
    for (expected, assignment) in (0_i32..).zip(ordered) {
        if assignment.partition_index != expected {
            return Err(refuse(format!(
                "partition {expected} has no assignment of its own"
            )));
        }
        node.check_replicas(&assignment.broker_ids)?;
        replicas.push(assignment.broker_ids.clone());
    }
    Ok(replicas)
}

fn created(node: &Node, topic: &NewTopic, validate_only: bool) -> CreatableTopicResult {
    let entries = topic_entries(&node.live, &topic.configs);
    let configs = entries.into_iter().map(|entry| CreatableTopicConfigs {
        name: entry.name.to_owned(),
        value: entry.value,
        read_only: entry.is_read_only,
        config_source: entry.source.code(),
        is_sensitive: false,
    });
    let replication = topic.replicas.first().map_or(0, Vec::len);
    CreatableTopicResult {
        name: topic.name.clone(),
        topic_id: if validate_only {
            uuid::Uuid::nil()
        } else {
            topic.id
        },
        num_partitions: i32::try_from(topic.replicas.len()).unwrap_or(i32::MAX),
        replication_factor: i16::try_from(replication).unwrap_or(i16::MAX),
        configs: Some(configs.collect()),
        error_message: None,
        ..Default::default()
    }
}

fn refusal(name: &str, refused: TopicRefused) -> CreatableTopicResult {
    CreatableTopicResult {
        name: name.to_owned(),
        error_code: refused.code.code(),
        error_message: Some(refused.message),
        configs: None,
        ..Default::default()
    }
}
