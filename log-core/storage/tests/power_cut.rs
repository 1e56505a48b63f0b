//! The power is cut before every write, sync, create, rename and removal of a workload of several
//! partitions. What comes back is, per partition, a prefix of what was appended that contains every
//! acknowledged record: nothing torn, nothing resurrected.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod harness;
#[path = "harness/oracle.rs"]
mod oracle;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use harness::*;
use headwater_env::sim::{Operation, SimDisk, Survival};
use headwater_env::{Random, SeededRandom};
use headwater_storage::{AppendOrigin, Durability, LogConfig, TopicPartitionId};
use headwater_wire::records::{RecordBatch, TransactionResult};
use oracle::{Expected, Oracle};
use std::sync::Mutex;

/// What all cuts of a run came to.
#[derive(Debug, Default)]
struct Tally {
    points: AtomicU64,
    recoveries: AtomicU64,
    relaxed_lost: AtomicU64,
    replayed: AtomicU64,
}

impl Tally {
    fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }
}

struct Workload {
    node: Node,
    random: SeededRandom,
    oracle: Arc<Mutex<Oracle>>,
    /// Next sequence of the idempotent producer of each partition.
    sequences: std::collections::BTreeMap<TopicPartitionId, i32>,
    next_topic: u128,
    written: u64,
}

impl Workload {
    fn new(disk: &SimDisk, seed: u64) -> Self {
        let node = Node::start(disk, &[]);
        let mut workload = Self {
            node,
            random: SeededRandom::new(seed),
            oracle: Arc::default(),
            sequences: Default::default(),
            next_topic: 10,
            written: 0,
        };
        for (topic, partition) in [(1, 0), (1, 1), (2, 0)] {
            workload.create(id(topic, partition), &small_config(), false);
        }
        let relaxed = LogConfig {
            durability: Durability::Relaxed,
            ..small_config()
        };
        workload.create(id(3, 0), &relaxed, true);
        workload
    }

    fn create(&mut self, id: TopicPartitionId, config: &LogConfig, is_relaxed: bool) {
        let expected = Expected::new(config, is_relaxed);
        self.oracle.lock().unwrap().partitions.insert(id, expected);
        self.node.create(id, config);
        self.sequences.insert(id, 0);
    }

    fn pick(&self) -> TopicPartitionId {
        let oracle = self.oracle.lock().unwrap();
        let n = self.random.below(oracle.partitions.len() as u64) as usize;
        *oracle.partitions.keys().nth(n).unwrap()
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..55 => self.append(),
            55..80 => self.commit(),
            80..88 => self.node.storage.step_syncer().unwrap(),
            88..90 => {
                self.node.clock.advance(Duration::from_secs(10));
                self.node.storage.step_syncer().unwrap();
            }
            90..94 => self.truncate(),
            94..98 => self.delete_records(),
            _ => self.delete_and_make_again(),
        }
    }

    fn append(&mut self) {
        let id = self.pick();
        let log = self.node.partition(id);
        let is_marker = self.random.below(6) == 0 && log.has_open_transaction(7, 0);
        let batch = if is_marker {
            let result = [TransactionResult::Abort, TransactionResult::Commit]
                [self.random.below(2) as usize];
            marker(7, 0, result)
        } else {
            self.next_batch(id, log.has_open_transaction(7, 0))
        };
        // The attempt counts before it is made: a cut inside it may keep it.
        let mut stored = batch.bytes.to_vec();
        let end = log.log_end_offset();
        headwater_wire::records::patch_assigned(&mut stored, end, 0).unwrap();
        let stored = parse(stored.into());
        let next = stored.header.next_offset();
        let mut oracle = self.oracle.lock().unwrap();
        let expected = oracle.partitions.get_mut(&id).unwrap();
        let is_relaxed = expected.is_relaxed;
        expected.now().batches.push(stored);
        drop(oracle);
        let origin = if is_marker {
            AppendOrigin::Coordinator
        } else {
            AppendOrigin::Client
        };
        let appended = log.append(&[batch], origin).unwrap();
        assert!(!appended.duplicate);
        assert_eq!(appended.base_offset, end);
        let mut oracle = self.oracle.lock().unwrap();
        let expected = oracle.partitions.get_mut(&id).unwrap();
        if is_relaxed {
            expected.now().acked = next;
        } else {
            expected.pending.push((appended.lsn, next));
        }
    }

    fn next_batch(&mut self, id: TopicPartitionId, is_open: bool) -> RecordBatch {
        self.written += 1;
        let records = 1 + self.random.below(4) as usize;
        let values: Vec<Vec<u8>> = (0..records)
            .map(|n| {
                let len = self.random.below(if self.written.is_multiple_of(9) {
                    2500
                } else {
                    250
                });
                let mut value = format!("{id} {} {n} ", self.written).into_bytes();
                value.resize(value.len() + len as usize, b'.');
                value
            })
            .collect();
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let is_transactional = is_open || self.random.below(4) == 0;
        if !is_transactional && self.random.below(2) == 0 {
            return batch(&values);
        }
        let sequence = self.sequences.get_mut(&id).unwrap();
        let batch = producer_batch(7, 0, *sequence, &values, is_transactional);
        *sequence += records as i32;
        batch
    }

    fn commit(&mut self) {
        self.node.storage.step_journal().unwrap();
        let durable = self.node.storage.durable_lsn();
        self.oracle.lock().unwrap().acknowledge(durable);
    }

    fn acknowledge(&self) {
        let durable = self.node.storage.durable_lsn();
        self.oracle.lock().unwrap().acknowledge(durable);
    }

    fn truncate(&mut self) {
        let id = self.pick();
        let log = self.node.partition(id);
        let mut oracle = self.oracle.lock().unwrap();
        let expected = oracle.partitions.get_mut(&id).unwrap();
        let state = expected.now();
        let kept = state
            .batches
            .iter()
            .filter(|b| b.header.base_offset >= state.log_start)
            .count();
        if kept == 0 {
            return;
        }
        let at = state.batches.len() - 1 - self.random.below(kept.min(12) as u64) as usize;
        let end = state.batches[at].header.base_offset;
        expected.begin(|state| {
            state.batches.truncate(at);
            state.acked = state.acked.min(end);
        });
        // What was appended and cut may be acknowledged by the sync inside, which changes nothing.
        expected.pending.clear();
        drop(oracle);
        assert_eq!(log.truncate_to(end).unwrap(), end);
        let sequence = log
            .producers()
            .iter()
            .find(|producer| producer.producer_id == 7)
            .map_or(0, |producer| producer.last_sequence + 1);
        self.sequences.insert(id, sequence);
        let mut oracle = self.oracle.lock().unwrap();
        let expected = oracle.partitions.get_mut(&id).unwrap();
        expected.finish();
        let end = expected.now().end();
        expected.now().acked = end;
        drop(oracle);
        self.acknowledge();
    }

    fn delete_records(&mut self) {
        let id = self.pick();
        let log = self.node.partition(id);
        let (start, end) = (log.log_start_offset(), log.durable_end_offset());
        let offset = start + self.random.below((end - start + 1) as u64) as i64;
        let mut oracle = self.oracle.lock().unwrap();
        let expected = oracle.partitions.get_mut(&id).unwrap();
        expected.begin(|state| state.log_start = state.log_start.max(offset));
        drop(oracle);
        log.delete_records_before(offset).unwrap();
        self.oracle
            .lock()
            .unwrap()
            .partitions
            .get_mut(&id)
            .unwrap()
            .finish();
        self.acknowledge();
    }

    fn delete_and_make_again(&mut self) {
        let old = self.pick();
        let mut oracle = self.oracle.lock().unwrap();
        let expected = oracle.partitions.get_mut(&old).unwrap();
        let (config, is_relaxed) = (expected.config.clone(), expected.is_relaxed);
        expected.begin(|state| *state = Default::default());
        drop(oracle);
        self.node.storage.delete_partition(&old).unwrap();
        let mut oracle = self.oracle.lock().unwrap();
        oracle.partitions.remove(&old);
        oracle.deleted.push((old, config.clone()));
        drop(oracle);
        self.acknowledge();
        self.next_topic += 1;
        self.create(id(self.next_topic, 0), &config, is_relaxed);
    }
}

/// Cuts the power of an image in several ways, recovers each and checks it.
fn cut(
    image: &SimDisk,
    oracle: &Oracle,
    number: u64,
    seeds: u64,
    tally: &Tally,
) -> Result<(), String> {
    let mut ways = vec![Survival::Nothing, Survival::Everything];
    ways.extend((0..seeds).map(|n| Survival::Seeded(number * seeds + n)));
    for survival in ways {
        let disk = image.image();
        disk.crash(survival);
        check(&disk, oracle, survival, tally).map_err(|error| format!("{survival:?}: {error}"))?;
        // Recovery itself may be cut short, any number of times.
        if number.is_multiple_of(97) {
            let second = image.image();
            second.crash(survival);
            cut_recovery(&second, oracle, number, tally)?;
        }
    }
    Ok(())
}

fn check(disk: &SimDisk, oracle: &Oracle, survival: Survival, tally: &Tally) -> Result<(), String> {
    Tally::add(&tally.recoveries, 1);
    let node = Node::try_start(disk, &oracle.known()).map_err(|error| error.to_string())?;
    Tally::add(&tally.replayed, node.recovery.frames);
    let mut lost = 0;
    oracle.check(&node, survival == Survival::Everything, &mut lost)?;
    Tally::add(&tally.relaxed_lost, lost);
    // The log goes on, and what it then acknowledges is safe too.
    for id in oracle.partitions.keys() {
        let log = node.partition(*id);
        log.append(&[batch(&[b"after"])], AppendOrigin::Client)
            .map_err(|e| e.to_string())?;
    }
    node.commit();
    let ends: Vec<_> = oracle
        .partitions
        .keys()
        .map(|id| node.partition(*id).log_end_offset())
        .collect();
    disk.crash(Survival::Nothing);
    let node = Node::try_start(disk, &oracle.known()).map_err(|error| error.to_string())?;
    for ((id, expected), end) in oracle.partitions.iter().zip(ends) {
        let found = node.partition(*id).log_end_offset();
        if found != end && !expected.is_relaxed {
            return Err(format!(
                "{id} ended at {end} and after a second cut at {found}"
            ));
        }
    }
    Ok(())
}

fn cut_recovery(disk: &SimDisk, oracle: &Oracle, number: u64, tally: &Tally) -> Result<(), String> {
    let failure = Arc::new(Mutex::new(None));
    let (seen, inner) = (Arc::clone(&failure), oracle.clone());
    let recoveries = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&recoveries);
    disk.observe(Box::new(move |n, operation, image| {
        if seen.lock().unwrap().is_some() {
            return;
        }
        for survival_of_recovery in [Survival::Nothing, Survival::Seeded(number ^ (n << 20))] {
            let image = image.image();
            image.crash(survival_of_recovery);
            count.fetch_add(1, Ordering::Relaxed);
            let result = Node::try_start(&image, &inner.known())
                .map_err(|error| error.to_string())
                .and_then(|node| inner.check(&node, false, &mut 0));
            if let Err(error) = result {
                let place =
                    format!("cut in recovery at {n} {operation:?} {survival_of_recovery:?}");
                *seen.lock().unwrap() = Some(format!("{place}: {error}"));
            }
        }
    }));
    let node = Node::try_start(disk, &oracle.known()).map_err(|error| error.to_string())?;
    disk.stop_observing();
    drop(node);
    Tally::add(&tally.recoveries, recoveries.load(Ordering::Relaxed));
    let failure = failure.lock().unwrap().take();
    failure.map_or(Ok(()), Err)
}

fn run(seed: u64, steps: usize, seeds: u64) -> Arc<Tally> {
    let disk = SimDisk::new();
    let mut workload = Workload::new(&disk, seed);
    let tally = Arc::new(Tally::default());
    let failure: Arc<Mutex<Option<String>>> = Arc::default();
    let (oracle, counted, seen) = (
        Arc::clone(&workload.oracle),
        Arc::clone(&tally),
        Arc::clone(&failure),
    );
    disk.observe(Box::new(move |number, operation: &Operation, image| {
        if seen.lock().unwrap().is_some() {
            return;
        }
        Tally::add(&counted.points, 1);
        let oracle = oracle.lock().unwrap().clone();
        if let Err(error) = cut(image, &oracle, number, seeds, &counted) {
            *seen.lock().unwrap() = Some(format!("cut before {number} {operation:?}: {error}"));
        }
    }));
    for step in 0..steps {
        workload.step();
        if let Some(failure) = failure.lock().unwrap().take() {
            panic!("seed {seed}, step {step}: {failure}");
        }
    }
    disk.stop_observing();
    tally
}

/// Runs of the workload, each under its own seed. `POWER_CUT_SEEDS=from..to` runs others, longer.
fn seeds() -> (std::ops::Range<u64>, usize) {
    let asked = std::env::var("POWER_CUT_SEEDS").ok();
    let range = asked.as_deref().and_then(|range| range.split_once(".."));
    match range {
        Some((from, to)) => (from.parse().unwrap()..to.parse().unwrap(), 200),
        None => (0..2, 30),
    }
}

#[test]
fn every_cut_leaves_a_prefix_with_every_acknowledged_record() {
    let start = Instant::now();
    let total = Tally::default();
    let (seeds, steps) = seeds();
    for seed in seeds {
        let tally = run(seed, steps, 1);
        for (sum, n) in [
            (&total.points, &tally.points),
            (&total.recoveries, &tally.recoveries),
            (&total.relaxed_lost, &tally.relaxed_lost),
            (&total.replayed, &tally.replayed),
        ] {
            Tally::add(sum, n.load(Ordering::Relaxed));
        }
    }
    println!(
        "{total:?}: no acknowledged record lost in {:?}",
        start.elapsed()
    );
    assert!(total.points.load(Ordering::Relaxed) > 150);
    assert!(total.replayed.load(Ordering::Relaxed) > 0);
    let lost = total.relaxed_lost.load(Ordering::Relaxed);
    assert!(
        lost > 0,
        "positive control: a power cut does lose what was not synced"
    );
}
