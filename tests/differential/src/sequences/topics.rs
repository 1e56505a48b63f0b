//! Topics: created, described, grown, deleted, by name and by id, rightly and wrongly.

use headwater_wire::ApiKey::{
    CreatePartitions, CreateTopics, DeleteTopics, DescribeConfigs, DescribeTopicPartitions,
    ListOffsets, Metadata,
};
use headwater_wire::codec::Tree;
use uuid::Uuid;

use crate::object::{Look, NULL, ask, object};
use crate::run::Run;

/// Newest versions, for requests that only prepare something.
const METADATA: i16 = 13;
const CREATE: i16 = 7;

/// Creates a topic, waits until it is there and returns its id as Kafka knows it.
pub(crate) async fn create(
    run: &mut Run,
    name: &str,
    partitions: i32,
    configs: &[(&str, &str)],
) -> Tree {
    let configs: Vec<_> = configs
        .iter()
        .map(|(name, value)| object! { name: *name, value: *value })
        .collect();
    let topic = object! {
        name: name,
        num_partitions: partitions,
        replication_factor: 1,
        configs: configs,
    };
    let created = run
        .call(
            CreateTopics,
            CREATE,
            object! { topics: [topic], timeout_ms: 10_000 },
        )
        .await;
    if created.int("topics.0.error_code") == 0 {
        wait_for(run, name, usize::try_from(partitions).ok()).await;
    }
    created.look("topics.0.topic_id").clone()
}

/// Waits until both know the topic with so many partitions, each with a leader, or, with `None`,
/// until neither knows it.
pub(crate) async fn wait_for(run: &mut Run, name: &str, partitions: Option<usize>) {
    let topic = object! { name: name, topic_id: Uuid::nil() };
    let body = object! { topics: [topic], allow_auto_topic_creation: false };
    run.settle(Metadata, METADATA, body, |answer| {
        let found = answer.elements("topics.0.partitions");
        let led = found
            .iter()
            .filter(|partition| partition.int("leader_id") >= 0)
            .count();
        match partitions {
            Some(partitions) => led == partitions && found.len() == partitions,
            None => answer.int("topics.0.error_code") == 3,
        }
    })
    .await;
    // Metadata knows a leader before the leader knows it.
    let partitions: Vec<_> = (0..partitions.unwrap_or(0))
        .filter_map(|partition| i32::try_from(partition).ok())
        .map(|partition| object! { partition_index: partition, timestamp: -1_i64 })
        .collect();
    if partitions.is_empty() {
        return;
    }
    let topic = object! { name: name, partitions: partitions };
    let body = object! { replica_id: -1, topics: [topic] };
    run.settle(ListOffsets, 1, body, |answer| {
        answer
            .elements("topics.0.partitions")
            .iter()
            .all(|partition| partition.int("error_code") == 0)
    })
    .await;
}

/// What Metadata and DescribeTopicPartitions say of a topic.
async fn describe(run: &mut Run, name: &str, id: &Tree) {
    // Below version 4 a topic that is not there is made.
    let version = run.version_from(Metadata, 4);
    let by_id = version >= 12 && run.once_in(3);
    let topic = if by_id {
        object! { topic_id: id, name: NULL }
    } else {
        object! { topic_id: Uuid::nil(), name: name }
    };
    let operations = run.once_in(2);
    let body = object! {
        topics: [topic],
        allow_auto_topic_creation: false,
        include_cluster_authorized_operations: operations && version <= 10,
        include_topic_authorized_operations: operations,
    };
    run.call(Metadata, version, body).await;
    if run.once_in(2) {
        let limit = run.one(&[2000, 2000, 1, 2, 0, -1]);
        let body = object! {
            topics: [object! { name: name }, object! { name: run.name("nobody") }],
            response_partition_limit: limit,
        };
        run.call(DescribeTopicPartitions, 0, body).await;
    }
    if run.once_in(3) {
        let cursor = object! { topic_name: name, partition_index: run.one(&[0, 1, 5, -1]) };
        let body = object! {
            topics: [object! { name: name }],
            response_partition_limit: 2,
            cursor: cursor,
        };
        run.call(DescribeTopicPartitions, 0, body).await;
    }
}

/// A topic from its creation to its deletion.
pub(crate) async fn life(run: &mut Run) {
    let name = run.name("life");
    let partitions = run.one(&[1, 2, 3, 5]);
    let version = run.version(CreateTopics);
    let configs = match run.below(4) {
        0 => vec![("cleanup.policy", "compact")],
        1 => vec![("retention.ms", "3600000"), ("segment.bytes", "1048576")],
        2 => vec![
            ("max.message.bytes", "2000"),
            ("message.timestamp.type", "LogAppendTime"),
        ],
        _ => vec![],
    };
    let configs: Vec<_> = configs
        .into_iter()
        .map(|(name, value)| object! { name: name, value: value })
        .collect();
    let manual = run.once_in(4);
    let assignments: Vec<_> = (0..if manual { partitions } else { 0 })
        .map(|partition| object! { partition_index: partition, broker_ids: [1] })
        .collect();
    let topic = object! {
        name: &name,
        num_partitions: if manual { -1 } else { partitions },
        replication_factor: if manual { -1 } else { 1 },
        assignments: assignments,
        configs: configs,
    };
    let body = |validate_only: bool| {
        object! { topics: [&topic], timeout_ms: 10_000, validate_only: validate_only }
    };
    run.call(CreateTopics, version, body(true)).await;
    let version = run.version(CreateTopics);
    run.call(CreateTopics, version, body(false)).await;
    wait_for(run, &name, usize::try_from(partitions).ok()).await;
    // Its id, whichever version created it.
    let named = object! { topics: [object! { name: &name }] };
    let described = run
        .call(
            DescribeTopicPartitions,
            0,
            object! {
                topics: named.look("topics"),
                response_partition_limit: 100,
            },
        )
        .await;
    let id = described.look("topics.0.topic_id").clone();

    describe(run, &name, &id).await;
    if run.once_in(2) {
        let version = run.version(CreateTopics);
        run.call(CreateTopics, version, body(false)).await;
    }
    let version = run.version(DescribeConfigs);
    let resource = object! { resource_type: 2, resource_name: &name, configuration_keys: NULL };
    ask! { run, DescribeConfigs, version, {
        resources: [resource],
        include_synonyms: run.once_in(2),
        include_documentation: false,
    } };
    if run.once_in(2) {
        grow(run, &name, partitions).await;
        describe(run, &name, &id).await;
    }
    delete(run, &name, &id).await;
    wait_for(run, &name, None).await;
    describe(run, &name, &id).await;
    delete(run, &name, &id).await;
}

async fn grow(run: &mut Run, name: &str, partitions: i32) {
    for _ in 0..2 {
        let count = run.one(&[partitions, partitions - 1, 0, -1, partitions + 2, 1_000_000]);
        let valid = count == partitions + 2;
        let assignments = match run.below(4) {
            0 if valid => object! { a: [object! { broker_ids: [1] }, object! { broker_ids: [1] }] },
            1 => object! { a: [object! { broker_ids: [7] }] },
            _ => object! { a: NULL },
        };
        let version = run.version(CreatePartitions);
        // So many partitions are only asked for where nothing comes of it.
        let validate_only = run.once_in(3) || count == 1_000_000;
        let topic = object! { name: name, count: count, assignments: assignments.look("a") };
        let body = object! { topics: [topic], timeout_ms: 10_000, validate_only: validate_only };
        let grown = run.call(CreatePartitions, version, body).await;
        if grown.int("results.0.error_code") == 0 && !validate_only && valid {
            wait_for(run, name, usize::try_from(count).ok()).await;
            return;
        }
    }
}

async fn delete(run: &mut Run, name: &str, id: &Tree) {
    let version = run.version(DeleteTopics);
    let body = if version >= 6 {
        let topic = if run.once_in(2) {
            object! { name: NULL, topic_id: id }
        } else {
            object! { name: name, topic_id: Uuid::nil() }
        };
        object! { topics: [topic], timeout_ms: 10_000 }
    } else {
        object! { topic_names: [name], timeout_ms: 10_000 }
    };
    run.call(DeleteTopics, version, body).await;
}

/// Names that no topic may have, and others that it may.
fn any_name(run: &mut Run) -> String {
    let long = "x".repeat(run.one(&[200, 249, 250, 300]));
    let names = [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "with space".to_owned(),
        "sla/sh".to_owned(),
        "ümlaut".to_owned(),
        "colon:".to_owned(),
        "nul\0".to_owned(),
        run.name("new.name_with-all"),
        run.name("bad"),
        "__consumer_offsets".to_owned(),
        "__cluster_metadata".to_owned(),
    ];
    if run.once_in(5) {
        format!("{}{long}", run.prefix)
            .chars()
            .take(long.len())
            .collect()
    } else {
        run.one(&names)
    }
}

/// Requests that must be refused, beside ones that must not.
pub(crate) async fn bad_input(run: &mut Run) {
    let taken = run.name("bad");
    create(run, &taken, 1, &[]).await;
    let colliding = taken.replace('-', "_");
    for _ in 0..6 {
        match run.below(8) {
            0..=3 => bad_create(run).await,
            4 => {
                let (partitions, factor) =
                    run.one(&[(0, 1), (-1, -1), (1, 2), (1, 0), (-2, 1), (1, -3)]);
                let version = run.version(CreateTopics);
                let topic = object! {
                    name: run.name("counts"),
                    num_partitions: partitions,
                    replication_factor: factor,
                };
                let body = object! { topics: [topic], timeout_ms: 10_000, validate_only: true };
                run.call(CreateTopics, version, body).await;
            }
            5 => bad_assignment(run).await,
            6 => bad_delete(run).await,
            _ => bad_metadata(run, &colliding).await,
        }
    }
    // Twice in one request.
    let version = run.version(CreateTopics);
    let twice = object! { name: run.name("twice"), num_partitions: 1, replication_factor: 1 };
    let other = object! { name: run.name("once"), num_partitions: 1, replication_factor: 1 };
    ask! { run, CreateTopics, version, {
        topics: [&twice, &other, &twice],
        timeout_ms: 10_000,
        validate_only: true,
    } };
    let version = run.version(CreatePartitions);
    let twice = object! { name: &taken, count: 3, assignments: NULL };
    let unknown = object! { name: run.name("nobody"), count: 3, assignments: NULL };
    ask! { run, CreatePartitions, version, {
        topics: [&twice, &unknown, &twice],
        timeout_ms: 10_000,
        validate_only: true,
    } };
}

async fn bad_create(run: &mut Run) {
    let version = run.version(CreateTopics);
    let config = run.one(&[
        None,
        None,
        Some(("no.such.config", Some("1"))),
        Some(("retention.ms", Some("soon"))),
        Some(("retention.ms", Some("-2"))),
        Some(("retention.ms", Some(""))),
        Some(("retention.ms", None)),
        Some(("cleanup.policy", Some("shred"))),
        Some(("cleanup.policy", Some(""))),
        Some(("cleanup.policy", Some("compact,delete"))),
        Some(("cleanup.policy", Some("compact, delete"))),
        Some(("segment.bytes", Some("1"))),
        Some(("segment.bytes", Some("99999999999"))),
        Some(("compression.type", Some("rar"))),
        Some(("compression.type", Some("zstd"))),
        Some(("min.cleanable.dirty.ratio", Some("1.5"))),
        Some(("min.insync.replicas", Some("0"))),
        Some(("max.message.bytes", Some("-1"))),
        Some(("unclean.leader.election.enable", Some("perhaps"))),
        Some(("message.timestamp.type", Some("Later"))),
        Some(("compression.gzip.level", Some("10"))),
        Some(("index.interval.bytes", Some("-1"))),
        Some(("preallocate", Some("TRUE"))),
        Some(("flush.messages", Some("0"))),
        Some(("retention.bytes", Some("-1"))),
        Some(("local.retention.ms", Some("-3"))),
        Some(("remote.storage.enable", Some("true"))),
        Some(("max.compaction.lag.ms", Some("0"))),
    ]);
    let configs: Vec<_> = config
        .into_iter()
        .map(|(name, value)| object! { name: name, value: value })
        .collect();
    let name = any_name(run);
    let topic = object! {
        name: name,
        num_partitions: 1,
        replication_factor: 1,
        configs: configs,
    };
    let body = object! { topics: [topic], timeout_ms: 10_000, validate_only: true };
    run.call(CreateTopics, version, body).await;
}

async fn bad_assignment(run: &mut Run) {
    let of = |partition: i32, brokers: &[i32]| {
        object! { partition_index: partition, broker_ids: brokers.to_vec() }
    };
    let assignments = run.one(&[
        vec![of(0, &[1]), of(1, &[1])],
        vec![of(0, &[1]), of(0, &[1])],
        vec![of(1, &[1])],
        vec![of(0, &[9])],
        vec![of(0, &[1, 1])],
        vec![of(0, &[])],
        vec![of(0, &[1]), of(1, &[])],
        vec![of(-1, &[1])],
        vec![of(0, &[-1])],
    ]);
    let (partitions, factor) = run.one(&[(-1, -1), (-1, -1), (2, -1), (-1, 1), (1, 1)]);
    let version = run.version(CreateTopics);
    let topic = object! {
        name: run.name("assigned"),
        num_partitions: partitions,
        replication_factor: factor,
        assignments: assignments,
    };
    let body = object! { topics: [topic], timeout_ms: 10_000, validate_only: true };
    run.call(CreateTopics, version, body).await;
}

async fn bad_delete(run: &mut Run) {
    let version = run.version(DeleteTopics);
    let nobody = run.name("nobody");
    let body = if version >= 6 {
        let id = Uuid::from_u128(0x1234);
        let topics = run.one(&[
            vec![object! { name: &nobody, topic_id: Uuid::nil() }],
            vec![object! { name: NULL, topic_id: id }],
            vec![object! { name: NULL, topic_id: Uuid::nil() }],
            vec![object! { name: &nobody, topic_id: id }],
            vec![object! { name: "", topic_id: Uuid::nil() }],
            vec![
                object! { name: &nobody, topic_id: Uuid::nil() },
                object! { name: &nobody, topic_id: Uuid::nil() },
            ],
            vec![
                object! { name: NULL, topic_id: id },
                object! { name: NULL, topic_id: id },
            ],
            vec![],
        ]);
        object! { topics: topics, timeout_ms: 10_000 }
    } else {
        let names = run.one(&[
            vec![nobody.clone()],
            vec![nobody.clone(), nobody.clone()],
            vec![String::new()],
            vec![],
        ]);
        object! { topic_names: names, timeout_ms: 10_000 }
    };
    run.call(DeleteTopics, version, body).await;
}

async fn bad_metadata(run: &mut Run, colliding: &str) {
    let version = run.version(Metadata);
    let id = Uuid::from_u128(0x5678);
    let nil = Uuid::nil();
    let of = |name: &str| object! { topic_id: nil, name: name };
    let topics = match run.below(9) {
        0 => object! { topics: NULL },
        1 => object! { topics: Vec::<Tree>::new() },
        2 => object! { topics: [object! { topic_id: id, name: NULL }] },
        3 => object! { topics: [object! { topic_id: nil, name: NULL }] },
        4 => object! { topics: [of("bad name"), of("")] },
        5 => object! { topics: [of(&run.name("nobody")), of(&run.name("nobody"))] },
        6 => object! { topics: [of(colliding)] },
        7 => object! { topics: [object! { topic_id: id, name: run.name("bad") }] },
        _ => object! { topics: [of(&run.name("bad")), of(&run.name("nobody"))] },
    };
    let body = object! {
        topics: topics.look("topics"),
        allow_auto_topic_creation: false,
        include_cluster_authorized_operations: run.once_in(2) && version <= 10,
        include_topic_authorized_operations: run.once_in(2),
    };
    // Below version 4 unknown topics are always made; there it asks for known ones only.
    let body = if version < 4 {
        object! { topics: [of(&run.name("bad"))] }
    } else {
        body
    };
    run.call(Metadata, version, body).await;
}
