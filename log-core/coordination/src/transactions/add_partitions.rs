//! AddPartitionsToTxn, AddOffsetsToTxn, and writes of transaction.version 2: a transaction begins,
//! or grows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use headwater_wire::ErrorCode;
use headwater_wire::messages::add_offsets_to_txn::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse,
};
use headwater_wire::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    AddPartitionsToTxnResult, AddPartitionsToTxnTopic, AddPartitionsToTxnTopicResult,
    AddPartitionsToTxnTransaction,
};

use super::coordinator::{Cx, Phase, TransactionCoordinator};
use super::effect::{Effect, Response};
use super::errors;
use super::input::WriteInTransaction;
use super::parked::{Add, AddedBy, Parked, Waiting, park};
use super::transaction::{Partitions, Protocol, State, Transaction, TransactionalId};
use crate::{ProducerIdentity, Time, Token};

/// The topic that holds the offsets of groups.
const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// From this version on AddPartitionsToTxn names several transactions.
const BATCHED_FROM: i16 = 4;
/// Writes that add their partitions come from clients that know every error.
const WRITE_VERSION: i16 = i16::MAX;

impl TransactionCoordinator {
    pub(super) fn add_partitions(
        &mut self,
        token: Token,
        version: i16,
        request: AddPartitionsToTxnRequest,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        if version >= BATCHED_FROM {
            self.add_batched(token, request, time, out);
            return;
        }
        let add = Add {
            producer: ProducerIdentity {
                id: request.v3_and_below_producer_id,
                epoch: request.v3_and_below_producer_epoch,
            },
            partitions: partitions_of(&request.v3_and_below_topics),
            by: AddedBy::Client,
        };
        let parked = Parked {
            token,
            version,
            until: self.config.wait_until(time, Duration::ZERO),
            request: Waiting::Add(add),
        };
        self.add_to(&request.v3_and_below_transactional_id, parked, time, out);
    }

    pub(super) fn add_offsets(
        &mut self,
        token: Token,
        version: i16,
        request: AddOffsetsToTxnRequest,
        partition: i32,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        let add = Add {
            producer: ProducerIdentity {
                id: request.producer_id,
                epoch: request.producer_epoch,
            },
            partitions: BTreeMap::from([(OFFSETS_TOPIC.to_owned(), BTreeSet::from([partition]))]),
            by: AddedBy::Offsets,
        };
        let parked = Parked {
            token,
            version,
            until: self.config.wait_until(time, Duration::ZERO),
            request: Waiting::Add(add),
        };
        self.add_to(&request.transactional_id, parked, time, out);
    }

    pub(super) fn add_written(
        &mut self,
        token: Token,
        request: WriteInTransaction,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        let add = Add {
            producer: request.producer,
            partitions: request.partitions,
            by: AddedBy::Write,
        };
        let parked = Parked {
            token,
            version: WRITE_VERSION,
            until: self.config.wait_until(time, request.waited),
            request: Waiting::Add(add),
        };
        self.add_to(&request.transactional_id, parked, time, out);
    }

    /// Adds the partitions of a write at once, if nothing has to be waited for. The caller's own
    /// append then follows in the log what this one wrote; nothing else may be answered before
    /// that is durable.
    ///
    /// # Errors
    /// Why nothing is added. `CONCURRENT_TRANSACTIONS` and `COORDINATOR_LOAD_IN_PROGRESS` are over
    /// soon: [`Request::Write`](super::Request::Write) waits for that.
    pub fn add_now(
        &mut self,
        request: &WriteInTransaction,
        time: Time,
        out: &mut Vec<Effect>,
    ) -> Result<(), ErrorCode> {
        if self.phase != Phase::Active {
            return Err(ErrorCode::CoordinatorLoadInProgress);
        }
        let (transactions, mut cx) = self.split(time, out);
        let transaction = find(transactions, &request.transactional_id)?;
        transaction.check_producer(request.producer)?;
        if matches!(transaction.state, State::Prepare { .. }) {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        let added = grow(
            &mut cx,
            transaction,
            request.partitions.clone(),
            Protocol::V2,
        );
        self.ask_for_wake(out);
        added
    }

    fn add_to(&mut self, id: &str, parked: Parked, time: Time, out: &mut Vec<Effect>) {
        let (transactions, mut cx) = self.split(time, out);
        match find(transactions, id) {
            Ok(transaction) => add(&mut cx, transaction, parked),
            Err(code) => {
                let after = cx.outbox.last();
                cx.reply(after, parked.token, errors::waiting(&parked, code));
            }
        }
    }

    fn add_batched(
        &mut self,
        token: Token,
        request: AddPartitionsToTxnRequest,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        let (transactions, mut cx) = self.split(time, out);
        let results = request
            .transactions
            .into_iter()
            .map(|wanted| {
                let outcome = find(transactions, &wanted.transactional_id)
                    .and_then(|transaction| add_or_verify(&mut cx, transaction, &wanted));
                let topic_results = results(&wanted.topics, |topic, partition| match &outcome {
                    Err(code) => *code,
                    Ok(Some(present)) if !present.contains(topic, partition) => {
                        ErrorCode::TransactionAbortable
                    }
                    Ok(_) => ErrorCode::None,
                });
                AddPartitionsToTxnResult {
                    transactional_id: wanted.transactional_id,
                    topic_results,
                }
            })
            .collect();
        let response = AddPartitionsToTxnResponse {
            results_by_transaction: results,
            ..Default::default()
        };
        let after = cx.outbox.last();
        cx.reply(after, token, Response::AddPartitions(response));
    }
}

pub(super) fn find<'a>(
    transactions: &'a mut BTreeMap<TransactionalId, Transaction>,
    id: &str,
) -> Result<&'a mut Transaction, ErrorCode> {
    if id.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    transactions
        .get_mut(id)
        .ok_or(ErrorCode::InvalidProducerIdMapping)
}

fn partitions_of(topics: &[AddPartitionsToTxnTopic]) -> Partitions {
    let mut partitions = Partitions::new();
    for topic in topics {
        partitions
            .entry(topic.name.clone())
            .or_default()
            .extend(&topic.partitions);
    }
    partitions.retain(|_, indexes| !indexes.is_empty());
    partitions
}

/// One transaction of a batched request. With `verify_only`, the transaction to look in.
fn add_or_verify<'a>(
    cx: &mut Cx<'_>,
    transaction: &'a mut Transaction,
    wanted: &AddPartitionsToTxnTransaction,
) -> Result<Option<&'a Transaction>, ErrorCode> {
    let producer = ProducerIdentity {
        id: wanted.producer_id,
        epoch: wanted.producer_epoch,
    };
    transaction.check_producer(producer)?;
    if matches!(transaction.state, State::Prepare { .. }) {
        return Err(ErrorCode::ConcurrentTransactions);
    }
    if wanted.verify_only {
        return Ok(Some(transaction));
    }
    grow(cx, transaction, partitions_of(&wanted.topics), Protocol::V2)?;
    Ok(None)
}

/// Adds to a transaction that is known, now or when the one before it is over.
pub(super) fn add(cx: &mut Cx<'_>, transaction: &mut Transaction, parked: Parked) {
    let Waiting::Add(request) = &parked.request else {
        return;
    };
    let result = transaction.check_producer(request.producer).and_then(|()| {
        if matches!(transaction.state, State::Prepare { .. }) {
            return Ok(false);
        }
        let protocol = match request.by {
            AddedBy::Client | AddedBy::Offsets => Protocol::V1,
            AddedBy::Write => Protocol::V2,
        };
        grow(cx, transaction, request.partitions.clone(), protocol).map(|()| true)
    });
    match result {
        Ok(false) => park(cx, transaction, parked),
        Ok(true) => {
            let response = errors::waiting(&parked, ErrorCode::None);
            cx.reply(transaction.written, parked.token, response);
        }
        Err(code) => {
            let response = errors::waiting(&parked, code);
            cx.reply(transaction.written, parked.token, response);
        }
    }
}

/// Begins the transaction if it is not ongoing, and adds the partitions.
fn grow(
    cx: &mut Cx<'_>,
    transaction: &mut Transaction,
    added: Partitions,
    protocol: Protocol,
) -> Result<(), ErrorCode> {
    let are_all_in = transaction.state == State::Ongoing
        && added.iter().all(|(topic, indexes)| {
            transaction
                .partitions
                .get(topic)
                .is_some_and(|present| indexes.is_subset(present))
        });
    if added.is_empty() || are_all_in {
        return Ok(());
    }
    let (partitions, state, started) = (
        transaction.partitions.clone(),
        transaction.state,
        transaction.started,
    );
    for (topic, mut indexes) in added {
        transaction
            .partitions
            .entry(topic)
            .or_default()
            .append(&mut indexes);
    }
    if transaction.state != State::Ongoing {
        transaction.state = State::Ongoing;
        transaction.started = Some(cx.time.wall);
    }
    if !cx.fits(transaction) {
        (
            transaction.partitions,
            transaction.state,
            transaction.started,
        ) = (partitions, state, started);
        return Err(ErrorCode::RecordListTooLarge);
    }
    transaction.previous_producer_id = transaction.producer_id;
    transaction.protocol = protocol;
    cx.write(transaction);
    if let Some(at) = transaction.times_out_at() {
        cx.time_out_at(&transaction.id, at);
    }
    Ok(())
}

/// An answer for every partition of every topic.
pub(super) fn results(
    topics: &[AddPartitionsToTxnTopic],
    outcome: impl Fn(&str, i32) -> ErrorCode,
) -> Vec<AddPartitionsToTxnTopicResult> {
    topics
        .iter()
        .map(|topic| AddPartitionsToTxnTopicResult {
            name: topic.name.clone(),
            results_by_partition: topic
                .partitions
                .iter()
                .map(|partition| AddPartitionsToTxnPartitionResult {
                    partition_index: *partition,
                    partition_error_code: outcome(&topic.name, *partition).code(),
                })
                .collect(),
        })
        .collect()
}

/// The answer to any of the requests: the same for every partition.
pub(super) fn answer(add: &Add, code: ErrorCode) -> Response {
    match add.by {
        AddedBy::Client => {}
        AddedBy::Offsets => {
            return Response::AddOffsets(AddOffsetsToTxnResponse {
                error_code: code.code(),
                ..Default::default()
            });
        }
        AddedBy::Write => return Response::Write(code),
    }
    let results_by_topic_v3_and_below = add
        .partitions
        .iter()
        .map(|(name, indexes)| AddPartitionsToTxnTopicResult {
            name: name.clone(),
            results_by_partition: indexes
                .iter()
                .map(|index| AddPartitionsToTxnPartitionResult {
                    partition_index: *index,
                    partition_error_code: code.code(),
                })
                .collect(),
        })
        .collect();
    Response::AddPartitions(AddPartitionsToTxnResponse {
        results_by_topic_v3_and_below,
        ..Default::default()
    })
}
