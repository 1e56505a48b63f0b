//! Transactions, of both versions of their protocol, in right and in wrong order.

use headwater_wire::ApiKey::{
    AddOffsetsToTxn, AddPartitionsToTxn, DescribeProducers, DescribeTransactions, EndTxn, Fetch,
    InitProducerId, ListOffsets, ListTransactions, Produce, TxnOffsetCommit, WriteTxnMarkers,
};
use headwater_wire::codec::Tree;

use super::batch::{Producer, Shape};
use super::commit;
use super::fetch;
use super::produce::Target;
use super::topics::create;
use crate::object::{Look, NULL, ask, object};
use crate::run::Run;

/// A transactional producer and what it is at.
struct Transactional {
    id: String,
    producer: Producer,
    target: Target,
    group: String,
    /// Whether it speaks version 2 of the protocol (KIP-890).
    second: bool,
}

impl Transactional {
    async fn init(&mut self, run: &mut Run, timeout: i32, keep: bool) {
        let version = run.version_from(InitProducerId, if keep { 3 } else { 0 });
        let (id, epoch) = if keep {
            (self.producer.id, self.producer.epoch)
        } else {
            (-1, -1)
        };
        let made = ask! { run, InitProducerId, version, {
            transactional_id: &self.id,
            transaction_timeout_ms: timeout,
            producer_id: id,
            producer_epoch: epoch,
        } };
        if made.int("error_code") == 0 {
            self.producer = Producer {
                id: made.int("producer_id"),
                epoch: i16::try_from(made.int("producer_epoch")).unwrap_or(0),
                sequence: 0,
            };
        }
    }

    async fn add_partitions(&self, run: &mut Run, used: Producer) {
        let version = run.version_to(AddPartitionsToTxn, 3);
        let partitions = run.one(&[vec![0], vec![0, 1], vec![1], vec![0, 9]]);
        let topic = object! { name: &self.target.name, partitions: partitions };
        ask! { run, AddPartitionsToTxn, version, {
            v3_and_below_transactional_id: &self.id,
            v3_and_below_producer_id: used.id,
            v3_and_below_producer_epoch: used.epoch,
            v3_and_below_topics: [topic],
        } };
    }

    async fn produce(&mut self, run: &mut Run, used: Producer) {
        let version = if self.second {
            run.version_from(Produce, 12)
        } else {
            run.version_to(Produce, 11)
        };
        let shape = Shape {
            transactional: true,
            producer: Some(used),
            records: 2,
            ..Shape::default()
        };
        let records = shape.batch(run);
        let data = self
            .target
            .data(vec![object! { index: 0, records: records }]);
        let answer = ask! { run, Produce, version, {
            transactional_id: &self.id,
            acks: -1,
            timeout_ms: 5000,
            topic_data: [data],
        } };
        if answer.int("responses.0.partition_responses.0.error_code") == 0
            && used.id == self.producer.id
        {
            self.producer.sequence = used.sequence + 2;
        }
    }

    async fn commit_offsets(&self, run: &mut Run, used: Producer) {
        if !self.second {
            let version = run.version(AddOffsetsToTxn);
            ask! { run, AddOffsetsToTxn, version, {
                transactional_id: &self.id,
                producer_id: used.id,
                producer_epoch: used.epoch,
                group_id: &self.group,
            } };
        }
        let version = if self.second {
            5
        } else {
            run.version_to(TxnOffsetCommit, 4)
        };
        let partition = object! {
            partition_index: run.one(&[0, 0, 9]),
            committed_offset: run.one(&[3_i64, 7]),
            committed_leader_epoch: -1,
            committed_metadata: "m",
        };
        let topic = object! { name: &self.target.name, partitions: [partition] };
        let generation = if version >= 3 {
            run.one(&[-1, -1, 4])
        } else {
            -1
        };
        ask! { run, TxnOffsetCommit, version, {
            transactional_id: &self.id,
            group_id: &self.group,
            producer_id: used.id,
            producer_epoch: used.epoch,
            generation_id: generation,
            member_id: "",
            topics: [topic],
        } };
    }

    async fn end(&mut self, run: &mut Run, used: Producer) {
        let version = if self.second {
            5
        } else {
            run.version_to(EndTxn, 4)
        };
        let committed = run.once_in(2);
        let ended = ask! { run, EndTxn, version, {
            transactional_id: &self.id,
            producer_id: used.id,
            producer_epoch: used.epoch,
            committed: committed,
        } };
        if ended.int("error_code") == 0 {
            self.wait_for_end(run).await;
        }
        if self.second && ended.int("error_code") == 0 && ended.int("producer_id") >= 0 {
            self.producer = Producer {
                id: ended.int("producer_id"),
                epoch: i16::try_from(ended.int("producer_epoch")).unwrap_or(0),
                sequence: 0,
            };
        }
    }

    /// Waits until both wrote the markers. Until then they refuse what comes next, in version 1 with
    /// an error that says something else as well.
    async fn wait_for_end(&self, run: &mut Run) {
        let body = object! { transactional_ids: [&self.id] };
        run.settle(DescribeTransactions, 0, body, |answer| {
            let state = answer.look("transaction_states.0.transaction_state");
            !matches!(state, Tree::String(state) if state.starts_with("Prepare"))
        })
        .await;
    }

    async fn describe(&self, run: &mut Run) {
        let nobody = run.name("nobody");
        ask! { run, DescribeTransactions, 0, { transactional_ids: [&self.id, &nobody] } };
        let version = run.version(ListTransactions);
        let states = run.one(&[
            vec![],
            vec![],
            vec!["Ongoing"],
            vec!["Empty", "CompleteCommit", "CompleteAbort"],
            vec!["NoSuchState"],
        ]);
        let pattern = if version >= 2 {
            run.one(&[
                NULL,
                NULL,
                Tree::String(".*x".into()),
                Tree::String("(".into()),
            ])
        } else {
            NULL
        };
        let duration = if version >= 1 {
            run.one(&[-1_i64, -1, 0, 3_600_000])
        } else {
            -1
        };
        ask! { run, ListTransactions, version, {
            state_filters: states,
            producer_id_filters: Vec::<i64>::new(),
            duration_filter: duration,
            transactional_id_pattern: pattern,
        } };
        let topic = object! { name: &self.target.name, partition_indexes: [0, 1] };
        ask! { run, DescribeProducers, 0, { topics: [topic] } };
    }
}

async fn begin(run: &mut Run, second: bool) -> Transactional {
    let name = run.name("t");
    let id = create(run, &name, 2, &[]).await;
    let mut producer = Transactional {
        id: run.name("x"),
        producer: Producer {
            id: -1,
            epoch: -1,
            sequence: 0,
        },
        target: Target { name, id },
        group: run.name("g"),
        second,
    };
    producer.init(run, 60_000, false).await;
    producer
}

/// Any order of steps, by version 1 of the protocol.
pub(crate) async fn first(run: &mut Run) {
    any_order(run, false).await;
}

/// Any order of steps, by version 2 of the protocol.
pub(crate) async fn second(run: &mut Run) {
    any_order(run, true).await;
}

async fn any_order(run: &mut Run, second: bool) {
    let mut producer = begin(run, second).await;
    for _ in 0..14 {
        let mut used = producer.producer;
        match run.below(14) {
            0 => used.epoch -= 1,
            1 => used.epoch += 1,
            2 => used.id = 777_777_777,
            3 => used.sequence += 3,
            _ => {}
        }
        match run.below(9) {
            0 | 1 if !second => producer.add_partitions(run, used).await,
            0..=3 => producer.produce(run, used).await,
            4 => producer.commit_offsets(run, used).await,
            5 | 6 => producer.end(run, used).await,
            7 => {
                let keep = run.once_in(2);
                let timeout = run.one(&[60_000, 60_000, 0, -1, i32::MAX, 900_001]);
                producer.init(run, timeout, keep).await;
            }
            _ => producer.describe(run).await,
        }
    }
    producer.end(run, producer.producer).await;
    producer.describe(run).await;
    read(run, &producer.target).await;
    let group = producer.group.clone();
    commit::fetch_some(run, &group, &producer.target).await;
}

/// A transaction as it should be, committed or aborted, and what readers see at every step.
pub(crate) async fn in_order(run: &mut Run) {
    let second = run.once_in(2);
    let mut producer = begin(run, second).await;
    for _ in 0..3 {
        if !second {
            let topic = object! { name: &producer.target.name, partitions: [0, 1] };
            let version = run.version_to(AddPartitionsToTxn, 3);
            ask! { run, AddPartitionsToTxn, version, {
                v3_and_below_transactional_id: &producer.id,
                v3_and_below_producer_id: producer.producer.id,
                v3_and_below_producer_epoch: producer.producer.epoch,
                v3_and_below_topics: [topic],
            } };
        }
        let used = producer.producer;
        producer.produce(run, used).await;
        let used = producer.producer;
        producer.commit_offsets(run, used).await;
        read(run, &producer.target).await;
        producer.describe(run).await;
        producer.end(run, used).await;
        read(run, &producer.target).await;
        producer.describe(run).await;
        let group = producer.group.clone();
        commit::fetch_all(run, &group, &producer.target).await;
    }
}

/// What readers of both isolation levels see.
async fn read(run: &mut Run, target: &Target) {
    for isolation in [0, 1] {
        let version = run.version(Fetch);
        let topic = fetch::topic(target, vec![fetch::partition(0, 0), fetch::partition(1, 0)]);
        let Tree::Structure(mut fields) = fetch::plain_body(vec![topic]) else {
            return;
        };
        for (name, value) in &mut fields {
            if *name == "isolation_level" {
                *value = Tree::Int(isolation);
            }
        }
        run.call(Fetch, version, Tree::Structure(fields)).await;
        let version = run.version_from(ListOffsets, 2);
        let partition = object! {
            partition_index: 0,
            current_leader_epoch: -1,
            timestamp: run.one(&[-1_i64, -1, -2]),
        };
        let topic = object! { name: &target.name, partitions: [partition] };
        ask! { run, ListOffsets, version, {
            replica_id: -1,
            isolation_level: isolation,
            topics: [topic],
            timeout_ms: 1000,
        } };
    }
}

/// Requests about transactions that must be refused.
pub(crate) async fn refused(run: &mut Run) {
    let producer = begin(run, false).await;
    let used = producer.producer;
    for _ in 0..8 {
        match run.below(6) {
            0 => {
                let version = run.version(InitProducerId);
                let id = run.one(&["", "other"]).to_owned();
                let id = if id.is_empty() { id } else { run.name(&id) };
                let timeout = run.one(&[-1, 0, 1, 900_000, 900_001, i32::MAX]);
                ask! { run, InitProducerId, version, {
                    transactional_id: id,
                    transaction_timeout_ms: timeout,
                    producer_id: -1,
                    producer_epoch: -1,
                } };
            }
            1 => {
                let version = run.version(EndTxn);
                ask! { run, EndTxn, version, {
                    transactional_id: run.one(&[run.name("nobody"), String::new()]),
                    producer_id: used.id,
                    producer_epoch: used.epoch,
                    committed: true,
                } };
            }
            2 => {
                let version = run.version_from(AddPartitionsToTxn, 4);
                let topic = object! { name: &producer.target.name, partitions: [0] };
                let transaction = object! {
                    transactional_id: run.one(&[producer.id.clone(), run.name("nobody")]),
                    producer_id: used.id,
                    producer_epoch: used.epoch,
                    verify_only: run.once_in(2),
                    topics: [topic],
                };
                ask! { run, AddPartitionsToTxn, version, { transactions: [transaction] } };
            }
            3 => {
                let version = run.version(AddOffsetsToTxn);
                ask! { run, AddOffsetsToTxn, version, {
                    transactional_id: run.name("nobody"),
                    producer_id: used.id,
                    producer_epoch: used.epoch,
                    group_id: run.one(&[producer.group.clone(), String::new()]),
                } };
            }
            4 => {
                let version = run.version(TxnOffsetCommit);
                let partition = object! { partition_index: 0, committed_offset: 1_i64, committed_leader_epoch: -1 };
                let topic = object! { name: &producer.target.name, partitions: [partition] };
                ask! { run, TxnOffsetCommit, version, {
                    transactional_id: run.one(&[producer.id.clone(), run.name("nobody")]),
                    group_id: run.one(&[producer.group.clone(), String::new()]),
                    producer_id: used.id,
                    producer_epoch: used.epoch,
                    generation_id: -1,
                    member_id: "",
                    topics: [topic],
                } };
            }
            _ => {
                let version = run.version(WriteTxnMarkers);
                let topic = object! { name: &producer.target.name, partition_indexes: [1, 5] };
                let marker = object! {
                    producer_id: used.id,
                    producer_epoch: used.epoch,
                    transaction_result: run.once_in(2),
                    topics: [topic],
                    coordinator_epoch: run.one(&[0, -1]),
                    transaction_version: 0,
                };
                ask! { run, WriteTxnMarkers, version, { markers: [marker] } };
            }
        }
        if run.once_in(3) {
            producer.describe(run).await;
        }
    }
    read(run, &producer.target).await;
}
