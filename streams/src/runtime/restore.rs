//! State back from the changelogs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_client::admin::OffsetSpec;
use headwater_client::{
    AutoOffsetReset, Client, ClientError, Consumer, ConsumerConfig, IsolationLevel, TopicPartition,
};

use uuid::Uuid;

use crate::StreamsError;
use crate::engine::{InputPosition, TaskId, changelog_topic};
use crate::state::{ByteStore, ChangelogRecord, StateError, Store, StoreId};

use super::internal_topics::Changelog;
use super::shared::{Shared, wall_ms};

/// A task whose stores are being restored.
pub(super) struct RestoringTask {
    pub(super) id: TaskId,
    /// Where it will begin; asked for before the ends of the changelogs, so that these hold at least
    /// what belongs to the offsets.
    pub(super) inputs: Vec<InputPosition>,
    stores: Vec<RestoringStore>,
}

struct RestoringStore {
    store: ByteStore,
    changelog: Option<(TopicPartition, Changelog)>,
    /// Offset to reach; `None` until it is known.
    end: Option<i64>,
    /// When that was asked for, in ms of the wall clock.
    asked_at: i64,
    done: bool,
}

impl RestoringStore {
    fn partition(&self) -> Option<&TopicPartition> {
        self.changelog.as_ref().map(|(partition, _)| partition)
    }

    /// Empties the store if its changelog, which begins at `start`, no longer tells all that
    /// happened since: while others had the task, keys may have been deleted.
    fn set_aside_stale(&mut self, start: i64) -> Result<(), StateError> {
        let (Some((partition, changelog)), Some(at)) = (&self.changelog, self.store.restored_to())
        else {
            return Ok(());
        };
        let confirmed_at = self.store.confirmed_at();
        if at < start || changelog.has_outlived(confirmed_at, self.asked_at) {
            tracing::warn!(
                %partition, at, start, confirmed_at,
                "stored state is older than what its changelog remembers; restoring all of it"
            );
            self.store.discard()?;
        }
        Ok(())
    }

    /// All of the changelog as it was when its end was asked for is there.
    fn finish(&mut self, next_offset: i64) -> Result<(), StateError> {
        self.store.restore([], next_offset)?;
        self.store.confirm(self.asked_at);
        self.done = true;
        Ok(())
    }
}

impl RestoringTask {
    /// Opens the stores of a task.
    pub(super) fn open(
        shared: &Shared,
        id: TaskId,
        inputs: Vec<InputPosition>,
    ) -> Result<Self, StateError> {
        let mut stores = Vec::new();
        let part = shared.topology.subtopologies().get(id.subtopology as usize);
        for at in part.map_or(&[][..], |part| &part.stores) {
            let Some(spec) = shared.topology.stores().get(*at) else {
                continue;
            };
            let backend = shared.backend.open(&StoreId {
                store: spec.name.clone(),
                partition: id.partition,
            })?;
            let topic = changelog_topic(&shared.config.application_id, &spec.name);
            let changelog = shared.changelogs.get(&topic).copied();
            let topic_id = changelog.map_or(Uuid::nil(), |changelog| changelog.id);
            let store = ByteStore::open(spec, id.partition, backend, topic_id)?;
            let changelog =
                changelog.map(|found| (TopicPartition::new(topic, id.partition), found));
            let done = changelog.is_none();
            stores.push(RestoringStore {
                store,
                changelog,
                end: None,
                asked_at: 0,
                done,
            });
        }
        Ok(Self { id, inputs, stores })
    }

    pub(super) fn is_done(&self) -> bool {
        self.stores.iter().all(|store| store.done)
    }

    pub(super) fn into_parts(self) -> (Vec<InputPosition>, Vec<Store>) {
        let stores = self.stores.into_iter();
        (
            self.inputs,
            stores
                .map(|restoring| Store::new(restoring.store))
                .collect(),
        )
    }
}

/// Reads changelogs into the stores of tasks.
pub(super) struct Restorer {
    consumer: Consumer,
    client: Client,
    /// What the consumer is assigned.
    assigned: Vec<TopicPartition>,
}

impl Restorer {
    pub(super) fn new(shared: &Shared) -> Result<Self, ClientError> {
        let isolation = match shared.config.is_exactly_once() {
            true => IsolationLevel::ReadCommitted,
            false => IsolationLevel::ReadUncommitted,
        };
        Self::reading(
            shared.client.clone(),
            isolation,
            shared.config.max_poll_records,
        )
    }

    fn reading(
        client: Client,
        isolation_level: IsolationLevel,
        max_poll_records: usize,
    ) -> Result<Self, ClientError> {
        let consumer = client.consumer(ConsumerConfig {
            isolation_level,
            enable_auto_commit: false,
            auto_offset_reset: AutoOffsetReset::Earliest,
            max_poll_records,
            allow_auto_create_topics: false,
            fetch_max_wait: Duration::from_millis(100),
            ..ConsumerConfig::default()
        })?;
        Ok(Self {
            consumer,
            client,
            assigned: Vec::new(),
        })
    }

    /// Restores for about `budget`, for one poll at least.
    pub(super) async fn step(
        &mut self,
        tasks: &mut [RestoringTask],
        budget: Duration,
    ) -> Result<(), StreamsError> {
        self.begin(tasks).await?;
        let until = Instant::now() + budget;
        loop {
            self.finish_reached(tasks)?;
            if tasks.iter().all(RestoringTask::is_done) {
                return Ok(());
            }
            let fetched = self.consumer.poll(Duration::from_millis(100)).await?;
            for batch in fetched.batches() {
                let Some(store) = find(tasks, &batch.partition) else {
                    continue;
                };
                let records = batch.records()?.into_iter().map(|record| ChangelogRecord {
                    key: record.key.unwrap_or_default(),
                    value: record.value,
                    timestamp: record.timestamp,
                });
                store.store.restore(records, batch.next_offset())?;
            }
            if Instant::now() >= until {
                return self.finish_reached(tasks);
            }
        }
    }

    /// Asks for the ends of changelogs not asked for yet, and assigns what is to be read.
    async fn begin(&mut self, tasks: &mut [RestoringTask]) -> Result<(), StreamsError> {
        let unknown: HashMap<TopicPartition, OffsetSpec> = tasks
            .iter()
            .flat_map(|task| &task.stores)
            .filter(|store| !store.done && store.end.is_none())
            .filter_map(|store| Some((store.partition()?.clone(), OffsetSpec::Latest)))
            .collect();
        // Stores that were opened since the last call: although their changelogs may be those of
        // stores that a rebalance took away, they begin where their own checkpoints say.
        let is_new = !unknown.is_empty();
        if is_new {
            let admin = self.client.admin();
            let asked_at = wall_ms();
            // The end of the log, not the last stable offset: a transaction that is decided, but
            // whose marker has not come here yet, must be waited for.
            let ends = admin
                .list_offsets(&unknown, IsolationLevel::ReadUncommitted)
                .await;
            let earliest = unknown
                .into_keys()
                .map(|tp| (tp, OffsetSpec::Earliest))
                .collect();
            let mut starts = admin
                .list_offsets(&earliest, IsolationLevel::ReadUncommitted)
                .await;
            for (partition, end) in ends {
                let end = end?.map_or(0, |end| end.offset);
                let start = starts.remove(&partition).transpose()?.flatten();
                let start = start.map_or(0, |start| start.offset);
                let Some(store) = find(tasks, &partition) else {
                    continue;
                };
                store.end = Some(end);
                store.asked_at = asked_at;
                store.set_aside_stale(start)?;
                if store.store.restored_to().is_none() {
                    // What was deleted before is read as deleted or not at all.
                    store.store.confirm(asked_at);
                }
                let from = store.store.restored_to().unwrap_or(start);
                if from >= end {
                    store.finish(end)?;
                }
            }
        }
        let stores = tasks.iter().flat_map(|task| &task.stores);
        let wanted: Vec<TopicPartition> = stores
            .filter(|store| !store.done)
            .filter_map(|store| store.partition().cloned())
            .collect();
        if is_new || wanted != self.assigned {
            self.consumer.assign(wanted.clone())?;
            for partition in &wanted {
                let Some(store) = find(tasks, partition) else {
                    continue;
                };
                match store.store.restored_to() {
                    Some(offset) => self.consumer.seek(partition, offset)?,
                    None => self
                        .consumer
                        .seek_to_beginning(std::slice::from_ref(partition))?,
                }
            }
            self.assigned = wanted;
        }
        Ok(())
    }

    /// The consumer's position passes control records, which batches do not show.
    fn finish_reached(&self, tasks: &mut [RestoringTask]) -> Result<(), StreamsError> {
        for store in tasks.iter_mut().flat_map(|task| &mut task.stores) {
            let (Some(partition), Some(end), false) = (store.partition(), store.end, store.done)
            else {
                continue;
            };
            let reached = self.consumer.position(partition).unwrap_or(-1);
            if reached >= end {
                store.finish(reached)?;
            }
        }
        Ok(())
    }

    pub(super) async fn close(&self) {
        self.consumer.close().await;
    }
}

fn find<'a>(
    tasks: &'a mut [RestoringTask],
    partition: &TopicPartition,
) -> Option<&'a mut RestoringStore> {
    tasks
        .iter_mut()
        .flat_map(|task| &mut task.stores)
        .find(|store| store.partition() == Some(partition))
}

/// The name of a changelog, shared.
pub(super) fn changelog_name(shared: &Shared, store: &str) -> Arc<str> {
    changelog_topic(&shared.config.application_id, store).into()
}

#[cfg(test)]
#[path = "restore_tests.rs"]
mod tests;
