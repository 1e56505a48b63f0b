//! Records go in and come out as they were.

use std::collections::HashMap;
use std::time::Duration;

use crate::support::{Cluster, cluster, read, text};
use bytes::Bytes;
use headwater_client::{
    Acks, AppendError, AutoOffsetReset, ClientError, Consumer, ConsumerConfig, ProducerConfig,
    ProducerRecord, TopicPartition, partition_for_key,
};
use headwater_wire::ErrorCode;
use headwater_wire::records::{Compression, Header};

/// A consumer of all partitions of a topic, from the beginning, in no group.
fn reader(cluster: &Cluster, topic: &str, partitions: i32) -> Consumer {
    let config = ConsumerConfig {
        auto_offset_reset: AutoOffsetReset::Earliest,
        ..ConsumerConfig::default()
    };
    let consumer = cluster.client.consumer(config).expect("a consumer");
    let all = (0..partitions).map(|partition| TopicPartition::new(topic, partition));
    consumer.assign(all).expect("assigned");
    consumer
}

#[tokio::test]
async fn a_record_comes_back_as_it_was_sent() {
    let cluster = cluster().await;
    let topic = cluster.topic("as-sent", 1).await;
    let producer = cluster
        .client
        .producer(ProducerConfig::default())
        .expect("a producer");
    let mut record = ProducerRecord::new(topic.as_str(), "value")
        .key("key")
        .timestamp(1_234);
    record = record.header("h", "1").header("g", "2").header("h", "3");
    record.headers.push(("null".to_owned(), None));
    let sent = producer
        .send(record.clone())
        .await
        .expect("room")
        .await
        .expect("acknowledged");
    assert_eq!((sent.offset, sent.timestamp), (Some(0), 1_234));
    let tombstone = ProducerRecord {
        value: None,
        ..record.clone()
    };
    let sent = producer
        .send(tombstone)
        .await
        .expect("room")
        .await
        .expect("acknowledged");
    assert_eq!(sent.offset, Some(1));

    let records = read(&reader(&cluster, &topic, 1), 2).await;
    let first = &records[0];
    assert_eq!(
        (&*first.topic, first.partition, first.offset),
        (topic.as_str(), 0, 0)
    );
    assert_eq!(
        (&first.key, &first.value, first.timestamp),
        (&record.key, &record.value, 1_234)
    );
    assert_eq!(first.headers, record.headers);
    assert_eq!(records[1].value, None);
}

#[tokio::test]
async fn every_compression_comes_back() {
    let cluster = cluster().await;
    let topic = cluster.topic("compressed", 1).await;
    let value = "the same again ".repeat(200);
    for compression in Compression::ALL {
        let config = ProducerConfig {
            compression,
            ..ProducerConfig::default()
        };
        let producer = cluster.client.producer(config).expect("a producer");
        for index in 0..20 {
            let value = format!("{compression:?} {index} {value}");
            producer
                .append(&topic, 0, 7, None, Some(value.as_bytes()), &[])
                .expect("room");
        }
        producer.close().await.expect("acknowledged");
    }
    let records = read(&reader(&cluster, &topic, 1), 100).await;
    let mut expected = Vec::new();
    for compression in Compression::ALL {
        expected.extend((0..20).map(|index| format!("{compression:?} {index} {value}")));
    }
    assert_eq!(records.iter().map(text).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn keys_decide_the_partition_and_order_holds_within_it() {
    let cluster = cluster().await;
    let topic = cluster.topic("keyed", 5).await;
    let config = ProducerConfig {
        batch_size: 2_000,
        ..ProducerConfig::default()
    };
    let producer = cluster.client.producer(config).expect("a producer");
    let mut deliveries = Vec::new();
    for index in 0..5_000u32 {
        let key = format!("key-{}", index % 97);
        let record = ProducerRecord::new(topic.as_str(), index.to_string()).key(key);
        deliveries.push(producer.send(record).await.expect("room"));
    }
    for delivery in deliveries {
        delivery.await.expect("acknowledged");
    }
    let records = read(&reader(&cluster, &topic, 5), 5_000).await;
    let mut last: HashMap<Bytes, u32> = HashMap::new();
    for record in &records {
        let key = record.key.clone().expect("a key");
        assert_eq!(record.partition, partition_for_key(&key, 5));
        let index: u32 = text(record).parse().expect("a number");
        assert!(last.insert(key, index).is_none_or(|last| last < index));
    }
}

#[tokio::test]
async fn records_without_a_key_are_spread() {
    let cluster = cluster().await;
    let topic = cluster.topic("spread", 4).await;
    let config = ProducerConfig {
        batch_size: 1_000,
        ..ProducerConfig::default()
    };
    let producer = cluster.client.producer(config).expect("a producer");
    for index in 0..2_000u32 {
        let record = ProducerRecord::new(topic.as_str(), format!("value {index}"));
        drop(producer.send(record).await.expect("room"));
    }
    producer.flush().await.expect("acknowledged");
    let records = read(&reader(&cluster, &topic, 4), 2_000).await;
    let mut counts: HashMap<i32, usize> = HashMap::new();
    for record in &records {
        *counts.entry(record.partition).or_default() += 1;
    }
    assert_eq!(counts.len(), 4);
    assert!(counts.values().all(|count| *count > 100), "{counts:?}");
}

#[tokio::test]
async fn appenders_fill_batches_beyond_the_memory_and_nothing_is_lost() {
    let cluster = cluster().await;
    let topic = cluster.topic("appended", 3).await;
    let config = ProducerConfig {
        buffer_memory: 256 << 10,
        max_request_size: 128 << 10,
        batch_size: 32 << 10,
        ..ProducerConfig::default()
    };
    let producer = cluster.client.producer(config).expect("a producer");
    let mut waits = 0;
    for partition in 0..3 {
        let appender = producer.appender(&topic, partition).expect("an appender");
        let mut next = 0u64;
        while next < 20_000 {
            let full = {
                let mut guard = appender.lock().expect("open");
                loop {
                    let value = [next.to_be_bytes(); 8].concat();
                    let headers = [Header {
                        key: "h",
                        value: None,
                    }];
                    match guard.append(next as i64, None, Some(&value), &headers) {
                        Ok(()) => next += 1,
                        Err(AppendError::QueueFull(_)) => break true,
                        Err(AppendError::Rejected(error)) => panic!("{error}"),
                    }
                    if next == 20_000 || next.is_multiple_of(500) {
                        break false;
                    }
                }
            };
            if full {
                waits += 1;
                producer.has_room().await;
            }
        }
    }
    producer.flush().await.expect("acknowledged");
    assert!(waits > 0, "the memory was never full");
    let records = read(&reader(&cluster, &topic, 3), 60_000).await;
    let mut next = [0i64; 3];
    for record in records {
        let expected = &mut next[record.partition as usize];
        assert_eq!((record.offset, record.timestamp), (*expected, *expected));
        *expected += 1;
    }
    assert_eq!(next, [20_000; 3]);
}

#[tokio::test]
async fn weaker_acknowledgements_work_too() {
    let cluster = cluster().await;
    for acks in [Acks::None, Acks::Leader] {
        let topic = cluster.topic("acks", 1).await;
        let config = ProducerConfig {
            acks,
            enable_idempotence: false,
            ..ProducerConfig::default()
        };
        let producer = cluster.client.producer(config).expect("a producer");
        for index in 0..100 {
            let record = ProducerRecord::new(topic.as_str(), index.to_string());
            let sent = producer
                .send(record)
                .await
                .expect("room")
                .await
                .expect("sent");
            assert_eq!(sent.offset.is_none(), acks == Acks::None);
        }
        assert_eq!(read(&reader(&cluster, &topic, 1), 100).await.len(), 100);
    }
}

#[tokio::test]
async fn what_the_broker_refuses_fails_alone() {
    let cluster = cluster().await;
    let topic = crate::support::unique("small-messages");
    let small =
        headwater_client::admin::NewTopic::new(&topic, 1).config("max.message.bytes", "1000");
    cluster
        .client
        .admin()
        .create_topic(small)
        .await
        .expect("created");
    let config = ProducerConfig {
        linger: Duration::ZERO,
        ..ProducerConfig::default()
    };
    let producer = cluster.client.producer(config).expect("a producer");
    for round in 0..3 {
        let record = ProducerRecord::new(topic.as_str(), format!("fits {round}"));
        producer
            .send(record)
            .await
            .expect("room")
            .await
            .expect("acknowledged");
        let record = ProducerRecord::new(topic.as_str(), vec![0; 2_000]);
        let error = producer
            .send(record)
            .await
            .expect("room")
            .await
            .expect_err("too large");
        assert_eq!(error.code(), Some(ErrorCode::MessageTooLarge), "{error}");
        assert!(producer.flush().await.is_err(), "the flush tells as well");
    }
    let records = read(&reader(&cluster, &topic, 1), 3).await;
    assert_eq!(
        records.iter().map(text).collect::<Vec<_>>(),
        ["fits 0", "fits 1", "fits 2"]
    );
}

#[tokio::test]
async fn a_missing_topic_is_told_in_time() {
    let cluster = cluster().await;
    let config = ProducerConfig {
        max_block: Duration::from_millis(700),
        ..ProducerConfig::default()
    };
    let producer = cluster.client.producer(config).expect("a producer");
    let error = producer
        .send(ProducerRecord::new("not a legal name", "v"))
        .await
        .expect_err("none");
    assert_eq!(
        error.code(),
        Some(ErrorCode::InvalidTopicException),
        "{error}"
    );
}

#[tokio::test]
async fn a_closed_producer_takes_nothing() {
    let cluster = cluster().await;
    let topic = cluster.topic("closed", 1).await;
    let producer = cluster
        .client
        .producer(ProducerConfig::default())
        .expect("a producer");
    let record = ProducerRecord::new(topic.as_str(), "last");
    let delivery = producer.send(record.clone()).await.expect("room");
    producer.close().await.expect("acknowledged");
    delivery.await.expect("acknowledged");
    assert!(matches!(
        producer.send(record).await,
        Err(ClientError::Closed(_))
    ));
    assert!(producer.append(&topic, 0, 0, None, None, &[]).is_err());
    producer.close().await.expect("twice is once");
}
