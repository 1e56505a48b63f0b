#![allow(clippy::unwrap_used)] // Helpers of tests may fail by panicking, as tests do.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use uuid::Uuid;

use super::*;
use crate::state::{MemoryBackend, StateBackend, StoreSpec};

#[path = "../../tests/support/mod.rs"]
mod support;

const BATCHES: usize = 12;
const BATCH: usize = 5;

/// A changelog of several batches.
struct Changelog {
    log: support::Log,
    client: Client,
    partition: TopicPartition,
    expected: BTreeMap<String, String>,
}

async fn changelog() -> Changelog {
    let log = support::log(support::Reach::InProcess).await;
    let client = log.client();
    let topic = log.prefix("restore");
    support::create(&client, &topic, 1).await;
    let mut expected = BTreeMap::new();
    for batch in 0..BATCHES {
        let entries: Vec<(String, String)> = (0..BATCH)
            .map(|n| (format!("k{}", batch * BATCH + n), format!("v{n}")))
            .collect();
        let records: Vec<_> = entries
            .iter()
            .map(|(key, value)| (Some(key.as_str()), value.as_str(), 0))
            .collect();
        support::write(&client, &topic, &records).await;
        expected.extend(entries);
    }
    Changelog {
        log,
        client,
        partition: TopicPartition::new(topic.as_str(), 0),
        expected,
    }
}

impl Changelog {
    fn restorer(&self) -> Restorer {
        let client = self.client.clone();
        Restorer::reading(client, IsolationLevel::ReadUncommitted, BATCH).unwrap()
    }

    /// The task as it is given to a thread, over what was drained to `backend`.
    fn task(&self, backend: &dyn StateBackend) -> RestoringTask {
        let spec = StoreSpec::key_value("store");
        let id = StoreId {
            store: spec.name.clone(),
            partition: 0,
        };
        let part = backend.open(&id).unwrap();
        RestoringTask {
            id: TaskId {
                subtopology: 0,
                partition: 0,
            },
            inputs: Vec::new(),
            stores: vec![RestoringStore {
                store: ByteStore::open(&spec, 0, part, Uuid::from_u128(1)).unwrap(),
                changelog: Some(self.partition.clone()),
                end: None,
                done: false,
            }],
        }
    }
}

fn contents(task: &RestoringTask) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let store = &task.stores[0].store;
    store
        .scan(Bound::Unbounded, Bound::Unbounded, &mut |key, value, _| {
            found.insert(text(key), text(value));
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

/// Restores, poll by poll, until `is_enough`.
async fn restore(
    restorer: &mut Restorer,
    task: &mut RestoringTask,
    is_enough: impl Fn(&RestoringTask) -> bool,
) {
    let until = Instant::now() + support::PATIENCE;
    while !is_enough(task) {
        assert!(Instant::now() < until, "restored {:?}", contents(task));
        let tasks = std::slice::from_mut(task);
        restorer.step(tasks, Duration::ZERO).await.unwrap();
    }
}

#[tokio::test]
async fn a_task_given_back_in_the_middle_of_its_restore_begins_at_its_checkpoint() {
    let changelog = changelog().await;
    let backend = MemoryBackend::new();
    let mut restorer = changelog.restorer();
    let mut task = changelog.task(&backend);
    restore(&mut restorer, &mut task, |task| !contents(task).is_empty()).await;
    assert!(!task.is_done(), "one poll must not return all batches");
    // A rebalance forgets the task and brings it back.
    let mut task = changelog.task(&backend);
    restore(&mut restorer, &mut task, RestoringTask::is_done).await;
    assert_eq!(contents(&task), changelog.expected);
    restorer.close().await;
    changelog.log.shutdown().await;
}

#[tokio::test]
async fn a_task_given_back_after_its_restore_is_restored_anew() {
    let changelog = changelog().await;
    let backend = MemoryBackend::new();
    let mut restorer = changelog.restorer();
    let mut task = changelog.task(&backend);
    restore(&mut restorer, &mut task, RestoringTask::is_done).await;
    assert_eq!(contents(&task), changelog.expected);
    // Its partitions are lost before anything was drained, and come back.
    let mut task = changelog.task(&backend);
    restore(&mut restorer, &mut task, RestoringTask::is_done).await;
    assert_eq!(contents(&task), changelog.expected);
    // The next time it was drained: nothing is missing, and nothing is read again.
    task.stores[0].store.begin_drain();
    task.stores[0].store.drain(usize::MAX).unwrap();
    let mut task = changelog.task(&backend);
    assert_eq!(contents(&task), changelog.expected);
    restore(&mut restorer, &mut task, RestoringTask::is_done).await;
    assert_eq!(contents(&task), changelog.expected);
    restorer.close().await;
    changelog.log.shutdown().await;
}
