//! What DescribeTransactions and ListTransactions are told.

use std::time::Duration;

use headwater_coordination::transactions::{
    Request, Response, TransactionFilter, TransactionSummary,
};
use headwater_wire::ErrorCode;
use headwater_wire::messages::init_producer_id::InitProducerIdRequest;

use crate::world::{ID, TOPIC, World, initialising};

fn describe(world: &mut World, id: &str) -> Result<Vec<TransactionSummary>, ErrorCode> {
    let token = world.send(0, Request::Describe(id.to_owned()));
    match world.take(token) {
        Response::Transactions(found) => found,
        other => panic!("not a description: {other:?}"),
    }
}

fn list(world: &mut World, filter: TransactionFilter) -> Vec<String> {
    let token = world.send(0, Request::List(filter));
    match world.take(token) {
        Response::Transactions(Ok(found)) => {
            found.into_iter().map(|it| it.transactional_id).collect()
        }
        other => panic!("not a list: {other:?}"),
    }
}

fn any() -> TransactionFilter {
    TransactionFilter {
        duration_ms: -1,
        ..TransactionFilter::default()
    }
}

#[test]
fn a_transaction_is_described_from_its_beginning_to_its_end() {
    let mut world = World::new();
    assert_eq!(
        describe(&mut world, ID),
        Err(ErrorCode::TransactionalIdNotFound)
    );
    assert_eq!(describe(&mut world, ""), Err(ErrorCode::InvalidRequest));
    let producer = world.init();
    let found = describe(&mut world, ID).expect("known").remove(0);
    assert_eq!((found.state, found.producer), ("Empty", producer));
    assert_eq!((found.started, found.timeout_ms), (None, 60_000));

    world.write(producer, &[0, 3]);
    let began = world.time.wall;
    world.pass(Duration::from_secs(1));
    let found = describe(&mut world, ID).expect("known").remove(0);
    assert_eq!((found.state, found.started), ("Ongoing", Some(began)));
    assert_eq!(found.partitions, [(TOPIC.to_owned(), [0, 3].into())].into());

    world.writes_markers = false;
    let next = world.end_v2(producer, true).expect("committed");
    let found = describe(&mut world, ID).expect("known").remove(0);
    assert_eq!((found.state, found.producer), ("PrepareCommit", next));
    world.write_markers();
    world.sync_disk();
    let found = describe(&mut world, ID).expect("known").remove(0);
    assert_eq!(found.state, "CompleteCommit");
    assert!(found.partitions.is_empty());
}

#[test]
fn transactions_are_listed_by_state_producer_and_duration() {
    let mut world = World::new();
    let producer = world.init();
    world.write(producer, &[0]);
    world.pass(Duration::from_secs(20));
    let other = InitProducerIdRequest {
        transactional_id: Some("other".to_owned()),
        ..initialising()
    };
    let other = world.init_with(4, other).expect("a producer");
    assert_eq!(list(&mut world, any()), ["other", ID]);
    let of_state = |state: &str| TransactionFilter {
        states: [state.to_owned()].into(),
        ..any()
    };
    assert_eq!(list(&mut world, of_state("Ongoing")), [ID]);
    assert_eq!(list(&mut world, of_state("Empty")), ["other"]);
    assert!(list(&mut world, of_state("Nonsense")).is_empty());
    let of_producer = TransactionFilter {
        producer_ids: [other.id].into(),
        ..any()
    };
    assert_eq!(list(&mut world, of_producer), ["other"]);
    let longer_than = |duration_ms| TransactionFilter {
        duration_ms,
        ..any()
    };
    // What never began counts as begun long ago, as in Kafka.
    assert_eq!(list(&mut world, longer_than(19_999)), ["other", ID]);
    assert_eq!(list(&mut world, longer_than(20_000)), ["other"]);
}

#[test]
fn nothing_is_told_that_is_not_durable() {
    let mut world = World::new();
    let producer = world.init();
    world.syncs = false;
    world.send(0, crate::world::writing(producer, &[0]));
    let described = world.send(0, Request::Describe(ID.to_owned()));
    let listed = world.send(0, Request::List(any()));
    assert!(!world.is_answered(described) && !world.is_answered(listed));
    world.sync_disk();
    assert!(world.is_answered(described) && world.is_answered(listed));
}
