//! A producer that comes back fences the one it was.

use std::time::Duration;

use headwater_coordination::ProducerIdentity;
use headwater_wire::ErrorCode;
use headwater_wire::messages::init_producer_id::InitProducerIdRequest;

use crate::world::{ID, World, adding, adding_offsets, ending, going_on, initialising};

#[test]
fn each_initialisation_has_the_next_epoch() {
    let mut world = World::new();
    let first = world.init();
    let second = world.init();
    assert_eq!(first.epoch, 0);
    assert_eq!(second, ProducerIdentity { epoch: 1, ..first });
    assert_eq!(world.add(first, &[0]), ErrorCode::ProducerFenced);
    assert_eq!(world.add(second, &[0]), ErrorCode::None);
}

#[test]
fn versions_that_do_not_know_the_fence_call_it_an_invalid_epoch() {
    let mut world = World::new();
    let old = world.init();
    world.init();
    let invalid = ErrorCode::InvalidProducerEpoch;
    for (version, expected) in [(1, invalid), (2, ErrorCode::ProducerFenced)] {
        for request in [
            adding(ID, old, &[0]),
            adding_offsets(old, "g"),
            ending(ID, old, true),
        ] {
            let token = world.send(version, request);
            assert_eq!(world.take_code(token), expected);
        }
    }
    let stale = ProducerIdentity {
        id: old.id + 1_000,
        ..old
    };
    assert_eq!(world.init_with(3, going_on(stale)), Err(invalid));
    assert_eq!(
        world.init_with(4, going_on(stale)),
        Err(ErrorCode::ProducerFenced)
    );
}

#[test]
fn initialisations_that_cannot_be_are_refused() {
    let mut world = World::new();
    let mut refused = |request: InitProducerIdRequest| world.init_with(4, request).err();
    let nameless = InitProducerIdRequest {
        transactional_id: Some(String::new()),
        ..initialising()
    };
    assert_eq!(refused(nameless), Some(ErrorCode::InvalidRequest));
    for timeout in [0, -1, 900_001, i32::MAX] {
        let request = InitProducerIdRequest {
            transaction_timeout_ms: timeout,
            ..initialising()
        };
        assert_eq!(refused(request), Some(ErrorCode::InvalidTransactionTimeout));
    }
    let half = InitProducerIdRequest {
        producer_id: 5,
        ..initialising()
    };
    assert_eq!(refused(half), Some(ErrorCode::InvalidRequest));
    assert_eq!(world.machine.transactional_id_count(), 0);
}

#[test]
fn coming_back_aborts_the_open_transaction_and_waits_for_that() {
    let mut world = World::new();
    let old = world.init();
    world.add(old, &[0, 1]);
    world.writes_markers = false;
    let back = world.send_init(4, initialising());
    assert!(!world.is_answered(back));
    assert_eq!(world.end(old, true), ErrorCode::ProducerFenced);
    world.write_markers();
    world.sync_disk();
    let new = world.take_init(back).expect("let in");
    assert_eq!(
        new,
        ProducerIdentity {
            epoch: old.epoch + 2,
            ..old
        }
    );
    let fence = ProducerIdentity {
        epoch: old.epoch + 1,
        ..old
    };
    assert_eq!(world.marked(fence, false), [0, 1].into());
    assert_eq!(world.marked(old, true), [].into());
}

#[test]
fn coming_back_too_often_lets_the_last_one_in() {
    let mut world = World::new();
    let old = world.init();
    world.add(old, &[0]);
    world.writes_markers = false;
    let first = world.send_init(4, initialising());
    let second = world.send_init(4, initialising());
    world.write_markers();
    world.sync_disk();
    let first = world.take_init(first).expect("let in");
    let second = world.take_init(second).expect("let in");
    assert!(first.epoch < second.epoch);
    assert_eq!(world.add(first, &[0]), ErrorCode::ProducerFenced);
    assert_eq!(world.add(second, &[0]), ErrorCode::None);
}

#[test]
fn coming_back_after_the_decision_waits_for_the_commit() {
    let mut world = World::new();
    let old = world.init();
    world.add(old, &[0]);
    world.writes_markers = false;
    world.end(old, true);
    let back = world.send_init(4, initialising());
    world.write_markers();
    world.sync_disk();
    assert_eq!(
        world.take_init(back),
        Ok(ProducerIdentity { epoch: 1, ..old })
    );
    assert_eq!(world.marked(old, true), [0].into());
}

#[test]
fn a_producer_that_goes_on_is_told_from_one_that_was_fenced() {
    let mut world = World::new();
    let first = world.init();
    let next = world
        .init_with(4, going_on(first))
        .expect("the same producer");
    assert_eq!(next, ProducerIdentity { epoch: 1, ..first });
    let retried = world.init_with(4, going_on(first)).expect("a retry");
    assert_eq!(retried, next, "the answer was lost");
    let other = world.init();
    assert_eq!(other.epoch, 2);
    assert_eq!(
        world.init_with(4, going_on(next)),
        Err(ErrorCode::ProducerFenced)
    );
    assert_eq!(
        world.init_with(4, going_on(first)),
        Err(ErrorCode::ProducerFenced)
    );
    world.add(other, &[0]);
    assert_eq!(
        world.init_with(4, going_on(next)),
        Err(ErrorCode::ProducerFenced)
    );
    assert_eq!(world.end(other, true), ErrorCode::None, "nobody aborted it");
}

#[test]
fn a_producer_may_go_on_out_of_its_own_open_transaction() {
    let mut world = World::new();
    let first = world.init();
    world.add(first, &[0]);
    let next = world
        .init_with(4, going_on(first))
        .expect("the same producer");
    assert_eq!(next, ProducerIdentity { epoch: 1, ..first });
    assert_eq!(world.marked(next, false), [0].into());
}

#[test]
fn a_producer_that_used_up_its_epochs_gets_a_new_id() {
    let mut world = World::new();
    let mut last = world.init();
    for _ in 0..i32::from(i16::MAX) - 1 {
        last = world.init();
        world.effects.clear();
        let keep = world.log.split_off(world.log.len() - 1);
        world.log = keep;
        world.durable = 1;
    }
    assert_eq!(last.epoch, i16::MAX - 1);
    let retried = world.init_with(4, going_on(last)).expect("a retry");
    assert_ne!(retried.id, last.id);
    assert_eq!(retried.epoch, 0);
    assert_eq!(
        world.init_with(4, going_on(last)),
        Ok(retried),
        "the answer was lost"
    );
    assert_eq!(world.add(last, &[0]), ErrorCode::InvalidProducerIdMapping);
    assert_eq!(world.init().epoch, 1);
}

#[test]
fn an_id_is_forgotten_after_a_week_and_starts_afresh() {
    let mut world = World::new();
    let old = world.init();
    world.pass(Duration::from_secs(8 * 24 * 60 * 60));
    assert_eq!(world.machine.transactional_id_count(), 0);
    world.restart();
    assert_eq!(world.machine.transactional_id_count(), 0);
    let new = world
        .init_with(4, going_on(old))
        .expect("nothing is known of the old one");
    assert_ne!(new.id, old.id);
    assert_eq!(new.epoch, 0);
}
