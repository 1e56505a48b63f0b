//! Compaction, retention, transactions, restarts and power cuts against a list of records.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod harness;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use harness::*;
use headwater_env::Timestamp;
use headwater_env::sim::{SimDisk, Survival};
use headwater_storage::{
    AppendOrigin, CleanupPolicy, CompactionLimits, LogConfig, PartitionLog, Unhurried,
};
use headwater_wire::records::{BatchBuilder, BatchOptions, RecordBatch, TransactionResult};
use proptest::prelude::*;

const DELETE_RETENTION: i64 = 5_000;
const LAG: i64 = 500;

#[derive(Debug, Clone)]
enum Step {
    /// Values of keys, none of which is a tombstone with the number 0.
    Append {
        keys: Vec<u8>,
        value: u8,
    },
    /// The same in a transaction of a producer, and its end.
    Transact {
        keys: Vec<u8>,
        commits: bool,
    },
    Wait(i64),
    Compact {
        memory_bytes: usize,
    },
    Restart {
        loses_unsynced: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let keys = || proptest::collection::vec(0..12_u8, 1..5);
    let step = prop_oneof![
        12 => (keys(), 0..4_u8).prop_map(|(keys, value)| Step::Append { keys, value }),
        4 => (keys(), any::<bool>()).prop_map(|(keys, commits)| Step::Transact { keys, commits }),
        3 => (1..3_000_i64).prop_map(Step::Wait),
        4 => (100..4_000_usize).prop_map(|memory_bytes| Step::Compact { memory_bytes }),
        1 => any::<bool>().prop_map(|loses_unsynced| Step::Restart { loses_unsynced }),
    ];
    proptest::collection::vec(step, 1..80)
}

fn config() -> LogConfig {
    LogConfig {
        cleanup: CleanupPolicy {
            delete: false,
            compact: true,
        },
        delete_retention: Duration::from_millis(DELETE_RETENTION.unsigned_abs()),
        min_compaction_lag: Duration::from_millis(LAG.unsigned_abs()),
        min_cleanable_dirty_ratio: 0.0,
        segment_bytes: 1024,
        ..small_config()
    }
}

/// A record that was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    key: String,
    value: Option<String>,
    timestamp: i64,
}

#[derive(Default)]
struct Model {
    /// All that was ever committed, by offset.
    records: BTreeMap<i64, Record>,
    /// Offsets of the aborted.
    aborted: BTreeSet<i64>,
    now: i64,
    sequence: i32,
}

impl Model {
    fn batch(&mut self, keys: &[u8], value: Option<u8>, is_transactional: bool) -> RecordBatch {
        let mut builder = BatchBuilder::new(BatchOptions {
            producer_id: if is_transactional { 1 } else { -1 },
            producer_epoch: if is_transactional { 0 } else { -1 },
            base_sequence: if is_transactional { self.sequence } else { -1 },
            is_transactional,
            ..BatchOptions::default()
        });
        if is_transactional {
            self.sequence += i32::try_from(keys.len()).unwrap();
        }
        let padding = "p".repeat(60);
        for key in keys {
            let value = value.map(|value| format!("{value}{padding}"));
            let value = value.as_deref().map(str::as_bytes);
            builder
                .append(self.now, Some(format!("k{key}").as_bytes()), value, &[])
                .unwrap();
        }
        parse(builder.build().unwrap())
    }

    fn note(&mut self, base: i64, keys: &[u8], value: Option<u8>, is_committed: bool) {
        for (offset, key) in (base..).zip(keys) {
            if !is_committed {
                self.aborted.insert(offset);
                continue;
            }
            let record = Record {
                key: format!("k{key}"),
                value: value.map(|value| format!("{value}{}", "p".repeat(60))),
                timestamp: self.now,
            };
            self.records.insert(offset, record);
        }
    }

    /// The last offset of each key.
    fn latest(&self) -> BTreeMap<&str, i64> {
        let keyed = self.records.iter();
        keyed
            .map(|(offset, record)| (record.key.as_str(), *offset))
            .collect()
    }

    fn check(&self, log: &PartitionLog) {
        let mut found = BTreeMap::new();
        let mut last = -1;
        for (offset, key, value) in contents(log) {
            assert!(offset > last, "records keep their order");
            last = offset;
            if self.aborted.contains(&offset) {
                continue;
            }
            let original = &self.records[&offset];
            assert_eq!(key.as_ref(), Some(&original.key), "at {offset}");
            assert_eq!(value, original.value, "at {offset}");
            found.insert(offset, original.clone());
        }
        for (key, offset) in self.latest() {
            let record = &self.records[&offset];
            let is_kept = found.contains_key(&offset);
            let age = self.now - record.timestamp;
            let may_go = record.value.is_none() && age >= DELETE_RETENTION;
            assert!(
                is_kept || may_go,
                "{key} at {offset}, {age} ms old, is gone"
            );
            let older = found
                .iter()
                .any(|(other, record)| *other < offset && record.key == key);
            assert!(is_kept || !older, "{key} came back without its tombstone");
        }
        for (offset, record) in &self.records {
            if self.now - record.timestamp < LAG {
                assert!(found.contains_key(offset), "{offset} is too young to go");
            }
        }
        self.check_times(log, &found);
    }

    /// A look-up by time finds the first record that is there and not older. Aborted records that
    /// are still there count too.
    fn check_times(&self, log: &PartitionLog, found: &BTreeMap<i64, Record>) {
        for wanted in found.values().map(|record| record.timestamp).take(5) {
            let first = found
                .iter()
                .find(|(_, record)| record.timestamp >= wanted)
                .map(|(offset, _)| *offset);
            let looked_up = log.offset_for_timestamp(wanted).unwrap();
            let looked_up = looked_up.map(|found| found.offset);
            let is_aborted = looked_up.is_some_and(|offset| self.aborted.contains(&offset));
            let is_marker = looked_up.is_some_and(|offset| !self.records.contains_key(&offset));
            assert!(
                looked_up == first || is_aborted || is_marker,
                "at {wanted} stands {first:?}, not {looked_up:?}"
            );
        }
    }
}

fn run(steps: Vec<Step>) {
    let disk = SimDisk::new();
    let mut node = Node::start(&disk, &[]);
    let mut log = node.create(id(1, 0), &config());
    let mut model = Model {
        now: 1_000_000,
        ..Model::default()
    };
    for step in steps {
        match step {
            Step::Append { keys, value } => {
                let value = (value > 0).then_some(value);
                let batch = model.batch(&keys, value, false);
                let appended = log.append(&[batch], AppendOrigin::Client).unwrap();
                model.note(appended.base_offset, &keys, value, true);
                node.commit();
            }
            Step::Transact { keys, commits } => {
                let batch = model.batch(&keys, Some(9), true);
                let appended = log.append(&[batch], AppendOrigin::Client).unwrap();
                model.note(appended.base_offset, &keys, Some(9), commits);
                let result = if commits {
                    TransactionResult::Commit
                } else {
                    TransactionResult::Abort
                };
                log.append(&[marker(1, 0, result)], AppendOrigin::Coordinator)
                    .unwrap();
                node.commit();
            }
            Step::Wait(millis) => model.now += millis,
            Step::Compact { memory_bytes } => {
                let end = (log.log_end_offset(), log.last_stable_offset());
                let limits = CompactionLimits {
                    threads: 1,
                    memory_bytes,
                    pace: &Unhurried,
                };
                let now = Timestamp::from_millis(model.now);
                node.storage.compact_within(now, limits).unwrap();
                assert_eq!((log.log_end_offset(), log.last_stable_offset()), end);
            }
            Step::Restart { loses_unsynced } => {
                drop(log);
                drop(node);
                let image = disk.image();
                image.crash(if loses_unsynced {
                    Survival::Nothing
                } else {
                    Survival::Everything
                });
                // What comes is written to the image and lost with the next one: checked, not kept.
                let again = Node::start(&image, &[known(id(1, 0), &config())]);
                assert_eq!(again.recovery.quarantined, []);
                model.check(&again.partition(id(1, 0)));
                drop(again);
                node = Node::start(&disk, &[known(id(1, 0), &config())]);
                log = node.partition(id(1, 0));
            }
        }
        model.check(&log);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_compaction_leaves_is_what_a_table_needs(steps in steps()) {
        run(steps);
    }
}
