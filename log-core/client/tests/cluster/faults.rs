//! Calls and answers are lost, and still nothing is lost, doubled or out of order.
//!
//! The client is of a node in this process, so the in-process transport is under test as well.

use std::collections::HashMap;
use std::time::Duration;

use crate::relay::Relay;
use crate::support::{Cluster, PATIENCE, cluster, read, text, unique};
use headwater_client::{
    AppendError, AutoOffsetReset, ClientError, Consumer, ConsumerConfig, IsolationLevel,
    OffsetAndMetadata, Producer, ProducerConfig, TopicPartition,
};

/// Of a hundred calls this many are lost on the way there, and as many answers on the way back.
const LOST_PERCENT: u32 = 8;

fn reader(cluster: &Cluster, topic: &str, partitions: i32) -> Consumer {
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

async fn append(producer: &Producer, topic: &str, partition: i32, value: &str) {
    loop {
        match producer.append(topic, partition, -1, None, Some(value.as_bytes()), &[]) {
            Ok(()) => return,
            Err(AppendError::QueueFull(_)) => producer.has_room().await,
            Err(AppendError::Rejected(error)) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn an_idempotent_producer_writes_everything_once_and_in_order() {
    for seed in 0..3 {
        let cluster = cluster().await;
        let topic = cluster.topic("lossy", 3).await;
        let client = Relay::client(&cluster.bootstrap, seed, LOST_PERCENT);
        let config = ProducerConfig {
            batch_size: 400,
            linger: Duration::ZERO,
            ..ProducerConfig::default()
        };
        let producer = client.producer(config).expect("a producer");
        for index in 0..4_000 {
            for partition in 0..3 {
                append(&producer, &topic, partition, &index.to_string()).await;
            }
            // Many small requests rather than few large ones.
            if index % 20 == 0 {
                tokio::task::yield_now().await;
            }
        }
        producer.close().await.expect("acknowledged");
        let ends = reader(&cluster, &topic, 3);
        let mut next = [0u32; 3];
        for record in read(&ends, 12_000).await {
            let expected = &mut next[record.partition as usize];
            assert_eq!(text(&record), expected.to_string(), "seed {seed}");
            *expected += 1;
        }
        assert!(
            ends.poll(Duration::from_millis(50))
                .await
                .expect("a poll")
                .is_empty()
        );
    }
}

/// Repeats a call for as long as it only times out.
async fn insist<T, F: Future<Output = Result<T, ClientError>>>(mut call: impl FnMut() -> F) -> T {
    loop {
        match call().await {
            Ok(value) => return value,
            Err(error @ ClientError::Timeout { .. }) => drop(error),
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn transactions_stay_whole() {
    let cluster = cluster().await;
    let topic = cluster.topic("lossy-tx", 3).await;
    let client = Relay::client(&cluster.bootstrap, 11, LOST_PERCENT);
    let config = ProducerConfig::transactional(unique("tx"));
    let producer = client.producer(config).expect("a producer");
    insist(|| producer.init_transactions()).await;
    let group = headwater_client::ConsumerGroupMetadata::new(unique("lossy-offsets"));
    let source = TopicPartition::new(topic.as_str(), 0);
    let mut committed = 0;
    for round in 0..60 {
        producer.begin_transaction().expect("ready");
        for partition in 0..3 {
            for index in 0..4 {
                append(&producer, &topic, partition, &format!("{round}-{index}")).await;
            }
        }
        let offsets = HashMap::from([(source.clone(), OffsetAndMetadata::new(round))]);
        insist(|| producer.send_offsets_to_transaction(&offsets, &group)).await;
        if round % 4 == 3 {
            insist(|| producer.abort_transaction()).await;
        } else {
            insist(|| producer.commit_transaction()).await;
            committed = round;
        }
    }
    let mut rounds = (0..60).filter(|round| round % 4 != 3);
    let expected: Vec<String> = rounds
        .by_ref()
        .flat_map(|round| (0..4).map(move |index| format!("{round}-{index}")))
        .collect();
    let records = read(&reader(&cluster, &topic, 3), expected.len() * 3).await;
    for partition in 0..3 {
        let of: Vec<String> = records
            .iter()
            .filter(|record| record.partition == partition)
            .map(text)
            .collect();
        assert_eq!(of, expected);
    }
    let admin = cluster.client.admin();
    let offsets = admin
        .list_group_offsets(&group.group_id, None, true)
        .await
        .expect("read");
    assert_eq!(offsets[&source].offset, committed);
}

#[tokio::test]
async fn a_group_reads_everything_and_commits() {
    let cluster = cluster().await;
    let topic = cluster.topic("lossy-group", 2).await;
    let producer = cluster
        .client
        .producer(ProducerConfig::default())
        .expect("a producer");
    for index in 0..2_000 {
        append(&producer, &topic, index % 2, &(index / 2).to_string()).await;
    }
    producer.close().await.expect("acknowledged");
    let client = Relay::client(&cluster.bootstrap, 5, LOST_PERCENT);
    let group = unique("lossy-members");
    let config = ConsumerConfig {
        auto_offset_reset: AutoOffsetReset::Earliest,
        enable_auto_commit: false,
        max_partition_fetch_bytes: 1_000,
        // A member whose id was lost on the way holds the group up until its session ends.
        session_timeout: Duration::from_secs(6),
        heartbeat_interval: Duration::from_millis(500),
        max_poll_records: 100,
        ..ConsumerConfig::new(&group)
    };
    let consumer = client.consumer(config).expect("a consumer");
    consumer.subscribe([topic.as_str()], None).expect("a group");
    let deadline = std::time::Instant::now() + PATIENCE;
    let mut next = [0u32; 2];
    let mut is_committed = false;
    while next != [1_000, 1_000] || !is_committed {
        assert!(std::time::Instant::now() < deadline, "only {next:?} came");
        let polled = consumer.poll(Duration::from_millis(200)).await;
        for record in polled.expect("a poll").records().expect("readable") {
            let next = &mut next[record.partition as usize];
            let index: u32 = text(&record).parse().expect("a number");
            // Again from the last commit after a rebalance, but never beyond what comes next.
            assert!(index <= *next, "{index} came where {next} was due");
            *next = index + 1;
        }
        is_committed = match consumer.commit().await {
            Err(error) if error.is_rebalanced() => false,
            committed => committed
                .map(|()| !consumer.assignment().is_empty())
                .expect("committed"),
        };
    }
    let committed = consumer
        .committed(&consumer.assignment())
        .await
        .expect("read");
    assert!(committed.values().all(|offset| offset.offset == 1_000));
    consumer.close().await;
}
