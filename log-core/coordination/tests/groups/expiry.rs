//! Offsets expire when nobody can want them any more (KIP-211).

use std::time::Duration;

use headwater_coordination::ProducerIdentity;
use headwater_wire::ErrorCode;
use headwater_wire::messages::join_group::JoinGroupRequest;

use crate::world::{World, committing, joining, leaving, protocol, syncing, txn_committing};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn offsets_of_a_consumer_without_group_expire_after_their_last_commit() {
    let mut world = World::new();
    world.commit(committing("", -1, 0, 5));
    world.pass(6 * DAY);
    world.commit(committing("", -1, 1, 6));
    world.pass(2 * DAY);
    assert_eq!((world.fetched(0), world.fetched(1)), (-1, 6));
    world.pass(6 * DAY);
    assert_eq!(world.machine.group_count(), 0);
    world.restart();
    assert_eq!(world.machine.group_count(), 0);
}

#[test]
fn offsets_of_a_group_expire_after_its_last_member_left() {
    let mut world = World::new();
    let id = world.stable();
    world.commit(committing(&id, 1, 0, 5));
    for _ in 0..8 * 24 * 60 * 60 / 9 {
        world.pass(Duration::from_secs(9));
        world.heartbeat(&id, 1);
    }
    assert_eq!(world.fetched(0), 5, "the group was never empty");
    world.leave(5, leaving(&[(&id, None)]));
    world.pass(6 * DAY);
    assert_eq!(world.fetched(0), 5);
    world.restart();
    world.pass(2 * DAY);
    assert_eq!(world.fetched(0), -1);
    assert_eq!(world.machine.group_count(), 0);
}

#[test]
fn an_active_group_keeps_what_it_subscribes_to_and_loses_the_rest() {
    let mut world = World::new();
    let patient = |id: &str, topics: &[&str]| JoinGroupRequest {
        session_timeout_ms: 1_800_000,
        protocols: vec![protocol("range", topics)],
        ..joining(id)
    };
    let joined = world.join(3, patient("", &["t"]));
    let id = joined.member_id;
    world.sync(syncing(&id, 1, &[]));
    world.commit(committing(&id, 1, 0, 5));
    let mut other = committing(&id, 1, 0, 6);
    other.topics[0].name = "u".to_owned();
    world.commit(other);
    for _ in 0..8 * 24 * 3 {
        world.pass(Duration::from_secs(20 * 60));
        assert_eq!(world.heartbeat(&id, 1), ErrorCode::None);
    }
    assert_eq!(world.fetched(0), 5);
    assert_eq!(
        world
            .log
            .iter()
            .filter(|(_, append)| is_tombstone(append))
            .count(),
        1
    );
}

fn is_tombstone(append: &headwater_coordination::Append) -> bool {
    match append {
        headwater_coordination::Append::Records(records) => {
            records.iter().any(|record| record.value.is_none())
        }
        _ => false,
    }
}

#[test]
fn a_client_may_choose_its_own_retention() {
    let mut world = World::new();
    let mut request = committing("", -1, 0, 5);
    request.retention_time_ms = 60 * 60 * 1000;
    world.commit(request);
    world.restart();
    world.pass(Duration::from_secs(50 * 60));
    assert_eq!(world.fetched(0), 5);
    world.pass(Duration::from_secs(20 * 60));
    assert_eq!(world.fetched(0), -1);
}

#[test]
fn what_a_transaction_has_pending_does_not_expire() {
    let mut world = World::new();
    let producer = ProducerIdentity { id: 1, epoch: 0 };
    world.commit(committing("", -1, 0, 5));
    world.txn_commit(txn_committing(producer, 0, 6));
    world.pass(8 * DAY);
    assert_eq!(world.fetched(0), 5);
    world.end_transaction(producer, true);
    assert_eq!(world.fetched(0), 6);
}
