//! Transactions of version 2: writes add their partitions, ends give new epochs (KIP-890).

use bytes::Bytes;
use futures::future::join_all;
use headwater_wire::ErrorCode;

use crate::node::{Node, Producer, TOPIC, batch};

const NAMED: i16 = 12;

#[tokio::test]
async fn writes_add_their_partitions_and_ends_give_new_epochs() {
    let node = Node::start().await;
    let mut producer = node.init(60_000).await.expect("a producer");
    let mut expected = Vec::new();
    for number in 0..20 {
        let value = number.to_string();
        for partition in [0, 1] {
            let produced = node
                .produce_in(NAMED, producer, (partition, 0), &value)
                .await;
            assert_eq!(produced, ErrorCode::None, "transaction {number}");
        }
        let more = node.produce_in(NAMED, producer, (0, 1), "more").await;
        assert_eq!(more, ErrorCode::None);
        let commit = number % 3 != 0;
        let next = node.end_v2(producer, commit).await.expect("ended");
        assert_eq!((next.id, next.epoch), (producer.id, producer.epoch + 1));
        assert_eq!(node.end_v2(producer, commit).await, Ok(next), "a retry");
        if commit {
            expected.push(value);
        }
        producer = next;
    }
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    node.becomes_visible(1, &expected).await;
}

#[tokio::test]
async fn what_comes_late_is_fenced() {
    let node = Node::start().await;
    let first = node.init(60_000).await.expect("a producer");
    node.produce_in(NAMED, first, (0, 0), "a").await;
    let second = node.end_v2(first, true).await.expect("committed");
    for partition in [0, 1] {
        assert_eq!(
            node.produce_in(NAMED, first, (partition, 1), "late").await,
            ErrorCode::InvalidProducerEpoch
        );
    }
    assert_eq!(
        node.txn_commit_in(5, first, 0, 1).await,
        ErrorCode::InvalidProducerEpoch
    );
    assert_eq!(
        node.produce_in(NAMED, second, (0, 0), "b").await,
        ErrorCode::None
    );
    assert_eq!(
        node.end_v2(first, true).await,
        Err(ErrorCode::ProducerFenced)
    );
    let third = node.end_v2(second, false).await.expect("aborted");
    assert_eq!(
        node.end_v2(third, true).await,
        Err(ErrorCode::InvalidTxnState),
        "nothing was begun"
    );
    node.end_v2(third, false).await.expect("nothing is aborted");
    node.becomes_visible(0, &["a"]).await;
}

#[tokio::test]
async fn a_batch_does_not_overtake_the_first_of_its_transaction() {
    let node = Node::start().await;
    let mut producer = node.init(60_000).await.expect("a producer");
    for _ in 0..20 {
        // The first may have to wait for the markers of the transaction before.
        let results = join_all([
            node.produce_in(NAMED, producer, (0, 0), "first"),
            node.produce_in(NAMED, producer, (0, 1), "second"),
        ]);
        let results = results.await;
        assert_eq!(results[0], ErrorCode::None);
        if results[1] == ErrorCode::OutOfOrderSequenceNumber {
            let again = node.produce_in(NAMED, producer, (0, 1), "second").await;
            assert_eq!(again, ErrorCode::None);
        } else {
            assert_eq!(results[1], ErrorCode::None);
        }
        producer = node.end_v2(producer, true).await.expect("committed");
    }
    let expected = ["first", "second"].repeat(20);
    node.becomes_visible(0, &expected).await;
}

#[tokio::test]
async fn a_first_batch_begins_at_sequence_zero() {
    let node = Node::start().await;
    let producer = node.init(60_000).await.expect("a producer");
    assert_eq!(
        node.produce_in(NAMED, producer, (0, 3), "x").await,
        ErrorCode::OutOfOrderSequenceNumber
    );
    assert_eq!(
        node.produce_in(NAMED, producer, (0, 0), "x").await,
        ErrorCode::None
    );
}

#[tokio::test]
async fn offsets_add_themselves() {
    let node = Node::start().await;
    let producer = node.init(60_000).await.expect("a producer");
    assert_eq!(node.txn_commit_in(5, producer, 0, 9).await, ErrorCode::None);
    assert_eq!(
        node.committed(0).await,
        Err(ErrorCode::UnstableOffsetCommit)
    );
    let next = node.end_v2(producer, true).await.expect("committed");
    assert_eq!(node.txn_commit_in(5, next, 0, 20).await, ErrorCode::None);
    assert_eq!(
        node.committed(0).await,
        Err(ErrorCode::UnstableOffsetCommit)
    );
    node.end_v2(next, false).await.expect("aborted");
    node.becomes_committed(0, 9).await;
}

#[tokio::test]
async fn a_topic_without_the_journal_takes_part() {
    let node = Node::start().await;
    node.create_topic("relaxed", &[("durability", "relaxed")])
        .await;
    let mut producer = node.init(60_000).await.expect("a producer");
    for number in 0..5 {
        let produced = node
            .produce_to("relaxed", NAMED, producer, (0, 0), &number.to_string())
            .await;
        assert_eq!(produced, ErrorCode::None);
        producer = node.end_v2(producer, true).await.expect("committed");
    }
}

#[tokio::test]
async fn a_producer_comes_back_between_its_transactions() {
    let mut node = Node::start().await;
    let mut expected = Vec::new();
    for round in 0..3 {
        let mut producer = node.init(60_000).await.expect("let in");
        let value = format!("kept {round}");
        node.produce_in(NAMED, producer, (0, 0), &value).await;
        producer = node.end_v2(producer, true).await.expect("committed");
        expected.push(value);
        node.produce_in(NAMED, producer, (0, 0), "lost").await;
        node = node.restart().await;
        let stale = node.produce_in(NAMED, producer, (0, 1), "lost too").await;
        assert_eq!(stale, ErrorCode::None, "its transaction is still open");
        let new = node.init(60_000).await.expect("let in");
        assert_eq!(new.epoch, producer.epoch + 2);
        let fenced = Producer {
            epoch: new.epoch - 1,
            ..new
        };
        for old in [producer, fenced] {
            assert_eq!(
                node.produce_in(NAMED, old, (0, 2), "late").await,
                ErrorCode::InvalidProducerEpoch
            );
            assert_eq!(node.end_v2(old, true).await, Err(ErrorCode::ProducerFenced));
        }
    }
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    node.becomes_visible(0, &expected).await;
}

#[tokio::test]
async fn a_write_to_an_internal_topic_is_no_part_of_a_transaction() {
    let node = Node::start().await;
    let producer = node.init(60_000).await.expect("a producer");
    let produced = node
        .produce_to("__transaction_state", NAMED, producer, (0, 0), "x")
        .await;
    assert_eq!(produced, ErrorCode::InvalidTopicException);
    assert_eq!(
        node.end_v2(producer, true).await,
        Err(ErrorCode::InvalidTxnState),
        "nothing was begun"
    );
}

/// As in Kafka a partition joins before its batch is looked at, unless that is no batch at all.
#[tokio::test]
async fn a_batch_that_is_refused_by_its_partition_has_joined() {
    let node = Node::start().await;
    let producer = node.init(60_000).await.expect("a producer");
    let one = batch(producer, 0, "x");
    let two = Bytes::from([one.as_ref(), one.as_ref()].concat());
    assert_eq!(
        node.produce_records(TOPIC, NAMED, 0, two).await,
        ErrorCode::InvalidRecord
    );
    assert_eq!(
        node.end_v2(producer, true).await,
        Err(ErrorCode::InvalidTxnState),
        "nothing was begun"
    );
    let mut damaged = one.to_vec();
    *damaged.last_mut().expect("it has a record") ^= 1;
    assert_eq!(
        node.produce_records(TOPIC, NAMED, 0, Bytes::from(damaged))
            .await,
        ErrorCode::CorruptMessage
    );
    node.end_v2(producer, true).await.expect("it was begun");
}
