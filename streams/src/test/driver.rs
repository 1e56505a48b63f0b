//! Tasks over topics that are vectors.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use uuid::Uuid;

use crate::StreamsError;
use crate::codec::Codec;
use crate::engine::{
    Counters, InputPosition, Output, Plan, Task, TaskConfig, TaskId, Topology, changelog_topic,
};
use crate::state::{
    ByteStore, ChangelogRecord, MemoryBackend, StateBackend, Store, StoreId, StoreView,
};

use super::log::{Log, LogRecord, no_headers};
use super::{TestInputTopic, TestOutputTopic};

type MakeBackend = Box<dyn Fn() -> Result<Arc<dyn StateBackend>, StreamsError>>;

/// How to drive a topology.
pub struct TestDriverBuilder {
    topology: Topology,
    partitions: HashMap<String, i32>,
    config: TaskConfig,
    commit_each: bool,
    backend: MakeBackend,
}

impl TestDriverBuilder {
    /// Number of partitions of a topic; 1 for all others that the topology reads or writes.
    #[must_use]
    pub fn partitions(mut self, topic: impl Into<String>, partitions: i32) -> Self {
        self.partitions.insert(topic.into(), partitions);
        self
    }

    /// Holds results back until [`TopologyTestDriver::commit`], one for each key, as the runtime
    /// does with its cache, instead of committing after every record.
    #[must_use]
    pub fn caching(mut self) -> Self {
        self.config.caching = true;
        self.commit_each = false;
        self
    }

    /// Gives every result at once, but commits only on [`TopologyTestDriver::commit`].
    #[must_use]
    pub fn manual_commit(mut self) -> Self {
        self.commit_each = false;
        self
    }

    /// Drops and counts undecodable records instead of failing.
    #[must_use]
    pub fn skip_undecodable(mut self) -> Self {
        self.config.skip_undecodable = true;
        self
    }

    /// Bytes that typed caches may keep between commits; few make state go through the backend.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.config.cache_bytes = bytes;
        self
    }

    /// Where state lies. Called at the start and after each crash; memory by default.
    #[must_use]
    pub fn backend(
        mut self,
        open: impl Fn() -> Result<Arc<dyn StateBackend>, StreamsError> + 'static,
    ) -> Self {
        self.backend = Box::new(open);
        self
    }

    /// The driver, its tasks running.
    ///
    /// # Errors
    /// [`StreamsError`] if the topology cannot be planned or a store cannot be opened.
    pub fn build(self) -> Result<TopologyTestDriver, StreamsError> {
        let size_of = |topic: &str| Some(self.partitions.get(topic).copied().unwrap_or(1));
        let plan = self.topology.plan(&self.config.application_id, size_of)?;
        let mut log = Log::default();
        let sizes = plan
            .partitions
            .iter()
            .map(|(topic, size)| (topic.as_str(), *size));
        let asked = self
            .partitions
            .iter()
            .map(|(topic, size)| (topic.as_str(), *size));
        let changelogs = plan
            .changelog_topics
            .iter()
            .map(|topic| (topic.name.as_str(), topic.partitions));
        for (topic, size) in sizes.chain(asked).chain(changelogs) {
            log.create(topic, usize::try_from(size).unwrap_or(1));
        }
        let changelog_ids = plan
            .changelog_topics
            .iter()
            .map(|topic| (topic.name.clone(), Uuid::new_v4()));
        let mut inner = Inner {
            changelog_ids: changelog_ids.collect(),
            topology: self.topology,
            plan,
            config: self.config,
            commit_each: self.commit_each,
            log,
            tasks: BTreeMap::new(),
            committed: HashMap::new(),
            backend: (self.backend)()?,
            make_backend: self.backend,
            wall: 0,
            read: HashMap::new(),
            retired: BTreeMap::new(),
        };
        inner.start_tasks()?;
        Ok(TopologyTestDriver {
            inner: Rc::new(RefCell::new(inner)),
        })
    }
}

/// Drives a topology by hand. Clones drive the same one.
#[derive(Clone)]
pub struct TopologyTestDriver {
    inner: Rc<RefCell<Inner>>,
}

pub(super) struct Inner {
    topology: Topology,
    plan: Plan,
    config: TaskConfig,
    commit_each: bool,
    pub(super) log: Log,
    changelog_ids: HashMap<String, Uuid>,
    tasks: BTreeMap<TaskId, Task>,
    /// Committed offsets and their metadata by topic and partition.
    committed: HashMap<(String, i32), (i64, String)>,
    backend: Arc<dyn StateBackend>,
    make_backend: MakeBackend,
    wall: i64,
    /// How far output topics have been read by the test.
    pub(super) read: HashMap<String, Vec<usize>>,
    /// Counters of tasks that are gone.
    retired: BTreeMap<String, Counters>,
}

impl TopologyTestDriver {
    /// A driver with one partition for every topic, committing after every record.
    ///
    /// # Errors
    /// As [`TestDriverBuilder::build`].
    pub fn new(topology: &Topology) -> Result<Self, StreamsError> {
        Self::builder(topology).build()
    }

    /// A driver with settings of your own.
    pub fn builder(topology: &Topology) -> TestDriverBuilder {
        let config = TaskConfig {
            caching: false,
            ..TaskConfig::new("test")
        };
        TestDriverBuilder {
            topology: topology.clone(),
            partitions: HashMap::new(),
            config,
            commit_each: true,
            backend: Box::new(|| Ok(Arc::new(MemoryBackend::new()))),
        }
    }

    /// A topic to write to.
    pub fn input_topic<K, V>(
        &self,
        topic: impl Into<String>,
        key: impl Codec<K> + 'static,
        value: impl Codec<V> + 'static,
    ) -> TestInputTopic<K, V> {
        TestInputTopic::new(
            self.inner.clone(),
            topic.into(),
            Arc::new(key),
            Arc::new(value),
        )
    }

    /// A topic to read what the topology wrote.
    pub fn output_topic<K, V>(
        &self,
        topic: impl Into<String>,
        key: impl Codec<K> + 'static,
        value: impl Codec<V> + 'static,
    ) -> TestOutputTopic<K, V> {
        TestOutputTopic::new(
            self.inner.clone(),
            topic.into(),
            Arc::new(key),
            Arc::new(value),
        )
    }

    /// Commits all tasks until nothing moves any more.
    ///
    /// # Errors
    /// What operators fail with.
    pub fn commit(&self) -> Result<(), StreamsError> {
        let mut inner = self.inner.borrow_mut();
        loop {
            inner.commit()?;
            inner.run()?;
            if !inner.tasks.values().any(Task::needs_commit) {
                return Ok(());
            }
        }
    }

    /// Moves the wall clock by `ms` and tells the operators.
    ///
    /// # Errors
    /// What operators fail with.
    pub fn advance_wall_time(&self, ms: i64) -> Result<(), StreamsError> {
        let mut inner = self.inner.borrow_mut();
        inner.wall += ms;
        let now = inner.wall;
        for task in inner.tasks.values_mut() {
            task.tick(now)?;
        }
        inner.run()
    }

    /// Writes up to `entries` entries of each store to the backend.
    ///
    /// # Errors
    /// What the backend fails with.
    pub fn drain(&self, entries: usize) -> Result<(), StreamsError> {
        for task in self.inner.borrow_mut().tasks.values_mut() {
            task.begin_drain();
            task.drain(entries)?;
        }
        Ok(())
    }

    /// Loses everything that was not committed, as a killed process does under exactly-once, and
    /// comes back: the backend is opened again, changelogs are replayed from its checkpoints.
    ///
    /// # Errors
    /// [`StreamsError`] if a store cannot be opened or restored.
    pub fn crash_and_restore(&self) -> Result<(), StreamsError> {
        let mut inner = self.inner.borrow_mut();
        inner.retire_tasks();
        inner.log.abort();
        // Let go of the old backend first: there may be only one at a time.
        inner.backend = Arc::new(MemoryBackend::new());
        inner.backend = (inner.make_backend)()?;
        inner.start_tasks()?;
        inner.run()
    }

    /// Counters of all tasks' nodes called `node`, added up, crashes included.
    pub fn counters(&self, node: &str) -> Counters {
        let inner = self.inner.borrow();
        let mut sum = inner.retired.get(node).copied().unwrap_or_default();
        for (name, counters) in inner.tasks.values().flat_map(Task::counters) {
            if name == node {
                sum.add(counters);
            }
        }
        sum
    }

    /// Counters of all nodes of all tasks, added up, crashes included.
    pub fn all_counters(&self) -> Counters {
        let inner = self.inner.borrow();
        let mut sum = Counters::default();
        inner
            .retired
            .values()
            .for_each(|counters| sum.add(*counters));
        let live = inner.tasks.values().flat_map(Task::counters);
        live.for_each(|(_, counters)| sum.add(counters));
        sum
    }

    /// The committed contents of the partitions of a store.
    pub fn store(&self, name: &str) -> Vec<StoreView> {
        let inner = self.inner.borrow();
        let views = inner.tasks.values().flat_map(Task::views);
        views.filter(|view| view.id().store == name).collect()
    }
}

impl Inner {
    fn retire_tasks(&mut self) {
        for task in std::mem::take(&mut self.tasks).into_values() {
            for (name, counters) in task.counters() {
                self.retired
                    .entry(name.to_owned())
                    .or_default()
                    .add(counters);
            }
        }
    }

    fn start_tasks(&mut self) -> Result<(), StreamsError> {
        for (id, topics) in self.plan.tasks.clone() {
            let mut inputs = Vec::new();
            for topic in topics {
                let committed = self.committed.get(&(topic.clone(), id.partition)).cloned();
                let (offset, metadata) = committed.unwrap_or_default();
                inputs.push(InputPosition {
                    topic,
                    partition: id.partition,
                    offset,
                    metadata,
                });
            }
            let stores = self.open_stores(id)?;
            let task = Task::new(&self.topology, id, stores, &inputs, &self.config)?;
            self.tasks.insert(id, task);
        }
        Ok(())
    }

    fn open_stores(&self, id: TaskId) -> Result<Vec<Store>, StreamsError> {
        let mut stores = Vec::new();
        let part = self.topology.subtopologies().get(id.subtopology as usize);
        for at in part.map_or(&[][..], |part| &part.stores) {
            let Some(spec) = self.topology.stores().get(*at) else {
                continue;
            };
            let store_id = StoreId {
                store: spec.name.clone(),
                partition: id.partition,
            };
            let topic = changelog_topic(&self.config.application_id, &spec.name);
            let topic_id = self.changelog_ids.get(&topic).copied().unwrap_or_default();
            let backend = self.backend.open(&store_id)?;
            let mut store = ByteStore::open(spec, id.partition, backend, topic_id)?;
            if let Some(partition) = self.log.partition(&topic, id.partition) {
                let from = usize::try_from(store.restored_to().unwrap_or(0)).unwrap_or(0);
                let missing = partition
                    .records
                    .get(from..partition.committed)
                    .unwrap_or(&[]);
                let records = missing.iter().map(|record| ChangelogRecord {
                    key: record.key.clone().unwrap_or_default(),
                    value: record.value.clone(),
                    timestamp: record.timestamp,
                });
                store.restore(records, partition.committed as i64)?;
            }
            stores.push(Store::new(store));
        }
        Ok(stores)
    }

    /// Appends a record to an input and lets the tasks work.
    pub(super) fn pipe(
        &mut self,
        topic: &str,
        partition: Option<usize>,
        record: LogRecord,
    ) -> Result<(), StreamsError> {
        let partition =
            partition.unwrap_or_else(|| self.log.partition_of(topic, record.key.as_deref()));
        // A topic of the world outside: what is written to it is there at once.
        self.log.append(topic, partition, record);
        self.log.commit_partition(topic, partition);
        self.run()
    }

    /// Lets tasks work until nothing moves any more.
    fn run(&mut self) -> Result<(), StreamsError> {
        loop {
            let mut processed = 0;
            let ids: Vec<TaskId> = self.tasks.keys().copied().collect();
            for id in ids {
                processed += self.run_task(id)?;
            }
            if processed == 0 {
                return Ok(());
            }
        }
    }

    fn run_task(&mut self, id: TaskId) -> Result<usize, StreamsError> {
        let now = self.wall;
        let Some(task) = self.tasks.get_mut(&id) else {
            return Ok(0);
        };
        let inputs: Vec<(String, i32, i64)> = task
            .fetch_positions()
            .map(|(topic, partition, position)| (topic.to_owned(), partition, position))
            .collect();
        for (topic, partition, position) in inputs {
            let Some(log) = self.log.partition(&topic, partition) else {
                continue;
            };
            let end = log.committed as i64;
            if position < end {
                let chunk = log.read(usize::try_from(position).unwrap_or(0));
                task.add_chunk(&topic, partition, chunk, end)?;
            }
            task.set_fetched(&topic, partition, end, Some(0))?;
        }
        let most = if self.commit_each { 1 } else { usize::MAX };
        let processed = task.process(most, now)?;
        let outputs = task.take_outputs();
        self.produce(outputs);
        if processed > 0 && self.commit_each {
            self.commit()?;
        }
        Ok(processed)
    }

    fn produce(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            let records = &output.records;
            for row in 0..records.len() {
                let (key, value) = (records.keys.get_bytes(row), records.values.get_bytes(row));
                let partition = match &output.partitioner {
                    Some(choose) => {
                        let count = self.log.partitions(&output.topic).max(1);
                        let count = i32::try_from(count).unwrap_or(i32::MAX);
                        let chosen = choose(key.as_deref(), value.as_deref(), count);
                        usize::try_from(chosen).unwrap_or(0)
                    }
                    None => self.log.partition_of(&output.topic, key.as_deref()),
                };
                let headers = records.meta.headers.as_ref().and_then(|all| all.get(row));
                let headers = headers.cloned().unwrap_or_else(no_headers);
                let timestamp = records.meta.timestamps.get(row).copied().unwrap_or(-1);
                self.log.append(
                    &output.topic,
                    partition,
                    LogRecord {
                        key,
                        value,
                        timestamp,
                        headers,
                    },
                );
            }
        }
    }

    /// One commit of all tasks, as one transaction.
    fn commit(&mut self) -> Result<(), StreamsError> {
        let mut ends: Vec<(TaskId, BTreeMap<usize, i64>)> = Vec::new();
        let ids: Vec<TaskId> = self.tasks.keys().copied().collect();
        for id in ids {
            let Some(task) = self.tasks.get_mut(&id) else {
                continue;
            };
            if !task.needs_commit() {
                continue;
            }
            task.prepare_commit(self.wall)?;
            let outputs = task.take_outputs();
            let changes = task.changes();
            for position in task.positions() {
                let key = (position.topic, position.partition);
                self.committed
                    .insert(key, (position.offset, position.metadata));
            }
            self.produce(outputs);
            let mut changelog_ends = BTreeMap::new();
            for change in changes {
                let topic = changelog_topic(&self.config.application_id, &change.name);
                let partition = usize::try_from(id.partition).unwrap_or(0);
                for record in change.records {
                    let end = self.log.append(
                        &topic,
                        partition,
                        LogRecord {
                            key: Some(record.key),
                            value: record.value,
                            timestamp: record.timestamp,
                            headers: no_headers(),
                        },
                    );
                    changelog_ends.insert(change.store, end as i64);
                }
            }
            ends.push((id, changelog_ends));
        }
        self.log.commit();
        for (id, changelog_ends) in ends {
            if let Some(task) = self.tasks.get_mut(&id) {
                task.committed(&changelog_ends);
            }
        }
        Ok(())
    }
}
