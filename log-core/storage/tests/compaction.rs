//! Compaction keeps the latest record of each key, and everything that readers and producers need.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod harness;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harness::*;
use headwater_env::sim::{SimDisk, Survival};
use headwater_env::{Random, SeededRandom, Timestamp};
use headwater_storage::{AppendOrigin, CleanupPolicy, LogConfig, PartitionLog};
use headwater_wire::records::TransactionResult;

const CLIENT: AppendOrigin = AppendOrigin::Client;
const NOW: Timestamp = Timestamp::from_millis(1_000_000);
const LATER: Timestamp = Timestamp::from_millis(1_000_000 + 100_000);

fn compacted() -> LogConfig {
    LogConfig {
        cleanup: CleanupPolicy {
            delete: false,
            compact: true,
        },
        delete_retention: Duration::from_millis(50_000),
        min_cleanable_dirty_ratio: 0.0,
        segment_bytes: 2048,
        ..small_config()
    }
}

/// Fills the growing segment so that what came before can be compacted.
fn fill(node: &Node, log: &PartitionLog) {
    for n in 0..8 {
        let (key, value) = (format!("fill{n}"), "f".repeat(400));
        log.append(&[keyed_batch(1_000, &[(&key, Some(&value))])], CLIENT)
            .unwrap();
    }
    node.commit();
}

/// The last value of each key, as a table would have it.
fn table(log: &PartitionLog) -> BTreeMap<String, String> {
    let mut table = BTreeMap::new();
    for (_, key, value) in contents(log) {
        match value {
            Some(value) => table.insert(key.unwrap(), value),
            None => table.remove(&key.unwrap()),
        };
    }
    table
}

#[test]
fn the_latest_record_of_each_key_stays_at_its_offset() {
    let disk = SimDisk::new();
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &compacted());
    let random = SeededRandom::new(1);
    for n in 0..300 {
        let keys = [
            format!("k{}", random.below(20)),
            format!("k{}", random.below(20)),
        ];
        let value = format!("v{n}");
        log.append(
            &[keyed_batch(
                1_000,
                &[(&keys[0], Some(&value)), (&keys[1], Some(&value))],
            )],
            CLIENT,
        )
        .unwrap();
    }
    fill(&node, &log);
    let (before, size) = (contents(&log), log.size_in_bytes());
    let wanted = table(&log);
    assert_eq!(node.storage.compact(NOW).unwrap(), 1);
    assert!(
        log.size_in_bytes() < size / 2,
        "{} of {size}",
        log.size_in_bytes()
    );
    let after = contents(&log);
    assert!(
        after.iter().all(|record| before.contains(record)),
        "offsets and values are kept"
    );
    assert_eq!(table(&log), wanted);
    assert_eq!(node.storage.compact(NOW).unwrap(), 0, "nothing is dirty");

    for survival in [Survival::Nothing, Survival::Everything] {
        let image = disk.image();
        image.crash(survival);
        let node = Node::start(&image, &[known(id(1, 0), &compacted())]);
        assert_eq!(node.recovery.quarantined, []);
        let log = node.partition(id(1, 0));
        assert_eq!(contents(&log), after);
        for offset in 0..log.log_end_offset() {
            let batch = read_one(&log, offset);
            assert!(batch.header.last_offset() >= offset);
        }
    }
}

fn read_one(log: &PartitionLog, offset: i64) -> headwater_wire::records::RecordBatch {
    parse(log.read(offset, 1, true, i64::MAX).unwrap())
}

#[test]
fn tombstones_go_after_their_time_and_what_they_deleted_never_comes_back() {
    let disk = SimDisk::new();
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &compacted());
    log.append(
        &[keyed_batch(1_000, &[("a", Some("1")), ("b", Some("1"))])],
        CLIENT,
    )
    .unwrap();
    log.append(&[keyed_batch(1_000, &[("a", None)])], CLIENT)
        .unwrap();
    fill(&node, &log);
    let has_tombstone = |log: &PartitionLog| {
        contents(log)
            .iter()
            .any(|(_, key, value)| key.as_deref() == Some("a") && value.is_none())
    };
    node.storage.compact(NOW).unwrap();
    assert!(has_tombstone(&log));
    fill(&node, &log);
    node.storage.compact(NOW).unwrap();
    assert!(has_tombstone(&log), "not for delete.retention.ms");
    fill(&node, &log);
    node.storage.compact(LATER).unwrap();
    assert!(!has_tombstone(&log));
    assert!(!table(&log).contains_key("a"));
    assert_eq!(table(&log)["b"], "1");
}

#[test]
fn transactions_are_respected() {
    let disk = SimDisk::new();
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &compacted());
    let transactional = |pid, sequence, value: &[u8]| {
        log.append(&[producer_batch(pid, 0, sequence, &[value], true)], CLIENT)
            .unwrap();
    };
    let end = |pid, result| {
        log.append(&[marker(pid, 0, result)], AppendOrigin::Coordinator)
            .unwrap();
    };
    transactional(1, 0, b"committed");
    end(1, TransactionResult::Commit);
    transactional(2, 0, b"aborted, of another");
    transactional(1, 1, b"aborted");
    end(2, TransactionResult::Abort);
    end(1, TransactionResult::Abort);
    fill(&node, &log);
    node.storage.compact(NOW).unwrap();
    let values = |log: &PartitionLog| -> Vec<String> {
        contents(log)
            .into_iter()
            .filter(|(_, key, _)| key.as_deref() == Some("k"))
            .filter_map(|(_, _, value)| value)
            .collect()
    };
    assert_eq!(
        values(&log),
        ["committed"],
        "an aborted record does not supersede"
    );
    assert_eq!(log.aborted_transactions(0, 100).len(), 2);
    let markers = |log: &PartitionLog| {
        read_all(log, 0)
            .iter()
            .filter(|batch| batch.header.is_control())
            .count()
    };
    assert_eq!(markers(&log), 3);
    // Aborted records gone, their markers stay for a while, and then go with their list entries.
    fill(&node, &log);
    node.storage.compact(NOW).unwrap();
    assert_eq!(markers(&log), 3);
    fill(&node, &log);
    node.storage.compact(LATER).unwrap();
    assert_eq!(markers(&log), 1, "that of the record that is still there");
    assert_eq!(log.aborted_transactions(0, 100), []);
    assert_eq!(values(&log), ["committed"]);

    transactional(3, 0, b"open");
    fill(&node, &log);
    let open = log.last_stable_offset();
    node.storage.compact(LATER).unwrap();
    fill(&node, &log);
    node.storage.compact(LATER).unwrap();
    assert_eq!(log.last_stable_offset(), open);
    assert!(
        values(&log).contains(&"open".to_owned()),
        "nothing of an open transaction is touched"
    );
}

#[test]
fn the_last_batch_of_a_producer_keeps_its_sequence() {
    let disk = SimDisk::new();
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &compacted());
    for n in 0..5 {
        log.append(&[producer_batch(7, 3, n, &[b"old"], false)], CLIENT)
            .unwrap();
    }
    log.append(&[keyed_batch(1_000, &[("k", Some("new"))])], CLIENT)
        .unwrap();
    fill(&node, &log);
    node.storage.compact(NOW).unwrap();
    let left: Vec<_> = read_all(&log, 0)
        .into_iter()
        .filter(|batch| batch.header.producer_id == 7)
        .map(|batch| (batch.header.base_sequence, batch.header.record_count))
        .collect();
    assert_eq!(left, [(4, 0)], "a header without records");
    assert!(
        log.append(&[producer_batch(7, 3, 4, &[b"old"], false)], CLIENT)
            .unwrap()
            .duplicate
    );
}

#[test]
fn a_cut_anywhere_in_a_compaction_leaves_the_same_table() {
    let disk = SimDisk::new();
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &compacted());
    for n in 0..60 {
        let key = format!("k{}", n % 7);
        log.append(&[producer_batch(1, 0, n, &[b"t"], true)], CLIENT)
            .unwrap();
        let result = [TransactionResult::Abort, TransactionResult::Commit][n as usize % 2];
        log.append(&[marker(1, 0, result)], AppendOrigin::Coordinator)
            .unwrap();
        log.append(
            &[keyed_batch(1_000, &[(&key, Some(&n.to_string()))])],
            CLIENT,
        )
        .unwrap();
    }
    fill(&node, &log);
    // The last committed record of the transactional key is n = 59; aborted ones do not count.
    let visible = |log: &PartitionLog| {
        let aborted = log.aborted_transactions(0, i64::MAX);
        let mut table = BTreeMap::new();
        for batch in read_all(log, 0) {
            let header = batch.header;
            let is_aborted = header.is_transactional()
                && aborted.iter().any(|a| {
                    a.producer_id == header.producer_id
                        && (a.first_offset..=a.last_offset).contains(&header.base_offset)
                });
            if header.is_control() || is_aborted {
                continue;
            }
            for record in batch.records().unwrap().iter() {
                let record = record.unwrap();
                table.insert(record.key.unwrap().to_vec(), record.offset);
            }
        }
        table
    };
    let points = Arc::new(Mutex::new(0));
    for now in [NOW, NOW, LATER] {
        let wanted = visible(&log);
        let (counter, expected) = (Arc::clone(&points), wanted.clone());
        disk.observe(Box::new(move |number, operation, image| {
            for survival in [
                Survival::Nothing,
                Survival::Everything,
                Survival::Seeded(number),
            ] {
                let image = image.image();
                image.crash(survival);
                let node = Node::start(&image, &[known(id(1, 0), &compacted())]);
                let log = node.partition(id(1, 0));
                assert_eq!(
                    node.recovery.quarantined,
                    [],
                    "{number} {operation:?} {survival:?}"
                );
                assert_eq!(
                    visible(&log),
                    expected,
                    "{number} {operation:?} {survival:?}"
                );
                *counter.lock().unwrap() += 1;
            }
        }));
        node.storage.compact(now).unwrap();
        disk.stop_observing();
        assert_eq!(visible(&log), wanted);
        fill(&node, &log);
    }
    let points = *points.lock().unwrap();
    assert!(points > 90, "{points}");
}

/// A node with memory for the keys of few batches.
fn forgetful(disk: &SimDisk, known: &[headwater_storage::KnownPartition]) -> Node {
    let stops = Arc::new(Stops::default());
    let mut options = small_options(&stops);
    // An entry takes 64 bytes and its key.
    options.compaction_bytes = 5 * 68;
    Node::start_with(disk, known, options, stops).unwrap()
}

/// Records that a compaction left in segments that take no more, per key.
fn closed_records(log: &PartitionLog, end: i64) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (offset, key, _) in contents(log) {
        if offset < end {
            *counts.entry(key.unwrap()).or_insert(0) += 1;
        }
    }
    counts
}

#[test]
fn more_keys_than_memory_cost_runs_but_no_deletion_and_no_duplicates_stay() {
    for (seed, segment_bytes) in [(1, 512), (2, 1024), (3, 2048), (4, 8192)] {
        let disk = SimDisk::new();
        let config = LogConfig {
            segment_bytes,
            ..compacted()
        };
        let mut node = forgetful(&disk, &[]);
        let mut log = node.create(id(1, 0), &config);
        let random = SeededRandom::new(seed);
        let mut wanted = BTreeMap::new();
        let mut now = 1_000_000;
        for round in 0..6 {
            for n in 0..60 {
                let key = format!("k{:02}", random.below(30));
                let value = format!("{round}-{n}");
                let value = (random.below(3) > 0).then_some(value.as_str());
                log.append(&[keyed_batch(1_000, &[(&key, value)])], CLIENT)
                    .unwrap();
                match value {
                    Some(value) => wanted.insert(key, value.to_owned()),
                    None => wanted.remove(&key),
                };
            }
            let end = log.log_end_offset();
            for _ in 0..3 {
                fill(&node, &log);
            }
            wanted.extend(
                table(&log)
                    .into_iter()
                    .filter(|(key, _)| key.starts_with("fill")),
            );
            // Twice, so that the tombstones that the first one marks go in the second.
            for _ in 0..2 {
                node.storage.compact(Timestamp::from_millis(now)).unwrap();
                assert_eq!(table(&log), wanted, "seed {seed}, round {round}");
                now += 100_000;
                if round % 2 == 1 {
                    drop((log, node));
                    node = forgetful(&disk, &[known(id(1, 0), &config)]);
                    assert_eq!(node.recovery.quarantined, []);
                    log = node.partition(id(1, 0));
                    assert_eq!(table(&log), wanted, "seed {seed}, round {round}, restarted");
                }
            }
            let twice: Vec<_> = closed_records(&log, end)
                .into_iter()
                .filter(|(_, count)| *count > 1)
                .collect();
            assert_eq!(twice, [], "seed {seed}, round {round}");
        }
        fill(&node, &log);
        for _ in 0..2 {
            fill(&node, &log);
            node.storage.compact(Timestamp::from_millis(now)).unwrap();
            now += 100_000;
        }
        let tombstones = contents(&log)
            .iter()
            .filter(|(_, _, v)| v.is_none())
            .count();
        assert_eq!(tombstones, 0, "seed {seed}: all had their time");
        assert_eq!(table(&log).len(), wanted.len());
    }
}

#[test]
fn a_cut_anywhere_among_the_runs_of_a_compaction_leaves_the_same_table() {
    let disk = SimDisk::new();
    let config = compacted();
    let node = forgetful(&disk, &[]);
    let log = node.create(id(1, 0), &config);
    for n in 0..40 {
        let (key, value) = (format!("k{:02}", n % 13), n.to_string());
        let value = (n % 4 > 0).then_some(value.as_str());
        log.append(&[keyed_batch(1_000, &[(&key, value)])], CLIENT)
            .unwrap();
    }
    fill(&node, &log);
    for now in [NOW, LATER] {
        let wanted = table(&log);
        let expected = wanted.clone();
        disk.observe(Box::new(move |number, operation, image| {
            let image = image.image();
            image.crash(Survival::Seeded(number));
            let node = forgetful(&image, &[known(id(1, 0), &compacted())]);
            let log = node.partition(id(1, 0));
            let place = format!("{number} {operation:?}");
            assert_eq!(node.recovery.quarantined, [], "{place}");
            assert_eq!(table(&log), expected, "{place}");
            // What the cut run has marked goes now; what it has not compared must not.
            for after in [100_000, 200_000] {
                let now = Timestamp::from_millis(now.as_millis() + after);
                node.storage.compact(now).unwrap();
                assert_eq!(table(&log), expected, "{place}, compacted again");
            }
        }));
        node.storage.compact(now).unwrap();
        disk.stop_observing();
        assert_eq!(table(&log), wanted);
        fill(&node, &log);
    }
}
