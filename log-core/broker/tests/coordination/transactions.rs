//! Transactions over partitions and groups.

use std::collections::BTreeSet;

use headwater_wire::ErrorCode;
use headwater_wire::messages::init_producer_id::InitProducerIdRequest;

use crate::node::{Node, Producer};

#[tokio::test]
async fn records_are_seen_when_their_transaction_is_committed() {
    let node = Node::start().await;
    let producer = node.init(60_000).await.expect("a producer");
    for partition in [0, 1] {
        assert_eq!(node.add(producer, partition).await, ErrorCode::None);
        assert_eq!(
            node.produce(producer, (partition, 0), "a").await,
            ErrorCode::None
        );
    }
    assert!(node.visible(0).await.is_empty());
    assert_eq!(node.end(producer, true).await, ErrorCode::None);
    node.becomes_visible(0, &["a"]).await;
    node.becomes_visible(1, &["a"]).await;
    assert_eq!(node.end(producer, true).await, ErrorCode::None, "a retry");
}

#[tokio::test]
async fn transactions_follow_each_other_without_a_pause() {
    let node = Node::start().await;
    let producer = node.init(60_000).await.expect("a producer");
    let mut expected = Vec::new();
    for number in 0..20 {
        let value = number.to_string();
        assert_eq!(node.add(producer, 0).await, ErrorCode::None);
        assert_eq!(
            node.produce(producer, (0, number), &value).await,
            ErrorCode::None
        );
        let commit = number % 3 != 0;
        assert_eq!(node.end(producer, commit).await, ErrorCode::None);
        if commit {
            expected.push(value);
        }
    }
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    node.becomes_visible(0, &expected).await;
}

#[tokio::test]
async fn records_of_an_aborted_transaction_are_never_seen() {
    let node = Node::start().await;
    let producer = node.init(60_000).await.expect("a producer");
    node.add(producer, 0).await;
    node.produce(producer, (0, 0), "lost").await;
    assert_eq!(node.end(producer, false).await, ErrorCode::None);
    let other = node.init(60_000).await.expect("a producer");
    node.add(other, 1).await;
    node.produce(other, (1, 0), "kept").await;
    node.end(other, true).await;
    node.becomes_visible(1, &["kept"]).await;
    assert!(node.visible(0).await.is_empty());
}

#[tokio::test]
async fn offsets_are_part_of_the_transaction() {
    let node = Node::start().await;
    node.commit("", -1, ("t", 0, 1)).await;
    let producer = node.init(60_000).await.expect("a producer");
    assert_eq!(node.add_offsets(producer).await, ErrorCode::None);
    assert_eq!(node.txn_commit(producer, 0, 9).await, ErrorCode::None);
    assert_eq!(
        node.committed(0).await,
        Err(ErrorCode::UnstableOffsetCommit)
    );
    assert_eq!(node.end(producer, true).await, ErrorCode::None);
    node.becomes_committed(0, 9).await;

    assert_eq!(node.add_offsets(producer).await, ErrorCode::None);
    assert_eq!(node.txn_commit(producer, 0, 20).await, ErrorCode::None);
    assert_eq!(node.end(producer, false).await, ErrorCode::None);
    node.becomes_committed(0, 9).await;
}

/// The coordinator of transactions is there before the topic for offsets, whose number of partitions
/// is not what the broker would have chosen.
#[tokio::test]
async fn offsets_go_where_the_topic_for_them_has_them() {
    let node = Node::start().await;
    let producer = node.init(60_000).await.expect("a producer");
    assert_eq!(node.add(producer, 0).await, ErrorCode::None);
    assert_eq!(node.end(producer, true).await, ErrorCode::None);
    let compacted = [("cleanup.policy", "compact")];
    node.create_topic("__consumer_offsets", &compacted).await;
    assert_eq!(node.add_offsets(producer).await, ErrorCode::None);
    assert_eq!(node.txn_commit(producer, 0, 9).await, ErrorCode::None);
    assert_eq!(node.end(producer, true).await, ErrorCode::None);
    node.becomes_committed(0, 9).await;
    let node = node.restart().await;
    assert_eq!(node.committed(0).await, Ok(9));
}

#[tokio::test]
async fn what_was_not_added_is_refused() {
    let node = Node::start().await;
    let producer = node.init(60_000).await.expect("a producer");
    assert_eq!(
        node.produce(producer, (0, 0), "x").await,
        ErrorCode::TransactionAbortable
    );
    assert_eq!(
        node.produce_in(10, producer, (0, 0), "x").await,
        ErrorCode::InvalidTxnState,
        "in a version that knows no other"
    );
    node.add(producer, 0).await;
    assert_eq!(
        node.txn_commit(producer, 0, 1).await,
        ErrorCode::InvalidTxnState
    );
    assert_eq!(
        node.txn_commit_in(4, producer, 0, 1).await,
        ErrorCode::TransactionAbortable
    );
    assert_eq!(
        node.produce(producer, (1, 0), "x").await,
        ErrorCode::TransactionAbortable
    );
    assert_eq!(node.produce(producer, (0, 0), "y").await, ErrorCode::None);
    assert_eq!(
        node.add(producer, 5).await,
        ErrorCode::UnknownTopicOrPartition
    );
    assert_eq!(node.end(producer, true).await, ErrorCode::None);
    node.becomes_visible(0, &["y"]).await;
    let late = loop {
        // Retriable as long as the markers are being written.
        match node.produce(producer, (0, 1), "late").await {
            ErrorCode::NotEnoughReplicas => tokio::task::yield_now().await,
            code => break code,
        }
    };
    assert_eq!(
        late,
        ErrorCode::TransactionAbortable,
        "it came after the end of its transaction"
    );
}

#[tokio::test]
async fn a_producer_that_comes_back_fences_the_one_it_was() {
    let node = Node::start().await;
    let old = node.init(60_000).await.expect("a producer");
    node.add(old, 0).await;
    node.produce(old, (0, 0), "lost").await;
    let new = node.init(60_000).await.expect("let in at once");
    assert_eq!((new.id, new.epoch), (old.id, old.epoch + 2));
    assert_eq!(
        node.produce(old, (0, 1), "late").await,
        ErrorCode::InvalidProducerEpoch
    );
    assert_eq!(node.add(old, 0).await, ErrorCode::ProducerFenced);
    assert_eq!(node.end(old, true).await, ErrorCode::ProducerFenced);
    node.add(new, 0).await;
    assert_eq!(node.produce(new, (0, 0), "kept").await, ErrorCode::None);
    assert_eq!(node.end(new, true).await, ErrorCode::None);
    let stale = Producer {
        epoch: new.epoch - 1,
        ..new
    };
    assert_eq!(node.end(stale, false).await, ErrorCode::ProducerFenced);
}

#[tokio::test]
async fn a_transaction_that_takes_too_long_is_aborted() {
    let node = Node::start().await;
    assert_eq!(
        node.init(i32::MAX).await,
        Err(ErrorCode::InvalidTransactionTimeout)
    );
    let slow = node.init(200).await.expect("a producer");
    node.add(slow, 0).await;
    node.add_offsets(slow).await;
    node.txn_commit(slow, 0, 5).await;
    node.becomes_committed(0, -1).await;
    assert_eq!(node.end(slow, true).await, ErrorCode::ProducerFenced);
}

#[tokio::test]
async fn producer_ids_are_never_given_twice() {
    let mut node = Node::start().await;
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        for _ in 0..5 {
            let request = InitProducerIdRequest {
                transactional_id: None,
                ..Default::default()
            };
            let given = node.call(4, request).await;
            assert_eq!((given.error_code, given.producer_epoch), (0, 0));
            assert!(
                seen.insert(given.producer_id),
                "{} was given before",
                given.producer_id
            );
        }
        node = node.restart().await;
    }
}
