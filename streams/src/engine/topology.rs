//! The graph of an application: nodes, edges, stores, and where it is cut into sub-topologies.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::state::StoreSpec;

use super::{OperatorFactory, PassThrough};

/// Why a topology cannot be built.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum TopologyError {
    /// Two nodes have one name.
    #[error("two nodes are named {0}; give one of them another name")]
    DuplicateNode(String),
    /// Two stores have one name.
    #[error("two stores are named {0}; a store's name is its identity, give one of them another")]
    DuplicateStore(String),
    /// Two sources read one topic.
    #[error("topic {0} is read by two sources; read it once and use the stream twice")]
    DuplicateTopic(String),
    /// A node that is not in this topology, or a sink, was given as a parent.
    #[error("{0} has a parent that cannot have children")]
    BadParent(String),
    /// An operator or sink without a parent.
    #[error("{0} has no parent")]
    NoParent(String),
    /// A node wants a store that nobody declared.
    #[error("{node} uses the store {store}, which was not added")]
    UnknownStore {
        /// Node.
        node: String,
        /// Store.
        store: String,
    },
    /// A type has no codec.
    #[error(
        "{node} has no codec for {part}s of type {type_name}; name one where the stream begins or ends, or add one for the type to the builder"
    )]
    NoCodec {
        /// Node that needs it.
        node: String,
        /// `key` or `value`.
        part: &'static str,
        /// Type without a codec.
        type_name: &'static str,
    },
    /// A topic that the topology reads does not exist.
    #[error("source topic {0} does not exist; create it first")]
    MissingTopic(String),
    /// Joined topics differ in their number of partitions.
    #[error("the topics {topics} are joined, so they need the same number of partitions")]
    NotCopartitioned {
        /// The topics with their partition counts.
        topics: String,
    },
    /// A loop of repartition topics without any topic of known size.
    #[error("cannot tell how many partitions {0} needs; name a number")]
    UnknownPartitions(String),
    /// Nothing to run.
    #[error("the topology has no source")]
    Empty,
    /// A setting of a node makes no sense.
    #[error("{node}: {reason}")]
    Invalid {
        /// Node.
        node: String,
        /// What is wrong, and what would be right.
        reason: String,
    },
}

/// A node of one topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) usize);

impl NodeId {
    /// Position in [`Topology::nodes`].
    pub fn index(self) -> usize {
        self.0
    }
}

/// A topic as a topology names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TopicRef {
    /// A topic of the world outside.
    External(String),
    /// A topic of the application, named `<application>-<this>` in the log.
    Internal(String),
}

impl TopicRef {
    /// The name in the log for the application `application_id`.
    pub fn resolve(&self, application_id: &str) -> String {
        match self {
            Self::External(name) => name.clone(),
            Self::Internal(name) => format!("{application_id}-{name}"),
        }
    }

    /// The name without the application, as [`Topology::describe`] prints it.
    pub fn name(&self) -> &str {
        match self {
            Self::External(name) | Self::Internal(name) => name,
        }
    }
}

/// Where a source begins when the group has no offset yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OffsetReset {
    /// At the first record.
    #[default]
    Earliest,
    /// After the last record.
    Latest,
}

/// Whether records are facts or rows. On equal timestamps tables go first, so that a stream's record
/// sees the row of its own instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceRole {
    /// The latest record of a key replaces the earlier ones.
    Table,
    /// Every record counts.
    Stream,
}

/// Takes the timestamp (ms) of a record: from its key, its value and the timestamp it carries. A
/// negative result drops the record.
pub type TimestampExtractor = Arc<dyn Fn(Option<&[u8]>, Option<&[u8]>, i64) -> i64 + Send + Sync>;

/// Chooses the partition of a record: from its key, its value and the number of partitions.
pub type Partitioner = Arc<dyn Fn(Option<&[u8]>, Option<&[u8]>, i32) -> i32 + Send + Sync>;

/// A node that reads topics.
#[derive(Clone)]
pub struct SourceSpec {
    /// Name of the node.
    pub name: String,
    /// Topics read.
    pub topics: Vec<TopicRef>,
    /// Stream or table.
    pub role: SourceRole,
    /// Where to begin without a committed offset.
    pub offset_reset: OffsetReset,
    /// Replaces the record's timestamp, if set.
    pub timestamp_extractor: Option<TimestampExtractor>,
    /// Gets [`Chunk::Raw`](super::Chunk::Raw) and hands it on in the form the children want.
    pub operator: OperatorFactory,
}

impl SourceSpec {
    /// A stream source that hands on raw chunks of one topic.
    pub fn new(name: impl Into<String>, topic: TopicRef) -> Self {
        Self {
            name: name.into(),
            topics: vec![topic],
            role: SourceRole::Stream,
            offset_reset: OffsetReset::Earliest,
            timestamp_extractor: None,
            operator: PassThrough::factory(),
        }
    }
}

/// A node that writes a topic.
#[derive(Clone)]
pub struct SinkSpec {
    /// Name of the node.
    pub name: String,
    /// Topic written.
    pub topic: TopicRef,
    /// Chooses partitions; by default murmur2 of the key, as Kafka's producer.
    pub partitioner: Option<Partitioner>,
    /// Gets what the parents forward; what it forwards must be [`Chunk::Raw`](super::Chunk::Raw),
    /// and is produced.
    pub operator: OperatorFactory,
}

impl SinkSpec {
    /// A sink of raw chunks.
    pub fn new(name: impl Into<String>, topic: TopicRef) -> Self {
        Self {
            name: name.into(),
            topic,
            partitioner: None,
            operator: PassThrough::factory(),
        }
    }
}

/// A topic between two sub-topologies, which the runtime creates.
#[derive(Clone, Debug)]
pub struct RepartitionSpec {
    /// Name without the application: `<something>-repartition`.
    pub name: String,
    /// Number of partitions; by default as many as the records' own source has.
    pub partitions: Option<i32>,
    /// Topic configs over the defaults (`cleanup.policy=delete`, `retention.ms=-1`).
    pub config: BTreeMap<String, String>,
}

impl RepartitionSpec {
    /// A topic with the defaults.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            partitions: None,
            config: BTreeMap::new(),
        }
    }

    /// How sources and sinks refer to it.
    pub fn topic(&self) -> TopicRef {
        TopicRef::Internal(self.name.clone())
    }
}

/// What a node is.
#[derive(Clone)]
pub enum NodeKind {
    /// Reads topics.
    Source(SourceSpec),
    /// Works.
    Operator(OperatorFactory),
    /// Writes a topic.
    Sink(SinkSpec),
}

/// A node with its edges.
#[derive(Clone)]
pub struct Node {
    /// Name, unique in the topology.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// Where its records come from; the position here is the `port` of its operator.
    pub parents: Vec<NodeId>,
    /// Where its records go, in the order the children were added.
    pub children: Vec<NodeId>,
    /// Stores it uses, as positions in [`Topology::stores`].
    pub stores: Vec<usize>,
}

impl Node {
    /// Makes the operator for a task.
    pub fn factory(&self) -> &OperatorFactory {
        match &self.kind {
            NodeKind::Source(source) => &source.operator,
            NodeKind::Operator(factory) => factory,
            NodeKind::Sink(sink) => &sink.operator,
        }
    }
}

/// Nodes that are connected by edges or stores; between sub-topologies there are only topics.
#[derive(Clone, Debug)]
pub struct SubTopology {
    /// Number, from 0.
    pub id: u32,
    /// Its nodes, parents before children.
    pub nodes: Vec<NodeId>,
    /// The sources among them.
    pub sources: Vec<NodeId>,
    /// Its stores, as positions in [`Topology::stores`].
    pub stores: Vec<usize>,
}

/// Builds a [`Topology`] node by node.
#[derive(Clone, Default)]
pub struct TopologyBuilder {
    nodes: Vec<Node>,
    stores: Vec<StoreSpec>,
    store_names: Vec<(usize, Vec<String>)>,
    repartitions: Vec<RepartitionSpec>,
    copartitions: Vec<Vec<NodeId>>,
}

impl TopologyBuilder {
    /// An empty builder.
    pub fn new() -> Self {
        Self::default()
    }

    fn add(&mut self, name: String, kind: NodeKind, parents: &[NodeId]) -> NodeId {
        let id = NodeId(self.nodes.len());
        for parent in parents {
            if let Some(parent) = self.nodes.get_mut(parent.0) {
                parent.children.push(id);
            }
        }
        let parents = parents.to_vec();
        self.nodes.push(Node {
            name,
            kind,
            parents,
            children: Vec::new(),
            stores: Vec::new(),
        });
        id
    }

    /// Adds a source.
    pub fn add_source(&mut self, source: SourceSpec) -> NodeId {
        self.add(source.name.clone(), NodeKind::Source(source), &[])
    }

    /// Adds an operator whose records come from `parents` (their positions are its ports), with the
    /// stores named `stores` (their positions are those of
    /// [`TaskContext::store`](super::TaskContext::store)). Stores may be added later.
    pub fn add_operator(
        &mut self,
        name: impl Into<String>,
        factory: OperatorFactory,
        parents: &[NodeId],
        stores: &[&str],
    ) -> NodeId {
        let id = self.add(name.into(), NodeKind::Operator(factory), parents);
        if !stores.is_empty() {
            let names = stores.iter().map(|name| (*name).to_owned()).collect();
            self.store_names.push((id.0, names));
        }
        id
    }

    /// Adds a sink whose records come from `parents`.
    pub fn add_sink(&mut self, sink: SinkSpec, parents: &[NodeId]) -> NodeId {
        self.add(sink.name.clone(), NodeKind::Sink(sink), parents)
    }

    /// Declares a store.
    pub fn add_store(&mut self, store: StoreSpec) {
        self.stores.push(store);
    }

    /// Declares a repartition topic. A sink writes it, a source reads it, both by
    /// [`RepartitionSpec::topic`].
    pub fn add_repartition(&mut self, topic: RepartitionSpec) {
        self.repartitions.push(topic);
    }

    /// Asks that all topics of these sources have the same number of partitions, because the
    /// records of a key must meet in one task. Repartition topics among them adapt to the others.
    pub fn copartition(&mut self, sources: &[NodeId]) {
        self.copartitions.push(sources.to_vec());
    }

    /// The topology.
    ///
    /// # Errors
    /// [`TopologyError`] if names clash, parents or stores are missing, or nothing is read.
    pub fn build(&self) -> Result<Topology, TopologyError> {
        let mut nodes = self.nodes.clone();
        check_stores(&self.stores)?;
        for (node, names) in &self.store_names {
            let Some(node) = nodes.get_mut(*node) else {
                continue;
            };
            for name in names {
                let position = self.stores.iter().position(|store| store.name == *name);
                let unknown = || TopologyError::UnknownStore {
                    node: node.name.clone(),
                    store: name.clone(),
                };
                node.stores.push(position.ok_or_else(unknown)?);
            }
        }
        check_nodes(&nodes)?;
        let subtopologies = cut(&nodes, self.stores.len());
        let single_row = nodes
            .iter()
            .map(|node| meets_itself(node, &nodes))
            .collect();
        Ok(Topology {
            inner: Arc::new(Inner {
                nodes,
                stores: self.stores.clone(),
                repartitions: self.repartitions.clone(),
                copartitions: self.copartitions.clone(),
                subtopologies,
                single_row,
            }),
        })
    }
}

fn check_stores(stores: &[StoreSpec]) -> Result<(), TopologyError> {
    let mut seen = HashSet::new();
    match stores.iter().find(|store| !seen.insert(&store.name)) {
        Some(store) => Err(TopologyError::DuplicateStore(store.name.clone())),
        None => Ok(()),
    }
}

fn check_nodes(nodes: &[Node]) -> Result<(), TopologyError> {
    let mut names = HashSet::new();
    let mut topics = HashSet::new();
    for (index, node) in nodes.iter().enumerate() {
        if !names.insert(&node.name) {
            return Err(TopologyError::DuplicateNode(node.name.clone()));
        }
        if let NodeKind::Source(source) = &node.kind {
            if let Some(topic) = source.topics.iter().find(|topic| !topics.insert(*topic)) {
                return Err(TopologyError::DuplicateTopic(topic.name().to_owned()));
            }
        } else if node.parents.is_empty() {
            return Err(TopologyError::NoParent(node.name.clone()));
        }
        let bad = |parent: &NodeId| {
            parent.0 >= index
                || nodes
                    .get(parent.0)
                    .is_none_or(|n| matches!(n.kind, NodeKind::Sink(_)))
        };
        if node.parents.iter().any(bad) {
            return Err(TopologyError::BadParent(node.name.clone()));
        }
    }
    if topics.is_empty() {
        return Err(TopologyError::Empty);
    }
    Ok(())
}

/// Groups nodes by edges and stores, and numbers the groups as Kafka does: in the order of their
/// first source.
fn cut(nodes: &[Node], stores: usize) -> Vec<SubTopology> {
    let mut groups: Vec<usize> = (0..nodes.len()).collect();
    fn root(groups: &mut [usize], mut node: usize) -> usize {
        while let Some(&next) = groups.get(node) {
            if next == node {
                break;
            }
            node = next;
        }
        node
    }
    let mut user_of_store: Vec<Option<usize>> = vec![None; stores];
    for (index, node) in nodes.iter().enumerate() {
        let mut linked: Vec<usize> = node.parents.iter().map(|parent| parent.0).collect();
        for store in &node.stores {
            if let Some(user) = user_of_store.get_mut(*store) {
                linked.extend(user.replace(index));
            }
        }
        for other in linked {
            let (a, b) = (root(&mut groups, index), root(&mut groups, other));
            if let Some(slot) = groups.get_mut(a.max(b)) {
                *slot = a.min(b);
            }
        }
    }
    let mut order: Vec<usize> = Vec::new();
    let mut members: HashMap<usize, SubTopology> = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        let root = root(&mut groups, index);
        let is_source = matches!(node.kind, NodeKind::Source(_));
        if is_source && !order.contains(&root) {
            order.push(root);
        }
        let group = members.entry(root).or_insert_with(|| SubTopology {
            id: 0,
            nodes: Vec::new(),
            sources: Vec::new(),
            stores: Vec::new(),
        });
        group.nodes.push(NodeId(index));
        if is_source {
            group.sources.push(NodeId(index));
        }
        let known: BTreeSet<usize> = group.stores.iter().chain(&node.stores).copied().collect();
        group.stores = known.into_iter().collect();
    }
    let mut subtopologies = Vec::new();
    for (id, root) in order.into_iter().enumerate() {
        if let Some(mut group) = members.remove(&root) {
            group.id = u32::try_from(id).unwrap_or(u32::MAX);
            subtopologies.push(group);
        }
    }
    subtopologies
}

/// Whether two paths from this source lead to one node, one store or one topic. A batch would then
/// take the one path as a whole before the other, which changes the order that single records see;
/// such a source hands out its records one by one.
fn meets_itself(source: &Node, nodes: &[Node]) -> bool {
    if !matches!(source.kind, NodeKind::Source(_)) {
        return false;
    }
    let mut nodes_seen = HashSet::new();
    let mut stores_seen = HashSet::new();
    let mut topics_seen = HashSet::new();
    let mut pending: Vec<NodeId> = source.children.clone();
    while let Some(id) = pending.pop() {
        if !nodes_seen.insert(id) {
            return true;
        }
        let Some(node) = nodes.get(id.0) else {
            continue;
        };
        let own: HashSet<usize> = node.stores.iter().copied().collect();
        if own.iter().any(|store| !stores_seen.insert(*store)) {
            return true;
        }
        if let NodeKind::Sink(sink) = &node.kind
            && !topics_seen.insert(&sink.topic)
        {
            return true;
        }
        pending.extend(&node.children);
    }
    false
}

/// What an application does. Cheap to clone.
#[derive(Clone)]
pub struct Topology {
    inner: Arc<Inner>,
}

struct Inner {
    nodes: Vec<Node>,
    stores: Vec<StoreSpec>,
    repartitions: Vec<RepartitionSpec>,
    copartitions: Vec<Vec<NodeId>>,
    subtopologies: Vec<SubTopology>,
    single_row: Vec<bool>,
}

impl Topology {
    /// All nodes, parents before children.
    pub fn nodes(&self) -> &[Node] {
        &self.inner.nodes
    }

    /// One node.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.inner.nodes.get(id.0)
    }

    /// All stores.
    pub fn stores(&self) -> &[StoreSpec] {
        &self.inner.stores
    }

    /// The topics between sub-topologies.
    pub fn repartitions(&self) -> &[RepartitionSpec] {
        &self.inner.repartitions
    }

    /// Sources whose topics need the same number of partitions.
    pub fn copartitions(&self) -> &[Vec<NodeId>] {
        &self.inner.copartitions
    }

    /// The parts that run as tasks.
    pub fn subtopologies(&self) -> &[SubTopology] {
        &self.inner.subtopologies
    }

    /// Whether records of this source go through the graph one by one.
    pub(crate) fn is_single_row(&self, source: NodeId) -> bool {
        self.inner
            .single_row
            .get(source.0)
            .copied()
            .unwrap_or(false)
    }
}
