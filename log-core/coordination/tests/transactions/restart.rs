//! What survives a crash.

use headwater_coordination::transactions::{
    Effect, Input, Response, TransactionConfig, TransactionCoordinator,
};
use headwater_coordination::{LogEntry, ProducerIdentity, Time, Token};
use headwater_wire::ErrorCode;

use crate::world::{ID, World, adding, ending, error, initialising};

#[test]
fn an_open_transaction_goes_on() {
    let mut world = World::new();
    let producer = world.init();
    world.add(producer, &[0, 3]);
    world.restart();
    assert_eq!(world.add(producer, &[5]), ErrorCode::None);
    assert_eq!(world.end(producer, true), ErrorCode::None);
    assert_eq!(world.marked(producer, true), [0, 3, 5].into());
}

#[test]
fn a_decided_transaction_is_completed() {
    let mut world = World::new();
    let producer = world.init();
    world.add(producer, &[0, 3]);
    world.writes_markers = false;
    assert_eq!(world.end(producer, true), ErrorCode::None);
    world.restart();
    let asked = world.asked[0].clone();
    assert_eq!(
        (asked.marker.committed, asked.marker.producer),
        (true, producer)
    );
    assert_eq!(asked.partitions.values().flatten().count(), 2);
    let again = world.send(3, ending(ID, producer, true));
    assert!(!world.is_answered(again));
    world.write_markers();
    world.sync_disk();
    assert_eq!(world.take_code(again), ErrorCode::None);
}

#[test]
fn a_decision_that_was_not_durable_was_not_made() {
    let mut world = World::new();
    let producer = world.init();
    world.add(producer, &[0]);
    world.syncs = false;
    world.send(3, ending(ID, producer, true));
    world.crash(world.durable);
    world.syncs = true;
    assert!(world.markers.is_empty());
    assert_eq!(world.end(producer, false), ErrorCode::None);
    assert_eq!(world.marked(producer, false), [0].into());
}

#[test]
fn an_epoch_that_was_not_durable_was_not_given_out() {
    let mut world = World::new();
    let first = world.init();
    world.syncs = false;
    let lost = world.send_init(4, initialising());
    assert!(!world.is_answered(lost));
    world.crash(world.durable);
    world.syncs = true;
    assert_eq!(world.init(), ProducerIdentity { epoch: 1, ..first });
}

#[test]
fn a_failed_append_ends_the_machine_and_answers_everyone() {
    let mut world = World::new();
    let producer = world.init();
    world.add(producer, &[0]);
    world.writes_markers = false;
    world.end(producer, true);
    let parked = world.send(3, adding(ID, producer, &[1]));
    world.syncs = false;
    let other = world.send_init(4, {
        let mut request = initialising();
        request.transactional_id = Some("other".to_owned());
        request
    });
    world.asked.clear();
    world.step(Input::AppendFailed);
    assert!(world.failed && world.asked.is_empty());
    assert_eq!(world.take_code(parked), ErrorCode::CoordinatorNotAvailable);
    assert_eq!(
        world.take_init(other),
        Err(ErrorCode::CoordinatorNotAvailable)
    );
    assert_eq!(
        world.init_with(4, initialising()),
        Err(ErrorCode::CoordinatorLoadInProgress)
    );
}

#[test]
fn a_coordinator_that_is_loading_refuses_everything() {
    let mut machine = TransactionCoordinator::new(TransactionConfig::default(), 0);
    let mut out = Vec::new();
    let producer = ProducerIdentity { id: 1, epoch: 0 };
    let request = ending(ID, producer, true);
    machine.step(
        Input::Request {
            token: Token(1),
            version: 3,
            request,
        },
        Time::default(),
        &mut out,
    );
    let [
        Effect::Reply {
            response: Response::End(response),
            ..
        },
    ] = out.as_slice()
    else {
        panic!("not an answer: {out:?}")
    };
    assert_eq!(
        error(response.error_code),
        ErrorCode::CoordinatorLoadInProgress
    );
    let damaged = LogEntry::Record {
        key: &[0, 0, 0, 9],
        value: None,
        producer: None,
    };
    assert!(machine.load(damaged).is_err());
}
