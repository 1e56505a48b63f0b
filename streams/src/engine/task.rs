//! A sub-topology at work on one partition of its inputs.

use std::collections::{BTreeMap, HashMap};

use headwater_wire::records::RecordBatch;

use crate::state::{ChangelogRecord, StateError, Store, StoreView};

use super::context::{Target, TaskState};
use super::progress::Progress;
use super::queue::InputQueue;
use super::{
    Chunk, Counters, EngineError, NodeId, NodeKind, Operator, Partitioner, RawChunk, SubTopology,
    TaskContext, TaskId, TimeKind, Topology,
};

/// How a task works.
#[derive(Clone, Debug)]
pub struct TaskConfig {
    /// Put before the names of internal topics.
    pub application_id: String,
    /// Whether undecodable records are dropped and counted instead of failing the task.
    pub skip_undecodable: bool,
    /// Whether results may be held back until the commit, one for each key.
    pub caching: bool,
    /// Bytes that the typed cache of each store may keep between commits.
    pub cache_bytes: usize,
    /// Kafka's `max.task.idle.ms`: −1 never waits for an empty input, 0 waits while it is known or
    /// not known to be non-empty at the broker, more waits that long in addition.
    pub max_task_idle_ms: i64,
}

impl TaskConfig {
    /// The defaults for an application: cache, wait for fetches in flight, stop at bad records.
    pub fn new(application_id: impl Into<String>) -> Self {
        Self {
            application_id: application_id.into(),
            skip_undecodable: false,
            caching: true,
            cache_bytes: 16 << 20,
            max_task_idle_ms: 0,
        }
    }
}

/// Where a task begins to read a partition.
#[derive(Clone, Debug)]
pub struct InputPosition {
    /// Topic, as in the log.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset of the first record to process.
    pub offset: i64,
    /// What was committed beside the offset, by [`Task::positions`]; empty if nothing was.
    pub metadata: String,
}

/// Records to be produced.
pub struct Output {
    /// Topic, as in the log.
    pub topic: std::sync::Arc<str>,
    /// Chooses partitions; murmur2 of the key if `None`.
    pub partitioner: Option<Partitioner>,
    /// The records.
    pub records: RawChunk,
}

/// What a store changed since the last commit.
pub struct StoreChanges {
    /// Position of the store, for [`Task::committed`].
    pub store: usize,
    /// Its name; the changelog topic is `<application>-<name>-changelog`.
    pub name: String,
    /// One record for each changed key.
    pub records: Vec<ChangelogRecord>,
}

struct TaskNode {
    name: String,
    operator: Box<dyn Operator>,
    /// Children as positions in the task, with the port that they know this node by.
    children: Vec<(usize, usize)>,
    stores: Vec<usize>,
    counters: Counters,
    wants_time: bool,
    sink: Option<(std::sync::Arc<str>, Option<Partitioner>)>,
}

/// A sub-topology at work on one partition of its inputs. It does no input or output: the driver
/// adds what it fetched, lets the task process, and carries outputs, changes and positions away in
/// one commit.
///
/// A commit: [`prepare_commit`](Self::prepare_commit), then produce
/// [`take_outputs`](Self::take_outputs) and [`changes`](Self::changes) and commit
/// [`positions`](Self::positions), then [`committed`](Self::committed). A task whose commit failed
/// must be dropped and made anew.
pub struct Task {
    nodes: Vec<TaskNode>,
    by_id: HashMap<NodeId, usize>,
    stores: Vec<Store>,
    queues: Vec<InputQueue>,
    state: TaskState,
    outputs: Vec<Output>,
    max_task_idle_ms: i64,
    /// Since when the task could work on but for an empty input, in ms of the wall clock.
    idle_since: Option<i64>,
    /// Calls to `process` moved something since the last commit.
    worked: bool,
    /// Records processed since caches were last trimmed: with many windows, even to see whether they
    /// need it takes longer than a record.
    untrimmed: usize,
}

/// Most records handed to a source at once. Larger batches of the log are taken in parts, so that a
/// chunk's columns stay within the processor's cache.
const CHUNK_RECORDS: usize = 4096;

impl Task {
    /// The task `id` of `topology` with its `stores`, restored, in the order of
    /// [`SubTopology::stores`], reading from `inputs`.
    ///
    /// # Errors
    /// What operators fail with in `init`.
    pub fn new(
        topology: &Topology,
        id: TaskId,
        stores: Vec<Store>,
        inputs: &[InputPosition],
        config: &TaskConfig,
    ) -> Result<Self, EngineError> {
        let empty = SubTopology {
            id: 0,
            nodes: vec![],
            sources: vec![],
            stores: vec![],
        };
        let part = topology
            .subtopologies()
            .get(id.subtopology as usize)
            .unwrap_or(&empty);
        let by_id: HashMap<NodeId, usize> = part
            .nodes
            .iter()
            .enumerate()
            .map(|(position, id)| (*id, position))
            .collect();
        let nodes = part
            .nodes
            .iter()
            .filter_map(|id| make_node(topology, part, *id, &by_id, config))
            .collect();
        let mut progress = Progress::default();
        for input in inputs {
            progress.merge(&Progress::parse(&input.metadata));
        }
        let mut task = Self {
            nodes,
            by_id,
            stores,
            queues: make_queues(topology, part, inputs, config),
            state: TaskState {
                id,
                stream_time: progress.stream_time,
                wall_time: 0,
                topic: String::new(),
                partition: id.partition,
                marks: progress.marks,
                skip_undecodable: config.skip_undecodable,
                caching: config.caching,
                cache_bytes: config.cache_bytes,
            },
            outputs: Vec::new(),
            max_task_idle_ms: config.max_task_idle_ms,
            idle_since: None,
            worked: false,
            untrimmed: 0,
        };
        for position in 0..task.nodes.len() {
            task.call(position, |operator, cx| operator.init(cx))?;
        }
        Ok(task)
    }

    /// Which task it is.
    pub fn id(&self) -> TaskId {
        self.state.id
    }

    fn queue(&mut self, topic: &str, partition: i32) -> Result<&mut InputQueue, EngineError> {
        let id = self.state.id;
        self.queues
            .iter_mut()
            .find(|queue| queue.partition == partition && queue.topic == topic)
            .ok_or_else(|| EngineError::UnknownPartition {
                task: id.to_string(),
                topic: topic.to_owned(),
                partition,
            })
    }

    /// Adds a fetched batch.
    ///
    /// # Errors
    /// If it cannot be read, or belongs to another task.
    pub fn add_batch(
        &mut self,
        topic: &str,
        partition: i32,
        batch: &RecordBatch,
    ) -> Result<(), EngineError> {
        let chunk = super::batch::parse(batch, topic, partition)?;
        self.add_chunk(topic, partition, chunk, batch.header.next_offset())
    }

    /// Adds records whose last one is followed by `next_offset`.
    ///
    /// # Errors
    /// If they belong to another task.
    pub fn add_chunk(
        &mut self,
        topic: &str,
        partition: i32,
        chunk: RawChunk,
        next_offset: i64,
    ) -> Result<(), EngineError> {
        let queue = self.queue(topic, partition)?;
        let dropped = queue.add(chunk, next_offset);
        let source = queue.source;
        if dropped > 0
            && let Some(node) = self
                .by_id
                .get(&source)
                .and_then(|at| self.nodes.get_mut(*at))
        {
            node.counters.dropped += dropped;
        }
        Ok(())
    }

    /// Tells how far a partition has been fetched: the next offset, and how many records lie after
    /// it, if known.
    ///
    /// # Errors
    /// If the partition belongs to another task.
    pub fn set_fetched(
        &mut self,
        topic: &str,
        partition: i32,
        position: i64,
        lag: Option<i64>,
    ) -> Result<(), EngineError> {
        self.queue(topic, partition)?.set_fetched(position, lag);
        Ok(())
    }

    /// The partitions it reads and how many records of each wait.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, i32, usize)> {
        self.queues
            .iter()
            .map(|queue| (queue.topic.as_str(), queue.partition, queue.len()))
    }

    /// The partitions it reads and the offset after what it has been given of each.
    pub fn fetch_positions(&self) -> impl Iterator<Item = (&str, i32, i64)> {
        self.queues
            .iter()
            .map(|queue| (queue.topic.as_str(), queue.partition, queue.position()))
    }

    /// Whether the task would process now: something waits, and every empty input is known to have
    /// no more (Kafka's `max.task.idle.ms`). `now` is the wall clock in ms.
    pub fn is_ready(&mut self, now: i64) -> bool {
        if self.queues.iter().all(InputQueue::is_empty) {
            self.idle_since = None;
            return false;
        }
        if self.max_task_idle_ms < 0 || self.queues.iter().all(|queue| !queue.is_empty()) {
            self.idle_since = None;
            return true;
        }
        if self.queues.iter().any(InputQueue::may_have_more) {
            return false;
        }
        let since = *self.idle_since.get_or_insert(now);
        now.saturating_sub(since) >= self.max_task_idle_ms
    }

    /// Processes up to about `max_records` records in the order of their timestamps; returns how
    /// many. `now` is the wall clock in ms.
    ///
    /// # Errors
    /// What operators fail with. The task must then be dropped.
    pub fn process(&mut self, max_records: usize, now: i64) -> Result<usize, EngineError> {
        self.state.wall_time = now;
        let mut processed = 0;
        while processed < max_records && self.is_ready(now) {
            let Some(chunk) = self.take_next((max_records - processed).min(CHUNK_RECORDS)) else {
                break;
            };
            processed += chunk.1.len();
            self.process_chunk(chunk.0, chunk.1)?;
        }
        self.untrimmed += processed;
        if self.untrimmed >= CHUNK_RECORDS {
            self.untrimmed = 0;
            self.stores.iter_mut().for_each(Store::trim);
        }
        self.worked |= processed > 0;
        Ok(processed)
    }

    fn take_next(&mut self, max: usize) -> Option<(usize, RawChunk)> {
        let mut heads: Vec<_> = self
            .queues
            .iter()
            .enumerate()
            .filter_map(|(position, queue)| Some((queue.head()?, position)))
            .collect();
        let first = *heads.iter().min()?;
        heads.retain(|head| *head != first);
        let until = heads.iter().map(|(order, _)| *order).min();
        let queue = self.queues.get_mut(first.1)?;
        let chunk = queue.take(until, max)?;
        self.state.topic.clear();
        self.state.topic.push_str(&queue.topic);
        self.state.partition = queue.partition;
        let source = *self.by_id.get(&queue.source)?;
        Some((source, chunk))
    }

    fn process_chunk(&mut self, source: usize, chunk: RawChunk) -> Result<(), EngineError> {
        let newest = chunk.meta.timestamps.iter().copied().max().unwrap_or(-1);
        self.dispatch(source, 0, Chunk::Raw(chunk))?;
        if newest > self.state.stream_time {
            self.state.stream_time = newest;
            self.tell_time(TimeKind::Stream, newest)?;
        }
        Ok(())
    }

    fn tell_time(&mut self, kind: TimeKind, now: i64) -> Result<(), EngineError> {
        for position in 0..self.nodes.len() {
            if self.nodes[position].wants_time {
                self.call(position, |operator, cx| operator.on_time(kind, now, cx))?;
            }
        }
        Ok(())
    }

    /// Tells operators that want it the wall clock (ms).
    ///
    /// # Errors
    /// What operators fail with. The task must then be dropped.
    pub fn tick(&mut self, now: i64) -> Result<(), EngineError> {
        self.state.wall_time = now;
        self.tell_time(TimeKind::Wall, now)
    }

    /// Calls an operator and sends what it forwarded through the graph.
    fn call(
        &mut self,
        position: usize,
        work: impl FnOnce(&mut dyn Operator, &mut TaskContext<'_>) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let mut forwarded = Vec::new();
        self.enter(position, &mut forwarded, work)?;
        let mut pending = Vec::new();
        self.route(position, &mut forwarded, &mut pending)?;
        self.run(pending)
    }

    fn dispatch(&mut self, position: usize, port: usize, chunk: Chunk) -> Result<(), EngineError> {
        self.run(vec![(position, port, chunk)])
    }

    /// Depth first: what a child makes of a chunk is finished before its next sibling gets it.
    fn run(&mut self, mut pending: Vec<(usize, usize, Chunk)>) -> Result<(), EngineError> {
        let mut forwarded = Vec::new();
        while let Some((position, port, chunk)) = pending.pop() {
            self.nodes[position].counters.processed += chunk.len() as u64;
            self.enter(position, &mut forwarded, |operator, cx| {
                operator.process(port, chunk, cx)
            })?;
            self.route(position, &mut forwarded, &mut pending)?;
        }
        Ok(())
    }

    fn enter(
        &mut self,
        position: usize,
        forwarded: &mut Vec<(Target, Chunk)>,
        work: impl FnOnce(&mut dyn Operator, &mut TaskContext<'_>) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let node = &mut self.nodes[position];
        let mut cx = TaskContext {
            node: &node.name,
            state: &mut self.state,
            stores: &mut self.stores,
            own_stores: &node.stores,
            forwarded,
            counters: &mut node.counters,
            has_children: !node.children.is_empty() || node.sink.is_some(),
        };
        work(&mut *node.operator, &mut cx)
    }

    fn route(
        &mut self,
        position: usize,
        forwarded: &mut Vec<(Target, Chunk)>,
        pending: &mut Vec<(usize, usize, Chunk)>,
    ) -> Result<(), EngineError> {
        let node = &self.nodes[position];
        if let Some((topic, partitioner)) = &node.sink {
            for (_, chunk) in forwarded.drain(..) {
                self.outputs.push(Output {
                    topic: topic.clone(),
                    partitioner: partitioner.clone(),
                    records: chunk.into_raw(&node.name)?,
                });
            }
            return Ok(());
        }
        for (target, chunk) in forwarded.drain(..).rev() {
            match target {
                Target::Child(child) => {
                    let no_child = || EngineError::NoSuchChild {
                        node: node.name.clone(),
                        position: child,
                    };
                    let (child, port) = *node.children.get(child).ok_or_else(no_child)?;
                    pending.push((child, port, chunk));
                }
                Target::AllChildren => {
                    let Some(((first, port), others)) = node.children.split_first() else {
                        continue;
                    };
                    for (child, port) in others.iter().rev() {
                        pending.push((*child, *port, chunk.clone()));
                    }
                    pending.push((*first, *port, chunk));
                }
            }
        }
        Ok(())
    }

    /// Whether anything moved since the last commit.
    pub fn needs_commit(&self) -> bool {
        self.worked || self.queues.iter().any(|queue| queue.moved) || !self.outputs.is_empty()
    }

    /// Flushes every operator, parents before children. `now` is the wall clock in ms.
    ///
    /// # Errors
    /// What operators fail with. The task must then be dropped.
    pub fn prepare_commit(&mut self, now: i64) -> Result<(), EngineError> {
        self.state.wall_time = now;
        for position in 0..self.nodes.len() {
            self.call(position, |operator, cx| operator.flush(cx))?;
        }
        Ok(())
    }

    /// Takes the records that sinks have written since the last call.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// What changed in stores with a changelog since the last commit.
    pub fn changes(&self) -> Vec<StoreChanges> {
        let changed = self.stores.iter().enumerate().filter(|(_, store)| {
            store.bytes_ref().has_changelog() && store.bytes_ref().is_changed()
        });
        changed
            .map(|(position, store)| StoreChanges {
                store: position,
                name: store.bytes_ref().id().store.clone(),
                records: store.bytes_ref().changes().collect(),
            })
            .collect()
    }

    /// What to commit for the inputs that moved since the last commit.
    pub fn positions(&self) -> Vec<InputPosition> {
        let moved = self.queues.iter().filter(|queue| queue.moved);
        moved
            .map(|queue| InputPosition {
                topic: queue.topic.clone(),
                partition: queue.partition,
                offset: queue.committable(),
                metadata: self.progress().to_metadata(),
            })
            .collect()
    }

    fn progress(&self) -> Progress {
        Progress {
            stream_time: self.state.stream_time,
            marks: self.state.marks.clone(),
        }
    }

    /// Makes what was committed true. `changelog_ends` holds, for every store that had changes, its
    /// position and the offset after the last record its changelog got.
    pub fn committed(&mut self, changelog_ends: &BTreeMap<usize, i64>) {
        for (position, store) in self.stores.iter_mut().enumerate() {
            store.commit(changelog_ends.get(&position).copied());
            // The commit was accepted: until it began nobody else had the task.
            store.bytes_ref().confirm(self.state.wall_time);
        }
        for queue in &mut self.queues {
            queue.moved = false;
        }
        self.worked = false;
    }

    /// Begins to write committed state to the backends, where that is not under way.
    pub fn begin_drain(&mut self) {
        for store in &mut self.stores {
            store.bytes().begin_drain();
        }
    }

    /// Writes up to `entries` entries of each store; true when no drain is under way any more.
    ///
    /// # Errors
    /// If a backend fails.
    pub fn drain(&mut self, entries: usize) -> Result<bool, StateError> {
        let mut done = true;
        for store in &mut self.stores {
            if store.bytes_ref().is_draining() {
                store.bytes().drain(entries)?;
                done &= !store.bytes_ref().is_draining();
            }
        }
        Ok(done)
    }

    /// Bytes written to stores since the last commit, roughly.
    pub fn uncommitted_bytes(&self) -> usize {
        self.stores
            .iter()
            .map(|store| store.bytes_ref().uncommitted_bytes())
            .sum()
    }

    /// Bytes of cached values that the next commit writes to stores, without what they point to.
    /// They cannot be evicted before.
    pub fn dirty_bytes(&self) -> usize {
        self.stores.iter().map(Store::dirty_bytes).sum()
    }

    /// Bytes that wait to be written to the backends, roughly.
    pub fn pending_bytes(&self) -> usize {
        self.stores
            .iter()
            .map(|store| store.bytes_ref().pending_bytes())
            .sum()
    }

    /// Bytes of caches and of what is not in the backends yet, roughly.
    pub fn state_bytes(&self) -> usize {
        self.stores.iter().map(Store::size_bytes).sum()
    }

    /// Views of the committed state of its stores.
    pub fn views(&self) -> Vec<StoreView> {
        self.stores
            .iter()
            .map(|store| store.bytes_ref().view())
            .collect()
    }

    /// What each node has counted, by name.
    pub fn counters(&self) -> impl Iterator<Item = (&str, Counters)> {
        self.nodes
            .iter()
            .map(|node| (node.name.as_str(), node.counters))
    }

    /// Greatest timestamp processed, in ms; −1 before the first record.
    pub fn stream_time(&self) -> i64 {
        self.state.stream_time
    }
}

fn make_node(
    topology: &Topology,
    part: &SubTopology,
    id: NodeId,
    by_id: &HashMap<NodeId, usize>,
    config: &TaskConfig,
) -> Option<TaskNode> {
    let node = topology.node(id)?;
    let children = node
        .children
        .iter()
        .filter_map(|child| {
            let port = topology
                .node(*child)?
                .parents
                .iter()
                .position(|parent| *parent == id)?;
            Some((*by_id.get(child)?, port))
        })
        .collect();
    let stores = node
        .stores
        .iter()
        .filter_map(|store| part.stores.iter().position(|own| own == store))
        .collect();
    let operator = node.factory()();
    let sink = match &node.kind {
        NodeKind::Sink(sink) => Some((
            sink.topic.resolve(&config.application_id).into(),
            sink.partitioner.clone(),
        )),
        _ => None,
    };
    let wants_time = operator.wants_time();
    let name = node.name.clone();
    Some(TaskNode {
        name,
        operator,
        children,
        stores,
        counters: Counters::default(),
        wants_time,
        sink,
    })
}

fn make_queues(
    topology: &Topology,
    part: &SubTopology,
    inputs: &[InputPosition],
    config: &TaskConfig,
) -> Vec<InputQueue> {
    let mut queues = Vec::new();
    for (order, id) in part.sources.iter().enumerate() {
        let Some(NodeKind::Source(source)) = topology.node(*id).map(|node| &node.kind) else {
            continue;
        };
        for topic in &source.topics {
            let topic = topic.resolve(&config.application_id);
            for input in inputs.iter().filter(|input| input.topic == topic) {
                queues.push(InputQueue::new(
                    topic.clone(),
                    input.partition,
                    *id,
                    (source.role, order),
                    source.timestamp_extractor.clone(),
                    topology.is_single_row(*id),
                    input,
                ));
            }
        }
    }
    queues
}
