//! Offsets committed in transactions.

use headwater_coordination::ProducerIdentity;
use headwater_coordination::groups::GroupConfig;
use headwater_coordination::groups::{Input, Request, Response};
use headwater_coordination::{Marker, Token};
use headwater_wire::ErrorCode;
use headwater_wire::messages::offset_fetch::OffsetFetchRequest;
use headwater_wire::messages::txn_offset_commit::TxnOffsetCommitRequest;

use crate::world::{GROUP, World, committing, txn_committing};

const PRODUCER: ProducerIdentity = ProducerIdentity { id: 4, epoch: 2 };

#[test]
fn offsets_are_pending_until_the_commit() {
    let mut world = World::new();
    world.commit(committing("", -1, 0, 1));
    assert_eq!(
        world.txn_commit(txn_committing(PRODUCER, 0, 9)),
        ErrorCode::None
    );
    assert_eq!(world.fetched(0), 1);
    assert_eq!(world.fetch(0, true), Err(ErrorCode::UnstableOffsetCommit));
    assert_eq!(world.fetch(1, true).map(|found| found.0), Ok(-1));
    world.restart();
    assert_eq!(world.fetch(0, true), Err(ErrorCode::UnstableOffsetCommit));
    world.end_transaction(PRODUCER, true);
    assert_eq!(world.fetch(0, true).map(|found| found.0), Ok(9));
    world.restart();
    assert_eq!(world.fetch(0, true).map(|found| found.0), Ok(9));
}

#[test]
fn offsets_of_an_aborted_transaction_never_were() {
    let mut world = World::new();
    world.commit(committing("", -1, 0, 1));
    world.txn_commit(txn_committing(PRODUCER, 0, 9));
    world.end_transaction(PRODUCER, false);
    assert_eq!(world.fetch(0, true).map(|found| found.0), Ok(1));
    world.restart();
    assert_eq!(world.fetch(0, true).map(|found| found.0), Ok(1));
}

#[test]
fn a_later_commit_wins_over_an_earlier_one_that_became_visible_later() {
    let mut world = World::new();
    world.txn_commit(txn_committing(PRODUCER, 0, 9));
    world.commit(committing("", -1, 0, 20));
    world.end_transaction(PRODUCER, true);
    assert_eq!(world.fetched(0), 20);
    world.restart();
    assert_eq!(world.fetched(0), 20);
}

#[test]
fn a_fenced_producer_commits_nothing() {
    let mut world = World::new();
    let newer = ProducerIdentity {
        epoch: 3,
        ..PRODUCER
    };
    world.txn_commit(txn_committing(PRODUCER, 0, 9));
    world.end_transaction(newer, false);
    for _ in 0..2 {
        let late = world.txn_commit(txn_committing(PRODUCER, 0, 10));
        assert_eq!(late, ErrorCode::InvalidProducerEpoch);
        world.restart();
    }
    assert_eq!(
        world.txn_commit(txn_committing(newer, 0, 11)),
        ErrorCode::None
    );
}

#[test]
fn a_marker_that_comes_too_late_ends_nothing() {
    let mut world = World::new();
    let newer = ProducerIdentity {
        epoch: 3,
        ..PRODUCER
    };
    world.end_transaction(newer, false);
    world.txn_commit(txn_committing(newer, 0, 9));
    world.end_transaction(PRODUCER, true);
    assert_eq!(world.fetch(0, true), Err(ErrorCode::UnstableOffsetCommit));
}

#[test]
fn transactional_commits_are_fenced_by_the_generation() {
    let mut world = World::new();
    let request = |id: &str, generation: i32| TxnOffsetCommitRequest {
        member_id: id.to_owned(),
        generation_id: generation,
        ..txn_committing(PRODUCER, 0, 1)
    };
    assert_eq!(
        world.txn_commit(request("x", 1)),
        ErrorCode::IllegalGeneration
    );
    let id = world.stable();
    assert_eq!(
        world.txn_commit(request("x", 1)),
        ErrorCode::UnknownMemberId
    );
    assert_eq!(
        world.txn_commit(request(&id, 2)),
        ErrorCode::IllegalGeneration
    );
    assert_eq!(world.txn_commit(request(&id, 1)), ErrorCode::None);
    let nameless = TxnOffsetCommitRequest {
        group_id: String::new(),
        ..request("", -1)
    };
    assert_eq!(world.txn_commit(nameless), ErrorCode::InvalidGroupId);
    let unknown = ProducerIdentity { id: -1, epoch: -1 };
    let refused = world.txn_commit(txn_committing(unknown, 0, 1));
    assert_eq!(refused, ErrorCode::InvalidProducerIdMapping);
    assert_eq!(
        world.txn_commit(request("", -1)),
        ErrorCode::None,
        "old versions of the request name no member"
    );
}

#[test]
fn asking_for_everything_leaves_out_what_was_never_committed() {
    let mut world = World::new();
    world.commit(committing("", -1, 5, 1));
    world.txn_commit(txn_committing(PRODUCER, 5, 9));
    world.txn_commit(txn_committing(PRODUCER, 6, 9));
    let request = OffsetFetchRequest {
        group_id: GROUP.to_owned(),
        topics: None,
        require_stable: true,
        ..Default::default()
    };
    let token = world.send(7, Request::OffsetFetch(request));
    let Response::OffsetFetch(response) = world.take(token) else {
        panic!("not a fetch")
    };
    let [partition] = &*response.topics[0].partitions else {
        panic!("not one partition: {response:?}")
    };
    assert_eq!(partition.partition_index, 5);
    assert_eq!(partition.error_code, ErrorCode::UnstableOffsetCommit.code());
}

#[test]
fn the_end_of_a_transaction_is_known_only_when_it_is_durable() {
    let mut world = World::new();
    world.txn_commit(txn_committing(PRODUCER, 0, 9));
    world.syncs = false;
    let token = Token(1_000);
    let marker = Marker {
        producer: PRODUCER,
        coordinator_epoch: 0,
        committed: true,
        bumps_epoch: false,
    };
    world.step(Input::EndTransaction { token, marker });
    assert!(!world.is_answered(token));
    let request = OffsetFetchRequest {
        group_id: GROUP.to_owned(),
        ..Default::default()
    };
    let fetch = world.send(7, Request::OffsetFetch(request));
    assert!(
        !world.is_answered(fetch),
        "the answer would reveal the commit"
    );
    world.sync_disk();
    assert_eq!(world.take(token), Response::MarkerWritten);
    assert!(world.is_answered(fetch));
}

#[test]
fn a_marker_of_version_2_does_not_end_the_next_transaction() {
    let mut world = World::new();
    world.txn_commit(txn_committing(PRODUCER, 0, 9));
    let mut ended = |epoch: i16| {
        let token = Token(2_000 + u64::from(epoch.unsigned_abs()));
        let marker = Marker {
            producer: ProducerIdentity { epoch, ..PRODUCER },
            coordinator_epoch: 0,
            committed: true,
            bumps_epoch: true,
        };
        world.step(Input::EndTransaction { token, marker });
        assert_eq!(world.take(token), Response::MarkerWritten);
        world.fetch(0, true).is_ok()
    };
    assert!(!ended(PRODUCER.epoch), "it was meant for the one before");
    assert!(ended(PRODUCER.epoch + 1));
}

#[test]
fn a_producer_is_remembered_as_long_as_its_configuration_says() {
    let hour = std::time::Duration::from_secs(60 * 60);
    let mut world = World::with(GroupConfig {
        producer_retention: 48 * hour,
        ..GroupConfig::default()
    });
    let newer = ProducerIdentity {
        epoch: 3,
        ..PRODUCER
    };
    world.end_transaction(newer, false);
    world.pass(47 * hour);
    assert_eq!(
        world.txn_commit(txn_committing(PRODUCER, 0, 9)),
        ErrorCode::InvalidProducerEpoch
    );
    world.pass(2 * hour);
    assert_eq!(
        world.txn_commit(txn_committing(PRODUCER, 0, 9)),
        ErrorCode::None
    );
}
