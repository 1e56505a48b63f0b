//! What is known of the cluster: its nodes, and the leaders of the partitions in use.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::metadata::{MetadataResponse, MetadataResponseTopic};
use parking_lot::RwLock;
use uuid::Uuid;

use crate::TopicPartition;

/// A node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// Its id.
    pub id: i32,
    /// Where clients reach it.
    pub host: String,
    /// The port.
    pub port: i32,
    /// Its rack, if it has one.
    pub rack: Option<String>,
}

impl NodeView {
    pub(crate) fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// A partition as the cluster's metadata has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionView {
    /// Its index.
    pub partition: i32,
    /// The node that leads it; `None` while there is none.
    pub leader: Option<i32>,
    /// The leader's epoch, -1 if not told.
    pub leader_epoch: i32,
    /// The nodes that are to have it.
    pub replicas: Vec<i32>,
    /// Those of them that are in sync.
    pub isr: Vec<i32>,
}

/// A topic as the cluster's metadata has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicView {
    /// Its name.
    pub name: Arc<str>,
    /// Its id, nil if the broker has none; a topic that is created anew has another.
    pub id: Uuid,
    /// Whether it is one of the log's own.
    pub is_internal: bool,
    /// Its partitions, by index.
    pub partitions: Vec<PartitionView>,
}

impl TopicView {
    fn new(topic: MetadataResponseTopic) -> Option<Self> {
        let mut partitions: Vec<PartitionView> = topic
            .partitions
            .into_iter()
            .map(|partition| PartitionView {
                partition: partition.partition_index,
                leader: Some(partition.leader_id).filter(|leader| *leader >= 0),
                leader_epoch: partition.leader_epoch,
                replicas: partition.replica_nodes,
                isr: partition.isr_nodes,
            })
            .collect();
        partitions.sort_by_key(|partition| partition.partition);
        partitions.dedup_by_key(|partition| partition.partition);
        Some(Self {
            name: topic.name?.into(),
            id: topic.topic_id,
            is_internal: topic.is_internal,
            partitions,
        })
    }

    /// Number of partitions.
    pub fn partition_count(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }

    /// The partition with this index.
    pub fn partition(&self, partition: i32) -> Option<&PartitionView> {
        let position = self
            .partitions
            .binary_search_by_key(&partition, |p| p.partition);
        self.partitions.get(position.ok()?)
    }
}

/// What is known of the cluster at one moment.
#[derive(Clone, Debug, Default)]
pub struct ClusterView {
    /// The cluster's id, if it told.
    pub cluster_id: Option<String>,
    /// The node to ask for changes, if it told.
    pub controller: Option<i32>,
    /// The nodes, by id.
    pub nodes: BTreeMap<i32, NodeView>,
    /// The topics asked for so far, by name.
    pub topics: HashMap<Arc<str>, Arc<TopicView>>,
    /// Their names, by id; topics without an id are not in it.
    pub topic_names: HashMap<Uuid, Arc<str>>,
}

impl ClusterView {
    /// The partition, if its topic has been asked for and has it.
    pub fn partition(&self, partition: &TopicPartition) -> Option<&PartitionView> {
        self.topics
            .get(&partition.topic)?
            .partition(partition.partition)
    }

    /// The topic's id; `None` if it has not been asked for, or the broker gives none.
    pub fn topic_id(&self, name: &str) -> Option<Uuid> {
        let id = self.topics.get(name)?.id;
        (!id.is_nil()).then_some(id)
    }

    fn insert(&mut self, topic: TopicView) {
        let (name, id) = (topic.name.clone(), topic.id);
        self.remove(&name);
        if !id.is_nil() {
            self.topic_names.insert(id, name.clone());
        }
        self.topics.insert(name, Arc::new(topic));
    }

    fn remove(&mut self, name: &str) {
        if let Some(known) = self.topics.remove(name) {
            self.topic_names.remove(&known.id);
        }
    }

    /// The node that leads the partition, if there is one and it is known.
    pub fn leader(&self, partition: &TopicPartition) -> Option<i32> {
        let leader = self.partition(partition)?.leader?;
        self.nodes.contains_key(&leader).then_some(leader)
    }
}

/// The cache: one view, replaced whole.
#[derive(Default)]
pub(crate) struct Metadata {
    view: RwLock<Arc<ClusterView>>,
}

impl Metadata {
    pub(crate) fn view(&self) -> Arc<ClusterView> {
        self.view.read().clone()
    }

    /// Takes an answer in, and returns the topics that it says are in error. A complete answer
    /// names all topics there are.
    pub(crate) fn apply(&self, response: MetadataResponse, is_complete: bool) -> Vec<TopicError> {
        let mut errors = Vec::new();
        let mut view = self.view.write();
        let mut next = ClusterView {
            cluster_id: response.cluster_id,
            controller: Some(response.controller_id).filter(|id| *id >= 0),
            nodes: BTreeMap::new(),
            topics: HashMap::new(),
            topic_names: HashMap::new(),
        };
        if !is_complete {
            next.topics.clone_from(&view.topics);
            next.topic_names.clone_from(&view.topic_names);
        }
        for broker in response.brokers {
            let node = NodeView {
                id: broker.node_id,
                host: broker.host,
                port: broker.port,
                rack: broker.rack,
            };
            next.nodes.insert(node.id, node);
        }
        // A node that is just starting may know of none yet; the ones known stay better than none.
        if next.nodes.is_empty() {
            next.nodes.clone_from(&view.nodes);
        }
        for topic in response.topics {
            let error = ErrorCode::from_code(topic.error_code);
            let Some(name) = topic.name.clone() else {
                continue;
            };
            let name: Arc<str> = name.into();
            if error != ErrorCode::None {
                if error == ErrorCode::UnknownTopicOrPartition {
                    next.remove(&name);
                }
                errors.push(TopicError { topic: name, error });
            } else if let Some(topic) = TopicView::new(topic) {
                let topic = keep_newer(topic, view.topics.get(&name));
                next.insert(topic);
            }
        }
        *view = Arc::new(next);
        errors
    }

    /// Drops a topic that is no more.
    pub(crate) fn forget_topic(&self, name: &str) {
        let mut view = self.view.write();
        if view.topics.contains_key(name) {
            let mut next = ClusterView::clone(&view);
            next.remove(name);
            *view = Arc::new(next);
        }
    }

    /// Drops the known nodes, so that only the bootstrap servers are left to ask (KIP-1102).
    pub(crate) fn forget_nodes(&self) {
        let mut view = self.view.write();
        let mut next = ClusterView::clone(&view);
        next.nodes.clear();
        *view = Arc::new(next);
    }

    /// Notes where a node is that metadata has not named yet, such as a coordinator.
    pub(crate) fn add_node(&self, node: NodeView) {
        let mut view = self.view.write();
        if view.nodes.get(&node.id) != Some(&node) {
            let mut next = ClusterView::clone(&view);
            next.nodes.insert(node.id, node);
            *view = Arc::new(next);
        }
    }
}

/// A topic that metadata could not tell of.
#[derive(Clone, Debug)]
pub(crate) struct TopicError {
    pub(crate) topic: Arc<str>,
    pub(crate) error: ErrorCode,
}

/// Keeps a partition's known leader where the answer is from a node that has fallen behind: epochs
/// never go back while the topic lives.
fn keep_newer(mut topic: TopicView, known: Option<&Arc<TopicView>>) -> TopicView {
    let Some(known) = known.filter(|known| known.id == topic.id) else {
        return topic;
    };
    for partition in &mut topic.partitions {
        if let Some(before) = known.partition(partition.partition)
            && before.leader_epoch > partition.leader_epoch
        {
            partition.clone_from(before);
        }
    }
    topic
}
