//! Transactions that take too long.

use std::time::Duration;

use headwater_coordination::{ProducerIdentity, Time};
use headwater_wire::ErrorCode;

use crate::world::World;

#[test]
fn a_transaction_is_aborted_after_its_timeout_and_its_producer_fenced() {
    let mut world = World::new();
    let producer = world.init();
    world.add(producer, &[0]);
    world.pass(Duration::from_secs(59));
    assert!(world.markers.is_empty());
    world.pass(Duration::from_secs(1));
    let fence = ProducerIdentity {
        epoch: producer.epoch + 1,
        ..producer
    };
    assert_eq!(world.marked(fence, false), [0].into());
    assert_eq!(world.end(producer, true), ErrorCode::ProducerFenced);
    assert_eq!(world.init().epoch, producer.epoch + 2);
}

#[test]
fn growing_does_not_prolong_a_transaction() {
    let mut world = World::new();
    let producer = world.init();
    world.add(producer, &[0]);
    world.pass(Duration::from_secs(40));
    assert_eq!(world.add(producer, &[1]), ErrorCode::None);
    world.pass(Duration::from_secs(20));
    assert_eq!(world.add(producer, &[2]), ErrorCode::ProducerFenced);
}

#[test]
fn a_decided_transaction_does_not_time_out() {
    let mut world = World::new();
    let producer = world.init();
    world.add(producer, &[0]);
    world.writes_markers = false;
    world.end(producer, true);
    world.pass(Duration::from_secs(600));
    world.write_markers();
    world.sync_disk();
    assert_eq!(world.marked(producer, true), [0].into());
    assert_eq!(world.add(producer, &[1]), ErrorCode::None);
}

#[test]
fn the_timeout_goes_on_through_a_restart() {
    let mut world = World::new();
    let producer = world.init();
    world.add(producer, &[0]);
    world.pass(Duration::from_secs(50));
    world.restart();
    world.pass(Duration::from_secs(9));
    assert!(world.markers.is_empty());
    world.pass(Duration::from_secs(1));
    assert_eq!(world.markers.len(), 1);
}

#[test]
fn a_wall_clock_set_back_prolongs_and_does_not_stall() {
    let mut world = World::new();
    let producer = world.init();
    world.add(producer, &[0]);
    let earlier = world.time.wall.as_millis() - 30_000;
    world.time = Time {
        wall: headwater_coordination::Timestamp::from_millis(earlier),
        ..world.time
    };
    world.pass(Duration::from_secs(60));
    assert!(world.markers.is_empty());
    world.pass(Duration::from_secs(30));
    assert_eq!(world.markers.len(), 1);
}
