//! A partition log against a vector.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

mod harness;

use harness::*;
use headwater_env::sim::{SimDisk, Survival};
use headwater_storage::{AppendOrigin, PartitionLog};
use headwater_wire::records::{RecordBatch, patch_assigned};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Append {
        records: usize,
        bytes: usize,
    },
    Commit,
    Checkpoint,
    Truncate(f64),
    DeleteRecords(f64),
    Read {
        at: f64,
        max_bytes: usize,
        upto: f64,
    },
    Restart {
        loses_unsynced: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1..5_usize, 0..700_usize).prop_map(|(records, bytes)| Step::Append { records, bytes }),
        3 => Just(Step::Commit),
        1 => Just(Step::Checkpoint),
        1 => (0.0..1.0).prop_map(Step::Truncate),
        1 => (0.0..1.0).prop_map(Step::DeleteRecords),
        6 => (0.0..1.0, 1..4000_usize, 0.0..1.1)
            .prop_map(|(at, max_bytes, upto)| Step::Read { at, max_bytes, upto }),
        1 => any::<bool>().prop_map(|loses_unsynced| Step::Restart { loses_unsynced }),
    ];
    proptest::collection::vec(step, 1..60)
}

#[derive(Default)]
struct Model {
    batches: Vec<RecordBatch>,
    durable: i64,
    log_start: i64,
}

impl Model {
    fn end(&self) -> i64 {
        self.batches
            .last()
            .map_or(0, |batch| batch.header.next_offset())
    }

    /// The offset at this share of the way from `from` to `to`.
    fn between(from: i64, to: i64, share: f64) -> i64 {
        from + ((to - from) as f64 * share) as i64
    }

    fn truncate(&mut self, offset: i64) -> i64 {
        self.batches
            .retain(|batch| batch.header.last_offset() < offset);
        self.durable = self.end();
        self.end()
    }

    /// What a read must give, but for where a segment ends.
    fn read(&self, offset: i64, max_bytes: usize, upto: i64) -> Vec<&RecordBatch> {
        let mut bytes = 0;
        self.batches
            .iter()
            .filter(|batch| batch.header.last_offset() >= offset)
            .take_while(|batch| {
                let is_first = bytes == 0;
                bytes += batch.bytes.len();
                batch.header.next_offset() <= upto.min(self.durable)
                    && (is_first || bytes <= max_bytes)
            })
            .collect()
    }

    fn check_read(&self, log: &PartitionLog, offset: i64, max_bytes: usize, upto: i64) {
        let mut bytes = log.read(offset, max_bytes, true, upto).unwrap();
        let wanted = self.read(offset, max_bytes, upto);
        let mut found = Vec::new();
        while let Some(batch) = RecordBatch::split_from(&mut bytes).unwrap() {
            found.push(batch);
        }
        assert!(bytes.is_empty());
        assert_eq!(found.is_empty(), wanted.is_empty());
        assert!(found.len() <= wanted.len());
        assert!(
            found
                .iter()
                .zip(wanted)
                .all(|(found, wanted)| found == wanted)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_log_is_a_vector(steps in steps()) {
        let disk = SimDisk::new();
        let (topic, config) = (id(1, 0), small_config());
        let mut node = Node::start(&disk, &[known(topic, &config)]);
        let mut log = node.partition(topic);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Append { records, bytes } => {
                    let value = vec![b'v'; bytes];
                    let batch = batch(&vec![value.as_slice(); records]);
                    let appended =
                        log.append(std::slice::from_ref(&batch), AppendOrigin::Client).unwrap();
                    prop_assert_eq!(appended.base_offset, model.end());
                    let mut stored = batch.bytes.to_vec();
                    patch_assigned(&mut stored, model.end(), 0).unwrap();
                    model.batches.push(parse(stored.into()));
                    // The journal commits by itself when it has no room left.
                    let durable = log.durable_end_offset();
                    prop_assert!((model.durable..=appended.base_offset).contains(&durable));
                    model.durable = durable;
                }
                Step::Commit => {
                    node.commit();
                    model.durable = model.end();
                }
                Step::Checkpoint => {
                    node.storage.checkpoint().unwrap();
                    model.durable = model.end();
                }
                Step::Truncate(share) => {
                    let offset = Model::between(model.log_start, model.end(), share);
                    if offset < model.end() {
                        // The batch that spans the log start goes whole, but the start stays.
                        let spans = model.batches.iter().any(|batch| {
                            batch.header.base_offset < model.log_start
                                && batch.header.last_offset() >= offset
                        });
                        if spans {
                            continue;
                        }
                        let end = log.truncate_to(offset).unwrap();
                        prop_assert_eq!(end, model.truncate(offset));
                    }
                }
                Step::DeleteRecords(share) => {
                    let offset = Model::between(model.log_start, log.durable_end_offset(), share);
                    model.log_start = log.delete_records_before(offset).unwrap();
                    prop_assert_eq!(model.log_start, offset);
                    model.durable = log.durable_end_offset();
                }
                Step::Read { at, max_bytes, upto } => {
                    let offset = Model::between(model.log_start, model.durable, at);
                    let upto = Model::between(model.log_start, model.durable, upto);
                    model.check_read(&log, offset, max_bytes, upto);
                }
                Step::Restart { loses_unsynced } => {
                    drop((node, log));
                    let survival =
                        if loses_unsynced { Survival::Nothing } else { Survival::Everything };
                    disk.crash(survival);
                    node = Node::start(&disk, &[known(topic, &config)]);
                    log = node.partition(topic);
                    model.truncate(log.log_end_offset().max(model.durable));
                }
            }
            prop_assert_eq!(log.log_end_offset(), model.end());
            prop_assert_eq!(log.durable_end_offset(), model.durable);
            prop_assert_eq!(log.log_start_offset(), model.log_start);
        }
        let found = read_all(&log, model.log_start);
        let wanted: Vec<_> = model
            .batches
            .iter()
            .filter(|batch| {
                batch.header.last_offset() >= model.log_start
                    && batch.header.next_offset() <= model.durable
            })
            .cloned()
            .collect();
        prop_assert_eq!(found, wanted);
    }
}
