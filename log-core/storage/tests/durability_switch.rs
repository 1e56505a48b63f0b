//! A change of `durability` while a log is in use: all of it or nothing of it.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod harness;

use std::sync::Arc;

use harness::*;
use headwater_env::sim::{Fault, Operation, SimDisk, Survival};
use headwater_storage::{AppendOrigin, ChangeError, Durability, LogConfig};

const CLIENT: AppendOrigin = AppendOrigin::Client;

#[test]
fn a_switch_of_durability_that_fails_leaves_the_old_one() {
    let relaxed = LogConfig {
        durability: Durability::Relaxed,
        ..small_config()
    };
    for is_relaxed in [false, true] {
        let (old, new) = match is_relaxed {
            true => (relaxed.clone(), small_config()),
            false => (small_config(), relaxed.clone()),
        };
        let disk = SimDisk::new();
        let node = Node::start(&disk, &[]);
        let (log, other) = (
            node.create(id(1, 0), &old),
            node.create(id(2, 0), &small_config()),
        );
        log.append(&[batch(&[b"before"])], CLIENT).unwrap();
        node.commit();
        node.storage.checkpoint().unwrap();
        log.append(&[batch(&[b"between"])], CLIENT).unwrap();
        disk.inject(Fault::Write, "checkpoints.tmp", 1);
        assert!(matches!(
            log.set_config(new.clone()),
            Err(ChangeError::File(_))
        ));
        // Another partition's checkpoint must not take along what was not stored.
        other
            .set_config(LogConfig {
                durability: Durability::Relaxed,
                ..small_config()
            })
            .unwrap();
        let appended = log.append(&[batch(&[b"after"])], CLIENT).unwrap();
        assert_eq!(appended.lsn <= node.storage.durable_lsn(), is_relaxed);
        let survival = match is_relaxed {
            true => Survival::Everything,
            false => {
                node.commit();
                Survival::Nothing
            }
        };
        let image = disk.image();
        image.crash(survival);
        let known = [known(id(1, 0), &new), known(id(2, 0), &relaxed)];
        let restarted = Node::start(&image, &known);
        assert_eq!(
            contents(&restarted.partition(id(1, 0))).len(),
            3,
            "relaxed: {is_relaxed}"
        );
        log.set_config(new).unwrap();
        let appended = log.append(&[batch(&[b"switched"])], CLIENT).unwrap();
        assert_eq!(appended.lsn > node.storage.durable_lsn(), is_relaxed);
        assert_eq!(node.stops.count(), 0);
    }
}

#[test]
fn a_switch_of_durability_during_a_checkpoint_is_not_undone_by_it() {
    let disk = SimDisk::new();
    let relaxed = LogConfig {
        durability: Durability::Relaxed,
        ..small_config()
    };
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &small_config());
    log.append(&[batch(&[b"captured"])], CLIENT).unwrap();
    node.commit();
    let (switched, config) = (Arc::clone(&log), relaxed.clone());
    let mut is_first = true;
    disk.observe(Box::new(move |_, operation, _| {
        let is_segment = matches!(operation, Operation::Sync(path)
            if path.extension().is_some_and(|extension| extension == "log"));
        if is_segment && std::mem::take(&mut is_first) {
            switched.append(&[batch(&[b"late"])], CLIENT).unwrap();
            switched.set_config(config.clone()).unwrap();
        }
    }));
    node.storage.checkpoint().unwrap();
    disk.stop_observing();
    let appended = log.append(&[batch(&[b"relaxed"])], CLIENT).unwrap();
    assert!(appended.lsn <= node.storage.durable_lsn(), "not journaled");
    disk.crash(Survival::Everything);
    let node = Node::start(&disk, &[known(id(1, 0), &relaxed)]);
    assert_eq!(contents(&node.partition(id(1, 0))).len(), 3);
}
