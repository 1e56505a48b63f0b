//! What a producer does besides producing: cutting, choosing, counting, giving up in time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::gate::Gate;
use crate::support::{Cluster, PATIENCE, api_versions, cluster, read, text, unique};
use headwater_client::admin::NewTopic;
use headwater_client::{
    AcknowledgedBatch, Acks, AutoOffsetReset, ClientError, Consumer, ConsumerConfig,
    ConsumerInterceptor, FetchedBatches, OffsetAndMetadata, ProducerConfig, ProducerInterceptor,
    ProducerRecord, TopicPartition,
};
use headwater_wire::ApiKey;
use headwater_wire::records::Compression;
use parking_lot::Mutex;

fn reader(cluster: &Cluster, topic: &str, partitions: i32) -> Consumer {
    let config = ConsumerConfig {
        auto_offset_reset: AutoOffsetReset::Earliest,
        ..ConsumerConfig::default()
    };
    let consumer = cluster.client.consumer(config).expect("a consumer");
    consumer
        .assign((0..partitions).map(|partition| TopicPartition::new(topic, partition)))
        .expect("assigned");
    consumer
}

#[tokio::test]
async fn a_batch_that_is_too_large_for_the_broker_is_cut_until_it_fits() {
    let cluster = cluster().await;
    for (enable_idempotence, acks) in [(true, Acks::All), (false, Acks::Leader)] {
        let topic = unique("narrow");
        let narrow = NewTopic::new(&topic, 1).config("max.message.bytes", "700");
        let created = cluster.client.admin().create_topic(narrow).await;
        created.expect("created");
        let config = ProducerConfig {
            enable_idempotence,
            acks,
            // Without sequence numbers, only one at a time is in order when some are sent again.
            max_in_flight_requests_per_connection: if enable_idempotence { 5 } else { 1 },
            linger: Duration::from_millis(100),
            ..ProducerConfig::default()
        };
        let producer = cluster.client.producer(config).expect("a producer");
        let mut deliveries = Vec::new();
        for index in 0..60 {
            let value = format!("{index:0100}");
            let record = ProducerRecord::new(topic.as_str(), value).partition(0);
            deliveries.push(producer.send(record).await.expect("room"));
        }
        for (index, delivery) in deliveries.into_iter().enumerate() {
            let sent = delivery.await.expect("acknowledged");
            assert_eq!(sent.offset, i64::try_from(index).ok());
        }
        assert!(producer.metrics().batch_splits > 1);
        let records = read(&reader(&cluster, &topic, 1), 60).await;
        for (index, record) in records.iter().enumerate() {
            assert_eq!(text(record), format!("{index:0100}"));
        }
        // One that is too large alone is nobody's to cut.
        let large = ProducerRecord::new(topic.as_str(), vec![0; 2_000]).partition(0);
        let sent = producer.send(large).await.expect("room").await;
        let code = sent.expect_err("too large").code();
        assert_eq!(code, Some(headwater_wire::ErrorCode::MessageTooLarge));
        producer
            .close_within(Duration::from_secs(10))
            .await
            .expect_err("told of");
    }
}

/// Marks what is sent, leaves out what is empty, and writes down what it is told.
#[derive(Default)]
struct Onlooker {
    acknowledged: Mutex<Vec<(i32, Option<i64>)>>,
    committed: Mutex<Vec<i64>>,
}

impl ProducerInterceptor for Onlooker {
    fn on_send(&self, record: ProducerRecord) -> ProducerRecord {
        record.header("seen", "yes")
    }

    fn on_acknowledgement(&self, batch: &AcknowledgedBatch<'_>) {
        let base = batch.base_offset.expect("acknowledged");
        self.acknowledged.lock().push((batch.record_count, base));
    }
}

impl ConsumerInterceptor for Onlooker {
    fn on_consume(&self, batches: FetchedBatches) -> FetchedBatches {
        assert!(!batches.is_empty());
        batches
    }

    fn on_commit(&self, offsets: &std::collections::HashMap<TopicPartition, OffsetAndMetadata>) {
        let offsets = offsets.values().map(|offset| offset.offset);
        self.committed.lock().extend(offsets);
    }
}

#[tokio::test]
async fn interceptors_see_and_counters_count() {
    let cluster = cluster().await;
    let topic = cluster.topic("seen", 1).await;
    let onlooker = Arc::new(Onlooker::default());
    let config = ProducerConfig {
        interceptors: vec![onlooker.clone()],
        compression: Compression::Zstd,
        compression_level: Some(6),
        ..ProducerConfig::default()
    };
    let producer = cluster.client.producer(config).expect("a producer");
    for index in 0..20 {
        let record = ProducerRecord::new(topic.as_str(), format!("{index}"));
        drop(producer.send(record).await.expect("room"));
    }
    producer
        .flush_within(Duration::from_secs(20))
        .await
        .expect("acknowledged");
    let acknowledged = onlooker.acknowledged.lock().clone();
    assert_eq!(acknowledged.iter().map(|(count, _)| count).sum::<i32>(), 20);
    assert_eq!(acknowledged[0].1, Some(0));
    let metrics = producer.metrics();
    assert_eq!((metrics.records_sent, metrics.record_errors), (20, 0));
    assert_eq!(
        metrics.batches.count,
        u64::try_from(acknowledged.len()).unwrap_or(0)
    );
    assert!(metrics.requests.count > 0 && metrics.bytes_sent > 0);
    assert_eq!(
        (metrics.batches_incomplete, metrics.buffer_available_bytes),
        (0, 32 << 20)
    );
    producer.close().await.expect("closed");

    let config = ConsumerConfig {
        auto_offset_reset: AutoOffsetReset::Earliest,
        interceptors: vec![onlooker.clone()],
        enable_auto_commit: false,
        ..ConsumerConfig::new(unique("seen"))
    };
    let consumer = cluster.client.consumer(config).expect("a consumer");
    let partition = TopicPartition::new(topic.as_str(), 0);
    consumer.assign([partition]).expect("assigned");
    let records = read(&consumer, 20).await;
    assert!(records.iter().all(|record| record.headers[0].0 == "seen"));
    consumer.commit().await.expect("committed");
    assert_eq!(*onlooker.committed.lock(), [20]);
    let metrics = consumer.metrics();
    assert_eq!((metrics.records_consumed, metrics.commits.count), (20, 1));
    assert!(metrics.fetches.count > 0 && metrics.bytes_fetched > 0);
    assert_eq!(metrics.records_lag_max, Some(0));
    consumer.close().await;
}

#[tokio::test]
async fn every_level_is_read_by_the_broker() {
    let cluster = cluster().await;
    let topic = unique("plain");
    // Decompresses what it gets, so that a frame it could not read would be refused.
    let plain = NewTopic::new(&topic, 1).config("compression.type", "uncompressed");
    let created = cluster.client.admin().create_topic(plain).await;
    created.expect("created");
    let value = "again and again ".repeat(10_000);
    let levels = [
        (Compression::Gzip, 9),
        (Compression::Lz4, 1),
        (Compression::Lz4, 9),
        (Compression::Lz4, 17),
        (Compression::Zstd, 19),
    ];
    for (compression, level) in levels {
        let config = ProducerConfig {
            compression,
            compression_level: Some(level),
            ..ProducerConfig::default()
        };
        let producer = cluster.client.producer(config).expect("a producer");
        let record = ProducerRecord::new(topic.as_str(), value.clone());
        let delivery = producer.send(record).await.expect("room");
        let sent = delivery.await;
        assert!(sent.is_ok(), "{compression} {level}: {sent:?}");
    }
    let records = read(&reader(&cluster, &topic, 1), levels.len()).await;
    assert!(records.iter().all(|record| text(record) == value));
}

#[tokio::test]
async fn keys_may_be_ignored_in_choosing_partitions() {
    let cluster = cluster().await;
    let topic = cluster.topic("ignored", 4).await;
    let config = ProducerConfig {
        partitioner_ignore_keys: true,
        batch_size: 200,
        ..ProducerConfig::default()
    };
    let producer = cluster.client.producer(config).expect("a producer");
    let mut partitions = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let record = ProducerRecord::new(topic.as_str(), vec![0; 100]).key("same");
        let sent = producer.send(record).await.expect("room");
        partitions.insert(sent.await.expect("acknowledged").partition.partition);
    }
    assert_eq!(partitions.len(), 4);
    producer.close().await.expect("closed");
}

#[tokio::test]
async fn a_close_with_a_limit_gives_up_what_cannot_be_sent() {
    let cluster = cluster().await;
    let producer = cluster
        .client
        .producer(ProducerConfig::default())
        .expect("a producer");
    // No topic has that many partitions: nobody leads it.
    let topic = cluster.topic("unled", 1).await;
    producer
        .append(&topic, 7_000, -1, None, Some(b"lost"), &[])
        .expect("room");
    let started = Instant::now();
    let closed = producer.close_within(Duration::from_millis(300)).await;
    assert!(
        matches!(closed, Err(ClientError::Timeout { .. })),
        "{closed:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(producer.metrics().record_errors, 1);
    assert!(producer.append(&topic, 0, -1, None, None, &[]).is_err());
}

#[tokio::test]
async fn every_transaction_of_version_2_has_an_epoch_of_its_own() {
    let cluster = cluster().await;
    let features = api_versions(&cluster).await.finalized_features;
    let is_v2 = features
        .iter()
        .any(|feature| feature.name == "transaction.version" && feature.max_version_level >= 2);
    let topic = cluster.topic("epochs-tx", 1).await;
    let config = ProducerConfig::transactional(unique("tx"));
    let producer = cluster.client.producer(config).expect("a producer");
    producer.init_transactions().await.expect("initialised");
    for round in 0..4 {
        producer.begin_transaction().expect("ready");
        producer
            .append(&topic, 0, -1, None, Some(b"v"), &[])
            .expect("room");
        if round == 1 {
            producer.flush().await.expect("written");
            producer.abort_transaction().await.expect("aborted");
        } else {
            producer.commit_transaction().await.expect("committed");
        }
    }
    let metrics = producer.metrics();
    assert_eq!(metrics.transactions_committed.count, 3);
    assert_eq!(metrics.transactions_aborted.count, 1);
    let consumer = reader(&cluster, &topic, 1);
    let mut epochs = Vec::new();
    while epochs.len() < 4 {
        let batches = consumer.poll(Duration::from_secs(5)).await.expect("a poll");
        assert!(!batches.is_empty());
        epochs.extend(
            batches
                .batches()
                .iter()
                .map(|b| b.batch.header.producer_epoch),
        );
    }
    let first = epochs[0];
    let step = i16::from(is_v2);
    let expected: Vec<i16> = (0..4).map(|round| first + round * step).collect();
    assert_eq!(epochs, expected, "version 2: {is_v2}");
}

#[tokio::test]
async fn a_batch_fails_when_its_time_is_over_whoever_has_it() {
    let cluster = cluster().await;
    let gate = Gate::new(&cluster.bootstrap);
    let topic = cluster.topic("late", 1).await;
    let acknowledged = ProducerConfig {
        request_timeout: Duration::from_secs(3),
        delivery_timeout: Duration::from_millis(3_500),
        linger: Duration::ZERO,
        ..ProducerConfig::default()
    };
    let unacknowledged = ProducerConfig {
        acks: Acks::None,
        enable_idempotence: false,
        ..acknowledged.clone()
    };
    gate.hold(ApiKey::Produce);
    let delivered = |config: ProducerConfig| {
        let producer = gate.client().producer(config).expect("a producer");
        let record = ProducerRecord::new(topic.as_str(), "late").partition(0);
        async move {
            let started = Instant::now();
            let delivery = producer.send(record).await.expect("room");
            let delivered = tokio::time::timeout(PATIENCE, delivery).await;
            let error = delivered.expect("an end").expect_err("nobody answers");
            assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
            started.elapsed()
        }
    };
    let (one, other) = tokio::join!(delivered(acknowledged), delivered(unacknowledged));
    // Two requests of three seconds would be over six.
    assert!(one.max(other) < Duration::from_secs(5), "{one:?} {other:?}");
}
