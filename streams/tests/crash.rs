//! Crashes at any moment: results are those of an undisturbed fold, whatever the backend.

#![allow(clippy::unwrap_used)] // Helpers of tests may fail by panicking, as tests do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headwater_streams::codec::{I64, Utf8, WindowedCodec};
use headwater_streams::dsl::{KTable, StreamsBuilder, TimeWindows};
use headwater_streams::engine::Topology;
use headwater_streams::state::{MemoryBackend, SledBackend};
use headwater_streams::test::TopologyTestDriver;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Record { key: u8, value: u8, at: i64 },
    Row { key: u8, value: Option<u8>, at: i64 },
    Commit,
    Drain(usize),
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..6_u8, 0..4_u8, 0..200_i64)
            .prop_map(|(key, value, at)| Step::Record { key, value, at }),
        4 => (0..4_u8, proptest::option::of(0..9_u8), 0..200_i64)
            .prop_map(|(key, value, at)| Step::Row { key, value, at }),
        4 => Just(Step::Commit),
        2 => (0..12_usize).prop_map(Step::Drain),
        2 => Just(Step::Crash),
    ]
}

#[derive(Clone, Copy, Debug)]
enum Backend {
    Memory,
    Sled,
}

const SIZE: i64 = 20;
const GRACE: i64 = 30;

/// A windowed count by key, a count by value through a repartition, and a sum of joined rows.
fn topology() -> Topology {
    let b = StreamsBuilder::new();
    let rows: KTable<String, i64> = b.table("rows", "rows");
    let stream = b.stream::<String, String>("in");
    let windows = TimeWindows::of(Duration::from_millis(SIZE as u64));
    let windows = windows.grace(Duration::from_millis(GRACE as u64));
    stream
        .group_by_key()
        .windowed_by(windows)
        .count("windows")
        .to_stream()
        .to("windows");
    let by_value = stream.group_by(|_, value: &String| value.clone());
    by_value.count("by-value").to_stream().to("by-value");
    stream
        .select_key(|_, value| value.clone())
        .left_join(&rows, |_, row| row.copied().unwrap_or(100))
        .group_by_key()
        .reduce(|a, b| a + b, "sums")
        .to_stream()
        .to("sums");
    b.build().unwrap()
}

#[derive(Debug, Default, PartialEq)]
struct Results {
    windows: BTreeMap<(String, i64), i64>,
    by_value: BTreeMap<String, i64>,
    sums: BTreeMap<String, i64>,
    late: u64,
}

/// A plain fold over the records in the order they came.
fn oracle(steps: &[Step]) -> Results {
    let mut results = Results::default();
    let mut rows: BTreeMap<String, i64> = BTreeMap::new();
    let mut observed = -1;
    for step in steps {
        match step {
            Step::Record { key, value, at } => {
                let (key, value) = (key.to_string(), value.to_string());
                observed = observed.max(*at);
                let start = at / SIZE * SIZE;
                if start + SIZE > observed - GRACE {
                    *results.windows.entry((key, start)).or_default() += 1;
                } else {
                    results.late += 1;
                }
                *results.by_value.entry(value.clone()).or_default() += 1;
                let row = rows.get(&value).copied().unwrap_or(100);
                *results.sums.entry(value).or_default() += row;
            }
            Step::Row {
                key,
                value: Some(value),
                ..
            } => {
                rows.insert(key.to_string(), i64::from(*value));
            }
            Step::Row {
                key, value: None, ..
            } => {
                rows.remove(&key.to_string());
            }
            Step::Commit | Step::Drain(_) | Step::Crash => {}
        }
    }
    results
}

fn run(steps: &[Step], backend: Backend, caching: bool) -> Results {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stores");
    let memory = MemoryBackend::new();
    let builder = TopologyTestDriver::builder(&topology()).cache_bytes(1);
    let builder = if caching {
        builder.caching()
    } else {
        builder.manual_commit()
    };
    let driver = builder
        .backend(move || match backend {
            Backend::Memory => Ok(Arc::new(memory.clone())),
            Backend::Sled => Ok(Arc::new(SledBackend::open(&path)?)),
        })
        .build()
        .unwrap();
    let input = driver.input_topic("in", Utf8, Utf8);
    let rows = driver.input_topic("rows", Utf8, I64);
    for step in steps {
        match step {
            Step::Record { key, value, at } => {
                input.pipe(key.to_string(), value.to_string(), *at).unwrap();
                // Rows must be joined as of this moment, not as of the next commit.
                driver.commit().unwrap();
            }
            Step::Row {
                key,
                value: Some(value),
                at,
            } => {
                rows.pipe(key.to_string(), i64::from(*value), *at).unwrap();
            }
            Step::Row {
                key,
                value: None,
                at,
            } => {
                rows.pipe_tombstone(key.to_string(), *at).unwrap();
            }
            Step::Commit => driver.commit().unwrap(),
            Step::Drain(entries) => driver.drain(*entries).unwrap(),
            Step::Crash => driver.crash_and_restore().unwrap(),
        }
    }
    driver.commit().unwrap();
    let mut results = Results::default();
    let codec = WindowedCodec::new(Arc::new(Utf8), SIZE);
    for record in driver
        .output_topic("windows", codec, I64)
        .read_all()
        .unwrap()
    {
        let key = record.key.unwrap();
        let count = record.value.unwrap();
        let before = results.windows.insert((key.key, key.window.start), count);
        assert!(
            before.is_none_or(|before| before < count),
            "a result went back"
        );
    }
    let last = |topic: &str| {
        let records = driver.output_topic(topic, Utf8, I64).read_all().unwrap();
        records
            .into_iter()
            .map(|record| (record.key.unwrap(), record.value.unwrap()))
            .collect()
    };
    results.by_value = last("by-value");
    results.sums = last("sums");
    results
}

fn check(steps: &[Step], backend: Backend, caching: bool) {
    let expected = Results {
        late: 0,
        ..oracle(steps)
    };
    assert_eq!(run(steps, backend, caching), expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn memory_cached(steps in proptest::collection::vec(step(), 1..60)) {
        check(&steps, Backend::Memory, true);
    }

    #[test]
    fn memory_at_once(steps in proptest::collection::vec(step(), 1..60)) {
        check(&steps, Backend::Memory, false);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn sled_cached(steps in proptest::collection::vec(step(), 1..60)) {
        check(&steps, Backend::Sled, true);
    }
}

/// Without a commit between, whole batches are lost and read again.
#[test]
fn what_was_not_committed_is_done_again_and_not_twice() {
    let b = StreamsBuilder::new();
    b.stream::<String, String>("in")
        .group_by_key()
        .count("counts")
        .to_stream()
        .to("out");
    let driver = TopologyTestDriver::builder(&b.build().unwrap())
        .caching()
        .build()
        .unwrap();
    let input = driver.input_topic("in", Utf8, Utf8);
    let mut expected = BTreeMap::new();
    for round in 0..200_u32 {
        let key = (round % 7).to_string();
        input.pipe(key.clone(), "x", i64::from(round)).unwrap();
        *expected.entry(key).or_insert(0_i64) += 1;
        if round % 31 == 30 {
            driver.crash_and_restore().unwrap();
        }
        if round % 17 == 16 {
            driver.commit().unwrap();
            driver.drain(3).unwrap();
        }
    }
    driver.commit().unwrap();
    let out = driver.output_topic("out", Utf8, I64).read_all().unwrap();
    let last: BTreeMap<String, i64> = out
        .into_iter()
        .map(|record| (record.key.unwrap(), record.value.unwrap()))
        .collect();
    assert_eq!(last, expected);
}
