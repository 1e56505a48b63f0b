//! librdkafka's admin client: topics, partitions, configurations, records.

use futures::executor::block_on;
use rdkafka::admin::{AdminOptions, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{FutureRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use crate::consumed::{read_all, texts};
use crate::support::{
    PATIENCE, TestBroker, admin, consumer, create_topic, delivered, producer, unique,
};

fn options() -> AdminOptions {
    AdminOptions::new()
        .operation_timeout(Some(PATIENCE))
        .request_timeout(Some(PATIENCE))
}

#[test]
fn topics_are_created_once_and_deleted() {
    let broker = TestBroker::start();
    let admin = admin(broker.bootstrap());
    let name = unique("born");
    let create = || {
        let topic = NewTopic::new(&name, 3, TopicReplication::Fixed(1));
        block_on(admin.create_topics(&[topic], &options())).unwrap()
    };
    assert_eq!(create(), [Ok(name.clone())]);
    assert_eq!(
        create(),
        [Err((name.clone(), RDKafkaErrorCode::TopicAlreadyExists))]
    );
    let deleted = block_on(admin.delete_topics(&[&name], &options())).unwrap();
    assert_eq!(deleted, [Ok(name.clone())]);
    let deleted = block_on(admin.delete_topics(&[&name], &options())).unwrap();
    assert_eq!(
        deleted,
        [Err((
            name.clone(),
            RDKafkaErrorCode::UnknownTopicOrPartition
        ))]
    );
    assert_eq!(create(), [Ok(name.clone())]);
    assert_eq!(read_all(broker.bootstrap(), &name, 3, &[]), []);
}

#[test]
fn impossible_topics_are_refused() {
    let broker = TestBroker::start();
    let admin = admin(broker.bootstrap());
    let refused = |topic: NewTopic| {
        let created = block_on(admin.create_topics(&[topic], &options())).unwrap();
        created[0].clone().unwrap_err().1
    };
    let name = unique("impossible");
    let bad_name = NewTopic::new("no/slashes", 1, TopicReplication::Fixed(1));
    assert_eq!(refused(bad_name), RDKafkaErrorCode::InvalidTopic);
    let too_many_copies = NewTopic::new(&name, 1, TopicReplication::Fixed(3));
    assert_eq!(
        refused(too_many_copies),
        RDKafkaErrorCode::InvalidReplicationFactor
    );
    let bad_value = NewTopic::new(&name, 1, TopicReplication::Fixed(1)).set("retention.ms", "soon");
    assert_eq!(refused(bad_value), RDKafkaErrorCode::InvalidConfig);
    let bad_key = NewTopic::new(&name, 1, TopicReplication::Fixed(1)).set("colour", "blue");
    assert_eq!(refused(bad_key), RDKafkaErrorCode::InvalidConfig);
}

#[test]
fn partitions_are_added_and_used() {
    let broker = TestBroker::start();
    let name = unique("growing");
    create_topic(broker.bootstrap(), &name, 1, &[]);
    let admin = admin(broker.bootstrap());
    let grow = |total: usize| {
        let grown = NewPartitions::new(&name, total);
        block_on(admin.create_partitions(&[grown], &options()))
            .unwrap()
            .remove(0)
    };
    assert_eq!(grow(3), Ok(name.clone()));
    assert_eq!(
        grow(2),
        Err((name.clone(), RDKafkaErrorCode::InvalidPartitions))
    );
    let producer = producer(broker.bootstrap(), &[]);
    let metadata = producer
        .client()
        .fetch_metadata(Some(&name), PATIENCE)
        .unwrap();
    assert_eq!(metadata.topics()[0].partitions().len(), 3);
    let record = FutureRecord::<(), _>::to(&name)
        .partition(2)
        .payload("new room");
    block_on(producer.send(record, PATIENCE)).unwrap();
    assert_eq!(
        texts(&read_all(broker.bootstrap(), &name, 3, &[])),
        ["new room"]
    );
}

#[test]
fn configurations_are_described() {
    let broker = TestBroker::start();
    let name = unique("configured");
    create_topic(
        broker.bootstrap(),
        &name,
        1,
        &[("cleanup.policy", "compact"), ("retention.ms", "-1")],
    );
    let admin = admin(broker.bootstrap());
    let resources = [ResourceSpecifier::Topic(&name)];
    let described = block_on(admin.describe_configs(&resources, &options())).unwrap();
    let topic = described[0].as_ref().unwrap();
    let value = |name: &str| topic.get(name).and_then(|entry| entry.value.clone());
    assert_eq!(value("cleanup.policy").as_deref(), Some("compact"));
    assert_eq!(value("retention.ms").as_deref(), Some("-1"));
    assert_eq!(value("compression.type").as_deref(), Some("producer"));
    assert!(!topic.get("cleanup.policy").unwrap().is_default);
    assert!(topic.get("compression.type").unwrap().is_default);
}

#[test]
fn deleted_records_are_gone() {
    let broker = TestBroker::start();
    let name = unique("trimmed");
    create_topic(broker.bootstrap(), &name, 1, &[]);
    let producer = producer(broker.bootstrap(), &[]);
    let values: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    let queued = values.iter().map(|value| {
        let record = FutureRecord::<(), _>::to(&name).payload(value);
        producer
            .send_result(record)
            .map_err(|(error, _)| error)
            .unwrap()
    });
    delivered(queued.collect::<Vec<_>>());
    let mut before = TopicPartitionList::new();
    before
        .add_partition_offset(&name, 0, Offset::Offset(6))
        .unwrap();
    let deleted = block_on(admin(broker.bootstrap()).delete_records(&before, &options())).unwrap();
    assert_eq!(deleted.elements()[0].offset(), Offset::Offset(6));
    assert_eq!(
        texts(&read_all(broker.bootstrap(), &name, 1, &[])),
        values[6..]
    );
    let reader = consumer(broker.bootstrap(), &[]);
    assert_eq!(
        reader.fetch_watermarks(&name, 0, PATIENCE).unwrap(),
        (6, 10)
    );
}
