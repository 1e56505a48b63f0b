//! CreateTopics.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfigs, CreatableTopicResult,
    CreateTopicsRequest, CreateTopicsResponse,
};

use super::configs::topic_entries;
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::internal_topics;
use crate::metadata::NewTopic;
use crate::node::Node;
use crate::topic_creation::{PARTITIONS_MAX, TopicRefused};

pub(crate) struct CreateTopics;

/// Where KRaft keeps metadata. Nobody may take the name for something else.
const CLUSTER_METADATA: &str = "__cluster_metadata";

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
    let mut topics = Vec::with_capacity(request.topics.len());
    let (once, doubled) = by_name(&request.topics);
    let refused = if request.timeout_ms <= 0 {
        Some(TopicRefused::timed_out())
    } else if partitions(node, &once) > PARTITIONS_MAX {
        Some(TopicRefused::too_many_partitions())
    } else {
        None
    };
    for topic in once {
        let created = match &refused {
            Some(refused) => Err(refused.clone()),
            None => create(node, topic, request.validate_only).await,
        };
        topics.push(created.unwrap_or_else(|refused| refusal(&topic.name, refused)));
    }
    // Named more than once, it is answered once: clients key the answer by name.
    for name in doubled {
        let message = format!("topic {name} is named more than once in the request");
        let refused = TopicRefused::new(ErrorCode::InvalidRequest, message);
        topics.push(refusal(name, refused));
    }
    CreateTopicsResponse {
        topics,
        ..Default::default()
    }
}

/// The topics that are named once, and the names that more have.
fn by_name(topics: &[CreatableTopic]) -> (Vec<&CreatableTopic>, BTreeSet<&str>) {
    let mut seen = HashSet::new();
    let names = topics.iter().map(|topic| topic.name.as_str());
    let doubled: BTreeSet<&str> = names.filter(|name| !seen.insert(*name)).collect();
    let once = topics
        .iter()
        .filter(|topic| !doubled.contains(topic.name.as_str()));
    (once.collect(), doubled)
}

/// How many partitions the topics have together.
fn partitions(node: &Node, topics: &[&CreatableTopic]) -> usize {
    let of_topic = |topic: &&CreatableTopic| match (topic.assignments.len(), topic.num_partitions) {
        (0, -1) => node.config.settings.num_partitions.unsigned_abs() as usize,
        (0, count) => usize::try_from(count).unwrap_or(0),
        (assigned, _) => assigned,
    };
    topics.iter().map(of_topic).fold(0, usize::saturating_add)
}

async fn create(
    node: &Node,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<CreatableTopicResult, TopicRefused> {
    if topic.name == CLUSTER_METADATA {
        let message = format!("topic {CLUSTER_METADATA} is the quorum's own");
        return Err(TopicRefused::new(ErrorCode::InvalidRequest, message));
    }
    let _one_at_a_time = node.changing_configs.lock().await;
    // In Kafka's order: of several faults the first is told.
    node.check_name_is_free(&topic.name)?;
    let mut configs = BTreeMap::new();
    if internal_topics::is_internal(&topic.name) {
        // Groups and transactions are kept in it whoever creates it.
        configs = node.internal_topic_configs(&topic.name);
    }
    for config in &topic.configs {
        let Some(value) = &config.value else {
            return Err(TopicRefused::new(
                ErrorCode::InvalidConfig,
                format!("null value not supported for topic config {}", config.name),
            ));
        };
        configs.insert(config.name.clone(), value.clone());
    }
    node.check_topic_configs(&topic.name, &configs)?;
    let replicas = if topic.assignments.is_empty() {
        node.place_replicas(topic.num_partitions, topic.replication_factor)?
    } else {
        assigned(node, topic)?
    };
    let new = node.new_topic(&topic.name, replicas, configs);
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
        // As it was given; DescribeConfigs says how it is read.
        value: topic.configs.get(entry.name).cloned().or(entry.value),
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
        configs: Some(Vec::new()),
        ..Default::default()
    }
}
