//! What one partition's log promises, on a simulated disk.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod harness;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use harness::*;
use headwater_env::sim::{Fault, SimDisk, Survival};
use headwater_env::{Clock, Disk, Timestamp};
use headwater_storage::{
    AppendError, AppendOrigin, ChangeError, Durability, LogConfig, OpenError, ProducerError,
    ReadError, Unusable,
};
use headwater_wire::records::{TimestampType, TransactionResult};

const CLIENT: AppendOrigin = AppendOrigin::Client;

#[test]
fn an_append_is_readable_once_it_is_durable_and_survives_a_power_cut() {
    let disk = SimDisk::new();
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &small_config());
    let appended = log.append(&[batch(&[b"a", b"b"])], CLIENT).unwrap();
    assert_eq!((appended.base_offset, appended.last_offset), (0, 1));
    assert!(appended.lsn > node.storage.durable_lsn());
    assert_eq!((log.log_end_offset(), log.durable_end_offset()), (2, 0));
    assert!(
        log.read(0, 1000, true, i64::MAX).unwrap().is_empty(),
        "nothing unsynced is seen"
    );
    node.commit();
    assert_eq!(node.storage.durable_lsn(), appended.lsn);
    assert_eq!(read_all(&log, 0).len(), 1);
    log.append(&[batch(&[b"lost"])], CLIENT).unwrap();

    disk.crash(Survival::Nothing);
    let node = Node::start(&disk, &[known(id(1, 0), &small_config())]);
    let log = node.partition(id(1, 0));
    let values: Vec<_> = contents(&log)
        .into_iter()
        .map(|(o, _, v)| (o, v.unwrap()))
        .collect();
    assert_eq!(values, [(0, "a".to_owned()), (1, "b".to_owned())]);
    assert_eq!(node.recovery.frames, 1);
    let appended = log.append(&[batch(&[b"c"])], CLIENT).unwrap();
    assert_eq!(appended.base_offset, 2);
}

#[test]
fn reads_respect_their_limits() {
    let disk = SimDisk::new();
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &small_config());
    let sizes: Vec<usize> = (0..40)
        .map(|n| {
            let batch = batch(&[&vec![b'x'; n * 10], b"second"]);
            log.append(std::slice::from_ref(&batch), CLIENT).unwrap();
            batch.bytes.len()
        })
        .collect();
    node.commit();
    assert!(log.segment_count() > 2);
    for (n, size) in sizes.iter().enumerate() {
        let offset = n as i64 * 2;
        assert_eq!(log.read(offset, 1, true, i64::MAX).unwrap().len(), *size);
        assert_eq!(
            log.read(offset + 1, 1, true, i64::MAX).unwrap().len(),
            *size
        );
        assert!(
            log.read(offset, size - 1, false, i64::MAX)
                .unwrap()
                .is_empty()
        );
        assert_eq!(
            log.read(offset, 1 << 20, false, offset + 2).unwrap().len(),
            *size
        );
        assert!(
            log.read(offset, 1 << 20, true, offset + 1)
                .unwrap()
                .is_empty()
        );
    }
    assert!(log.read(80, 1000, true, i64::MAX).unwrap().is_empty());
    assert!(matches!(
        log.read(81, 1, true, i64::MAX),
        Err(ReadError::OutOfRange { end: 80, .. })
    ));
    assert!(matches!(
        log.read(-1, 1, true, i64::MAX),
        Err(ReadError::OutOfRange { .. })
    ));
    assert_eq!(log.size_in_bytes(), sizes.iter().sum::<usize>() as u64);
}

#[test]
fn records_are_found_by_time() {
    let disk = SimDisk::new();
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &small_config());
    for n in 0..100 {
        let time = 10_000 + n * 10;
        log.append(
            &[keyed_batch(
                time,
                &[("k", Some("some value to fill a segment"))],
            )],
            CLIENT,
        )
        .unwrap();
    }
    assert_eq!(
        log.offset_for_timestamp(0).unwrap(),
        None,
        "nothing is durable"
    );
    node.commit();
    assert!(log.segment_count() > 1);
    for n in 0..100 {
        let found = log
            .offset_for_timestamp(10_000 + n * 10 - 3)
            .unwrap()
            .unwrap();
        assert_eq!((found.offset, found.timestamp), (n, 10_000 + n * 10));
    }
    assert_eq!(log.offset_for_timestamp(11_000).unwrap(), None);
    assert_eq!(log.max_timestamp_offset().unwrap().unwrap().offset, 99);
    log.delete_records_before(50).unwrap();
    assert_eq!(log.offset_for_timestamp(0).unwrap().unwrap().offset, 50);
}

#[test]
fn duplicates_gaps_and_fenced_epochs_are_told_across_restarts() {
    let disk = SimDisk::new();
    let config = small_config();
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &config);
    let first = log
        .append(&[producer_batch(7, 0, 0, &[b"a", b"b"], false)], CLIENT)
        .unwrap();
    node.storage.checkpoint().unwrap();
    log.append(&[producer_batch(7, 0, 2, &[b"c"], false)], CLIENT)
        .unwrap();
    node.commit();
    let check = |log: &headwater_storage::PartitionLog| {
        let again = log
            .append(&[producer_batch(7, 0, 0, &[b"a", b"b"], false)], CLIENT)
            .unwrap();
        assert!(again.duplicate);
        assert_eq!(
            (again.base_offset, again.last_offset),
            (first.base_offset, 1)
        );
        let gap = log.append(&[producer_batch(7, 0, 5, &[b"x"], false)], CLIENT);
        let expected = matches!(
            gap,
            Err(AppendError::Producer(ProducerError::OutOfOrderSequence {
                expected: 3,
                ..
            }))
        );
        assert!(expected);
    };
    check(&log);
    disk.crash(Survival::Nothing);
    let node = Node::start(&disk, &[known(id(1, 0), &config)]);
    check(&node.partition(id(1, 0)));
    node.partition(id(1, 0))
        .append(&[producer_batch(7, 1, 0, &[b"n"], false)], CLIENT)
        .unwrap();
    let old = node
        .partition(id(1, 0))
        .append(&[producer_batch(7, 0, 3, &[b"o"], false)], CLIENT);
    assert!(matches!(
        old,
        Err(AppendError::Producer(ProducerError::EpochFenced { .. }))
    ));
}

#[test]
fn transactions_hold_the_last_stable_offset_until_their_marker_is_durable() {
    let disk = SimDisk::new();
    let config = small_config();
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &config);
    log.append(&[batch(&[b"plain"])], CLIENT).unwrap();
    log.append(&[producer_batch(1, 0, 0, &[b"t1"], true)], CLIENT)
        .unwrap();
    log.append(&[producer_batch(2, 0, 0, &[b"t2"], true)], CLIENT)
        .unwrap();
    node.commit();
    assert_eq!(log.last_stable_offset(), 1);
    assert!(log.has_open_transaction(1, 0));
    let abort = marker(1, 0, TransactionResult::Abort);
    log.append(&[abort], AppendOrigin::Coordinator).unwrap();
    assert_eq!(log.last_stable_offset(), 1, "the marker is not durable");
    node.commit();
    assert_eq!(log.last_stable_offset(), 2);
    disk.crash(Survival::Nothing);
    let node = Node::start(&disk, &[known(id(1, 0), &config)]);
    let log = node.partition(id(1, 0));
    assert_eq!(log.last_stable_offset(), 2);
    let commit = marker(2, 0, TransactionResult::Commit);
    log.append(&[commit], AppendOrigin::Coordinator).unwrap();
    node.commit();
    assert_eq!(log.last_stable_offset(), 5);
    let aborted = log.aborted_transactions(0, 5);
    assert_eq!(aborted.len(), 1);
    assert_eq!(
        (
            aborted[0].producer_id,
            aborted[0].first_offset,
            aborted[0].last_offset
        ),
        (1, 1, 3)
    );
    assert!(log.aborted_transactions(4, 5).is_empty());
    assert!(log.aborted_transactions(0, 1).is_empty());
}

#[test]
fn a_write_is_refused_if_its_transaction_ended_while_it_was_verified() {
    let disk = SimDisk::new();
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &small_config());
    let write = |id| producer_batch(id, 0, 0, &[b"late"], true);
    let end = |id| {
        let marker = marker(id, 0, TransactionResult::Commit);
        log.append(&[marker], AppendOrigin::Coordinator).unwrap()
    };
    let (first, second) = (log.begin_verification(), log.begin_verification());
    end(7);
    let refused = first.append(&[write(7)]);
    assert!(
        matches!(
            refused,
            Err(AppendError::Producer(ProducerError::TransactionEnded(7)))
        ),
        "{refused:?}"
    );
    assert!(!log.has_open_transaction(7, 0));
    second.append(&[write(8)]).unwrap();
    let third = log.begin_verification();
    drop((first, second));
    third.append(&[write(7)]).unwrap();
    drop(third);
    assert!(log.has_open_transaction(7, 0) && log.has_open_transaction(8, 0));
}

#[test]
fn truncation_goes_back_in_every_respect() {
    let disk = SimDisk::new();
    let config = small_config();
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &config);
    let value = vec![b'v'; 300];
    for n in 0..40 {
        log.append(&[producer_batch(7, 0, n, &[&value], false)], CLIENT)
            .unwrap();
    }
    node.storage.checkpoint().unwrap();
    assert!(log.segment_count() > 3);
    assert_eq!(log.truncate_to(100).unwrap(), 40);
    assert_eq!(log.truncate_to(12).unwrap(), 12);
    assert_eq!((log.log_end_offset(), log.durable_end_offset()), (12, 12));
    assert_eq!(read_all(&log, 0).len(), 12);
    let next = log
        .append(&[producer_batch(7, 0, 12, &[b"other"], false)], CLIENT)
        .unwrap();
    assert_eq!((next.base_offset, next.duplicate), (12, false));
    node.commit();
    for survival in [Survival::Nothing, Survival::Everything, Survival::Seeded(3)] {
        let image = disk.image();
        image.crash(survival);
        let node = Node::start(&image, &[known(id(1, 0), &config)]);
        assert_eq!(node.recovery.quarantined, []);
        let log = node.partition(id(1, 0));
        assert_eq!(log.log_end_offset(), 13);
        assert_eq!(contents(&log)[12].2.as_deref(), Some("other"));
        assert_eq!(log.producers()[0].last_sequence, 12);
    }
}

#[test]
fn the_log_start_moves_and_segments_go_once_a_checkpoint_passed_them() {
    let disk = SimDisk::new();
    let config = small_config();
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &config);
    let value = vec![b'v'; 300];
    for _ in 0..40 {
        log.append(&[batch(&[&value])], CLIENT).unwrap();
    }
    node.commit();
    let before = log.segment_count();
    assert_eq!(log.delete_records_before(25).unwrap(), 25);
    assert_eq!(log.segment_count(), before, "no checkpoint yet");
    assert!(matches!(
        log.read(24, 10, true, i64::MAX),
        Err(ReadError::OutOfRange { .. })
    ));
    node.storage.checkpoint().unwrap();
    log.delete_records_before(26).unwrap();
    assert!(log.segment_count() < before);
    assert!(log.delete_records_before(41).is_err());
    disk.crash(Survival::Nothing);
    let node = Node::start(&disk, &[known(id(1, 0), &config)]);
    let log = node.partition(id(1, 0));
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (26, 40));
    assert_eq!(node.recovery.quarantined, []);
    assert!(read_all(&log, 26).len() >= 14);
}

#[test]
fn retention_removes_old_and_surplus_segments() {
    let disk = SimDisk::new();
    let config = LogConfig {
        retention: Some(Duration::from_millis(10_000)),
        ..small_config()
    };
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &config);
    let value = "v".repeat(300);
    let append = |from: i64, to: i64| {
        for n in from..to {
            let batch = keyed_batch(1_000_000 + n * 1_000, &[("k", Some(&value))]);
            log.append(&[batch], CLIENT).unwrap();
        }
        node.commit();
    };
    append(0, 40);
    node.storage
        .run_retention(Timestamp::from_millis(1_030_000))
        .unwrap();
    let start = log.log_start_offset();
    assert!(
        (8..=20).contains(&start),
        "{start}: whole segments older than 10 s"
    );
    assert!(log.segment_count() < 5);
    node.storage
        .run_retention(Timestamp::from_millis(2_000_000))
        .unwrap();
    assert_eq!(
        (log.log_start_offset(), log.segment_count()),
        (40, 1),
        "all are too old"
    );
    append(40, 80);
    log.set_config(LogConfig {
        retention: None,
        retention_bytes: Some(6_000),
        ..small_config()
    })
    .unwrap();
    node.storage
        .run_retention(Timestamp::from_millis(1_080_000))
        .unwrap();
    assert!(log.size_in_bytes() >= 6_000 && log.size_in_bytes() < 6_000 + 4096);
    assert!(log.log_start_offset() > 40);
    let left = log.log_end_offset() - log.log_start_offset();
    assert_eq!(read_all(&log, log.log_start_offset()).len() as i64, left);
}

#[test]
fn log_append_time_is_stamped_and_the_leader_epoch_written() {
    let disk = SimDisk::new();
    let config = LogConfig {
        timestamp_type: TimestampType::LogAppendTime,
        ..small_config()
    };
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &config);
    log.set_leader_epoch(4);
    let appended = log.append(&[batch(&[b"a"])], CLIENT).unwrap();
    let now = node.clock.wall().as_millis();
    assert_eq!(appended.log_append_time, Some(now));
    node.commit();
    let header = read_all(&log, 0)[0].header;
    assert_eq!(header.max_timestamp, now);
    assert_eq!(header.timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!(header.partition_leader_epoch, 4);
    assert_eq!(log.end_of_epoch(5), Some((4, 1)));
}

#[test]
fn a_failed_sync_stops_everything_and_acknowledges_nothing() {
    for path in ["journal-", ".log"] {
        let disk = SimDisk::new();
        let node = Node::start(&disk, &[]);
        let log = node.create(id(1, 0), &small_config());
        log.append(&[batch(&[b"a"])], CLIENT).unwrap();
        disk.inject(Fault::Sync, path, 1);
        let failed = node
            .storage
            .step_journal()
            .and_then(|_| node.storage.checkpoint());
        assert!(failed.is_err());
        assert_eq!(node.stops.count(), 1);
        let refused = log.append(&[batch(&[b"b"])], CLIENT);
        assert!(matches!(refused, Err(AppendError::Stopped(_))));
        assert!(node.storage.step_journal().is_err());
        if path == "journal-" {
            assert_eq!(log.durable_end_offset(), 0);
        }
    }
}

#[test]
fn without_room_appends_are_refused_and_work_again_with_it() {
    let disk = SimDisk::new();
    let node = Node::start(&disk, &[]);
    let config = small_config();
    let log = node.create(id(1, 0), &config);
    log.append(&[batch(&[b"first"])], CLIENT).unwrap();
    node.commit();
    disk.set_capacity(Some(disk.used_bytes() + 50));
    let refused = log.append(&[batch(&[&[b'x'; 200]])], CLIENT);
    assert!(matches!(refused, Err(AppendError::File(error)) if error.is_out_of_space()));
    assert_eq!(read_all(&log, 0).len(), 1);
    assert_eq!(log.log_end_offset(), 1);
    disk.set_capacity(None);
    assert_eq!(
        log.append(&[batch(&[b"second"])], CLIENT)
            .unwrap()
            .base_offset,
        1
    );
    node.commit();
    disk.crash(Survival::Everything);
    let node = Node::start(&disk, &[known(id(1, 0), &config)]);
    assert_eq!(contents(&node.partition(id(1, 0))).len(), 2);
}

#[test]
fn a_write_error_quarantines_the_partition_and_spares_the_others() {
    let disk = SimDisk::new();
    let node = Node::start(&disk, &[]);
    let (bad, good) = (
        node.create(id(1, 0), &small_config()),
        node.create(id(2, 0), &small_config()),
    );
    bad.append(&[batch(&[b"a"])], CLIENT).unwrap();
    node.commit();
    disk.inject(Fault::Write, &id(1, 0).to_string(), 1);
    assert!(matches!(
        bad.append(&[batch(&[b"b"])], CLIENT),
        Err(AppendError::File(_))
    ));
    let refused = bad.append(&[batch(&[b"b"])], CLIENT);
    assert!(matches!(
        refused,
        Err(AppendError::Unusable(Unusable::Quarantined { .. }))
    ));
    assert_eq!(read_all(&bad, 0).len(), 1);
    good.append(&[batch(&[b"a"])], CLIENT).unwrap();
}

#[test]
fn the_journal_fills_up_waits_for_checkpoints_and_loses_nothing() {
    let disk = SimDisk::new();
    let node = Node::start(&disk, &[]);
    let config = LogConfig {
        segment_bytes: 1 << 20,
        ..small_config()
    };
    let log = node.create(id(1, 0), &config);
    let value = vec![b'v'; 1000];
    // Ten times what the journal holds, and nobody steps the syncer.
    for _ in 0..2000 {
        log.append(&[batch(&[&value])], CLIENT).unwrap();
    }
    node.commit();
    let journal: u64 = disk.used_bytes() - log.size_in_bytes();
    assert!(
        journal < 4 * (64 << 10),
        "{journal} bytes beside the segments"
    );
    disk.crash(Survival::Nothing);
    let node = Node::start(&disk, &[known(id(1, 0), &config)]);
    assert_eq!(node.partition(id(1, 0)).log_end_offset(), 2000);
    assert_eq!(contents(&node.partition(id(1, 0))).len(), 2000);
    let huge = vec![b'h'; 70 << 10];
    let refused = node.partition(id(1, 0)).append(&[batch(&[&huge])], CLIENT);
    assert!(matches!(refused, Err(AppendError::TooLarge { .. })));
}

#[test]
fn a_deleted_topic_does_not_come_back_and_its_name_starts_anew() {
    let disk = SimDisk::new();
    let config = small_config();
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &config);
    log.append(&[batch(&[b"old"])], CLIENT).unwrap();
    node.storage.checkpoint().unwrap();
    node.storage.delete_partition(&id(1, 0)).unwrap();
    assert!(node.storage.partition(&id(1, 0)).is_none());
    assert!(matches!(
        log.append(&[batch(&[b"x"])], CLIENT),
        Err(AppendError::Unusable(_))
    ));
    assert!(matches!(
        log.read(0, 10, true, i64::MAX),
        Err(ReadError::Unusable(_))
    ));
    let log = node.create(id(2, 0), &config);
    log.append(&[batch(&[b"new"])], CLIENT).unwrap();
    node.commit();
    for survival in [Survival::Nothing, Survival::Everything, Survival::Seeded(5)] {
        let image = disk.image();
        image.crash(survival);
        let node = Node::start(
            &image,
            &[known(id(2, 0), &config), known(id(1, 0), &config)],
        );
        assert_eq!(node.partition(id(1, 0)).log_end_offset(), 0);
        assert_eq!(contents(&node.partition(id(2, 0))).len(), 1);
        assert_eq!(node.recovery.strays, []);
    }
}

#[test]
fn a_partition_that_the_metadata_does_not_know_is_set_aside() {
    let disk = SimDisk::new();
    let config = small_config();
    let node = Node::start(&disk, &[]);
    node.create(id(1, 0), &config)
        .append(&[batch(&[b"a"])], CLIENT)
        .unwrap();
    node.storage.shutdown().unwrap();
    drop(node);
    let node = Node::start(&disk, &[]);
    assert_eq!(node.recovery.strays, [id(1, 0)]);
    drop(node);
    assert_eq!(Node::start(&disk, &[]).recovery.strays, []);
}

#[test]
fn an_orderly_end_leaves_nothing_to_replay_and_frees_the_directory() {
    let disk = SimDisk::new();
    let config = small_config();
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &config);
    log.append(&[batch(&[b"a"])], CLIENT).unwrap();
    assert!(matches!(
        Node::try_start(&disk, &[]),
        Err(OpenError::Locked(_))
    ));
    node.storage.shutdown().unwrap();
    assert!(matches!(
        log.append(&[batch(&[b"b"])], CLIENT),
        Err(AppendError::Stopped(_))
    ));
    disk.crash(Survival::Nothing);
    let node = Node::start(&disk, &[known(id(1, 0), &config)]);
    assert_eq!(
        (
            node.recovery.frames,
            node.partition(id(1, 0)).log_end_offset()
        ),
        (0, 1)
    );
    drop(node);
    let stops = std::sync::Arc::new(Stops::default());
    let mut options = small_options(&stops);
    options.cluster_id = "another".to_owned();
    let refused = Node::start_with(&disk, &[], options, stops);
    assert!(matches!(
        refused,
        Err(OpenError::WrongOwner {
            what: "cluster",
            ..
        })
    ));
}

#[test]
fn what_a_relaxed_topic_was_told_to_sync_survives_a_power_cut() {
    let disk = SimDisk::new();
    let config = LogConfig {
        durability: Durability::Relaxed,
        ..small_config()
    };
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &config);
    let mut synced = 0;
    for n in 0..30 {
        log.append(&[producer_batch(7, 0, n, &[&[b'r'; 300]], false)], CLIENT)
            .unwrap();
        if n % 7 == 0 {
            node.storage.sync(&[Arc::clone(&log)]).unwrap();
            synced = i64::from(n) + 1;
        }
        let lost = disk.image();
        lost.crash(Survival::Nothing);
        let node = Node::start(&lost, &[known(id(1, 0), &config)]);
        assert!(node.partition(id(1, 0)).log_end_offset() >= synced);
    }
}

#[test]
fn relaxed_segments_that_a_killed_process_left_stay_when_they_are_synced() {
    let disk = SimDisk::new();
    let config = LogConfig {
        durability: Durability::Relaxed,
        ..small_config()
    };
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &config);
    for n in 0..12 {
        log.append(&[producer_batch(7, 0, n, &[&[b'r'; 300]], false)], CLIENT)
            .unwrap();
    }
    // Neither the bytes of its files nor their names were synced.
    let killed = disk.image();
    let node = Node::start(&killed, &[known(id(1, 0), &config)]);
    let log = node.partition(id(1, 0));
    assert_eq!(log.log_end_offset(), 12);
    log.append(&[producer_batch(7, 0, 12, &[b"more"], false)], CLIENT)
        .unwrap();
    node.storage.sync(&[Arc::clone(&log)]).unwrap();
    killed.crash(Survival::Nothing);
    let node = Node::start(&killed, &[known(id(1, 0), &config)]);
    assert!(node.recovery.quarantined.is_empty());
    let log = node.partition(id(1, 0));
    assert_eq!(log.log_end_offset(), 13);
    assert_eq!(contents(&log).len(), 13);
}

#[test]
fn relaxed_topics_are_acknowledged_at_once_survive_kill_9_and_lose_to_a_power_cut() {
    let disk = SimDisk::new();
    let config = LogConfig {
        durability: Durability::Relaxed,
        ..small_config()
    };
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &config);
    for n in 0..30 {
        let appended = log
            .append(&[producer_batch(7, 0, n, &[&[b'r'; 300]], false)], CLIENT)
            .unwrap();
        assert_eq!(appended.lsn, headwater_storage::Lsn::ZERO);
        assert_eq!(log.durable_end_offset(), i64::from(n) + 1);
        if n == 14 {
            node.storage.checkpoint().unwrap();
        }
    }
    let lost = disk.image();
    lost.crash(Survival::Nothing);
    let node = Node::start(&lost, &[known(id(1, 0), &config)]);
    assert_eq!(
        node.partition(id(1, 0)).log_end_offset(),
        15,
        "only what was synced"
    );
    assert_eq!(contents(&node.partition(id(1, 0))).len(), 15);

    disk.crash(Survival::Everything);
    let node = Node::start(&disk, &[known(id(1, 0), &config)]);
    let log = node.partition(id(1, 0));
    assert_eq!(log.log_end_offset(), 30);
    assert_eq!(contents(&log).len(), 30);
    assert_eq!(log.producers()[0].last_sequence, 29);
    // Switched to fsync, what comes next is journaled.
    log.set_config(small_config()).unwrap();
    let appended = log.append(&[batch(&[b"safe"])], CLIENT).unwrap();
    assert!(appended.lsn > headwater_storage::Lsn::ZERO);
    node.commit();
    node.disk.crash(Survival::Nothing);
    let node = Node::start(&disk, &[known(id(1, 0), &small_config())]);
    assert_eq!(node.partition(id(1, 0)).log_end_offset(), 31);
    assert_eq!(node.stops.0.load(Ordering::SeqCst), 0);
}

#[test]
fn files_that_cannot_be_removed_hold_up_no_journal_and_go_when_they_can() {
    let disk = SimDisk::new();
    let node = Node::start(&disk, &[]);
    let (gone, log) = (
        node.create(id(1, 0), &small_config()),
        node.create(id(2, 0), &small_config()),
    );
    gone.append(&[batch(&[b"a"])], CLIENT).unwrap();
    node.commit();
    disk.inject(Fault::Remove, &id(1, 0).to_string(), 1);
    assert!(matches!(
        node.storage.delete_partition(&id(1, 0)),
        Err(ChangeError::File(_))
    ));
    assert_eq!(gone.unusable(), Some(Unusable::Deleted(id(1, 0))));
    let value = vec![b'v'; 1000];
    // Three times what the journal holds.
    for _ in 0..600 {
        log.append(&[batch(&[&value])], CLIENT).unwrap();
    }
    let dir = format!("/data/partitions/{}", id(1, 0));
    assert!(disk.exists(dir.as_ref()).unwrap());
    node.storage.delete_partition(&id(1, 0)).unwrap();
    assert!(!disk.exists(dir.as_ref()).unwrap());
    assert!(node.storage.partition(&id(1, 0)).is_none());
    node.commit();
    disk.crash(Survival::Nothing);
    let node = Node::start(&disk, &[known(id(2, 0), &small_config())]);
    assert_eq!(node.recovery.strays, []);
    assert_eq!(contents(&node.partition(id(2, 0))).len(), 600);
}
