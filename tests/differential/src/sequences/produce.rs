//! Produce: batches of every kind into topics of every kind.

use bytes::Bytes;
use headwater_wire::ApiKey::{DescribeProducers, Fetch, InitProducerId, ListOffsets, Produce};
use headwater_wire::codec::Tree;
use headwater_wire::records::Compression;
use uuid::Uuid;

use super::batch::{self, Producer, Shape};
use super::fetch::read_all;
use super::topics::create;
use crate::object::{Look, NULL, ask, object};
use crate::run::Run;

/// Where to produce to.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) id: Tree,
}

impl Target {
    /// The topic as it stands in a Produce request.
    pub(crate) fn data(&self, partitions: Vec<Tree>) -> Tree {
        object! { name: &self.name, topic_id: &self.id, partition_data: partitions }
    }
}

/// One batch for one partition.
pub(crate) fn one(target: &Target, acks: i16, partition: i32, records: impl Into<Records>) -> Tree {
    let records: Records = records.into();
    let partition = object! { index: partition, records: records.0 };
    object! {
        transactional_id: NULL,
        acks: acks,
        timeout_ms: 5000,
        topic_data: [target.data(vec![partition])],
    }
}

/// Records or none.
pub(crate) struct Records(Tree);

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Self {
        Self(Tree::Bytes(bytes))
    }
}

impl From<Tree> for Records {
    fn from(tree: Tree) -> Self {
        Self(tree)
    }
}

/// What makes brokers stamp a topic's records.
const STAMPED: &[(&str, &str)] = &[("message.timestamp.type", "LogAppendTime")];

/// A topic of any kind, and whether brokers stamp its records.
async fn any_topic(run: &mut Run) -> (Target, bool) {
    let name = run.name("p");
    let configs: &[(&str, &str)] = match run.below(7) {
        0 => STAMPED,
        1 => &[("cleanup.policy", "compact")],
        2 => &[("max.message.bytes", "1000")],
        3 => &[("compression.type", "gzip")],
        4 => &[
            ("message.timestamp.before.max.ms", "1000000"),
            ("message.timestamp.after.max.ms", "30000"),
        ],
        5 => &[("compression.type", "uncompressed")],
        _ => &[],
    };
    let id = create(run, &name, 2, configs).await;
    (Target { name, id }, configs == STAMPED)
}

/// Batches as producers send them, read back.
pub(crate) async fn good(run: &mut Run) {
    let (target, is_stamped) = any_topic(run).await;
    for _ in 0..6 {
        let batch = Shape::any(run).batch(run);
        let version = run.version(Produce);
        let acks = run.one(&[-1, 1, 1, 0]);
        let partition = run.one(&[0, 1]);
        let body = one(&target, acks, partition, batch);
        if acks == 0 {
            run.send_unanswered(Produce, version, body).await;
        } else {
            run.call(Produce, version, body).await;
        }
    }
    // Several partitions in one request, one of them not there.
    let version = run.version(Produce);
    // So that one batch is the latest on both servers.
    run.next_millisecond().await;
    let mut partitions = Vec::new();
    for partition in [0, 1, 9] {
        let batch = Shape::any(run).batch(run);
        partitions.push(object! { index: partition, records: batch });
    }
    ask! { run, Produce, version, {
        transactional_id: NULL,
        acks: -1,
        timeout_ms: 5000,
        topic_data: [target.data(partitions)],
    } };
    read_all(run, &target, 2).await;
    // Of times that the servers' clocks gave nothing is known but that they are after the start.
    let time = run.start + if is_stamped { 0 } else { 300 };
    for timestamp in [-1, -2, -3, time] {
        let partitions: Vec<_> = (0..2)
            .map(|partition| {
                object! { partition_index: partition, current_leader_epoch: -1, timestamp: timestamp }
            })
            .collect();
        let version = run.version_from(ListOffsets, if timestamp == -3 { 7 } else { 1 });
        let topic = object! { name: &target.name, partitions: partitions };
        ask! { run, ListOffsets, version, {
            replica_id: -1,
            topics: [topic],
            timeout_ms: 1000,
        } };
    }
}

/// What must be refused.
pub(crate) async fn broken(run: &mut Run) {
    let (target, _) = any_topic(run).await;
    let nobody = Target {
        name: run.name("nobody"),
        id: Tree::Uuid(Uuid::from_u128(0xabcd)),
    };
    for _ in 0..10 {
        let version = run.version(Produce);
        match run.below(10) {
            0 => {
                let batch = Shape::any(run).batch(run);
                run.call(Produce, version, one(&nobody, -1, 0, batch)).await;
            }
            1 => {
                let batch = Shape::any(run).batch(run);
                let acks = run.one(&[2, -2, 100]);
                run.call(Produce, version, one(&target, acks, 0, batch))
                    .await;
            }
            2 => {
                run.call(Produce, version, one(&target, -1, 0, NULL)).await;
            }
            3 => {
                let batch = Shape::any(run).batch(run);
                let partition = run.one(&[2, -1, i32::MAX]);
                run.call(Produce, version, one(&target, -1, partition, batch))
                    .await;
            }
            4 => {
                // Too old or too far ahead, for a topic that minds.
                let shape = Shape {
                    later: run.one(&[-2_000_000, 40_000, 4_000_000, -700_000_000]),
                    ..Shape::default()
                };
                let batch = shape.batch(run);
                run.call(Produce, version, one(&target, -1, 0, batch)).await;
            }
            5 => {
                // A transactional batch, which belongs to no transaction.
                let shape = Shape {
                    transactional: true,
                    producer: run.one(&[
                        None,
                        Some(Producer {
                            id: 987_654,
                            epoch: 0,
                            sequence: 0,
                        }),
                    ]),
                    ..Shape::default()
                };
                let batch = shape.batch(run);
                run.call(Produce, version, one(&target, -1, 0, batch)).await;
            }
            6 => {
                let shape = Shape {
                    value_len: 1_100_000,
                    records: 1,
                    ..Shape::default()
                };
                let batch = shape.batch(run);
                run.call(Produce, version, one(&target, -1, 0, batch)).await;
            }
            7 => {
                let zstd = Shape {
                    compression: Compression::Zstd,
                    ..Shape::default()
                };
                let batch = zstd.batch(run);
                let version = run.version_to(Produce, 7);
                run.call(Produce, version, one(&target, -1, 0, batch)).await;
            }
            _ => {
                let (what, batch) = batch::broken(run);
                run.remark(what);
                run.call(Produce, version, one(&target, -1, 0, batch)).await;
            }
        }
    }
    read_all(run, &target, 2).await;
}

/// Idempotent producers: in order, again, out of order, of old and of unknown epochs.
pub(crate) async fn sequences(run: &mut Run) {
    let name = run.name("i");
    let id = create(run, &name, 2, &[]).await;
    let target = Target { name, id };
    let version = run.version(InitProducerId);
    let made = ask! { run, InitProducerId, version, {
        transactional_id: NULL,
        transaction_timeout_ms: run.one(&[60_000, 0, i32::MAX]),
        producer_id: -1,
        producer_epoch: -1,
    } };
    let mut producer = Producer {
        id: made.int("producer_id"),
        epoch: i16::try_from(made.int("producer_epoch")).unwrap_or(0),
        sequence: 0,
    };
    let mut before = Vec::new();
    for _ in 0..14 {
        let mut used = producer;
        let records = run.below(4) + 1;
        match run.below(12) {
            0 => used.sequence += 1,
            1 => used.sequence = used.sequence.saturating_sub(1),
            2 => used.sequence = 0,
            3 => {
                used.epoch += 1;
                used.sequence = run.one(&[0, 3]);
            }
            4 => used.epoch -= 1,
            5 => used.id = 555_555_555,
            6 => used.sequence = i32::MAX,
            _ => {}
        }
        let shape = Shape {
            producer: Some(used),
            records,
            ..Shape::default()
        };
        let batch = if run.once_in(5) && !before.is_empty() {
            run.one(&before)
        } else {
            shape.batch(run)
        };
        before.push(batch.clone());
        let version = run.version(Produce);
        let answered = run.call(Produce, version, one(&target, -1, 0, batch)).await;
        if answered.int("responses.0.partition_responses.0.error_code") == 0
            && used.id == producer.id
            && used.sequence >= producer.sequence
        {
            let count = i32::try_from(records).unwrap_or(0);
            producer = Producer {
                sequence: used.sequence.wrapping_add(count) & i32::MAX,
                ..used
            };
        }
        if run.once_in(4) {
            let topic = object! { name: &target.name, partition_indexes: [0, 1, 7] };
            run.call(DescribeProducers, 0, object! { topics: [topic] })
                .await;
        }
        if run.once_in(6) {
            let version = run.version_from(InitProducerId, 3);
            let (id, epoch) = run.one(&[
                (producer.id, producer.epoch),
                (-1, -1),
                (producer.id, -1),
                (-1, 3),
                (producer.id, 7),
            ]);
            ask! { run, InitProducerId, version, {
                transactional_id: NULL,
                transaction_timeout_ms: 60_000,
                producer_id: id,
                producer_epoch: epoch,
            } };
        }
    }
    read_all(run, &target, 1).await;
    let version = run.version(Fetch);
    let topic = super::fetch::topic(&target, vec![super::fetch::partition(0, 0)]);
    run.call(Fetch, version, super::fetch::plain_body(vec![topic]))
        .await;
}
