//! What administrators see of transactions, and how they end those that hang (KIP-664).

use headwater_wire::ErrorCode;
use headwater_wire::messages::describe_producers::{
    DescribeProducersRequest, PartitionResponse, TopicRequest,
};
use headwater_wire::messages::describe_transactions::{
    DescribeTransactionsRequest, TransactionState,
};
use headwater_wire::messages::list_transactions::ListTransactionsRequest;
use headwater_wire::messages::write_txn_markers::{
    WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest,
};

use crate::node::{GROUP, Node, Producer, TOPIC, TRANSACTION, error};

pub(crate) async fn describe(node: &Node, id: &str) -> TransactionState {
    let request = DescribeTransactionsRequest {
        transactional_ids: vec![id.to_owned()],
    };
    let mut response = node.call(0, request).await;
    response.transaction_states.remove(0)
}

pub(crate) async fn producers(node: &Node, topic: &str, partition: i32) -> PartitionResponse {
    let request = DescribeProducersRequest {
        topics: vec![TopicRequest {
            name: topic.to_owned(),
            partition_indexes: vec![partition],
        }],
    };
    let mut response = node.call(0, request).await;
    response.topics.remove(0).partitions.remove(0)
}

/// Ends a producer's transactions in a partition, without its coordinator.
async fn mark(
    node: &Node,
    producer: Producer,
    place: (&str, i32),
    committed: bool,
    transaction_version: i8,
) -> ErrorCode {
    let marker = marker(producer, place, committed, transaction_version);
    write_marker(node, marker).await
}

fn marker(
    producer: Producer,
    place: (&str, i32),
    committed: bool,
    transaction_version: i8,
) -> WritableTxnMarker {
    WritableTxnMarker {
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        transaction_result: committed,
        topics: vec![WritableTxnMarkerTopic {
            name: place.0.to_owned(),
            partition_indexes: vec![place.1],
        }],
        coordinator_epoch: 0,
        transaction_version,
    }
}

/// Aborts a producer's transaction in a partition in the name of a coordinator with this epoch.
pub(crate) async fn mark_as(
    node: &Node,
    coordinator_epoch: i32,
    producer: Producer,
    place: (&str, i32),
) -> ErrorCode {
    let marker = WritableTxnMarker {
        coordinator_epoch,
        ..marker(producer, place, false, 0)
    };
    write_marker(node, marker).await
}

async fn write_marker(node: &Node, marker: WritableTxnMarker) -> ErrorCode {
    let producer_id = marker.producer_id;
    let request = WriteTxnMarkersRequest {
        markers: vec![marker],
    };
    let response = node.call(2, request).await;
    let marker = &response.markers[0];
    assert_eq!(marker.producer_id, producer_id);
    error(marker.topics[0].partitions[0].error_code)
}

#[tokio::test]
async fn transactions_are_described_and_listed() {
    let node = Node::start().await;
    let list = |states: &[&str], pattern: Option<&str>| {
        let request = ListTransactionsRequest {
            state_filters: states.iter().map(|state| (*state).to_owned()).collect(),
            duration_filter: -1,
            transactional_id_pattern: pattern.map(str::to_owned),
            ..Default::default()
        };
        node.call(2, request)
    };
    assert!(list(&[], None).await.transaction_states.is_empty());
    let producer = node.init(60_000).await.expect("a producer");
    node.produce_in(12, producer, (1, 0), "x").await;
    let described = describe(&node, TRANSACTION).await;
    assert_eq!(described.error_code, 0);
    assert_eq!(described.transaction_state, "Ongoing");
    assert_eq!(
        (described.producer_id, described.producer_epoch),
        (producer.id, producer.epoch)
    );
    assert_eq!(described.transaction_timeout_ms, 60_000);
    assert!(described.transaction_start_time_ms > 0);
    assert_eq!(described.topics[0].topic, TOPIC);
    assert_eq!(described.topics[0].partitions, [1]);
    let unknown = describe(&node, "nobody").await;
    assert_eq!(
        error(unknown.error_code),
        ErrorCode::TransactionalIdNotFound
    );

    let listed = list(&["Ongoing", "Nonsense"], Some("t.")).await;
    assert_eq!(listed.unknown_state_filters, ["Nonsense"]);
    assert_eq!(listed.transaction_states.len(), 1);
    assert_eq!(listed.transaction_states[0].transactional_id, TRANSACTION);
    assert!(list(&["Empty"], None).await.transaction_states.is_empty());
    let part = list(&[], Some("t")).await;
    assert!(part.transaction_states.is_empty(), "not the whole id");
    assert_eq!(
        error(list(&[], Some("(")).await.error_code),
        ErrorCode::InvalidRegularExpression
    );
}

#[tokio::test]
async fn a_transaction_that_hangs_is_found_and_ended() {
    let node = Node::start().await;
    let producer = node.init(60_000).await.expect("a producer");
    node.produce_in(12, producer, (0, 0), "kept").await;
    let producer = node.end_v2(producer, true).await.expect("committed");
    node.becomes_visible(0, &["kept"]).await;
    node.produce_in(12, producer, (0, 0), "hangs").await;
    let found = producers(&node, TOPIC, 0).await;
    let state = &found.active_producers[0];
    assert_eq!((found.error_code, found.active_producers.len()), (0, 1));
    assert_eq!(
        (state.producer_id, state.producer_epoch, state.last_sequence),
        (producer.id, i32::from(producer.epoch), 0)
    );
    assert_eq!(state.current_txn_start_offset, 2);
    assert_eq!(state.coordinator_epoch, 0);

    let before = Producer {
        epoch: producer.epoch - 1,
        ..producer
    };
    assert_eq!(
        mark(&node, before, (TOPIC, 0), false, 0).await,
        ErrorCode::InvalidProducerEpoch
    );
    assert_eq!(
        mark(&node, producer, (TOPIC, 0), false, 2).await,
        ErrorCode::InvalidProducerEpoch,
        "version 2 ends no records of the marker's epoch"
    );
    assert_eq!(
        mark(&node, producer, ("nothing", 0), false, 0).await,
        ErrorCode::UnknownTopicOrPartition
    );
    assert_eq!(
        mark(&node, producer, (TOPIC, 0), false, 0).await,
        ErrorCode::None
    );
    let found = producers(&node, TOPIC, 0).await;
    assert_eq!(found.active_producers[0].current_txn_start_offset, -1);
    assert_eq!(node.visible(0).await, ["kept"]);
    let unknown = producers(&node, TOPIC, 9).await;
    assert_eq!(
        error(unknown.error_code),
        ErrorCode::UnknownTopicOrPartition
    );
    assert_eq!(
        error(producers(&node, "no/topic", 0).await.error_code),
        ErrorCode::InvalidTopicException
    );
}

#[tokio::test]
async fn offsets_that_hang_are_ended() {
    let node = Node::start().await;
    let producer = node.init(60_000).await.expect("a producer");
    assert_eq!(node.txn_commit_in(5, producer, 0, 9).await, ErrorCode::None);
    assert_eq!(
        node.committed(0).await,
        Err(ErrorCode::UnstableOffsetCommit)
    );
    assert_eq!(
        mark(&node, producer, offsets_place(), false, 0).await,
        ErrorCode::None
    );
    assert_eq!(node.committed(0).await, Ok(-1));
}

/// The partition of `__consumer_offsets` that holds [`GROUP`].
pub(crate) fn offsets_place() -> (&'static str, i32) {
    let place = headwater_coordination::placement::group_partition(GROUP, 50);
    ("__consumer_offsets", place)
}

#[tokio::test]
async fn a_marker_of_a_coordinator_that_is_not_is_refused() {
    let node = Node::start().await;
    let producer = node.init(60_000).await.expect("a producer");
    node.produce_in(12, producer, (0, 0), "kept").await;
    assert_eq!(node.txn_commit_in(5, producer, 0, 9).await, ErrorCode::None);
    for place in [(TOPIC, 0), offsets_place()] {
        let foreign = WritableTxnMarker {
            coordinator_epoch: 7,
            ..marker(producer, place, false, 0)
        };
        assert_eq!(
            write_marker(&node, foreign).await,
            ErrorCode::TransactionCoordinatorFenced
        );
    }
    let producer = node.end_v2(producer, true).await.expect("committed");
    node.becomes_visible(0, &["kept"]).await;
    node.becomes_committed(0, 9).await;
    node.produce_in(12, producer, (0, 0), "too").await;
    node.end_v2(producer, true).await.expect("committed");
    node.becomes_visible(0, &["kept", "too"]).await;
}

#[tokio::test]
async fn a_refused_marker_leaves_the_groups_of_its_partition_alone() {
    let node = Node::start().await;
    let producer = node.init(60_000).await.expect("a producer");
    assert_eq!(node.txn_commit_in(5, producer, 0, 9).await, ErrorCode::None);
    let producer = node.end_v2(producer, true).await.expect("committed");
    node.becomes_committed(0, 9).await;
    let former = WritableTxnMarker {
        coordinator_epoch: -1,
        ..marker(producer, offsets_place(), true, 0)
    };
    assert_eq!(
        write_marker(&node, former).await,
        ErrorCode::TransactionCoordinatorFenced
    );
    assert_eq!(node.committed(0).await, Ok(9));
}
