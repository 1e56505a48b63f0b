//! An epoch for each transaction (KIP-890).

use std::time::Duration;

use headwater_coordination::ProducerIdentity;
use headwater_wire::ErrorCode;

use crate::world::{ID, World, ending, going_on, initialising, write_in, writing};

fn later(producer: ProducerIdentity, by: i16) -> ProducerIdentity {
    ProducerIdentity {
        epoch: producer.epoch + by,
        ..producer
    }
}

#[test]
fn each_end_gives_the_producer_its_next_epoch() {
    let mut world = World::new();
    let first = world.init();
    assert_eq!(world.write(first, &[0, 1]), ErrorCode::None);
    let second = world.end_v2(first, true).expect("committed");
    assert_eq!(second, later(first, 1));
    assert_eq!(world.marked(second, true), [0, 1].into());
    assert_eq!(world.write(first, &[2]), ErrorCode::ProducerFenced);
    assert_eq!(world.write(second, &[2]), ErrorCode::None);
    let third = world.end_v2(second, false).expect("aborted");
    assert_eq!(third, later(first, 2));
    assert_eq!(world.marked(third, false), [2].into());
    assert!(
        world
            .markers
            .iter()
            .all(|(_, _, marker)| marker.bumps_epoch)
    );
}

#[test]
fn an_end_that_is_repeated_is_told_from_the_next() {
    let mut world = World::new();
    let first = world.init();
    world.write(first, &[0]);
    let second = world.end_v2(first, true).expect("committed");
    assert_eq!(world.end_v2(first, true), Ok(second), "a retry");
    assert_eq!(
        world.end_v2(first, false),
        Err(ErrorCode::InvalidTxnState),
        "it was committed"
    );
    assert_eq!(
        world.end_v2(second, true),
        Err(ErrorCode::InvalidTxnState),
        "nothing was begun"
    );
    world.write(second, &[0]);
    assert_eq!(
        world.end_v2(first, true),
        Err(ErrorCode::ProducerFenced),
        "delayed into the next transaction"
    );
    let third = world.end_v2(second, false).expect("aborted");
    assert_eq!(world.end_v2(second, false), Ok(third));
    assert_eq!(world.end_v2(second, true), Err(ErrorCode::InvalidTxnState));
    assert_eq!(world.end_v2(third, true), Err(ErrorCode::InvalidTxnState));
    assert_eq!(world.markers.len(), 2);
}

#[test]
fn an_end_that_is_repeated_before_the_markers_waits_for_them() {
    let mut world = World::new();
    let first = world.init();
    world.write(first, &[0]);
    world.writes_markers = false;
    let second = world.end_v2(first, true).expect("committed");
    assert_eq!(world.end_v2(first, false), Err(ErrorCode::InvalidTxnState));
    let again = world.send(5, ending(ID, first, true));
    assert!(!world.is_answered(again));
    world.write_markers();
    world.sync_disk();
    assert_eq!(world.take_end(again), Ok(second));
}

#[test]
fn an_abort_of_nothing_has_an_epoch_too() {
    let mut world = World::new();
    let first = world.init();
    assert_eq!(world.end_v2(first, true), Err(ErrorCode::InvalidTxnState));
    let second = world.end_v2(first, false).expect("aborted");
    assert_eq!(second, later(first, 1));
    assert_eq!(world.end_v2(first, false), Ok(second), "a retry");
    let third = world.end_v2(second, false).expect("aborted again");
    world.write(third, &[0]);
    let fourth = world.end_v2(third, true).expect("committed");
    let fifth = world.end_v2(fourth, false).expect("nothing to abort");
    assert_eq!(fifth, later(first, 4));
    assert_eq!(world.markers.len(), 1);
    world.restart();
    assert_eq!(world.end_v2(fourth, false), Ok(fifth), "a retry");
}

#[test]
fn a_write_waits_for_the_markers_of_the_transaction_before() {
    let mut world = World::new();
    let first = world.init();
    world.write(first, &[0]);
    world.writes_markers = false;
    let second = world.end_v2(first, true).expect("committed");
    let mut out = Vec::new();
    let now = world.time;
    assert_eq!(
        world
            .machine
            .add_now(&write_in(second, &[5]), now, &mut out),
        Err(ErrorCode::ConcurrentTransactions)
    );
    assert_eq!(
        world.machine.add_now(&write_in(first, &[5]), now, &mut out),
        Err(ErrorCode::ProducerFenced)
    );
    assert!(out.is_empty());
    let write = world.send(0, writing(second, &[5]));
    let end = world.send(5, ending(ID, second, false));
    assert!(!world.is_answered(write) && !world.is_answered(end));
    world.writes_markers = true;
    world.write_markers();
    world.sync_disk();
    assert_eq!(world.take_code(write), ErrorCode::None);
    world.sync_disk();
    assert_eq!(world.take_end(end), Ok(later(second, 1)));
}

#[test]
fn a_write_is_added_at_once_where_nothing_is_to_wait_for() {
    let mut world = World::new();
    let producer = world.init();
    let (mut out, now) = (Vec::new(), world.time);
    let mut add = |partitions: &[i32]| {
        let added = world
            .machine
            .add_now(&write_in(producer, partitions), now, &mut out);
        (added, out.len())
    };
    let (added, effects) = add(&[0]);
    assert_eq!(added, Ok(()));
    assert!(effects > 0, "it is written down");
    assert_eq!(add(&[0]), (Ok(()), effects), "and only once");
    assert_eq!(world.machine.verify(ID, producer, "t", 0), Ok(()));
}

#[test]
fn the_two_versions_alternate_under_one_id() {
    let mut world = World::new();
    let producer = world.init();
    world.add(producer, &[0]);
    assert_eq!(world.end(producer, true), ErrorCode::None);
    assert_eq!(world.marked(producer, true), [0].into());
    world.write(producer, &[1]);
    let next = world.end_v2(producer, true).expect("committed");
    assert_eq!(world.end(producer, true), ErrorCode::ProducerFenced);
    world.add(next, &[2]);
    assert_eq!(world.end(next, false), ErrorCode::None);
    assert_eq!(world.end(next, false), ErrorCode::None, "a retry");
}

#[test]
fn a_producer_whose_transaction_timed_out_may_still_abort_it() {
    let mut world = World::new();
    let producer = world.init();
    world.write(producer, &[0]);
    world.pass(Duration::from_secs(60));
    assert_eq!(world.marked(later(producer, 1), false), [0].into());
    assert_eq!(world.write(producer, &[1]), ErrorCode::ProducerFenced);
    assert_eq!(
        world.end_v2(producer, true),
        Err(ErrorCode::InvalidTxnState)
    );
    assert_eq!(world.end_v2(producer, false), Ok(later(producer, 1)));
}

#[test]
fn the_last_epoch_of_an_id_ends_with_a_new_id() {
    let mut world = World::new();
    world.syncs = true;
    let mut last = world.init();
    while last.epoch < i16::MAX - 1 {
        last = world.end_v2(last, false).expect("aborted");
        world.effects.clear();
        let keep = world.log.split_off(world.log.len() - 1);
        world.log = keep;
        world.durable = 1;
    }
    assert_eq!(world.write(last, &[0]), ErrorCode::None);
    world.gives_ids = false;
    assert_eq!(
        world.end_v2(last, true),
        Err(ErrorCode::CoordinatorLoadInProgress),
        "no other id is known yet"
    );
    world.give_id();
    world.writes_markers = false;
    let next = world.end_v2(last, true).expect("committed");
    assert_eq!((next.id != last.id, next.epoch), (true, 0));
    assert!(world.wants_id, "for the one after it");
    // The decision and the id survive, as they are in one record.
    world.restart();
    world.write_markers();
    world.sync_disk();
    assert_eq!(world.marked(later(last, 1), true), [0].into());
    assert_eq!(world.end_v2(last, true), Ok(next), "a retry");
    assert_eq!(world.write(last, &[0]), ErrorCode::InvalidProducerIdMapping);
    assert_eq!(world.write(next, &[0]), ErrorCode::None);
    assert_eq!(
        world.end_v2(last, true),
        Err(ErrorCode::InvalidProducerIdMapping),
        "delayed into the next transaction"
    );
}

#[test]
fn a_timeout_at_the_last_epoch_waits_for_a_new_id() {
    let mut world = World::new();
    let mut last = world.init();
    while last.epoch < i16::MAX - 1 {
        last = world.init();
        world.effects.clear();
        let keep = world.log.split_off(world.log.len() - 1);
        world.log = keep;
        world.durable = 1;
    }
    world.restart();
    world.gives_ids = false;
    world.write(last, &[0]);
    world.pass(Duration::from_secs(62));
    assert!(world.markers.is_empty() && world.wants_id);
    world.give_id();
    world.pass(Duration::from_secs(2));
    assert_eq!(world.marked(later(last, 1), false), [0].into());
    let next = world.end_v2(last, false).expect("it was aborted");
    assert_eq!((next.id != last.id, next.epoch), (true, 0));
}

#[test]
fn who_goes_on_after_its_own_end_gets_the_epoch_of_that_end() {
    let mut world = World::new();
    let first = world.init();
    world.write(first, &[0]);
    let second = world.end_v2(first, true).expect("committed");
    assert_eq!(world.init_with(4, going_on(first)), Ok(second));
    assert_eq!(world.init_with(4, going_on(second)), Ok(later(second, 1)));
    let other = world
        .init_with(4, initialising())
        .expect("another instance");
    assert_eq!(other, later(second, 2));
    assert_eq!(
        world.init_with(4, going_on(second)),
        Err(ErrorCode::ProducerFenced)
    );
}

#[test]
fn an_end_of_another_producer_is_refused() {
    let mut world = World::new();
    let producer = world.init();
    world.write(producer, &[0]);
    let other = ProducerIdentity {
        id: producer.id + 9,
        ..producer
    };
    let refused = Err(ErrorCode::InvalidProducerIdMapping);
    assert_eq!(world.end_v2(other, true), refused);
    for by in [1, 2] {
        let epoch = producer.epoch + by;
        let ahead = ProducerIdentity { epoch, ..producer };
        assert_eq!(world.end_v2(ahead, true), Err(ErrorCode::ProducerFenced));
    }
    let nobody = world.send(5, ending("nobody", producer, true));
    assert_eq!(world.take_end(nobody), refused);
    let nameless = world.send(5, ending("", producer, true));
    assert_eq!(world.take_end(nameless), Err(ErrorCode::InvalidRequest));
}
