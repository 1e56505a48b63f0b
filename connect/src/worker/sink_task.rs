//! Running a sink task: poll, convert, put, commit.
//!
//! Its consumer is a static member of the group `connect-<name>`, so that a restart takes its
//! place again at once, and reads committed records only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use headwater_client::{
    AutoOffsetReset, ClientError, Consumer, ConsumerConfig, ConsumerRecord, IsolationLevel,
    OffsetAndMetadata, RebalanceListener, TopicPartition,
};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::convert::Converters;
use super::errant::Errant;
use super::task::{Control, Retry, TaskSeat};
use crate::config::{Properties, SinkSettings};
use crate::data::SinkRecord;
use crate::spi::{CommittedPosition, ConnectError, SinkOffsets, SinkTask, SinkTaskContext};

/// How long one poll waits. A poll that comes back empty is a lull: what was put is committed.
const POLL: Duration = Duration::from_millis(100);

/// Most records of one put.
const PUT_RECORDS: usize = 2000;

/// What one task runs with.
pub(super) struct SinkRun {
    pub(super) seat: TaskSeat,
    pub(super) task: Box<dyn SinkTask>,
    pub(super) class: String,
    pub(super) properties: Properties,
    pub(super) settings: SinkSettings,
    pub(super) converters: Converters,
}

/// The group of a sink's consumers.
pub(super) fn group_of(connector: &str) -> String {
    format!("connect-{connector}")
}

/// The task and what it has been given: used by the loop, and by the rebalance listener while the
/// loop is inside a poll.
struct Core {
    task: Box<dyn SinkTask>,
    errant: Arc<Errant>,
    assigned: BTreeSet<TopicPartition>,
    committed: BTreeMap<TopicPartition, i64>,
    /// What went wrong in a rebalance, where nobody can be told.
    error: Option<ConnectError>,
    /// The task has failed: nothing may be committed any more.
    is_broken: bool,
}

struct Listener(Arc<Mutex<Core>>);

impl SinkRun {
    pub(super) async fn run(self) {
        let started = Instant::now();
        let Self {
            mut seat,
            task,
            class,
            properties,
            settings,
            converters,
        } = self;
        let result = run_to_end(&mut seat, task, class, &properties, &settings, &converters).await;
        seat.end(result, started).await;
    }
}

async fn run_to_end(
    seat: &mut TaskSeat,
    mut task: Box<dyn SinkTask>,
    class: String,
    properties: &Properties,
    settings: &SinkSettings,
    converters: &Converters,
) -> Result<(), ConnectError> {
    if !seat.may_run().await {
        return Ok(());
    }
    let connector = seat.connector.clone();
    let errors = seat.errors.clone();
    let errant = Errant::open(
        &seat.shared,
        connector.clone(),
        seat.task,
        class,
        errors,
        settings,
    );
    let errant = Arc::new(errant.await?);
    let context = SinkTaskContext {
        reporter: errant.clone(),
        connector,
        task: seat.task,
    };
    task.start(context, properties).await?;
    let core = Arc::new(Mutex::new(Core {
        task,
        errant: errant.clone(),
        assigned: BTreeSet::new(),
        committed: BTreeMap::new(),
        error: None,
        is_broken: false,
    }));
    let result = consume(seat, &core, settings, converters).await;
    core.lock().await.task.stop().await;
    errant.close().await;
    result
}

async fn consume(
    seat: &mut TaskSeat,
    core: &Arc<Mutex<Core>>,
    settings: &SinkSettings,
    converters: &Converters,
) -> Result<(), ConnectError> {
    let group = group_of(&seat.connector);
    let consumer = seat.shared.client.consumer(ConsumerConfig {
        group_instance_id: Some(format!(
            "connector-consumer-{}-{}",
            seat.connector, seat.task
        )),
        auto_offset_reset: AutoOffsetReset::Earliest,
        enable_auto_commit: false,
        isolation_level: IsolationLevel::ReadCommitted,
        max_poll_records: PUT_RECORDS,
        ..ConsumerConfig::new(group)
    })?;
    let listener = Arc::new(Listener(core.clone()));
    let topics = topics_of(seat, settings).await?;
    consumer.subscribe(&topics, Some(listener))?;
    let result = pump(seat, core, settings, converters, &consumer, topics).await;
    if result.is_ok() {
        let last = core.lock().await.commit(&consumer).await;
        consumer.close().await;
        return last;
    }
    // What was polled has not all been put: closing must not commit it.
    core.lock().await.is_broken = true;
    consumer.close().await;
    result
}

/// The topics to read; those of a pattern as they are now.
async fn topics_of(seat: &TaskSeat, settings: &SinkSettings) -> Result<Vec<String>, ClientError> {
    let Some(pattern) = &settings.topics_regex else {
        return Ok(settings.topics.clone());
    };
    let topics = seat.shared.client.admin().list_topics().await?;
    let topics = topics
        .iter()
        .filter(|topic| !topic.is_internal && pattern.is_match(&topic.name));
    Ok(topics.map(|topic| topic.name.to_string()).collect())
}

async fn pump(
    seat: &mut TaskSeat,
    core: &Arc<Mutex<Core>>,
    settings: &SinkSettings,
    converters: &Converters,
    consumer: &Consumer,
    mut topics: Vec<String>,
) -> Result<(), ConnectError> {
    let interval = seat.shared.config.offset_flush_interval;
    let refresh = ConsumerConfig::default().metadata_max_age.min(interval);
    let (mut committed_at, mut refreshed_at) = (Instant::now(), Instant::now());
    let mut dirty = 0;
    loop {
        match seat.told() {
            Control::Run => {}
            Control::Stop => return Ok(()),
            Control::Pause => {
                core.lock().await.commit(consumer).await?;
                if !pause(seat, core, consumer).await? {
                    return Ok(());
                }
            }
        }
        if settings.topics_regex.is_some() && refreshed_at.elapsed() >= refresh {
            refreshed_at = Instant::now();
            let now = topics_of(seat, settings).await?;
            if now != topics {
                topics = now;
                consumer.subscribe(&topics, Some(Arc::new(Listener(core.clone()))))?;
            }
        }
        let records = consumer.poll(POLL).await?.records()?;
        let mut core = core.lock().await;
        if let Some(error) = core.error.take() {
            return Err(error);
        }
        let lull = records.is_empty();
        if !lull {
            put(seat, &mut core, converters, &records).await?;
            dirty += records.len() as u64;
        }
        if lull || committed_at.elapsed() >= interval {
            core.commit(consumer).await?;
            committed_at = Instant::now();
            let mut progress = seat.progress();
            progress.records += std::mem::take(&mut dirty);
            let skipped = core.errant.take_skipped();
            progress.records = progress.records.saturating_sub(skipped);
            progress.skipped += skipped;
            seat.set_progress(progress);
        }
    }
}

/// Stays in the group without reading. False if the task is to stop.
async fn pause(
    seat: &mut TaskSeat,
    core: &Arc<Mutex<Core>>,
    consumer: &Consumer,
) -> Result<bool, ConnectError> {
    seat.report(super::State::Paused, None).await;
    loop {
        let assigned = consumer.assignment();
        consumer.pause(&assigned)?;
        match seat.told() {
            Control::Pause => {}
            Control::Stop => return Ok(false),
            Control::Run => {
                consumer.resume(&assigned)?;
                seat.report(super::State::Running, None).await;
                return Ok(true);
            }
        }
        // A rebalance while paused brings partitions that the next round pauses; what they gave
        // meanwhile is put like any other, by being read again from the committed position.
        let records = consumer.poll(POLL).await?.records()?;
        for record in records.iter().rev() {
            consumer.seek(
                &TopicPartition::new(record.topic.clone(), record.partition),
                record.offset,
            )?;
        }
        if let Some(error) = core.lock().await.error.take() {
            return Err(error);
        }
    }
}

async fn put(
    seat: &TaskSeat,
    core: &mut Core,
    converters: &Converters,
    records: &[ConsumerRecord],
) -> Result<(), ConnectError> {
    let mut batch: Vec<SinkRecord> = Vec::with_capacity(records.len());
    let mut last_topic: Option<&Arc<str>> = None;
    for record in records {
        if last_topic != Some(&record.topic) {
            seat.uses_topic(&record.topic).await;
            last_topic = Some(&record.topic);
        }
        match converters.to_sink(record) {
            Ok(converted) => batch.push(converted),
            Err(failed) => {
                let (topic, partition, offset) = (&record.topic, record.partition, record.offset);
                let what = format!(
                    "{topic}-{partition} at offset {offset} ({})",
                    failed.stage.name()
                );
                let error = ConnectError::Convert {
                    what,
                    source: failed.error,
                };
                core.errant
                    .skip(record, failed.stage, &failed.class, error)
                    .await?;
            }
        }
    }
    core.errant.begin(records.to_vec());
    let mut retry = Retry::new(&seat.errors);
    loop {
        core.errant.begin_put();
        let done = core.task.put(&batch).await;
        if done.is_err() {
            core.errant.put_failed();
        }
        match done {
            Ok(()) => return core.errant.put_succeeded().await,
            Err(error) if seat.told() == Control::Run && retry.again(&error).await => {
                tracing::warn!(
                    connector = &*seat.connector,
                    error = error.trace(),
                    "put is tried again"
                );
            }
            Err(error) => return Err(error),
        }
    }
}

impl Core {
    /// Commits the positions of all partitions, if any has moved. All records polled so far must
    /// have been put.
    async fn commit(&mut self, consumer: &Consumer) -> Result<(), ConnectError> {
        if self.is_broken {
            return Ok(());
        }
        let mut positions = SinkOffsets::new();
        let mut moved = false;
        for partition in &self.assigned {
            let committed = self.committed.get(partition).copied();
            // Until the consumer has found its place, that is where the last commit was.
            let Some(position) = consumer.position(partition).or(committed) else {
                continue;
            };
            moved |= committed != Some(position);
            positions.insert(partition.clone(), OffsetAndMetadata::new(position));
        }
        if !moved {
            return Ok(());
        }
        self.errant.flush().await?;
        let offsets = self.task.pre_commit(positions).await?;
        let offsets = offsets.into_iter().collect();
        consumer.commit_offsets(&offsets).await?;
        self.committed.extend(
            offsets
                .into_iter()
                .map(|(partition, at)| (partition, at.offset)),
        );
        Ok(())
    }

    async fn open(
        &mut self,
        consumer: &Consumer,
        partitions: &[TopicPartition],
    ) -> Result<(), ConnectError> {
        self.assigned = partitions.iter().cloned().collect();
        self.committed.clear();
        let mut committed = consumer.committed(partitions).await?;
        let mut positions = Vec::with_capacity(partitions.len());
        let mut new = Vec::new();
        for partition in &self.assigned {
            let found = committed.remove(partition);
            match &found {
                Some(at) => {
                    self.committed.insert(partition.clone(), at.offset);
                }
                None => new.push(partition.clone()),
            }
            positions.push(CommittedPosition {
                partition: partition.clone(),
                committed: found,
            });
        }
        self.task.open(&positions).await?;
        if !new.is_empty() {
            for (partition, beginning) in consumer.beginning_offsets(&new).await? {
                consumer.seek(&partition, beginning)?;
            }
            // Before anything is put: a sink that keeps its state in its commits must find one,
            // or it could not tell its own output after a crash from another's.
            self.commit(consumer).await?;
        }
        Ok(())
    }

    async fn close(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.assigned.remove(partition);
            self.committed.remove(partition);
        }
        if let Err(error) = self.task.close(partitions).await {
            tracing::warn!(error = error.trace(), "a sink did not close its partitions");
        }
    }
}

#[async_trait]
impl RebalanceListener for Listener {
    async fn on_partitions_revoked(&self, consumer: &Consumer, partitions: &[TopicPartition]) {
        let mut core = self.0.lock().await;
        if let Err(error) = core.commit(consumer).await {
            // The next owner reads again from the last commit, as after a crash.
            tracing::warn!(
                error = error.trace(),
                "the last commit before a rebalance failed"
            );
        }
        core.close(partitions).await;
    }

    async fn on_partitions_assigned(&self, consumer: &Consumer, partitions: &[TopicPartition]) {
        let mut core = self.0.lock().await;
        if let Err(error) = core.open(consumer, partitions).await {
            core.error = Some(error);
        }
    }

    async fn on_partitions_lost(&self, _consumer: &Consumer, partitions: &[TopicPartition]) {
        self.0.lock().await.close(partitions).await;
    }
}
