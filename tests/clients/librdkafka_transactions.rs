//! librdkafka's transactional producer, and consumers that read only what was committed.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::consumed::{read_all, texts};
use crate::support::{
    PATIENCE, TestBroker, client_config, consumer, create_topic, delivered, eventually, producer,
    unique,
};

const COMMITTED: &[(&str, &str)] = &[("isolation.level", "read_committed")];
const UNCOMMITTED: &[(&str, &str)] = &[("isolation.level", "read_uncommitted")];

fn transactional(bootstrap: &str, id: &str, overrides: &[(&str, &str)]) -> FutureProducer {
    let mut config = client_config(bootstrap, &[("transactional.id", id)]);
    for (name, value) in overrides {
        config.set(*name, *value);
    }
    config.create().unwrap()
}

fn send(producer: &FutureProducer, topic: &str, partition: i32, value: &str) {
    let record = FutureRecord::<(), _>::to(topic)
        .partition(partition)
        .payload(value);
    // What becomes of it is told by the transaction.
    drop(
        producer
            .send_result(record)
            .map_err(|(error, _)| error)
            .unwrap(),
    );
}

/// The code of a transactional call that failed, and whether the producer is finished by it.
fn failure(result: Result<(), KafkaError>) -> (RDKafkaErrorCode, bool) {
    match result {
        Err(KafkaError::Transaction(error)) => (error.code(), error.is_fatal()),
        other => panic!("expected a transactional error, got {other:?}"),
    }
}

#[test]
fn only_committed_records_are_read_committed() {
    let broker = TestBroker::start();
    let topic = unique("outcomes");
    create_topic(broker.bootstrap(), &topic, 2, &[]);
    let producer = transactional(broker.bootstrap(), &unique("txn"), &[]);
    producer.init_transactions(PATIENCE).unwrap();
    for (value, commit) in [("a", true), ("b", false), ("c", true), ("d", false)] {
        producer.begin_transaction().unwrap();
        send(&producer, &topic, 0, value);
        send(&producer, &topic, 1, value);
        producer.flush(PATIENCE).unwrap();
        if commit {
            producer.commit_transaction(PATIENCE).unwrap();
        } else {
            producer.abort_transaction(PATIENCE).unwrap();
        }
    }
    let of = |isolation, partition| {
        let read = read_all(broker.bootstrap(), &topic, 2, isolation);
        let here = read
            .into_iter()
            .filter(|record| record.partition == partition);
        here.map(|record| record.text().to_owned())
            .collect::<Vec<_>>()
    };
    for partition in [0, 1] {
        assert_eq!(of(COMMITTED, partition), ["a", "c"]);
        assert_eq!(of(UNCOMMITTED, partition), ["a", "b", "c", "d"]);
    }
}

#[test]
fn an_open_transaction_holds_readers_of_committed_records_back() {
    let broker = TestBroker::start();
    let topic = unique("open");
    create_topic(broker.bootstrap(), &topic, 1, &[]);
    let producer = transactional(broker.bootstrap(), &unique("txn"), &[]);
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    send(&producer, &topic, 0, "in the transaction");
    producer.flush(PATIENCE).unwrap();
    let plain = crate::support::producer(broker.bootstrap(), &[]);
    let record = FutureRecord::<(), _>::to(&topic).payload("after it");
    let queued = plain
        .send_result(record)
        .map_err(|(error, _)| error)
        .unwrap();
    delivered([queued]);

    assert_eq!(read_all(broker.bootstrap(), &topic, 1, COMMITTED), []);
    let everything = read_all(broker.bootstrap(), &topic, 1, UNCOMMITTED);
    assert_eq!(texts(&everything), ["in the transaction", "after it"]);

    producer.commit_transaction(PATIENCE).unwrap();
    let committed = read_all(broker.bootstrap(), &topic, 1, COMMITTED);
    assert_eq!(texts(&committed), ["in the transaction", "after it"]);
}

#[test]
fn a_transaction_goes_on_over_a_restart_of_the_broker() {
    let mut broker = TestBroker::start();
    let topic = unique("patient");
    create_topic(broker.bootstrap(), &topic, 1, &[]);
    let producer = transactional(broker.bootstrap(), &unique("txn"), &[]);
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    send(&producer, &topic, 0, "before");
    producer.flush(PATIENCE).unwrap();

    broker.restart();

    assert_eq!(read_all(broker.bootstrap(), &topic, 1, COMMITTED), []);
    send(&producer, &topic, 0, "after");
    producer.commit_transaction(PATIENCE).unwrap();
    let committed = read_all(broker.bootstrap(), &topic, 1, COMMITTED);
    assert_eq!(texts(&committed), ["before", "after"]);
}

/// Reads numbers, writes them doubled, and commits offsets with the results; every third
/// transaction is aborted and done again.
#[test]
fn consume_transform_produce_does_each_record_once() {
    let broker = TestBroker::start();
    let (input, output, group) = (unique("numbers"), unique("doubled"), unique("group"));
    create_topic(broker.bootstrap(), &input, 3, &[]);
    create_topic(broker.bootstrap(), &output, 3, &[]);
    let numbers = producer(broker.bootstrap(), &[("linger.ms", "5")]);
    let queued = (0..600).map(|n: i32| {
        let value = n.to_string();
        let record = FutureRecord::<(), _>::to(&input)
            .partition(n % 3)
            .payload(&value);
        numbers
            .send_result(record)
            .map_err(|(error, _)| error)
            .unwrap()
    });
    delivered(queued.collect::<Vec<_>>());

    let settings = [
        ("group.id", &*group),
        ("isolation.level", "read_committed"),
        ("enable.partition.eof", "false"),
    ];
    let reader = consumer(broker.bootstrap(), &settings);
    reader.subscribe(&[&input]).unwrap();
    let writer = transactional(broker.bootstrap(), &unique("txn"), &[]);
    writer.init_transactions(PATIENCE).unwrap();
    let (mut done, mut round) = (0, 0);
    eventually("all numbers", || {
        let batch: Vec<(i32, i64, i64)> = std::iter::from_fn(|| {
            let message = reader.poll(Duration::from_millis(200))?.unwrap();
            let number = std::str::from_utf8(message.payload().unwrap()).unwrap();
            Some((
                message.partition(),
                message.offset(),
                number.parse().unwrap(),
            ))
        })
        .take(50)
        .collect();
        if batch.is_empty() {
            return None;
        }
        let mut first = BTreeMap::new();
        let mut offsets = TopicPartitionList::new();
        writer.begin_transaction().unwrap();
        for (partition, offset, number) in &batch {
            send(&writer, &output, *partition, &(number * 2).to_string());
            first.entry(*partition).or_insert(*offset);
            let _ = offsets.add_partition_offset(&input, *partition, Offset::Offset(offset + 1));
        }
        let group = reader.group_metadata().unwrap();
        let next = latest(&offsets, &input);
        writer
            .send_offsets_to_transaction(&next, &group, PATIENCE)
            .unwrap();
        round += 1;
        if round % 3 == 0 {
            writer.flush(PATIENCE).unwrap();
            writer.abort_transaction(PATIENCE).unwrap();
            for (partition, offset) in first {
                reader
                    .seek(&input, partition, Offset::Offset(offset), PATIENCE)
                    .unwrap();
            }
        } else {
            writer.commit_transaction(PATIENCE).unwrap();
            done += batch.len();
        }
        (done == 600).then_some(())
    });

    let read = read_all(broker.bootstrap(), &output, 3, COMMITTED);
    let mut doubled: Vec<i32> = texts(&read)
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
    doubled.sort_unstable();
    assert_eq!(doubled, (0..600).map(|n| n * 2).collect::<Vec<_>>());
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition_range(&input, 0, 2);
    let committed = reader.committed_offsets(wanted, PATIENCE).unwrap();
    for element in committed.elements() {
        assert_eq!(element.offset(), Offset::Offset(200));
    }
}

/// The highest offset of each partition in `offsets`.
fn latest(offsets: &TopicPartitionList, topic: &str) -> TopicPartitionList {
    let mut highest = BTreeMap::new();
    for element in offsets.elements() {
        if let Offset::Offset(offset) = element.offset() {
            let seen = highest.entry(element.partition()).or_insert(offset);
            *seen = offset.max(*seen);
        }
    }
    let mut latest = TopicPartitionList::new();
    for (partition, offset) in highest {
        latest
            .add_partition_offset(topic, partition, Offset::Offset(offset))
            .unwrap();
    }
    latest
}

#[test]
fn a_second_producer_with_the_same_id_fences_the_first() {
    let broker = TestBroker::start();
    let (topic, id) = (unique("fenced"), unique("txn"));
    create_topic(broker.bootstrap(), &topic, 1, &[]);
    let first = transactional(broker.bootstrap(), &id, &[]);
    first.init_transactions(PATIENCE).unwrap();
    first.begin_transaction().unwrap();
    send(&first, &topic, 0, "of the first");
    first.flush(PATIENCE).unwrap();

    let second = transactional(broker.bootstrap(), &id, &[]);
    second.init_transactions(PATIENCE).unwrap();
    second.begin_transaction().unwrap();
    send(&second, &topic, 0, "of the second");
    second.commit_transaction(PATIENCE).unwrap();

    send(&first, &topic, 0, "too late");
    let (code, fatal) = failure(first.commit_transaction(PATIENCE));
    assert_eq!((code, fatal), (RDKafkaErrorCode::Fenced, true));
    let committed = read_all(broker.bootstrap(), &topic, 1, COMMITTED);
    assert_eq!(texts(&committed), ["of the second"]);
    let everything = read_all(broker.bootstrap(), &topic, 1, UNCOMMITTED);
    assert_eq!(texts(&everything), ["of the first", "of the second"]);
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted() {
    let broker = TestBroker::start();
    let topic = unique("slow");
    create_topic(broker.bootstrap(), &topic, 1, &[]);
    let settings = [("transaction.timeout.ms", "1000")];
    let slow = transactional(broker.bootstrap(), &unique("txn"), &settings);
    slow.init_transactions(PATIENCE).unwrap();
    slow.begin_transaction().unwrap();
    send(&slow, &topic, 0, "never finished");
    slow.flush(PATIENCE).unwrap();
    let plain = producer(broker.bootstrap(), &[]);
    let record = FutureRecord::<(), _>::to(&topic).payload("after it");
    let queued = plain
        .send_result(record)
        .map_err(|(error, _)| error)
        .unwrap();
    delivered([queued]);
    // Once the broker has aborted the transaction, what came after it can be read.
    let committed = eventually("the transaction to be aborted", || {
        let read = read_all(broker.bootstrap(), &topic, 1, COMMITTED);
        (!read.is_empty()).then_some(read)
    });
    assert_eq!(texts(&committed), ["after it"]);
    let (_, fatal) = failure(slow.commit_transaction(PATIENCE));
    assert!(fatal);
}

#[test]
fn a_timeout_over_the_brokers_maximum_is_refused() {
    let broker = TestBroker::start();
    let settings = [("transaction.timeout.ms", "2147483647")];
    let greedy = transactional(broker.bootstrap(), &unique("txn"), &settings);
    let (code, fatal) = failure(greedy.init_transactions(PATIENCE));
    assert_eq!(
        (code, fatal),
        (RDKafkaErrorCode::InvalidTransactionTimeout, true)
    );
}

#[test]
fn a_transaction_over_several_topics_is_one() {
    let broker = TestBroker::start();
    let topics: Vec<String> = (0..3).map(|_| unique("several")).collect();
    for topic in &topics {
        create_topic(broker.bootstrap(), topic, 2, &[]);
    }
    let id = unique("txn");
    let producer = transactional(broker.bootstrap(), &id, &[]);
    producer.init_transactions(PATIENCE).unwrap();
    for round in 0..10 {
        producer.begin_transaction().unwrap();
        for topic in &topics {
            send(&producer, topic, round % 2, &round.to_string());
        }
        if round % 4 == 3 {
            producer.abort_transaction(PATIENCE).unwrap();
        } else {
            producer.commit_transaction(PATIENCE).unwrap();
        }
    }
    for topic in &topics {
        let read = read_all(broker.bootstrap(), topic, 2, COMMITTED);
        let mut rounds = texts(&read);
        rounds.sort_unstable();
        assert_eq!(rounds, ["0", "1", "2", "4", "5", "6", "8", "9"]);
    }
}
