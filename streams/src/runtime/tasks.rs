//! The tasks of a thread, their commit, and their coming and going.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_client::admin::OffsetSpec;
use headwater_client::{
    ClientError, Consumer, Delivery, IsolationLevel, OffsetAndMetadata, TopicPartition,
};

use crate::StreamsError;
use crate::engine::{InputPosition, NodeKind, OffsetReset, Task, TaskId};

use super::assignment::TaskAssignor;
use super::produce::Outlet;
use super::restore::{RestoringTask, changelog_name};
use super::shared::{Shared, wall_ms};

/// Everything a thread owns but its consumer.
pub(super) struct Tasks {
    shared: Arc<Shared>,
    assignor: Arc<TaskAssignor>,
    outlet: Outlet,
    /// Tasks that work.
    running: BTreeMap<TaskId, Task>,
    /// Tasks given up in a rebalance that is not over: they may come back as they are.
    suspended: BTreeMap<TaskId, Task>,
    /// Tasks whose state is on its way.
    pub(super) restoring: Vec<RestoringTask>,
    /// Tasks that were given to the thread and are not opened yet.
    new: BTreeSet<TaskId>,
    in_transaction: bool,
    /// The open transaction holds outputs of tasks that are gone: it must not be committed.
    must_abort: bool,
    has_assignment: bool,
    paused: BTreeSet<TopicPartition>,
    last_commit: Instant,
    last_drain: Instant,
    last_count: Instant,
    last_purge: Instant,
    /// Committed offsets of repartition topics that were not purged yet.
    purgeable: HashMap<TopicPartition, i64>,
    /// What a rebalance listener could not say.
    pub(super) failure: Option<StreamsError>,
}

/// How long committed state gathers before it is written to the backend.
const DRAIN_INTERVAL: Duration = Duration::from_secs(10);
/// Beyond this it is written at once.
const DRAIN_BYTES: usize = 32 << 20;
/// Time given to the backend between two polls.
const DRAIN_BUDGET: Duration = Duration::from_millis(5);
/// Entries written between two looks at the clock.
const DRAIN_ENTRIES: usize = 128;
/// Records processed by a task before its outputs are handed to the producer.
const PROCESS_RECORDS: usize = 16_384;
/// How often counters are published.
const COUNT_INTERVAL: Duration = Duration::from_millis(100);

impl Tasks {
    pub(super) fn new(shared: Arc<Shared>, assignor: Arc<TaskAssignor>, outlet: Outlet) -> Self {
        let now = Instant::now();
        Self {
            shared,
            assignor,
            outlet,
            running: BTreeMap::new(),
            suspended: BTreeMap::new(),
            restoring: Vec::new(),
            new: BTreeSet::new(),
            in_transaction: false,
            must_abort: false,
            has_assignment: false,
            paused: BTreeSet::new(),
            last_commit: now,
            last_drain: now,
            last_count: now,
            last_purge: now,
            purgeable: HashMap::new(),
            failure: None,
        }
    }

    /// Whether every task that was given to the thread works.
    pub(super) fn is_settled(&self) -> bool {
        self.has_assignment && self.new.is_empty() && self.restoring.is_empty()
    }

    // Coming and going.

    /// A rebalance begins: what was done is committed, and all tasks stand still.
    pub(super) async fn revoked(&mut self, consumer: &Consumer) {
        if let Err(error) = self.commit(consumer).await {
            self.failure.get_or_insert(error);
            self.drop_all();
            return;
        }
        self.has_assignment = false;
        self.suspended.append(&mut self.running);
        self.restoring.clear();
        self.new.clear();
    }

    /// Others have the partitions already: nothing may be committed any more.
    pub(super) fn lost(&mut self) {
        self.drop_all();
    }

    /// A rebalance is over: tasks that came back go on, others are closed, new ones opened.
    pub(super) fn assigned(
        &mut self,
        consumer: &Consumer,
        partitions: &[TopicPartition],
    ) -> Result<(), ClientError> {
        let wanted = self
            .assignor
            .tasks_of(&partitions.iter().cloned().collect());
        self.paused.clear();
        self.has_assignment = true;
        for (id, task) in std::mem::take(&mut self.suspended) {
            if wanted.contains(&id) {
                for (topic, partition, position) in task.fetch_positions() {
                    consumer.seek(&TopicPartition::new(topic, partition), position)?;
                }
                self.running.insert(id, task);
            } else {
                self.close(task);
            }
        }
        self.new = wanted
            .into_iter()
            .filter(|id| !self.running.contains_key(id))
            .collect();
        for id in &self.new {
            consumer.pause(self.assignor.partitions(*id))?;
        }
        Ok(())
    }

    /// Forgets all tasks with what they did not commit.
    pub(super) fn drop_all(&mut self) {
        let tasks = std::mem::take(&mut self.running).into_values();
        for task in tasks.chain(std::mem::take(&mut self.suspended).into_values()) {
            self.forget(&task);
        }
        self.restoring.clear();
        self.new.clear();
        self.paused.clear();
        self.has_assignment = false;
        self.must_abort = self.in_transaction;
    }

    fn forget(&self, task: &Task) {
        let mut views = self.shared.views.write();
        for view in task.views() {
            // Another thread may have the task already.
            if views.get(view.id()).is_some_and(|now| now.is_same(&view)) {
                views.remove(view.id());
            }
        }
        drop(views);
        self.shared.retire_counters(task);
    }

    /// Closes a task that has committed: the backend gets all of its state.
    fn close(&self, mut task: Task) {
        self.forget(&task);
        if let Err(error) = drain_all(&mut task) {
            // The changelog has it; the next restore takes longer.
            tracing::warn!(task = %task.id(), %error, "state was not written to the backend");
        }
    }

    /// Commits, and closes all tasks.
    pub(super) async fn shut_down(&mut self, consumer: &Consumer) -> Result<(), StreamsError> {
        let committed = self.commit(consumer).await;
        if committed.is_err() {
            self.drop_all();
            return committed;
        }
        for task in std::mem::take(&mut self.running).into_values() {
            self.close(task);
        }
        for task in std::mem::take(&mut self.suspended).into_values() {
            self.close(task);
        }
        self.drop_all();
        Ok(self.outlet.producer.close().await?)
    }

    /// Opens the stores of new tasks and finds out where to begin.
    pub(super) async fn open_new(&mut self) -> Result<(), StreamsError> {
        if self.new.is_empty() {
            return Ok(());
        }
        let partitions: Vec<TopicPartition> = self
            .new
            .iter()
            .flat_map(|id| self.assignor.partitions(*id))
            .cloned()
            .collect();
        let admin = self.shared.client.admin();
        let group = &self.shared.config.application_id;
        let committed = admin
            .list_group_offsets(group, Some(&partitions), true)
            .await?;
        let unknown: HashMap<TopicPartition, OffsetSpec> = partitions
            .iter()
            .filter(|partition| !committed.contains_key(*partition))
            .map(|partition| (partition.clone(), self.offset_reset(partition)))
            .collect();
        let mut resets = match unknown.is_empty() {
            true => HashMap::new(),
            false => {
                admin
                    .list_offsets(&unknown, IsolationLevel::ReadUncommitted)
                    .await
            }
        };
        for id in std::mem::take(&mut self.new) {
            let mut inputs = Vec::new();
            for partition in self.assignor.partitions(id) {
                let (offset, metadata) = match committed.get(partition) {
                    Some(committed) => (committed.offset, committed.metadata.clone()),
                    None => {
                        let reset = resets.remove(partition).transpose()?.flatten();
                        (reset.map_or(0, |reset| reset.offset), String::new())
                    }
                };
                inputs.push(InputPosition {
                    topic: partition.topic.to_string(),
                    partition: partition.partition,
                    offset,
                    metadata,
                });
            }
            self.restoring
                .push(RestoringTask::open(&self.shared, id, inputs)?);
        }
        Ok(())
    }

    fn offset_reset(&self, partition: &TopicPartition) -> OffsetSpec {
        let application_id = &self.shared.config.application_id;
        let reset = self
            .shared
            .topology
            .nodes()
            .iter()
            .find_map(|node| match &node.kind {
                NodeKind::Source(source) => source
                    .topics
                    .iter()
                    .any(|topic| *topic.resolve(application_id) == *partition.topic)
                    .then_some(source.offset_reset),
                _ => None,
            });
        match reset {
            Some(OffsetReset::Latest) => OffsetSpec::Latest,
            _ => OffsetSpec::Earliest,
        }
    }

    /// Starts the tasks whose state is there.
    pub(super) fn start_restored(&mut self, consumer: &Consumer) -> Result<(), StreamsError> {
        let (done, restoring) = std::mem::take(&mut self.restoring)
            .into_iter()
            .partition(RestoringTask::is_done);
        self.restoring = restoring;
        let done: Vec<RestoringTask> = done;
        for restored in done {
            let id = restored.id;
            let (inputs, stores) = restored.into_parts();
            let config = &self.shared.task_config;
            let task = Task::new(&self.shared.topology, id, stores, &inputs, config)?;
            for input in &inputs {
                let partition = TopicPartition::new(input.topic.as_str(), input.partition);
                consumer.seek(&partition, input.offset)?;
            }
            consumer.resume(self.assignor.partitions(id))?;
            let mut views = self.shared.views.write();
            views.extend(
                task.views()
                    .into_iter()
                    .map(|view| (view.id().clone(), view)),
            );
            drop(views);
            self.running.insert(id, task);
        }
        Ok(())
    }

    // Work.

    /// Hands fetched batches to their tasks, and tells them how far the log was read.
    pub(super) fn add(
        &mut self,
        consumer: &Consumer,
        batches: &[headwater_client::FetchedBatch],
    ) -> Result<(), StreamsError> {
        for batch in batches {
            let (topic, partition) = (&*batch.partition.topic, batch.partition.partition);
            let task = self.running.values_mut().find(|task| {
                task.inputs()
                    .any(|(own, at, _)| own == topic && at == partition)
            });
            if let Some(task) = task {
                task.add_batch(topic, partition, &batch.batch)?;
            }
        }
        for task in self.running.values_mut() {
            let inputs: Vec<(String, i32)> = task
                .inputs()
                .map(|(topic, at, _)| (topic.to_owned(), at))
                .collect();
            for (topic, at) in inputs {
                let partition = TopicPartition::new(topic.as_str(), at);
                let Some(position) = consumer.position(&partition) else {
                    continue;
                };
                task.set_fetched(&topic, at, position, consumer.lag(&partition))?;
            }
        }
        Ok(self.apply_back_pressure(consumer)?)
    }

    /// Pauses partitions with much waiting; resumes those with little.
    fn apply_back_pressure(&mut self, consumer: &Consumer) -> Result<(), ClientError> {
        let most = self.shared.config.buffered_records_per_partition;
        for task in self.running.values() {
            for (topic, at, waiting) in task.inputs() {
                let partition = TopicPartition::new(topic, at);
                if waiting > most && !self.paused.contains(&partition) {
                    consumer.pause(std::slice::from_ref(&partition))?;
                    self.paused.insert(partition);
                } else if waiting <= most && self.paused.remove(&partition) {
                    consumer.resume(std::slice::from_ref(&partition))?;
                }
            }
        }
        Ok(())
    }

    /// Lets every task process some records; returns how many.
    pub(super) async fn process(&mut self) -> Result<usize, StreamsError> {
        let now = wall_ms();
        let mut processed = 0;
        let ids: Vec<TaskId> = self.running.keys().copied().collect();
        for id in ids {
            let Some(task) = self.running.get_mut(&id) else {
                continue;
            };
            task.tick(now)?;
            processed += task.process(PROCESS_RECORDS, now)?;
            self.hand_over(id).await?;
        }
        if self.last_count.elapsed() >= COUNT_INTERVAL {
            self.last_count = Instant::now();
            self.shared.note_counters(self.running.values());
        }
        Ok(processed)
    }

    async fn hand_over(&mut self, id: TaskId) -> Result<(), StreamsError> {
        let Some(task) = self.running.get_mut(&id) else {
            return Ok(());
        };
        let outputs = task.take_outputs();
        if outputs.is_empty() {
            return Ok(());
        }
        self.begin_transaction().await?;
        for output in outputs {
            self.outlet.produce(output).await?;
        }
        Ok(())
    }

    async fn begin_transaction(&mut self) -> Result<(), ClientError> {
        self.abort_if_needed().await?;
        if self.shared.config.is_exactly_once() && !self.in_transaction {
            self.outlet.producer.begin_transaction()?;
            self.in_transaction = true;
        }
        Ok(())
    }

    async fn abort_if_needed(&mut self) -> Result<(), ClientError> {
        if self.must_abort {
            self.outlet.producer.abort_transaction().await?;
            self.must_abort = false;
            self.in_transaction = false;
        }
        Ok(())
    }

    // Commit.

    /// Time until the next commit is due; zero if it is.
    pub(super) fn until_commit(&self) -> Duration {
        let interval = self.shared.config.effective_commit_interval();
        interval.saturating_sub(self.last_commit.elapsed())
    }

    pub(super) fn is_commit_due(&self) -> bool {
        if self.until_commit().is_zero() {
            return true;
        }
        let uncommitted: usize = self.running.values().map(Task::uncommitted_bytes).sum();
        let dirty: usize = self.running.values().map(Task::dirty_bytes).sum();
        uncommitted > self.shared.config.uncommitted_max_bytes
            || dirty > self.shared.config.cache_bytes_of_thread()
    }

    /// Commits all tasks that moved, together.
    pub(super) async fn commit(&mut self, consumer: &Consumer) -> Result<(), StreamsError> {
        self.last_commit = Instant::now();
        self.abort_if_needed().await?;
        let now = wall_ms();
        let moved = self.running.values().filter(|task| task.needs_commit());
        let moved: Vec<TaskId> = moved.map(Task::id).collect();
        if moved.is_empty() && !self.in_transaction {
            return Ok(());
        }
        let mut offsets: HashMap<TopicPartition, OffsetAndMetadata> = HashMap::new();
        let mut deliveries: Vec<(TaskId, usize, Delivery)> = Vec::new();
        for id in &moved {
            let Some(task) = self.running.get_mut(id) else {
                continue;
            };
            task.prepare_commit(now)?;
            let changes = task.changes();
            for position in task.positions() {
                offsets.insert(
                    TopicPartition::new(position.topic, position.partition),
                    OffsetAndMetadata::with_metadata(position.offset, position.metadata),
                );
            }
            self.hand_over(*id).await?;
            if !changes.is_empty() {
                self.begin_transaction().await?;
            }
            for change in changes {
                let topic = changelog_name(&self.shared, &change.name);
                let sent = self
                    .outlet
                    .log_changes(&topic, id.partition, change.records)
                    .await?;
                deliveries.extend(sent.map(|delivery| (*id, change.store, delivery)));
            }
        }
        self.end_transaction(consumer, &offsets).await?;
        self.purge(&offsets);
        let mut ends: HashMap<TaskId, BTreeMap<usize, i64>> = HashMap::new();
        for (id, store, delivery) in deliveries {
            // Without an offset the store's position stays where it was, and more is restored.
            if let Some(offset) = delivery.await?.offset {
                ends.entry(id).or_default().insert(store, offset + 1);
            }
        }
        for id in &moved {
            if let Some(task) = self.running.get_mut(id) {
                task.committed(ends.get(id).unwrap_or(&BTreeMap::new()));
            }
        }
        self.shared.note_counters(self.running.values());
        Ok(())
    }

    /// Deletes what was committed from repartition topics, from time to time and without waiting:
    /// nobody else reads them, and they have no retention.
    fn purge(&mut self, committed: &HashMap<TopicPartition, OffsetAndMetadata>) {
        let repartition = &self.shared.plan.repartition_topics;
        for (partition, offset) in committed {
            if offset.offset > 0
                && repartition
                    .iter()
                    .any(|topic| *topic.name == *partition.topic)
            {
                self.purgeable.insert(partition.clone(), offset.offset);
            }
        }
        if self.last_purge.elapsed() < self.shared.config.repartition_purge_interval {
            return;
        }
        self.last_purge = Instant::now();
        let before = std::mem::take(&mut self.purgeable);
        if before.is_empty() {
            return;
        }
        let admin = self.shared.client.admin();
        tokio::spawn(async move {
            let failure = match admin.delete_records(&before).await {
                Ok(purged) => purged.into_values().find_map(Result::err),
                Err(error) => Some(error),
            };
            if let Some(error) = failure {
                // Space only; the next purge covers it.
                tracing::warn!(%error, "repartition topics were not purged");
            }
        });
    }

    async fn end_transaction(
        &mut self,
        consumer: &Consumer,
        offsets: &HashMap<TopicPartition, OffsetAndMetadata>,
    ) -> Result<(), ClientError> {
        let producer = self.outlet.producer.clone();
        if !self.shared.config.is_exactly_once() {
            producer.flush().await?;
            if !offsets.is_empty() {
                consumer.commit_offsets(offsets).await?;
            }
            return Ok(());
        }
        if !offsets.is_empty() {
            self.begin_transaction().await?;
            producer
                .send_offsets_to_transaction(offsets, &consumer.group_metadata()?)
                .await?;
        }
        if self.in_transaction {
            producer.commit_transaction().await?;
            self.in_transaction = false;
        }
        Ok(())
    }

    // State to the backend.

    /// Writes some committed state to the backend, if it is time.
    pub(super) fn drain(&mut self) -> Result<(), StreamsError> {
        let pending: usize = self.running.values().map(Task::pending_bytes).sum();
        if self.last_drain.elapsed() >= DRAIN_INTERVAL || pending > DRAIN_BYTES {
            self.last_drain = Instant::now();
            self.running.values_mut().for_each(Task::begin_drain);
        }
        let until = Instant::now() + DRAIN_BUDGET;
        for task in self.running.values_mut() {
            while Instant::now() < until && !task.drain(DRAIN_ENTRIES)? {}
        }
        Ok(())
    }
}

/// Writes all committed state of a task to its backend.
fn drain_all(task: &mut Task) -> Result<(), StreamsError> {
    // A drain under way ends first; what was committed meanwhile needs another.
    for _ in 0..2 {
        task.begin_drain();
        while !task.drain(usize::MAX)? {}
    }
    Ok(())
}
