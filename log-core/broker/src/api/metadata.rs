//! Metadata: brokers and topics; creates topics that are asked for and not there, if it may.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};
use uuid::Uuid;

use super::{Handler, Reply, authorized_operations};
use crate::context::RequestContext;
use crate::internal_topics;
use crate::metadata::{ClusterImage, PartitionImage};
use crate::node::Node;
use crate::topic_creation::TopicRefused;
use crate::topics::{Topic, TopicMap};

pub(crate) struct Metadata;

impl Handler for Metadata {
    type Request = MetadataRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: MetadataRequest,
    ) -> Reply<MetadataResponse> {
        let topics = node.topics.load();
        let told = Told::to(&request);
        let wanted = match request.topics {
            // Version 0 has no null: there an empty list asks for everything.
            Some(list) if !(list.is_empty() && context.version == 0) => list,
            _ => return Reply::Now(told.add(everything(node, &topics))),
        };
        if wanted.iter().any(|topic| !is_sound(topic, context.version)) {
            return Reply::Now(refused(wanted, context.version));
        }
        let wanted = once(wanted);
        let missing = request.allow_auto_topic_creation
            && node.config.settings.auto_create_topics
            && wanted.iter().any(|topic| is_missing(&topics, topic));
        if !missing {
            let response = answer(node, &topics, &wanted, &BTreeMap::new());
            return Reply::Now(told.add(response));
        }
        let node = Arc::clone(node);
        Reply::later(async move {
            let refused = create_missing(&node, &wanted).await;
            told.add(answer(&node, &node.topics.load(), &wanted, &refused))
        })
    }
}

/// Which authorized operations the client wants to be told.
struct Told {
    of_cluster: bool,
    of_topics: bool,
}

impl Told {
    fn to(request: &MetadataRequest) -> Self {
        Self {
            of_cluster: request.include_cluster_authorized_operations,
            of_topics: request.include_topic_authorized_operations,
        }
    }

    fn add(&self, mut response: MetadataResponse) -> MetadataResponse {
        if self.of_cluster {
            response.cluster_authorized_operations = authorized_operations::CLUSTER;
        }
        if self.of_topics {
            // Of a topic that is not there it is told as well what may be done with its name.
            let named = response
                .topics
                .iter_mut()
                .filter(|topic| topic.name.is_some());
            named.for_each(|topic| {
                topic.topic_authorized_operations = authorized_operations::TOPIC;
            });
        }
        response
    }
}

/// First version whose requests name topics by id as they please.
const IDS_FROM: i16 = 12;

/// Whether a request of `version` may name a topic like this. The two versions before had a place
/// for ids, but not every broker knew what to do with them.
fn is_sound(topic: &MetadataRequestTopic, version: i16) -> bool {
    if version < IDS_FROM {
        topic.topic_id.is_nil() && topic.name.is_some()
    } else {
        !topic.topic_id.is_nil() || topic.name.is_some()
    }
}

/// The answer to a request that makes no sense: no cluster, and the error for each topic.
fn refused(wanted: Vec<MetadataRequestTopic>, version: i16) -> MetadataResponse {
    let error = ErrorCode::InvalidRequest;
    let topics = wanted.into_iter().map(|topic| MetadataResponseTopic {
        error_code: error.code(),
        name: Some(topic.name.unwrap_or_default()),
        topic_id: topic.topic_id,
        ..Default::default()
    });
    MetadataResponse {
        topics: topics.collect(),
        error_code: if version >= ERROR_FROM {
            error.code()
        } else {
            0
        },
        ..Default::default()
    }
}

/// First version with an error for the request as a whole.
const ERROR_FROM: i16 = 13;

/// Topics that are named twice, once.
fn once(mut wanted: Vec<MetadataRequestTopic>) -> Vec<MetadataRequestTopic> {
    let mut seen = HashSet::with_capacity(wanted.len());
    wanted.retain(|topic| seen.insert((topic.topic_id, topic.name.clone())));
    wanted
}

fn is_missing(topics: &TopicMap, wanted: &MetadataRequestTopic) -> bool {
    let name = wanted.name.as_deref();
    wanted.topic_id.is_nil() && name.is_some_and(|name| topics.by_name(name).is_none())
}

/// Creates what is not there and returns why each of the others was not created.
async fn create_missing(
    node: &Node,
    wanted: &[MetadataRequestTopic],
) -> BTreeMap<String, TopicRefused> {
    let mut refused = BTreeMap::new();
    for topic in wanted {
        let Some(name) = &topic.name else { continue };
        if !is_missing(&node.topics.load(), topic) {
            continue;
        }
        if let Err(error) = create(node, name).await
            && error.code != ErrorCode::TopicAlreadyExists
        {
            refused.insert(name.clone(), error);
        }
    }
    refused
}

async fn create(node: &Node, name: &str) -> Result<(), TopicRefused> {
    if internal_topics::is_internal(name) {
        return node.internal_topic(name).await.map(drop);
    }
    let replicas = node.place_replicas(-1, -1)?;
    let _one_at_a_time = node.changing_configs.lock().await;
    let topic = node.check_new_topic(name, replicas, BTreeMap::new())?;
    node.create_topic(topic).await
}

fn everything(node: &Node, topics: &TopicMap) -> MetadataResponse {
    let all = topics
        .in_name_order()
        .map(|topic| describe(&topics.image, topic))
        .collect();
    response(node, &topics.image, all)
}

fn answer(
    node: &Node,
    topics: &TopicMap,
    wanted: &[MetadataRequestTopic],
    refused: &BTreeMap<String, TopicRefused>,
) -> MetadataResponse {
    let mut told = HashSet::with_capacity(wanted.len());
    let found = wanted.iter().filter_map(|topic| {
        let name = topic.name.as_deref().unwrap_or_default();
        match topics.find(topic.topic_id, name) {
            // By its name and by its id it is the same topic.
            Ok(found) => told
                .insert(found.image.id)
                .then(|| describe(&topics.image, found)),
            Err(error) if topic.topic_id.is_nil() => {
                let invalid = crate::topic_creation::check_name(name)
                    .err()
                    .map(|refused| refused.code);
                let code = refused.get(name).map(|refused| refused.code).or(invalid);
                Some(absent(
                    topic.topic_id,
                    topic.name.clone(),
                    code.unwrap_or(error),
                ))
            }
            Err(error) => Some(absent(topic.topic_id, None, error)),
        }
    });
    response(node, &topics.image, found.collect())
}

fn response(
    node: &Node,
    image: &ClusterImage,
    topics: Vec<MetadataResponseTopic>,
) -> MetadataResponse {
    let brokers = image
        .brokers
        .iter()
        .map(|(id, broker)| MetadataResponseBroker {
            node_id: *id,
            host: broker.host.clone(),
            port: i32::from(broker.port),
            rack: broker.rack.clone(),
        });
    MetadataResponse {
        brokers: brokers.collect(),
        cluster_id: Some(image.cluster_id.clone()),
        controller_id: node.controller_id(),
        topics,
        ..Default::default()
    }
}

fn describe(image: &ClusterImage, topic: &Topic) -> MetadataResponseTopic {
    let partitions = (0_i32..).zip(&topic.image.partitions);
    MetadataResponseTopic {
        name: Some(topic.image.name.clone()),
        topic_id: topic.image.id,
        is_internal: internal_topics::is_internal(&topic.image.name),
        partitions: partitions
            .map(|(index, p)| describe_partition(image, index, p))
            .collect(),
        ..Default::default()
    }
}

fn describe_partition(
    image: &ClusterImage,
    index: i32,
    partition: &PartitionImage,
) -> MetadataResponsePartition {
    let offline = partition
        .replicas
        .iter()
        .filter(|id| !image.brokers.contains_key(*id));
    let led = image.brokers.contains_key(&partition.leader);
    MetadataResponsePartition {
        error_code: if led {
            ErrorCode::None
        } else {
            ErrorCode::LeaderNotAvailable
        }
        .code(),
        partition_index: index,
        leader_id: if led { partition.leader } else { -1 },
        leader_epoch: partition.leader_epoch,
        replica_nodes: partition.replicas.clone(),
        isr_nodes: partition.isr.clone(),
        offline_replicas: offline.copied().collect(),
    }
}

fn absent(topic_id: Uuid, name: Option<String>, error: ErrorCode) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code: error.code(),
        name,
        topic_id,
        ..Default::default()
    }
}
