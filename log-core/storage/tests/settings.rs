//! Settings that decide when segments are closed, when their files go and when compaction stops.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod harness;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use harness::*;
use headwater_env::sim::{Fault, SimDisk};
use headwater_env::{Disk, Timestamp};
use headwater_storage::{
    AppendOrigin, ChangeError, CleanupPolicy, CompactionLimits, CompactionPace, LogConfig,
    PartitionLog,
};

const CLIENT: AppendOrigin = AppendOrigin::Client;

fn append(log: &PartitionLog, timestamp: i64, key: &str) {
    let value = "v".repeat(300);
    log.append(&[keyed_batch(timestamp, &[(key, Some(&value))])], CLIENT)
        .unwrap();
}

fn files(disk: &SimDisk, log: &PartitionLog) -> usize {
    let dir = format!("/data/partitions/{}", log.id());
    let entries = disk.list(dir.as_ref()).unwrap();
    let is_log = |name: &str| name.ends_with(".log");
    entries.iter().filter(|entry| is_log(&entry.name)).count()
}

#[test]
fn a_full_index_closes_its_segment() {
    let disk = SimDisk::new();
    let node = Node::start(&disk, &[]);
    let wide = LogConfig {
        segment_bytes: 1 << 20,
        ..small_config()
    };
    let narrow = LogConfig {
        segment_index_bytes: 100,
        ..wide.clone()
    };
    let (wide, narrow) = (node.create(id(1, 0), &wide), node.create(id(2, 0), &narrow));
    for n in 0..30 {
        append(&wide, 1_000, &format!("k{n}"));
        append(&narrow, 1_000, &format!("k{n}"));
        node.commit();
    }
    assert_eq!(wide.segment_count(), 1);
    assert!(narrow.segment_count() > 2, "{}", narrow.segment_count());
    assert_eq!(contents(&narrow), contents(&wide));
}

#[test]
fn jitter_closes_segments_of_partitions_at_different_times() {
    let disk = SimDisk::new();
    let node = Node::start(&disk, &[]);
    let config = |jitter| LogConfig {
        segment_bytes: 1 << 20,
        segment_time: Duration::from_millis(10_000),
        segment_jitter: Duration::from_millis(jitter),
        ..small_config()
    };
    let closed_after = |log: &PartitionLog| {
        let mut time = 1_000;
        while log.segment_count() < 2 {
            append(log, time, "k");
            node.commit();
            time += 250;
        }
        time - 1_000
    };
    let exact: Vec<_> = (0..6)
        .map(|partition| closed_after(&node.create(id(1, partition), &config(0))))
        .collect();
    assert!(exact.iter().all(|time| *time == exact[0]), "{exact:?}");
    let spread: Vec<_> = (0..6)
        .map(|partition| closed_after(&node.create(id(2, partition), &config(9_000))))
        .collect();
    assert!(spread.iter().all(|time| *time <= exact[0]), "{spread:?}");
    assert!(spread.iter().any(|time| *time != spread[0]), "{spread:?}");
}

#[test]
fn records_of_before_1970_say_nothing_of_a_segments_age() {
    let disk = SimDisk::new();
    let node = Node::start(&disk, &[]);
    let config = LogConfig {
        segment_bytes: 1 << 20,
        segment_time: Duration::from_millis(10_000),
        ..small_config()
    };
    let log = node.create(id(1, 0), &config);
    for time in [-1_000, 1_700_000_000_000, 1_700_000_001_000] {
        append(&log, time, "k");
    }
    node.commit();
    assert_eq!(log.segment_count(), 1);
}

#[test]
fn files_outlive_their_records_by_the_delay() {
    let disk = SimDisk::new();
    let node = Node::start(&disk, &[]);
    let config = LogConfig {
        file_delete_delay: Duration::from_secs(60),
        ..small_config()
    };
    let log = node.create(id(1, 0), &config);
    for n in 0..40 {
        append(&log, 1_000, &format!("k{n}"));
    }
    node.commit();
    node.storage.checkpoint().unwrap();
    let before = files(&disk, &log);
    assert!(before > 2);
    log.delete_records_before(39).unwrap();
    assert_eq!(log.log_start_offset(), 39);
    assert_eq!(log.segment_count(), 1, "the records are gone at once");
    assert_eq!(files(&disk, &log), before);
    node.clock.advance(Duration::from_secs(59));
    node.storage.remove_dead_segments().unwrap();
    assert_eq!(files(&disk, &log), before);
    node.clock.advance(Duration::from_secs(2));
    node.storage.remove_dead_segments().unwrap();
    assert_eq!(files(&disk, &log), 1);
}

#[test]
fn files_that_do_not_go_are_tried_again_and_hold_up_no_others() {
    let disk = SimDisk::new();
    let node = Node::start(&disk, &[]);
    let config = LogConfig {
        file_delete_delay: Duration::from_secs(60),
        ..small_config()
    };
    let log = node.create(id(1, 0), &config);
    for n in 0..40 {
        append(&log, 1_000, &format!("k{n}"));
    }
    node.commit();
    node.storage.checkpoint().unwrap();
    // Two lots, to go at the same time.
    log.delete_records_before(20).unwrap();
    log.delete_records_before(39).unwrap();
    let before = files(&disk, &log);
    node.clock.advance(Duration::from_secs(61));
    disk.inject(Fault::Remove, ".log", 1);
    assert!(node.storage.remove_dead_segments().is_err());
    let left = files(&disk, &log);
    assert!(
        left > 1 && left < before,
        "the second lot is gone: {left} of {before}"
    );
    node.storage.remove_dead_segments().unwrap();
    assert_eq!(files(&disk, &log), 1);
}

/// Stops after so many bytes.
struct Stopping(AtomicU64);

impl CompactionPace for Stopping {
    fn spend(&self, bytes: u64, _is_over: &dyn Fn() -> bool) -> bool {
        self.0.fetch_add(bytes, Ordering::Relaxed) < 4_000
    }
}

#[test]
fn compaction_tells_what_it_spends_and_stops_when_it_is_told_to() {
    let disk = SimDisk::new();
    let node = Node::start(&disk, &[]);
    let config = LogConfig {
        cleanup: CleanupPolicy {
            delete: false,
            compact: true,
        },
        min_cleanable_dirty_ratio: 0.0,
        ..small_config()
    };
    let log = node.create(id(1, 0), &config);
    for n in 0..60 {
        append(&log, 1_000, &format!("k{}", n % 5));
        node.commit();
    }
    let before = contents(&log);
    let pace = Stopping(AtomicU64::new(0));
    let limits = CompactionLimits {
        threads: 4,
        memory_bytes: 1 << 20,
        pace: &pace,
    };
    let now = Timestamp::from_millis(2_000_000);
    let stopped = node.storage.compact_within(now, limits);
    assert!(matches!(stopped, Err(ChangeError::Stopped(_))));
    assert_eq!(contents(&log), before, "nothing was replaced");
    assert!(pace.0.load(Ordering::Relaxed) >= 4_000);
    assert_eq!(node.storage.compact(now).unwrap(), 1);
    assert!(contents(&log).len() < before.len());
}

/// Deletes records as soon as a compaction is under way, and stops it.
struct Deleting(Arc<PartitionLog>);

impl CompactionPace for Deleting {
    fn spend(&self, _bytes: u64, _is_over: &dyn Fn() -> bool) -> bool {
        self.0.delete_records_before(50).unwrap();
        false
    }
}

#[test]
fn what_dies_during_a_compaction_goes_when_that_has_ended() {
    let disk = SimDisk::new();
    let node = Node::start(&disk, &[]);
    let config = LogConfig {
        cleanup: CleanupPolicy {
            delete: true,
            compact: true,
        },
        min_cleanable_dirty_ratio: 0.0,
        ..small_config()
    };
    let log = node.create(id(1, 0), &config);
    for n in 0..60 {
        append(&log, 1_000, &format!("k{n}"));
        node.commit();
    }
    node.storage.checkpoint().unwrap();
    let before = files(&disk, &log);
    let pace = Deleting(Arc::clone(&log));
    let limits = CompactionLimits {
        threads: 1,
        memory_bytes: 1 << 20,
        pace: &pace,
    };
    let stopped = node
        .storage
        .compact_within(Timestamp::from_millis(2_000_000), limits);
    assert!(matches!(stopped, Err(ChangeError::Stopped(_))));
    assert_eq!(log.log_start_offset(), 50);
    let after = files(&disk, &log);
    assert!(after < before, "{after} of {before} files are left");
    node.storage.remove_dead_segments().unwrap();
    assert_eq!(files(&disk, &log), after, "nothing dead was left");
}
