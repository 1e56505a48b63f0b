//! librdkafka's producer and consumer without groups and transactions.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::executor::block_on;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureRecord, Producer};
use rdkafka::{Offset, Timestamp, TopicPartitionList};

use crate::consumed::{Content, read_all, texts};
use crate::support::{
    DEFAULT_PARTITIONS, PATIENCE, TestBroker, client_config, consumer, create_topic, delivered,
    eventually, producer, unique,
};

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis() as i64
}

/// Records of every shape: absent, empty and long keys and values, repeated and null headers.
fn shapes(count: usize) -> Vec<Content> {
    let base = now_ms();
    let bytes = |index: usize, length: usize| -> Vec<u8> {
        (0..length).map(|at| (index * 31 + at * at) as u8).collect()
    };
    (0..count)
        .map(|index| Content {
            key: match index % 3 {
                0 => None,
                1 => Some(Vec::new()),
                _ => Some(bytes(index, 1 + index % 40)),
            },
            value: match index % 5 {
                0 => None,
                1 => Some(Vec::new()),
                2 => Some(vec![b'a'; 3_000]),
                _ => Some(bytes(index, index * 7 % 2_000)),
            },
            headers: (0..index % 4)
                .map(|header| match header {
                    0 => ("trace".to_owned(), Some(bytes(index, 16))),
                    1 => ("trace".to_owned(), None),
                    _ => (String::new(), Some(Vec::new())),
                })
                .collect(),
            timestamp: base + (index as i64 * 37) % 1_000,
        })
        .collect()
}

#[test]
fn records_come_back_byte_for_byte_under_every_compression() {
    let broker = TestBroker::start();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = unique(codec);
        create_topic(broker.bootstrap(), &topic, 1, &[]);
        let producer = producer(
            broker.bootstrap(),
            &[("compression.codec", codec), ("linger.ms", "20")],
        );
        let sent = shapes(500);
        let queued = sent.iter().map(|content| {
            let record = content.record(&topic).partition(0);
            producer
                .send_result(record)
                .map_err(|(error, _)| error)
                .unwrap()
        });
        let deliveries = delivered(queued.collect::<Vec<_>>());
        let read = read_all(broker.bootstrap(), &topic, 1, &[("check.crcs", "true")]);
        assert_eq!(read.len(), sent.len(), "{codec}");
        for (index, (record, content)) in read.iter().zip(&sent).enumerate() {
            assert_eq!(&record.content, content, "{codec}, record {index}");
            assert_eq!(record.offset, index as i64, "{codec}");
            assert_eq!(
                record.timestamp,
                Timestamp::CreateTime(content.timestamp),
                "{codec}"
            );
            assert_eq!(deliveries[index].offset, record.offset, "{codec}");
        }
    }
}

#[test]
fn every_kind_of_acknowledgement_writes() {
    let broker = TestBroker::start();
    for acks in ["all", "1", "0"] {
        let topic = unique("acks");
        create_topic(broker.bootstrap(), &topic, 3, &[]);
        let producer = producer(broker.bootstrap(), &[("acks", acks), ("linger.ms", "5")]);
        let values: Vec<String> = (0..1_000).map(|n| format!("{n:04}")).collect();
        let queued = values.iter().enumerate().map(|(n, value)| {
            let record = FutureRecord::<(), _>::to(&topic)
                .partition(n as i32 % 3)
                .payload(value);
            producer
                .send_result(record)
                .map_err(|(error, _)| error)
                .unwrap()
        });
        let deliveries = delivered(queued.collect::<Vec<_>>());
        // Without acknowledgements nobody knows when the records are there, nor where.
        let read = eventually("all records", || {
            let read = read_all(broker.bootstrap(), &topic, 3, &[]);
            (read.len() >= values.len()).then_some(read)
        });
        let mut found = texts(&read);
        found.sort_unstable();
        assert_eq!(found, values, "acks={acks}");
        if acks != "0" {
            for (delivery, value) in deliveries.iter().zip(&values) {
                let at = (delivery.partition, delivery.offset);
                let there = read
                    .iter()
                    .find(|record| (record.partition, record.offset) == at);
                assert_eq!(there.unwrap().text(), value);
            }
        }
    }
}

#[test]
fn an_idempotent_producer_keeps_order_in_every_partition() {
    let broker = TestBroker::start();
    let topic = unique("idempotent");
    create_topic(broker.bootstrap(), &topic, 4, &[]);
    let settings = [
        ("enable.idempotence", "true"),
        ("max.in.flight.requests.per.connection", "5"),
        ("batch.num.messages", "10"),
        ("linger.ms", "1"),
        ("compression.codec", "lz4"),
    ];
    let producer = producer(broker.bootstrap(), &settings);
    let values: Vec<String> = (0..4_000).map(|n| format!("{n:04}")).collect();
    let queued = values.iter().enumerate().map(|(n, value)| {
        let record = FutureRecord::<(), _>::to(&topic)
            .partition(n as i32 % 4)
            .payload(value);
        producer
            .send_result(record)
            .map_err(|(error, _)| error)
            .unwrap()
    });
    delivered(queued.collect::<Vec<_>>());
    let read = read_all(broker.bootstrap(), &topic, 4, &[]);
    for partition in 0..4 {
        let found = read.iter().filter(|record| record.partition == partition);
        let expected = values.iter().skip(partition as usize).step_by(4);
        assert!(
            found
                .map(|record| record.text())
                .eq(expected.map(String::as_str)),
            "{partition}"
        );
    }
}

#[test]
fn large_batches_and_large_records_pass() {
    let broker = TestBroker::start();
    let topic = unique("large");
    create_topic(
        broker.bootstrap(),
        &topic,
        1,
        &[("max.message.bytes", "9000000")],
    );
    let settings = [
        ("message.max.bytes", "8500000"),
        ("batch.size", "4000000"),
        ("linger.ms", "100"),
        ("queue.buffering.max.kbytes", "200000"),
    ];
    let producer = producer(broker.bootstrap(), &settings);
    let mut values: Vec<Vec<u8>> = (0..8_000u32)
        .map(|n| {
            n.to_be_bytes()
                .iter()
                .copied()
                .cycle()
                .take(1_000)
                .collect()
        })
        .collect();
    values.extend((0..3).map(|n| (0..8_000_000u32).map(|at| (at * 7 + n) as u8).collect()));
    let queued = values.iter().map(|value| {
        let record = FutureRecord::<(), _>::to(&topic).payload(value);
        producer
            .send_result(record)
            .map_err(|(error, _)| error)
            .unwrap()
    });
    delivered(queued.collect::<Vec<_>>());
    let read = read_all(
        broker.bootstrap(),
        &topic,
        1,
        &[("fetch.message.max.bytes", "100000")],
    );
    assert_eq!(read.len(), values.len());
    let same = |(record, value): (&crate::consumed::Consumed, &Vec<u8>)| {
        record.content.value.as_ref() == Some(value)
    };
    assert!(read.iter().zip(&values).all(same));
}

#[test]
fn a_record_over_the_topic_limit_is_refused_alone() {
    let broker = TestBroker::start();
    let topic = unique("limited");
    create_topic(
        broker.bootstrap(),
        &topic,
        1,
        &[("max.message.bytes", "10000")],
    );
    let producer = producer(broker.bootstrap(), &[]);
    let send = |value: &[u8]| {
        let record = FutureRecord::<(), _>::to(&topic).payload(value);
        block_on(producer.send(record, PATIENCE)).map_err(|(error, _)| error)
    };
    send(b"first").unwrap();
    let refused = send(&[b'x'; 20_000]).unwrap_err();
    let too_large = KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge);
    assert_eq!(refused, too_large);
    send(b"second").unwrap();
    let read = read_all(broker.bootstrap(), &topic, 1, &[]);
    assert_eq!(texts(&read), ["first", "second"]);
}

#[test]
fn an_unknown_topic_is_created_for_the_producer() {
    let broker = TestBroker::start();
    let topic = unique("unheard-of");
    let producer = producer(broker.bootstrap(), &[]);
    let record = FutureRecord::<(), _>::to(&topic).payload("hello");
    block_on(producer.send(record, PATIENCE)).unwrap();
    let metadata = producer
        .client()
        .fetch_metadata(Some(&topic), PATIENCE)
        .unwrap();
    let partitions = metadata.topics()[0].partitions();
    assert_eq!(partitions.len(), DEFAULT_PARTITIONS as usize);
    let read = read_all(broker.bootstrap(), &topic, DEFAULT_PARTITIONS, &[]);
    assert_eq!(texts(&read), ["hello"]);
}

#[test]
fn a_consumer_that_may_not_create_topics_is_told_there_is_none() {
    let broker = TestBroker::start();
    let topic = unique("absent");
    let reader = consumer(broker.bootstrap(), &[("allow.auto.create.topics", "false")]);
    reader.subscribe(&[&topic]).unwrap();
    let error = eventually("an error", || {
        match reader.poll(Duration::from_millis(100)) {
            Some(Err(error)) => Some(error),
            _ => None,
        }
    });
    let unknown = KafkaError::MessageConsumption(RDKafkaErrorCode::UnknownTopicOrPartition);
    assert_eq!(error, unknown);
}

#[test]
fn offsets_are_found_by_time() {
    let broker = TestBroker::start();
    let topic = unique("times");
    create_topic(broker.bootstrap(), &topic, 2, &[]);
    let producer = producer(broker.bootstrap(), &[]);
    let base = now_ms() - 3_600_000;
    // One batch a record, so that the answer cannot come from the batch's header alone; then one
    // batch of many.
    for n in 0..20 {
        let record = FutureRecord::<(), _>::to(&topic).partition(0).payload("x");
        block_on(producer.send(record.timestamp(base + n * 1_000), PATIENCE)).unwrap();
    }
    let queued = (0..20).map(|n| {
        let record = FutureRecord::<(), _>::to(&topic).partition(1).payload("x");
        let record = record.timestamp(base + n * 1_000);
        producer
            .send_result(record)
            .map_err(|(error, _)| error)
            .unwrap()
    });
    delivered(queued.collect::<Vec<_>>());
    let reader = consumer(broker.bootstrap(), &[]);
    let found_at = |partition: i32, timestamp: i64| {
        let mut wanted = TopicPartitionList::new();
        wanted
            .add_partition_offset(&topic, partition, Offset::Offset(timestamp))
            .unwrap();
        let found = reader.offsets_for_times(wanted, PATIENCE).unwrap();
        found.elements()[0].offset()
    };
    for partition in [0, 1] {
        assert_eq!(found_at(partition, base - 5), Offset::Offset(0));
        assert_eq!(found_at(partition, base + 7_000), Offset::Offset(7));
        assert_eq!(found_at(partition, base + 7_001), Offset::Offset(8));
        assert_eq!(found_at(partition, base + 19_000), Offset::Offset(19));
        assert_eq!(found_at(partition, base + 19_001), Offset::End);
        assert_eq!(
            reader
                .fetch_watermarks(&topic, partition, PATIENCE)
                .unwrap(),
            (0, 20)
        );
    }
}

#[test]
fn log_append_time_is_the_brokers() {
    let broker = TestBroker::start();
    let topic = unique("append-time");
    create_topic(
        broker.bootstrap(),
        &topic,
        1,
        &[("message.timestamp.type", "LogAppendTime")],
    );
    let producer = producer(broker.bootstrap(), &[]);
    let before = now_ms();
    let record = FutureRecord::<(), _>::to(&topic)
        .payload("x")
        .timestamp(before - 1_000_000);
    block_on(producer.send(record, PATIENCE)).unwrap();
    let read = read_all(broker.bootstrap(), &topic, 1, &[]);
    let Timestamp::LogAppendTime(appended) = read[0].timestamp else {
        panic!("{:?}", read[0].timestamp);
    };
    assert!((before..=now_ms()).contains(&appended));
}

#[test]
fn a_consumer_starts_in_the_middle_and_waits_for_more() {
    let broker = TestBroker::start();
    let topic = unique("middle");
    create_topic(broker.bootstrap(), &topic, 1, &[]);
    let producer = producer(broker.bootstrap(), &[("linger.ms", "50")]);
    let values: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let send = |values: &[String]| {
        let queued = values.iter().map(|value| {
            let record = FutureRecord::<(), _>::to(&topic).payload(value);
            producer
                .send_result(record)
                .map_err(|(error, _)| error)
                .unwrap()
        });
        delivered(queued.collect::<Vec<_>>());
    };
    send(&values[..50]);
    let reader = consumer(broker.bootstrap(), &[("enable.partition.eof", "false")]);
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(&topic, 0, Offset::Offset(17))
        .unwrap();
    reader.assign(&assignment).unwrap();
    let mut read = Vec::new();
    let mut sent_rest = false;
    eventually("the last record", || {
        if let Some(message) = reader.poll(Duration::from_millis(100)) {
            read.push(crate::consumed::Consumed::of(&message.unwrap()));
        }
        if read.len() == 33 && !sent_rest {
            sent_rest = true;
            send(&values[50..]);
        }
        (read.len() == 83).then_some(())
    });
    assert_eq!(texts(&read), values[17..]);
}

#[test]
fn an_offset_out_of_range_goes_where_the_reset_says() {
    let broker = TestBroker::start();
    let topic = unique("range");
    create_topic(broker.bootstrap(), &topic, 1, &[]);
    let producer = producer(broker.bootstrap(), &[]);
    let record = FutureRecord::<(), _>::to(&topic).payload("only");
    block_on(producer.send(record, PATIENCE)).unwrap();
    let reader = consumer(broker.bootstrap(), &[("auto.offset.reset", "earliest")]);
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(&topic, 0, Offset::Offset(500))
        .unwrap();
    reader.assign(&assignment).unwrap();
    let read = crate::consumed::read_to_end(&reader, &topic, 1);
    assert_eq!(texts(&read), ["only"]);
    let strict = consumer(broker.bootstrap(), &[("auto.offset.reset", "error")]);
    strict.assign(&assignment).unwrap();
    let error = eventually("an error", || {
        match strict.poll(Duration::from_millis(100)) {
            Some(Err(error)) => Some(error),
            _ => None,
        }
    });
    let reset = KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset);
    assert_eq!(error, reset);
}

#[test]
fn the_broker_tells_who_it_is() {
    let broker = TestBroker::start();
    let client: rdkafka::consumer::BaseConsumer =
        client_config(broker.bootstrap(), &[]).create().unwrap();
    let metadata = client.fetch_metadata(None, PATIENCE).unwrap();
    let [node] = metadata.brokers() else {
        panic!("{} brokers", metadata.brokers().len());
    };
    assert_eq!(
        format!("{}:{}", node.host(), node.port()),
        broker.bootstrap()
    );
    assert!(
        client
            .client()
            .fetch_cluster_id(PATIENCE)
            .is_some_and(|id| !id.is_empty())
    );
}
