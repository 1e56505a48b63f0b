//! Transactions: all or nothing, for records and for consumed offsets.

use std::collections::HashMap;
use std::time::Duration;

use crate::support::{Cluster, cluster, read, text, unique, until};
use headwater_client::{
    AutoOffsetReset, Client, ClientError, Consumer, ConsumerConfig, ConsumerGroupMetadata,
    IsolationLevel, OffsetAndMetadata, Producer, ProducerConfig, ProducerRecord, TopicPartition,
};

async fn transactional(client: &Client, id: &str) -> Producer {
    let producer = client
        .producer(ProducerConfig::transactional(id))
        .expect("a producer");
    producer.init_transactions().await.expect("initialised");
    producer
}

fn committed_reader(cluster: &Cluster, topic: &str, partitions: i32) -> Consumer {
    let config = ConsumerConfig {
        auto_offset_reset: AutoOffsetReset::Earliest,
        isolation_level: IsolationLevel::ReadCommitted,
        ..ConsumerConfig::default()
    };
    let consumer = cluster.client.consumer(config).expect("a consumer");
    consumer
        .assign((0..partitions).map(|partition| TopicPartition::new(topic, partition)))
        .expect("assigned");
    consumer
}

#[tokio::test]
async fn only_committed_records_are_seen_by_those_who_ask_for_them() {
    let cluster = cluster().await;
    let topic = cluster.topic("committed", 2).await;
    let producer = transactional(&cluster.client, &unique("tx")).await;
    for round in 0..6 {
        producer.begin_transaction().expect("ready");
        for partition in 0..2 {
            for index in 0..50 {
                let value = format!("{round}-{index}");
                producer
                    .append(&topic, partition, -1, None, Some(value.as_bytes()), &[])
                    .expect("room");
            }
        }
        if round % 2 == 0 {
            producer.commit_transaction().await.expect("committed");
        } else {
            producer.flush().await.expect("written");
            producer.abort_transaction().await.expect("aborted");
        }
    }
    let reader = committed_reader(&cluster, &topic, 2);
    let records = read(&reader, 300).await;
    assert!(records.iter().all(|record| {
        ["0-", "2-", "4-"]
            .iter()
            .any(|r| text(record).starts_with(r))
    }));
    let all = reader.assignment();
    // The last marker comes a moment after the abort was answered.
    until("positions past the last marker", || async {
        reader
            .poll(Duration::from_millis(10))
            .await
            .expect("a poll");
        all.iter()
            .all(|partition| reader.position(partition) == Some(306))
    })
    .await;
    assert!(all.iter().all(|partition| reader.lag(partition) == Some(0)));
    let config = ConsumerConfig {
        auto_offset_reset: AutoOffsetReset::Earliest,
        ..ConsumerConfig::default()
    };
    let everything = cluster.client.consumer(config).expect("a consumer");
    everything.assign(all).expect("assigned");
    assert_eq!(read(&everything, 600).await.len(), 600);
}

#[tokio::test]
async fn an_open_transaction_holds_readers_back() {
    let cluster = cluster().await;
    let topic = cluster.topic("held", 1).await;
    let partition = TopicPartition::new(topic.as_str(), 0);
    let producer = transactional(&cluster.client, &unique("tx")).await;
    producer.begin_transaction().expect("ready");
    producer
        .append(&topic, 0, -1, None, Some(b"open"), &[])
        .expect("room");
    producer.flush().await.expect("written");
    let plain = cluster
        .client
        .producer(ProducerConfig::default())
        .expect("a producer");
    let behind = ProducerRecord::new(topic.as_str(), "behind").partition(0);
    plain
        .send(behind)
        .await
        .expect("room")
        .await
        .expect("acknowledged");

    let reader = committed_reader(&cluster, &topic, 1);
    until("watermarks", || async {
        assert!(
            reader
                .poll(Duration::from_millis(10))
                .await
                .expect("a poll")
                .is_empty()
        );
        reader
            .watermarks(&partition)
            .is_some_and(|watermarks| watermarks.high_watermark == 2)
    })
    .await;
    assert_eq!(
        reader.watermarks(&partition).map(|w| w.last_stable_offset),
        Some(0)
    );
    let ends = reader
        .end_offsets(std::slice::from_ref(&partition))
        .await
        .expect("found");
    assert_eq!(ends[&partition], 0);
    producer.commit_transaction().await.expect("committed");
    let records = read(&reader, 2).await;
    assert_eq!(
        records.iter().map(text).collect::<Vec<_>>(),
        ["open", "behind"]
    );
}

#[tokio::test]
async fn offsets_are_committed_with_the_records_or_not_at_all() {
    let cluster = cluster().await;
    let (input, output) = (cluster.topic("in", 1).await, cluster.topic("out", 1).await);
    let partition = TopicPartition::new(input.as_str(), 0);
    let plain = cluster
        .client
        .producer(ProducerConfig::default())
        .expect("a producer");
    for index in 0..30 {
        plain
            .append(
                &input,
                0,
                -1,
                None,
                Some(format!("{index}").as_bytes()),
                &[],
            )
            .expect("room");
    }
    plain.flush().await.expect("written");
    let group = unique("etl");
    let config = ConsumerConfig {
        auto_offset_reset: AutoOffsetReset::Earliest,
        enable_auto_commit: false,
        isolation_level: IsolationLevel::ReadCommitted,
        ..ConsumerConfig::new(&group)
    };
    let consumer = cluster.client.consumer(config).expect("a consumer");
    consumer.subscribe([input.as_str()], None).expect("a group");
    let producer = transactional(&cluster.client, &unique("tx")).await;
    let mut offset = 0;
    for round in 0..6 {
        until("an assignment", || async {
            consumer
                .poll(Duration::from_millis(10))
                .await
                .expect("a poll");
            !consumer.assignment().is_empty()
        })
        .await;
        producer.begin_transaction().expect("ready");
        for index in offset..offset + 5 {
            let value = format!("out {index}");
            producer
                .append(&output, 0, -1, None, Some(value.as_bytes()), &[])
                .expect("room");
        }
        let offsets = HashMap::from([(
            partition.clone(),
            OffsetAndMetadata::with_metadata(offset + 5, format!("round {round}")),
        )]);
        let metadata = consumer.group_metadata().expect("a group");
        producer
            .send_offsets_to_transaction(&offsets, &metadata)
            .await
            .expect("sent");
        if round % 3 == 2 {
            producer.abort_transaction().await.expect("aborted");
        } else {
            producer.commit_transaction().await.expect("committed");
            offset += 5;
        }
        let committed = consumer
            .committed(std::slice::from_ref(&partition))
            .await
            .expect("read");
        assert_eq!(committed[&partition].offset, offset, "round {round}");
    }
    let reader = committed_reader(&cluster, &output, 1);
    let expected: Vec<String> = (0..20).map(|index| format!("out {index}")).collect();
    assert_eq!(
        read(&reader, 20).await.iter().map(text).collect::<Vec<_>>(),
        expected
    );
    consumer.close().await;
}

#[tokio::test]
async fn a_member_that_is_no_more_cannot_commit() {
    let cluster = cluster().await;
    let input = cluster.topic("stale", 1).await;
    let producer = transactional(&cluster.client, &unique("tx")).await;
    let group = unique("stale-group");
    let consumer = cluster
        .client
        .consumer(ConsumerConfig::new(&group))
        .expect("a consumer");
    consumer.subscribe([input.as_str()], None).expect("a group");
    until("an assignment", || async {
        consumer
            .poll(Duration::from_millis(10))
            .await
            .expect("a poll");
        !consumer.assignment().is_empty()
    })
    .await;
    let stale = ConsumerGroupMetadata {
        generation_id: 99,
        ..consumer.group_metadata().expect("a group")
    };
    producer.begin_transaction().expect("ready");
    let partition = TopicPartition::new(input.as_str(), 0);
    let offsets = HashMap::from([(partition, OffsetAndMetadata::new(1))]);
    let error = producer
        .send_offsets_to_transaction(&offsets, &stale)
        .await
        .expect_err("stale");
    assert!(error.is_rebalanced(), "{error}");
    assert!(
        producer
            .commit_transaction()
            .await
            .expect_err("failed")
            .needs_abort()
    );
    producer.abort_transaction().await.expect("aborted");
    producer.begin_transaction().expect("ready again");
    producer.commit_transaction().await.expect("empty");
    consumer.close().await;
}

#[tokio::test]
async fn a_second_producer_fences_the_first() {
    let cluster = cluster().await;
    let topic = cluster.topic("fenced", 1).await;
    let id = unique("tx");
    let first = transactional(&cluster.client, &id).await;
    first.begin_transaction().expect("ready");
    first
        .append(&topic, 0, -1, None, Some(b"zombie"), &[])
        .expect("room");
    first.flush().await.expect("written");

    let second = transactional(&cluster.client, &id).await;
    second.begin_transaction().expect("ready");
    second
        .append(&topic, 0, -1, None, Some(b"heir"), &[])
        .expect("room");
    second.commit_transaction().await.expect("committed");

    let error = first.commit_transaction().await.expect_err("fenced");
    assert!(error.is_fenced(), "{error}");
    let error = first.begin_transaction().expect_err("for good");
    assert!(error.is_fatal() && error.is_fenced(), "{error}");
    let records = read(&committed_reader(&cluster, &topic, 1), 1).await;
    assert_eq!(text(&records[0]), "heir");
}

#[tokio::test]
async fn a_failed_record_leaves_only_the_abort_and_then_all_is_well() {
    let cluster = cluster().await;
    let topic = unique("small-tx");
    let small =
        headwater_client::admin::NewTopic::new(&topic, 1).config("max.message.bytes", "1000");
    cluster
        .client
        .admin()
        .create_topic(small)
        .await
        .expect("created");
    let producer = transactional(&cluster.client, &unique("tx")).await;
    for _ in 0..2 {
        producer.begin_transaction().expect("ready");
        producer
            .append(&topic, 0, -1, None, Some(&[0; 5_000]), &[])
            .expect("room");
        let error = producer.commit_transaction().await.expect_err("too large");
        assert!(error.needs_abort(), "{error}");
        let refused = producer.append(&topic, 0, -1, None, Some(b"v"), &[]);
        assert!(refused.is_err());
        producer.abort_transaction().await.expect("aborted");
        producer.begin_transaction().expect("ready again");
        producer
            .append(&topic, 0, -1, None, Some(b"small"), &[])
            .expect("room");
        producer.commit_transaction().await.expect("committed");
    }
    assert_eq!(
        read(&committed_reader(&cluster, &topic, 1), 2).await.len(),
        2
    );
}

#[tokio::test]
async fn misuse_is_told() {
    let cluster = cluster().await;
    let plain = cluster
        .client
        .producer(ProducerConfig::default())
        .expect("a producer");
    assert!(matches!(
        plain.begin_transaction(),
        Err(ClientError::IllegalState(_))
    ));
    let config = ProducerConfig::transactional(unique("tx"));
    let producer = cluster.client.producer(config).expect("a producer");
    assert!(producer.begin_transaction().is_err(), "not initialised");
    assert!(producer.append("t", 0, 0, None, None, &[]).is_err());
    producer.init_transactions().await.expect("initialised");
    assert!(
        producer.append("t", 0, 0, None, None, &[]).is_err(),
        "not begun"
    );
    assert!(producer.commit_transaction().await.is_err());
    let config = ProducerConfig {
        transaction_timeout: Duration::from_secs(100_000_000),
        ..ProducerConfig::transactional(unique("tx"))
    };
    let patient = cluster.client.producer(config).expect("a producer");
    let error = patient.init_transactions().await.expect_err("too long");
    assert!(error.is_fatal(), "{error}");
}
