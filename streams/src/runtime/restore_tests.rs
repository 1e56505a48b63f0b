#![allow(clippy::unwrap_used)] // Helpers of tests may fail by panicking, as tests do.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use headwater_client::admin::NewTopic;
use uuid::Uuid;

use super::super::internal_topics::delete_retention_ms;
use super::*;
use crate::state::{MemoryBackend, SledBackend, StateBackend, StoreSpec};

#[path = "../../tests/support/mod.rs"]
mod support;

const BATCHES: usize = 12;
const BATCH: usize = 5;

const TOPIC: Uuid = Uuid::from_u128(1);
const DAY_MS: i64 = 86_400_000;

/// A changelog of several batches.
struct Written {
    log: support::Log,
    client: Client,
    partition: TopicPartition,
    expected: BTreeMap<String, String>,
}

async fn changelog() -> Written {
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
    Written {
        log,
        client,
        partition: TopicPartition::new(topic.as_str(), 0),
        expected,
    }
}

impl Written {
    fn restorer(&self) -> Restorer {
        let client = self.client.clone();
        Restorer::reading(client, IsolationLevel::ReadUncommitted, BATCH).unwrap()
    }

    /// The task as it is given to a thread, over what was drained to `backend`.
    fn task(&self, backend: &dyn StateBackend) -> RestoringTask {
        let changelog = Changelog {
            id: TOPIC,
            delete_retention_ms: DAY_MS,
        };
        RestoringTask {
            id: TaskId {
                subtopology: 0,
                partition: 0,
            },
            inputs: Vec::new(),
            stores: vec![RestoringStore {
                store: open(backend),
                changelog: Some((self.partition.clone(), changelog)),
                end: None,
                asked_at: 0,
                done: false,
            }],
        }
    }
}

fn open(backend: &dyn StateBackend) -> ByteStore {
    let spec = StoreSpec::key_value("store");
    let id = StoreId {
        store: spec.name.clone(),
        partition: 0,
    };
    ByteStore::open(&spec, 0, backend.open(&id).unwrap(), TOPIC).unwrap()
}

/// Leaves a store with one key of its own in `backend`, as of `offset`, confirmed at `confirmed_at`.
fn leave_behind(backend: &dyn StateBackend, offset: i64, confirmed_at: i64) {
    let mut store = open(backend);
    let ghost = ChangelogRecord {
        key: "ghost".into(),
        value: Some("boo".into()),
        timestamp: 0,
    };
    store.restore([ghost], offset).unwrap();
    store.confirm(confirmed_at);
    drain(&mut store);
}

fn drain(store: &mut ByteStore) {
    store.begin_drain();
    store.drain(usize::MAX).unwrap();
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
    drain(&mut task.stores[0].store);
    let mut task = changelog.task(&backend);
    assert_eq!(contents(&task), changelog.expected);
    restore(&mut restorer, &mut task, RestoringTask::is_done).await;
    assert_eq!(contents(&task), changelog.expected);
    restorer.close().await;
    changelog.log.shutdown().await;
}

/// What a task restores over a store that was left behind at offset 10.
async fn restored_over(changelog: &Written, confirmed_at: i64) -> BTreeMap<String, String> {
    let backend = MemoryBackend::new();
    leave_behind(&backend, 10, confirmed_at);
    let before = wall_ms();
    let mut restorer = changelog.restorer();
    let mut task = changelog.task(&backend);
    restore(&mut restorer, &mut task, RestoringTask::is_done).await;
    restorer.close().await;
    drain(&mut task.stores[0].store);
    assert!(open(&backend).confirmed_at() >= before, "known to be whole");
    contents(&task)
}

#[tokio::test]
async fn state_older_than_the_deletions_that_are_kept_is_not_built_upon() {
    let changelog = changelog().await;
    let long_ago = wall_ms() - DAY_MS;
    assert_eq!(
        restored_over(&changelog, long_ago).await,
        changelog.expected
    );
    let unknown = 0;
    assert_eq!(restored_over(&changelog, unknown).await, changelog.expected);
    // What is recent is kept, and only what came after it is read.
    let found = restored_over(&changelog, wall_ms() - DAY_MS / 2).await;
    assert!(found.contains_key("ghost") && !found.contains_key("k9"));
    assert_eq!(found.len(), changelog.expected.len() - 10 + 1);
    changelog.log.shutdown().await;
}

#[tokio::test]
async fn state_from_before_the_changelog_begins_is_not_built_upon() {
    let changelog = changelog().await;
    let admin = changelog.client.admin();
    let before = HashMap::from([(changelog.partition.clone(), 20)]);
    for (_, deleted) in admin.delete_records(&before).await.unwrap() {
        deleted.unwrap();
    }
    let mut expected = changelog.expected.clone();
    expected.retain(|key, _| key[1..].parse::<i64>().unwrap() >= 20);
    assert_eq!(restored_over(&changelog, wall_ms()).await, expected);
    changelog.log.shutdown().await;
}

#[test]
fn a_store_that_does_not_change_is_confirmed_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let sled = SledBackend::open(&dir.path().join("stores")).unwrap();
    let memory = MemoryBackend::new();
    for backend in [&sled as &dyn StateBackend, &memory] {
        leave_behind(backend, 10, 1_000);
        let mut store = open(backend);
        assert_eq!(
            (store.restored_to(), store.confirmed_at()),
            (Some(10), 1_000)
        );
        store.confirm(2_000);
        drain(&mut store);
        let store = open(backend);
        assert_eq!(
            (store.restored_to(), store.confirmed_at()),
            (Some(10), 2_000)
        );
    }
}

#[tokio::test]
async fn how_long_deletions_are_kept_is_asked_of_the_topic() {
    let log = support::log(support::Reach::InProcess).await;
    let (admin, topic) = (log.client().admin(), log.prefix("retention"));
    let new = NewTopic::new(&topic, 1).config("delete.retention.ms", "7200000");
    admin.create_topic(new).await.unwrap();
    assert_eq!(delete_retention_ms(&admin, &topic).await, 7_200_000);
    log.shutdown().await;
}
