//! Stores: layers over a backend read as one map, whatever was committed, drained or reopened.

#![allow(clippy::unwrap_used)] // Helpers of tests may fail by panicking, as tests do.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use headwater_streams::codec::I64;
use headwater_streams::state::{
    ByteStore, ChangelogRecord, MemoryBackend, SledBackend, StateBackend, Store, StoreId,
    StoreSpec, WindowCache,
};
use proptest::prelude::*;
use uuid::Uuid;

const TOPIC: Uuid = Uuid::from_u128(1);

fn open(backend: &dyn StateBackend, spec: &StoreSpec, topic: Uuid) -> Store {
    let id = StoreId {
        store: spec.name.clone(),
        partition: 0,
    };
    Store::new(ByteStore::open(spec, 0, backend.open(&id).unwrap(), topic).unwrap())
}

fn put(store: &mut Store, key: &str, value: Option<&str>, at: i64) {
    let value = value.map(|value| Bytes::copy_from_slice(value.as_bytes()));
    store
        .bytes()
        .put(Bytes::copy_from_slice(key.as_bytes()), value, at);
}

type Entries = BTreeMap<String, (String, i64)>;

fn scan(store: &Store, from: Bound<&[u8]>, to: Bound<&[u8]>) -> Entries {
    let mut found = Entries::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    store
        .bytes_ref()
        .scan(from, to, &mut |key, value, at| {
            let last = found.last_key_value().map(|(last, _)| last.clone());
            assert!(last.is_none_or(|last| last < text(key)), "out of order");
            found.insert(text(key), (text(value), at));
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

fn all(store: &Store) -> Entries {
    scan(store, Bound::Unbounded, Bound::Unbounded)
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, Option<u8>),
    Commit,
    BeginDrain,
    Drain(usize),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..12_u8, proptest::option::weighted(0.7, 0..9_u8)).prop_map(|(k, v)| Step::Put(k, v)),
        3 => Just(Step::Commit),
        2 => Just(Step::BeginDrain),
        3 => (0..6_usize).prop_map(Step::Drain),
        1 => Just(Step::Reopen),
    ]
}

/// Runs the steps and compares with a map after each; a reopened store replays the changelog.
fn check(steps: &[Step], backend: &dyn StateBackend) {
    let spec = StoreSpec::key_value("store");
    let mut store = open(backend, &spec, TOPIC);
    let mut changelog: Vec<ChangelogRecord> = Vec::new();
    let (mut committed, mut current) = (Entries::new(), Entries::new());
    for (at, step) in (0_i64..).zip(steps) {
        match step {
            Step::Put(key, value) => {
                let key = format!("k{key}");
                match value {
                    Some(value) => current.insert(key.clone(), (value.to_string(), at)),
                    None => current.remove(&key),
                };
                put(
                    &mut store,
                    &key,
                    value.map(|v| v.to_string()).as_deref(),
                    at,
                );
            }
            Step::Commit => {
                changelog.extend(store.bytes_ref().changes());
                store.commit(Some(changelog.len() as i64));
                committed = current.clone();
            }
            Step::BeginDrain => store.bytes().begin_drain(),
            Step::Drain(entries) => store.bytes().drain(*entries).unwrap(),
            Step::Reopen => {
                drop(store);
                store = open(backend, &spec, TOPIC);
                let from = usize::try_from(store.bytes_ref().restored_to().unwrap_or(0)).unwrap();
                let missing = changelog.get(from..).unwrap().to_vec();
                store
                    .bytes()
                    .restore(missing, changelog.len() as i64)
                    .unwrap();
                current = committed.clone();
            }
        }
        assert_eq!(all(&store), current, "after {step:?}");
        let (from, to) = (Bound::Included(&b"k1"[..]), Bound::Excluded(&b"k5"[..]));
        let mut part = current.clone();
        part.retain(|key, _| ("k1".."k5").contains(&key.as_str()));
        assert_eq!(scan(&store, from, to), part, "a range after {step:?}");
        for (key, (value, at)) in &current {
            let found = store.bytes_ref().get(key.as_bytes()).unwrap().unwrap();
            assert_eq!((&*found.0, found.1), (value.as_bytes(), *at));
        }
        let view = store.bytes_ref().view();
        for key in (0..12).map(|key| format!("k{key}")) {
            let found = view.get(key.as_bytes()).unwrap().map(|(value, _)| value);
            let expected = committed
                .get(&key)
                .map(|(value, _)| value.as_bytes().to_vec());
            assert_eq!(
                found.map(|value| value.to_vec()),
                expected,
                "views see what is committed"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn memory_is_a_map(steps in proptest::collection::vec(step(), 1..60)) {
        check(&steps, &MemoryBackend::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn sled_is_a_map(steps in proptest::collection::vec(step(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        check(&steps, &SledBackend::open(dir.path()).unwrap());
    }
}

fn filled(backend: &dyn StateBackend) {
    let mut store = open(backend, &StoreSpec::key_value("store"), TOPIC);
    put(&mut store, "a", Some("1"), 1);
    put(&mut store, "b", Some("2"), 2);
    store.commit(Some(2));
    store.bytes().begin_drain();
    store.bytes().drain(usize::MAX).unwrap();
}

#[test]
fn state_of_another_changelog_topic_is_deleted() {
    let backend = MemoryBackend::new();
    filled(&backend);
    let spec = StoreSpec::key_value("store");
    let store = open(&backend, &spec, TOPIC);
    assert_eq!(store.bytes_ref().restored_to(), Some(2));
    assert_eq!(all(&store).len(), 2);
    let store = open(&backend, &spec, Uuid::from_u128(2));
    assert_eq!(store.bytes_ref().restored_to(), None);
    assert_eq!(all(&store), Entries::new());
}

#[test]
fn entries_without_a_checkpoint_are_deleted() {
    let backend = MemoryBackend::new();
    let spec = StoreSpec::key_value("store");
    let mut store = open(&backend, &spec, TOPIC);
    put(&mut store, "a", Some("1"), 1);
    put(&mut store, "b", Some("2"), 2);
    store.commit(Some(2));
    store.bytes().begin_drain();
    store.bytes().drain(1).unwrap();
    drop(store);
    let store = open(&backend, &spec, TOPIC);
    assert_eq!(store.bytes_ref().restored_to(), None);
    assert_eq!(all(&store), Entries::new());
}

fn damage(dir: &Path) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::write(path, b"this is no database").unwrap();
        }
    }
}

#[test]
fn a_database_that_does_not_open_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stores");
    let backend = SledBackend::open(&path).unwrap();
    filled(&backend);
    backend.flush().unwrap();
    drop(backend);
    let backend = SledBackend::open(&path).unwrap();
    assert_eq!(backend.set_aside(), None);
    assert_eq!(
        all(&open(&backend, &StoreSpec::key_value("store"), TOPIC)).len(),
        2
    );
    drop(backend);
    damage(&path);
    let backend = SledBackend::open(&path).unwrap();
    assert!(backend.set_aside().unwrap().exists());
    let store = open(&backend, &StoreSpec::key_value("store"), TOPIC);
    assert_eq!(store.bytes_ref().restored_to(), None);
    assert_eq!(all(&store), Entries::new());
}

#[test]
fn window_keys_lie_in_the_order_of_time_and_travel_in_kafkas_format() {
    let backend = MemoryBackend::new();
    let spec = StoreSpec::window("windows");
    let mut store = open(&backend, &spec, TOPIC);
    let key = headwater_streams::state::window_key(258, b"key");
    store
        .bytes()
        .put(key.clone(), Some(Bytes::from_static(b"v")), 300);
    let change = store.bytes_ref().changes().next().unwrap();
    assert_eq!(&*change.key, b"key\0\0\0\0\0\0\x01\x02\0\0\0\0");
    let mut other = open(&MemoryBackend::new(), &spec, TOPIC);
    other.bytes().restore([change], 1).unwrap();
    assert_eq!(
        other.bytes_ref().get(&key).unwrap(),
        Some((Bytes::from_static(b"v"), 300))
    );
}

const CACHE_BYTES: usize = 32 << 10;

fn number(bytes: &[u8]) -> i64 {
    i64::from_be_bytes(bytes.try_into().unwrap())
}

/// Adds one to `key` in the window at `start`; returns its count.
fn count(store: &mut Store, start: i64, key: &str) -> i64 {
    let make = || WindowCache::<i64>::new(Arc::new(I64), CACHE_BYTES);
    let (cache, bytes) = store.cached(make).unwrap();
    let mut window = cache.window(start);
    let at = window.lookup(bytes, key.as_bytes()).unwrap();
    window.mark_dirty(at);
    let value = &mut window.table.slot_mut(at).value;
    let count = value.unwrap_or(0) + 1;
    *value = Some(count);
    count
}

fn flush(store: &mut Store) {
    let make = || WindowCache::<i64>::new(Arc::new(I64), CACHE_BYTES);
    let (cache, bytes) = store.cached(make).unwrap();
    cache.flush(bytes, |_, _| {}).unwrap();
}

#[test]
fn a_single_window_does_not_outgrow_its_cache() {
    let backend = MemoryBackend::new();
    let mut store = open(&backend, &StoreSpec::window("store"), TOPIC);
    for n in 0..5_000 {
        count(&mut store, 0, &format!("k{n}"));
    }
    assert!(
        store.dirty_bytes() > CACHE_BYTES,
        "nothing dirty is forgotten"
    );
    flush(&mut store);
    assert_eq!(store.dirty_bytes(), 0);
    store.commit(Some(5_000));
    let cached = store.size_bytes() - store.bytes_ref().pending_bytes();
    assert!(cached <= CACHE_BYTES, "{cached} bytes are cached");
    for n in 0..5_000 {
        assert_eq!(count(&mut store, 0, &format!("k{n}")), 2);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever is forgotten between commits, and whenever: counts are those of a map, and what can
    /// be forgotten does not outgrow the cache.
    #[test]
    fn forgetting_between_commits_loses_nothing(
        steps in proptest::collection::vec((0..3_i64, 0..900_u32, 0..100_u8), 1..3_000),
    ) {
        let backend = MemoryBackend::new();
        let mut store = open(&backend, &StoreSpec::window("store"), TOPIC);
        let mut expected: BTreeMap<(i64, String), i64> = BTreeMap::new();
        for (start, key, then) in steps {
            let key = format!("k{key}");
            let count = count(&mut store, start, &key);
            let known = expected.entry((start, key)).or_default();
            *known += 1;
            prop_assert_eq!(count, *known);
            if then == 0 {
                flush(&mut store);
                store.commit(Some(1));
            } else if then < 10 {
                store.trim();
                let rest = store.bytes_ref().uncommitted_bytes() + store.bytes_ref().pending_bytes();
                let clean = store.size_bytes() - rest - store.dirty_bytes();
                prop_assert!(clean <= CACHE_BYTES);
            }
        }
        flush(&mut store);
        let mut found = BTreeMap::new();
        let bytes = store.bytes_ref();
        let visited = bytes.scan(Bound::Unbounded, Bound::Unbounded, &mut |key, value, _| {
            let (start, key) = key.split_first_chunk::<8>().unwrap();
            let key = String::from_utf8(key.to_vec()).unwrap();
            found.insert((i64::from_be_bytes(*start), key), number(value));
            ControlFlow::Continue(())
        });
        visited.unwrap();
        prop_assert_eq!(found, expected);
    }
}
