//! Our own client over TCP and in-process: the same cases, the same answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use headwater_broker::{Broker, RequestContext};
use headwater_client::admin::NewTopic;
use headwater_client::{
    Acks, AutoOffsetReset, Client, ClientConfig, ClientError, Consumer, ConsumerConfig,
    ConsumerRecord, IsolationLevel, LocalNode, LocalNodeError, OffsetAndMetadata, Producer,
    ProducerConfig, ProducerRecord, TopicPartition,
};
use headwater_wire::records::Compression;
use headwater_wire::{ErrorCode, RequestKind, ResponseKind};

use crate::support::{PATIENCE, TestBroker, unique};

/// Calls the broker of this process.
struct InProcess(Arc<Broker>);

#[async_trait]
impl LocalNode for InProcess {
    async fn call(
        &self,
        client_id: &str,
        request: RequestKind,
        version: i16,
    ) -> Result<ResponseKind, LocalNodeError> {
        let context = RequestContext {
            client_id: Some(client_id.into()),
            client_host: "in-process".into(),
            version,
        };
        let answer = self.0.handle(&context, request).await;
        answer.map_err(|refused| LocalNodeError::Unsupported {
            api: refused.key.name().to_owned(),
            version: refused.version,
        })
    }
}

fn over_tcp(broker: &TestBroker) -> Client {
    Client::new(ClientConfig::new(broker.bootstrap())).unwrap()
}

fn in_process(broker: &TestBroker) -> Client {
    Client::in_process(Arc::new(InProcess(broker.broker()))).unwrap()
}

/// Runs each case over TCP, and in-process.
macro_rules! both_ways {
    ($($case:ident),+ $(,)?) => {
        mod tcp {
            $(#[test]
            fn $case() {
                let broker = super::TestBroker::start();
                broker.run(async { super::$case(super::over_tcp(&broker)).await });
            })+
        }
        mod local {
            $(#[test]
            fn $case() {
                let broker = super::TestBroker::start_here();
                broker.run(async { super::$case(super::in_process(&broker)).await });
            })+
        }
    };
}

both_ways!(
    records_come_back_whole,
    a_record_over_the_limit_is_refused,
    groups_share_and_remember,
    transactions_commit_and_abort,
    offsets_travel_with_a_transaction,
    a_second_transactional_producer_fences_the_first,
    topics_are_managed,
);

fn earliest(group: &str) -> ConsumerConfig {
    ConsumerConfig {
        auto_offset_reset: AutoOffsetReset::Earliest,
        enable_auto_commit: false,
        heartbeat_interval: Duration::from_millis(200),
        session_timeout: Duration::from_secs(6),
        ..ConsumerConfig::new(group)
    }
}

fn committed(group: &str) -> ConsumerConfig {
    ConsumerConfig {
        isolation_level: IsolationLevel::ReadCommitted,
        ..earliest(group)
    }
}

async fn create(client: &Client, topic: &str, partitions: i32) {
    client
        .admin()
        .create_topic(NewTopic::new(topic, partitions))
        .await
        .unwrap();
}

fn partitions_of(topic: &str, count: i32) -> Vec<TopicPartition> {
    (0..count)
        .map(|partition| TopicPartition::new(topic, partition))
        .collect()
}

/// Everything from the beginning to the end that the consumer's isolation level sees.
async fn read_all(
    client: &Client,
    topic: &str,
    count: i32,
    committed_only: bool,
) -> Vec<ConsumerRecord> {
    let group = unique("reader");
    let config = if committed_only {
        committed(&group)
    } else {
        earliest(&group)
    };
    let consumer = client.consumer(config).unwrap();
    let partitions = partitions_of(topic, count);
    let ends = consumer.end_offsets(&partitions).await.unwrap();
    consumer.assign(partitions.clone()).unwrap();
    let mut records = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    let at_end = |consumer: &Consumer| {
        partitions
            .iter()
            .all(|at| consumer.position(at).unwrap_or(0) >= ends[at])
    };
    while !at_end(&consumer) {
        assert!(
            Instant::now() < deadline,
            "waited too long for the end of {topic}"
        );
        records.extend(
            consumer
                .poll(Duration::from_millis(100))
                .await
                .unwrap()
                .records()
                .unwrap(),
        );
    }
    consumer.close().await;
    records
}

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis() as i64
}

fn texts(records: &[ConsumerRecord]) -> Vec<String> {
    let text = |record: &ConsumerRecord| {
        String::from_utf8(record.value.clone().unwrap_or_default().to_vec()).unwrap()
    };
    records.iter().map(text).collect()
}

async fn send(producer: &Producer, topic: &str, partition: i32, value: &str) {
    let record = ProducerRecord::new(topic, value.to_owned()).partition(partition);
    drop(producer.send(record).await.unwrap());
}

async fn records_come_back_whole(client: Client) {
    let codecs = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];
    for compression in codecs {
        let topic = unique("ours");
        create(&client, &topic, 1).await;
        let config = ProducerConfig {
            compression,
            ..ProducerConfig::default()
        };
        let producer = client.producer(config).unwrap();
        let base = now_ms();
        let sent: Vec<ProducerRecord> = (0..300_i64)
            .map(|n| {
                let mut record = ProducerRecord::new(&*topic, vec![n as u8; (n * 5) as usize]);
                record.partition = Some(0);
                record.timestamp = Some(base + n);
                record.key = (n % 2 == 0).then(|| Bytes::from(n.to_string()));
                record.value = (n % 7 != 0).then_some(record.value).flatten();
                record.headers = (0..n % 3)
                    .map(|header| ("h".to_owned(), (header == 0).then(|| Bytes::from("v"))))
                    .collect();
                record
            })
            .collect();
        for record in &sent {
            drop(producer.send(record.clone()).await.unwrap());
        }
        producer.flush().await.unwrap();
        let read = read_all(&client, &topic, 1, false).await;
        assert_eq!(read.len(), sent.len());
        for (index, (record, sent)) in read.iter().zip(&sent).enumerate() {
            assert_eq!(record.offset, index as i64);
            assert_eq!(Some(record.timestamp), sent.timestamp);
            assert_eq!(record.key, sent.key);
            assert_eq!(record.value, sent.value);
            assert_eq!(record.headers, sent.headers);
        }
        producer.close().await.unwrap();
    }
}

async fn a_record_over_the_limit_is_refused(client: Client) {
    let topic = unique("limited");
    let new = NewTopic::new(&topic, 1).config("max.message.bytes", "10000");
    client.admin().create_topic(new).await.unwrap();
    let acks = ProducerConfig {
        acks: Acks::All,
        ..ProducerConfig::default()
    };
    let producer = client.producer(acks).unwrap();
    let record = ProducerRecord::new(&*topic, vec![b'x'; 20_000]).partition(0);
    let error = producer.send(record).await.unwrap().await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::MessageTooLarge));
    let record = ProducerRecord::new(&*topic, "small").partition(0);
    let written = producer.send(record).await.unwrap().await.unwrap();
    assert_eq!(written.offset, Some(0));
}

async fn groups_share_and_remember(client: Client) {
    let (topic, group) = (unique("shared"), unique("group"));
    create(&client, &topic, 4).await;
    let producer = client.producer(ProducerConfig::default()).unwrap();
    for n in 0..200 {
        send(&producer, &topic, n % 4, &n.to_string()).await;
    }
    producer.flush().await.unwrap();
    let join = || {
        let consumer = client.consumer(earliest(&group)).unwrap();
        consumer.subscribe([&*topic], None).unwrap();
        consumer
    };
    let (first, second) = (join(), join());
    let mut read = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    loop {
        for member in [&first, &second] {
            let batches = member.poll(Duration::from_millis(50)).await.unwrap();
            let records = batches.records().unwrap();
            if !records.is_empty() && member.commit().await.is_ok() {
                read.extend(records);
            }
        }
        let shares = (first.assignment().len(), second.assignment().len());
        if read.len() >= 200 && shares == (2, 2) {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "{} read, shares {shares:?}",
            read.len()
        );
    }
    let mut values: Vec<i32> = texts(&read)
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
    values.sort_unstable();
    assert_eq!(values, (0..200).collect::<Vec<_>>());
    first.close().await;
    second.close().await;

    let offsets = client
        .admin()
        .list_group_offsets(&group, None, true)
        .await
        .unwrap();
    let expected: HashMap<_, _> = partitions_of(&topic, 4)
        .into_iter()
        .map(|at| (at, 50))
        .collect();
    let found: HashMap<_, _> = offsets
        .into_iter()
        .map(|(at, next)| (at, next.offset))
        .collect();
    assert_eq!(found, expected);
}

async fn transactional(client: &Client, id: &str) -> Producer {
    let producer = client.producer(ProducerConfig::transactional(id)).unwrap();
    producer.init_transactions().await.unwrap();
    producer
}

async fn transactions_commit_and_abort(client: Client) {
    let topic = unique("outcomes");
    create(&client, &topic, 2).await;
    let producer = transactional(&client, &unique("txn")).await;
    for (value, commit) in [("a", true), ("b", false), ("c", true), ("d", false)] {
        producer.begin_transaction().unwrap();
        send(&producer, &topic, 0, value).await;
        send(&producer, &topic, 1, value).await;
        producer.flush().await.unwrap();
        if commit {
            producer.commit_transaction().await.unwrap();
        } else {
            producer.abort_transaction().await.unwrap();
        }
    }
    await_texts(&client, &topic, 2, true, &["a", "a", "c", "c"]).await;
    await_texts(
        &client,
        &topic,
        2,
        false,
        &["a", "a", "b", "b", "c", "c", "d", "d"],
    )
    .await;
}

/// Markers follow a moment after the commit was answered: waits until they are there.
async fn await_texts(client: &Client, topic: &str, count: i32, committed: bool, expected: &[&str]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut read = texts(&read_all(client, topic, count, committed).await);
        read.sort_unstable();
        if read == expected {
            return;
        }
        let too_many = read.len() > expected.len();
        assert!(
            !too_many && Instant::now() < deadline,
            "{read:?} instead of {expected:?}"
        );
    }
}

async fn offsets_travel_with_a_transaction(client: Client) {
    let (input, output, group) = (unique("in"), unique("out"), unique("group"));
    create(&client, &input, 1).await;
    create(&client, &output, 1).await;
    let feeder = client.producer(ProducerConfig::default()).unwrap();
    for n in 0..50 {
        send(&feeder, &input, 0, &n.to_string()).await;
    }
    feeder.flush().await.unwrap();
    let consumer = client.consumer(committed(&group)).unwrap();
    consumer.subscribe([&*input], None).unwrap();
    let producer = transactional(&client, &unique("txn")).await;
    let at = TopicPartition::new(&*input, 0);
    let (mut round, deadline) = (0, Instant::now() + PATIENCE);
    while consumer.position(&at) != Some(50) || round % 2 == 1 {
        assert!(Instant::now() < deadline, "waited too long for {input}");
        let records = consumer
            .poll(Duration::from_millis(100))
            .await
            .unwrap()
            .records()
            .unwrap();
        let Some(last) = records.last() else { continue };
        producer.begin_transaction().unwrap();
        for text in texts(&records) {
            send(&producer, &output, 0, &text).await;
        }
        let next = HashMap::from([(at.clone(), OffsetAndMetadata::new(last.offset + 1))]);
        let metadata = consumer.group_metadata().unwrap();
        producer
            .send_offsets_to_transaction(&next, &metadata)
            .await
            .unwrap();
        round += 1;
        if round % 2 == 1 {
            producer.flush().await.unwrap();
            producer.abort_transaction().await.unwrap();
            consumer.seek(&at, records[0].offset).unwrap();
        } else {
            producer.commit_transaction().await.unwrap();
        }
    }
    let mut expected: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    expected.sort_unstable();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    await_texts(&client, &output, 1, true, &expected).await;
    let offsets = client
        .admin()
        .list_group_offsets(&group, None, true)
        .await
        .unwrap();
    assert_eq!(offsets[&at].offset, 50);
    consumer.close().await;
}

async fn a_second_transactional_producer_fences_the_first(client: Client) {
    let (topic, id) = (unique("fenced"), unique("txn"));
    create(&client, &topic, 1).await;
    let first = transactional(&client, &id).await;
    first.begin_transaction().unwrap();
    send(&first, &topic, 0, "of the first").await;
    first.flush().await.unwrap();
    let second = transactional(&client, &id).await;
    second.begin_transaction().unwrap();
    send(&second, &topic, 0, "of the second").await;
    second.commit_transaction().await.unwrap();
    let error: ClientError = first.commit_transaction().await.unwrap_err();
    assert!(error.is_fenced(), "{error}");
    await_texts(&client, &topic, 1, true, &["of the second"]).await;
}

async fn topics_are_managed(client: Client) {
    let topic = unique("managed");
    let admin = client.admin();
    let view = admin.create_topic(NewTopic::new(&topic, 2)).await.unwrap();
    assert_eq!(view.partitions.len(), 2);
    let again = admin
        .create_topic(NewTopic::new(&topic, 2))
        .await
        .unwrap_err();
    assert_eq!(again.code(), Some(ErrorCode::TopicAlreadyExists));
    admin.create_partitions(&topic, 5).await.unwrap();
    let listed = admin.list_topics().await.unwrap();
    let view = listed.iter().find(|view| *view.name == *topic).unwrap();
    assert_eq!(view.partitions.len(), 5);
    let producer = client.producer(ProducerConfig::default()).unwrap();
    for n in 0..10 {
        send(&producer, &topic, 4, &n.to_string()).await;
    }
    producer.flush().await.unwrap();
    let at = TopicPartition::new(&*topic, 4);
    let trimmed = admin
        .delete_records(&HashMap::from([(at.clone(), 6)]))
        .await
        .unwrap();
    assert_eq!(*trimmed[&at].as_ref().unwrap(), 6);
    assert_eq!(
        texts(&read_all(&client, &topic, 5, false).await),
        ["6", "7", "8", "9"]
    );
    let deleted = admin.delete_topics(&[&topic]).await.unwrap();
    assert!(deleted.values().all(Result::is_ok));
}
