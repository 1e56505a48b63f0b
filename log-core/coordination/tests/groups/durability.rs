//! Nothing is revealed before it is durable, and nothing durable is lost.

use headwater_coordination::groups::{Effect, GroupConfig, GroupCoordinator, Input, Request};
use headwater_coordination::{LogEntry, Time, Token};
use headwater_wire::ErrorCode;

use crate::world::{World, committing, error, joining, syncing};

#[test]
fn a_commit_is_answered_once_it_is_durable() {
    let mut world = World::new();
    let id = world.stable();
    world.syncs = false;
    let commit = world.send(9, Request::OffsetCommit(committing(&id, 1, 0, 5)));
    assert!(!world.is_answered(commit));
    world.sync_disk();
    assert_eq!(world.take_commit(commit), ErrorCode::None);
}

#[test]
fn an_assignment_is_handed_out_once_it_is_durable() {
    let mut world = World::new();
    let (id, token) = world.enter();
    world.take_join(token);
    world.syncs = false;
    let first = world.send_sync(syncing(&id, 1, &[(&id, "x")]));
    let again = world.send_sync(syncing(&id, 1, &[]));
    assert!(!world.is_answered(first) && !world.is_answered(again));
    world.sync_disk();
    assert_eq!(
        world.take_sync(first).assignment,
        world.take_sync(again).assignment
    );
}

#[test]
fn what_was_never_durable_never_was() {
    let mut world = World::new();
    let id = world.stable();
    world.commit(committing(&id, 1, 0, 5));
    world.syncs = false;
    world.send(9, Request::OffsetCommit(committing(&id, 1, 0, 6)));
    world.crash(world.durable);
    world.syncs = true;
    assert_eq!(world.fetched(0), 5);
    assert_eq!(world.heartbeat(&id, 1), ErrorCode::None);
}

#[test]
fn a_failed_append_ends_the_machine_and_answers_everyone() {
    let mut world = World::new();
    let id = world.stable();
    let (_, joining_second) = world.enter();
    world.syncs = false;
    let commit = world.send(9, Request::OffsetCommit(committing(&id, 1, 0, 6)));
    world.step(Input::AppendFailed);
    assert!(world.failed);
    assert_eq!(
        world.take_commit(commit),
        ErrorCode::CoordinatorNotAvailable
    );
    let joined = world.take_join(joining_second);
    assert_eq!(error(joined.error_code), ErrorCode::CoordinatorNotAvailable);
    let refused = world.join(9, joining(&id));
    assert_eq!(
        error(refused.error_code),
        ErrorCode::CoordinatorLoadInProgress
    );
    world.crash(world.durable);
    world.syncs = true;
    assert_eq!(world.fetched(0), -1);
}

#[test]
fn a_coordinator_that_is_loading_refuses_everything() {
    let mut machine = GroupCoordinator::new(GroupConfig::default());
    let mut out = Vec::new();
    let request = Request::OffsetCommit(committing("", -1, 0, 1));
    let input = Input::Request {
        token: Token(1),
        topics: headwater_coordination::groups::Topics::default(),
        version: 9,
        request,
    };
    machine.step(input, Time::default(), &mut out);
    let [Effect::Reply { response, .. }] = out.as_slice() else {
        panic!("no answer: {out:?}")
    };
    let headwater_coordination::groups::Response::OffsetCommit(response) = response else {
        panic!("not a commit: {response:?}")
    };
    let code = error(response.topics[0].partitions[0].error_code);
    assert_eq!(code, ErrorCode::CoordinatorLoadInProgress);
}

#[test]
fn records_of_other_kinds_are_skipped_and_damaged_ones_are_errors() {
    let mut machine = GroupCoordinator::new(GroupConfig::default());
    let record = |key: &'static [u8], value: &'static [u8]| LogEntry::Record {
        key,
        value: Some(value),
        producer: None,
    };
    assert!(
        machine
            .load(record(&[0, 11, 0, 1, b'g'], &[0, 0, 0, 0, 0, 1]))
            .is_ok()
    );
    assert!(machine.load(record(&[0, 1, 0, 9], &[])).is_err());
    assert!(machine.load(record(&[], &[])).is_err());
}
