//! Transactions from their beginning to their end.

use std::time::Duration;

use headwater_coordination::ProducerIdentity;
use headwater_coordination::transactions::{Request, Response, TransactionConfig};
use headwater_wire::ErrorCode;
use headwater_wire::messages::add_partitions_to_txn::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use headwater_wire::messages::init_producer_id::InitProducerIdRequest;

use crate::world::{ID, TOPIC, World, adding, adding_offsets, ending, error, write_in};

#[test]
fn a_producer_without_transactions_gets_a_fresh_id() {
    let mut world = World::new();
    let request = InitProducerIdRequest {
        transactional_id: None,
        ..Default::default()
    };
    let first = world.init_with(4, request.clone()).expect("an id");
    let second = world.init_with(4, request).expect("an id");
    assert_eq!((first.epoch, second.epoch), (0, 0));
    assert_ne!(first.id, second.id);
    assert!(world.log.is_empty(), "nothing of it is written down");
}

#[test]
fn a_transaction_is_committed_in_every_partition() {
    let mut world = World::new();
    let producer = world.init();
    assert_eq!(world.add(producer, &[0, 1]), ErrorCode::None);
    assert_eq!(world.add(producer, &[1, 4]), ErrorCode::None);
    let offsets = world.send(3, adding_offsets(producer, "hello"));
    assert_eq!(world.take_code(offsets), ErrorCode::None);
    assert_eq!(world.end(producer, true), ErrorCode::None);
    assert_eq!(world.marked(producer, true), [0, 1, 4].into());
    let in_offsets = world
        .markers
        .iter()
        .find(|(topic, ..)| topic == "__consumer_offsets");
    assert_eq!(
        in_offsets.map(|(_, index, _)| *index),
        Some(22),
        "Java's hash of the group"
    );
    assert_eq!(world.markers.len(), 4);
}

#[test]
fn an_aborted_transaction_is_followed_by_another() {
    let mut world = World::new();
    let producer = world.init();
    world.add(producer, &[0]);
    assert_eq!(world.end(producer, false), ErrorCode::None);
    assert_eq!(world.marked(producer, false), [0].into());
    world.add(producer, &[7]);
    assert_eq!(world.end(producer, true), ErrorCode::None);
    assert_eq!(world.marked(producer, true), [7].into());
}

#[test]
fn the_end_may_be_repeated_but_not_changed() {
    let mut world = World::new();
    let producer = world.init();
    assert_eq!(
        world.end(producer, true),
        ErrorCode::InvalidTxnState,
        "nothing was begun"
    );
    world.add(producer, &[0]);
    world.writes_markers = false;
    assert_eq!(world.end(producer, true), ErrorCode::None);
    assert_eq!(world.end(producer, false), ErrorCode::InvalidTxnState);
    let again = world.send(3, ending(ID, producer, true));
    assert!(!world.is_answered(again), "its markers are not written yet");
    world.write_markers();
    world.sync_disk();
    assert_eq!(world.take_code(again), ErrorCode::None);
    assert_eq!(world.end(producer, true), ErrorCode::None);
    assert_eq!(world.end(producer, false), ErrorCode::InvalidTxnState);
    assert_eq!(world.markers.len(), 1);
}

#[test]
fn what_comes_before_the_markers_waits_for_them() {
    let mut world = World::new();
    let producer = world.init();
    world.add(producer, &[0]);
    world.writes_markers = false;
    world.end(producer, true);
    let next = world.send(3, adding(ID, producer, &[5]));
    let offsets = world.send(3, adding_offsets(producer, "g"));
    assert!(!world.is_answered(next) && !world.is_answered(offsets));
    world.write_markers();
    world.sync_disk();
    assert_eq!(world.take_code(next), ErrorCode::None);
    assert_eq!(world.take_code(offsets), ErrorCode::None);
    world.writes_markers = true;
    assert_eq!(world.end(producer, false), ErrorCode::None);
    assert_eq!(world.marked(producer, true), [0].into());
    assert_eq!(world.marked(producer, false), [5].into());
}

#[test]
fn an_abort_behind_a_waiting_beginning_ends_what_that_begins() {
    for commit in [false, true] {
        let mut world = World::new();
        let producer = world.init();
        world.add(producer, &[0]);
        world.writes_markers = false;
        world.end(producer, true);
        // Sent one behind the other, as a client may that does not wait for answers.
        let next = world.send(3, adding(ID, producer, &[5]));
        let end = world.send(3, ending(ID, producer, commit));
        assert!(!world.is_answered(next) && !world.is_answered(end));
        world.writes_markers = true;
        world.write_markers();
        world.sync_disk();
        assert_eq!(world.take_code(next), ErrorCode::None);
        world.sync_disk();
        assert_eq!(world.take_code(end), ErrorCode::None);
        world.write_markers();
        let mut ended = world.marked(producer, commit);
        ended.remove(&0);
        assert_eq!(ended, [5].into(), "commit: {commit}");
    }
}

#[test]
fn nobody_waits_for_ever() {
    let mut world = World::new();
    let producer = world.init();
    world.add(producer, &[0]);
    world.writes_markers = false;
    world.end(producer, true);
    let next = world.send(3, adding(ID, producer, &[5]));
    world.pass(Duration::from_secs(5));
    assert_eq!(world.take_code(next), ErrorCode::ConcurrentTransactions);
}

#[test]
fn what_a_write_has_waited_before_counts() {
    let mut world = World::new();
    let producer = world.init();
    world.add(producer, &[0]);
    world.writes_markers = false;
    world.end(producer, true);
    let write = |world: &mut World, waited: u64| {
        let mut write = write_in(producer, &[5]);
        write.waited = Duration::from_secs(waited);
        world.send(11, Request::Write(write))
    };
    let first = write(&mut world, 4);
    world.pass(Duration::from_millis(999));
    assert!(!world.is_answered(first));
    world.pass(Duration::from_millis(1));
    assert_eq!(world.take_code(first), ErrorCode::ConcurrentTransactions);
    let late = write(&mut world, 5);
    assert_eq!(world.take_code(late), ErrorCode::ConcurrentTransactions);
}

#[test]
fn the_first_whose_time_is_over_ends_the_wait_of_all() {
    let mut world = World::new();
    let producer = world.init();
    world.add(producer, &[0]);
    world.writes_markers = false;
    world.end(producer, true);
    let next = world.send(3, adding(ID, producer, &[5]));
    let mut write = write_in(producer, &[6]);
    write.waited = Duration::from_secs(3);
    let write = world.send(11, Request::Write(write));
    let end = world.send(3, ending(ID, producer, true));
    world.pass(Duration::from_secs(2));
    for token in [next, write, end] {
        assert_eq!(world.take_code(token), ErrorCode::ConcurrentTransactions);
    }
}

#[test]
fn not_too_many_wait() {
    let mut world = World::with(TransactionConfig {
        waiting_max: 1,
        ..Default::default()
    });
    let producer = world.init();
    world.add(producer, &[0]);
    world.writes_markers = false;
    world.end(producer, true);
    let next = world.send(3, adding(ID, producer, &[5]));
    assert_eq!(world.add(producer, &[6]), ErrorCode::ConcurrentTransactions);
    assert!(!world.is_answered(next));
}

#[test]
fn without_waiting_it_is_as_in_kafka() {
    let mut world = World::with(TransactionConfig {
        completion_wait: Duration::ZERO,
        ..Default::default()
    });
    let producer = world.init();
    world.add(producer, &[0]);
    world.writes_markers = false;
    world.end(producer, true);
    assert_eq!(world.add(producer, &[5]), ErrorCode::ConcurrentTransactions);
    assert_eq!(world.end(producer, true), ErrorCode::ConcurrentTransactions);
}

#[test]
fn markers_may_come_one_by_one_and_more_than_once() {
    let mut world = World::new();
    let producer = world.init();
    world.add(producer, &[0, 1]);
    world.writes_markers = false;
    world.end(producer, true);
    let asked = world.asked[0].clone();
    let next = world.send(3, adding(ID, producer, &[5]));
    for (index, done) in [(0, false), (0, false), (1, true)] {
        let input = world.written(&asked, [(TOPIC.to_owned(), [index].into())].into());
        world.step(input);
        assert_eq!(world.is_answered(next), done);
    }
}

#[test]
fn nobody_learns_of_a_decision_that_is_not_durable() {
    let mut world = World::new();
    let producer = world.init();
    world.add(producer, &[0]);
    world.syncs = false;
    let end = world.send(3, ending(ID, producer, true));
    assert!(!world.is_answered(end) && world.asked.is_empty() && world.markers.is_empty());
    world.sync_disk();
    assert_eq!(world.take_code(end), ErrorCode::None);
    assert_eq!(world.asked.len(), 1);
}

#[test]
fn requests_that_name_nothing_known_are_refused() {
    let mut world = World::new();
    let producer = world.init();
    let other = ProducerIdentity {
        id: producer.id + 50,
        ..producer
    };
    for (request, expected) in [
        (adding("", producer, &[0]), ErrorCode::InvalidRequest),
        (
            adding("nobody", producer, &[0]),
            ErrorCode::InvalidProducerIdMapping,
        ),
        (adding(ID, other, &[0]), ErrorCode::InvalidProducerIdMapping),
        (ending("", producer, true), ErrorCode::InvalidRequest),
        (
            ending("nobody", producer, true),
            ErrorCode::InvalidProducerIdMapping,
        ),
        (ending(ID, other, true), ErrorCode::InvalidProducerIdMapping),
        (
            adding_offsets(other, "g"),
            ErrorCode::InvalidProducerIdMapping,
        ),
    ] {
        let token = world.send(3, request);
        assert_eq!(world.take_code(token), expected);
    }
}

#[test]
fn a_partition_can_be_looked_for_in_a_transaction() {
    let mut world = World::new();
    let producer = world.init();
    world.add(producer, &[0]);
    let mut verify = |producer: ProducerIdentity, version: i16, verify_only: bool| {
        let transaction = AddPartitionsToTxnTransaction {
            transactional_id: ID.to_owned(),
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            verify_only,
            topics: vec![AddPartitionsToTxnTopic {
                name: TOPIC.to_owned(),
                partitions: vec![0, 1],
            }],
        };
        let request = AddPartitionsToTxnRequest {
            transactions: vec![transaction],
            ..Default::default()
        };
        let token = world.send(version, Request::AddPartitions(request));
        let Response::AddPartitions(response) = world.take(token) else {
            panic!("not an add")
        };
        let results = &response.results_by_transaction[0].topic_results[0].results_by_partition;
        (
            error(results[0].partition_error_code),
            error(results[1].partition_error_code),
        )
    };
    let fenced = ProducerIdentity {
        epoch: producer.epoch + 1,
        ..producer
    };
    assert_eq!(
        verify(producer, 4, true),
        (ErrorCode::None, ErrorCode::TransactionAbortable)
    );
    assert_eq!(
        verify(producer, 5, true),
        (ErrorCode::None, ErrorCode::TransactionAbortable)
    );
    assert_eq!(verify(fenced, 4, true).0, ErrorCode::ProducerFenced);
    assert_eq!(
        verify(producer, 4, false),
        (ErrorCode::None, ErrorCode::None)
    );
    assert_eq!(
        verify(producer, 4, true),
        (ErrorCode::None, ErrorCode::None)
    );
}

#[test]
fn a_transaction_too_large_for_the_log_takes_no_more() {
    let mut world = World::with(TransactionConfig {
        max_append_bytes: 1_000,
        ..Default::default()
    });
    let producer = world.init();
    let many: Vec<i32> = (0..500).collect();
    assert_eq!(world.add(producer, &many), ErrorCode::RecordListTooLarge);
    assert_eq!(world.add(producer, &[0]), ErrorCode::None);
    assert_eq!(world.end(producer, true), ErrorCode::None);
    assert_eq!(world.marked(producer, true), [0].into());
}

#[test]
fn adding_nothing_begins_nothing() {
    let mut world = World::new();
    let producer = world.init();
    world.send(3, adding(ID, producer, &[]));
    assert_eq!(world.end(producer, true), ErrorCode::InvalidTxnState);
}

#[test]
fn a_batch_belongs_to_a_transaction_only_while_it_goes_on() {
    let mut world = World::new();
    let producer = world.init();
    let verify = |world: &World, producer: ProducerIdentity, partition: i32| {
        world.machine.verify(ID, producer, TOPIC, partition)
    };
    assert_eq!(
        verify(&world, producer, 0),
        Err(ErrorCode::TransactionAbortable)
    );
    world.add(producer, &[0]);
    assert_eq!(verify(&world, producer, 0), Ok(()));
    assert_eq!(
        verify(&world, producer, 1),
        Err(ErrorCode::TransactionAbortable)
    );
    let fenced = ProducerIdentity {
        epoch: 9,
        ..producer
    };
    assert_eq!(verify(&world, fenced, 0), Err(ErrorCode::ProducerFenced));
    let other = ProducerIdentity { id: 9, ..producer };
    assert_eq!(
        verify(&world, other, 0),
        Err(ErrorCode::InvalidProducerIdMapping)
    );
    world.writes_markers = false;
    world.end(producer, true);
    assert_eq!(
        verify(&world, producer, 0),
        Err(ErrorCode::ConcurrentTransactions)
    );
    world.write_markers();
    assert_eq!(
        verify(&world, producer, 0),
        Err(ErrorCode::TransactionAbortable)
    );
}
