//! EndTxn, and what follows from it.

use std::time::Duration;

use headwater_wire::ErrorCode;
use headwater_wire::messages::end_txn::{EndTxnRequest, EndTxnResponse};

use super::add_partitions::{self, find};
use super::coordinator::{Cx, TimerKey, TransactionCoordinator};
use super::effect::{Effect, Response};
use super::errors;
use super::init;
use super::parked::{Parked, Waiting, park};
use super::transaction::{NO_PRODUCER_ID, Partitions, Protocol, State, Transaction, is_exhausted};
use crate::{ProducerIdentity, Time, Token};

/// From this version on the end of a transaction gives its producer a new epoch (KIP-890).
const BUMPS_FROM: i16 = 5;

/// What an end comes to.
enum Verdict {
    /// It is decided so, now.
    Decide,
    /// It was decided so before: a retry whose first answer was lost.
    Decided,
    /// It depends on the markers that are being written.
    Wait,
    Refuse(ErrorCode),
}

impl TransactionCoordinator {
    pub(super) fn end(
        &mut self,
        token: Token,
        version: i16,
        request: EndTxnRequest,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        let (transactions, mut cx) = self.split(time, out);
        let producer = ProducerIdentity {
            id: request.producer_id,
            epoch: request.producer_epoch,
        };
        let request_id = request.transactional_id;
        let waiting = Waiting::End {
            producer,
            commit: request.committed,
        };
        let parked = Parked {
            token,
            version,
            until: cx.config.wait_until(time, Duration::ZERO),
            request: waiting,
        };
        match find(transactions, &request_id) {
            Ok(transaction) => end(&mut cx, transaction, parked),
            Err(code) => {
                let after = cx.outbox.last();
                cx.reply(after, token, errors::waiting(&parked, code));
            }
        }
    }

    /// Takes note of markers; the last one completes the transaction.
    pub(super) fn markers_written(
        &mut self,
        id: &str,
        producer: ProducerIdentity,
        written: &Partitions,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        let (transactions, mut cx) = self.split(time, out);
        let Some(transaction) = transactions.get_mut(id) else {
            return;
        };
        let is_awaited = matches!(transaction.state, State::Prepare { .. })
            && transaction.producer() == producer;
        if !is_awaited {
            return;
        }
        for (topic, indexes) in written {
            if let Some(left) = transaction.partitions.get_mut(topic) {
                left.retain(|index| !indexes.contains(index));
                if left.is_empty() {
                    transaction.partitions.remove(topic);
                }
            }
        }
        complete_if_marked(&mut cx, transaction);
    }
}

/// Completes a decided transaction whose every marker is written: the producer may go on, and so
/// may those who waited.
pub(super) fn complete_if_marked(cx: &mut Cx<'_>, transaction: &mut Transaction) {
    let State::Prepare { commit } = transaction.state else {
        return;
    };
    if !transaction.partitions.is_empty() {
        return;
    }
    let producer = transaction.producer_to_be();
    transaction.previous_producer_id = transaction.producer_id;
    transaction.producer_id = producer.id;
    transaction.epoch = producer.epoch;
    transaction.next_producer_id = NO_PRODUCER_ID;
    transaction.state = State::Complete { commit };
    cx.write(transaction);
    cx.timers.cancel(&TimerKey::Parked(transaction.id.clone()));
    // Each is run once. One that begins and ends another transaction makes those behind it wait
    // again.
    for parked in std::mem::take(&mut transaction.parked) {
        match parked.request {
            Waiting::Init { .. } => init::init(cx, transaction, parked),
            Waiting::Add(_) => add_partitions::add(cx, transaction, parked),
            Waiting::End { .. } => end(cx, transaction, parked),
        }
    }
}

fn end(cx: &mut Cx<'_>, transaction: &mut Transaction, parked: Parked) {
    let Waiting::End { producer, commit } = parked.request else {
        return;
    };
    let protocol = if parked.version < BUMPS_FROM {
        Protocol::V1
    } else {
        Protocol::V2
    };
    let verdict = match protocol {
        Protocol::V1 => judge_v1(transaction, producer, commit),
        Protocol::V2 => judge_v2(transaction, producer, commit),
    };
    let result = match verdict {
        Verdict::Wait => {
            park(cx, transaction, parked);
            return;
        }
        Verdict::Decided => Ok(()),
        Verdict::Refuse(code) => Err(code),
        Verdict::Decide => cx.prepare(transaction, commit, protocol),
    };
    let response = match result {
        Err(code) => errors::waiting(&parked, code),
        Ok(()) => {
            let producer = transaction.producer_to_be();
            Response::End(EndTxnResponse {
                producer_id: producer.id,
                producer_epoch: producer.epoch,
                ..Default::default()
            })
        }
    };
    cx.reply(transaction.written, parked.token, response);
    complete_if_marked(cx, transaction);
}

fn judge_v1(transaction: &Transaction, producer: ProducerIdentity, commit: bool) -> Verdict {
    match (transaction.check_producer(producer), transaction.state) {
        (Err(code), _) => Verdict::Refuse(code),
        (Ok(()), State::Ongoing) => Verdict::Decide,
        (Ok(()), State::Complete { commit: decided }) if decided == commit => Verdict::Decided,
        // A retry, or the end of the transaction that a request before it waits to begin.
        (Ok(()), State::Prepare { commit: decided })
            if decided == commit || begins_another(transaction, producer) =>
        {
            Verdict::Wait
        }
        (Ok(()), State::Empty | State::Prepare { .. } | State::Complete { .. }) => {
            Verdict::Refuse(ErrorCode::InvalidTxnState)
        }
    }
}

/// With an epoch for each transaction, the epoch before the present one tells a retry from the end
/// of the next transaction. That may be an abort of nothing: a producer that failed to add
/// anything aborts to be sure, and its epoch grows all the same.
fn judge_v2(transaction: &Transaction, producer: ProducerIdentity, commit: bool) -> Verdict {
    let is_current = producer == transaction.producer();
    let is_from_before_the_id = producer.id == transaction.previous_producer_id
        && producer.id != transaction.producer_id
        && is_exhausted(producer.epoch)
        && transaction.epoch == 0;
    let is_retry = is_from_before_the_id
        || (producer.id == transaction.producer_id
            && producer.epoch.checked_add(1) == Some(transaction.epoch));
    if producer.id != transaction.producer_id && !is_from_before_the_id {
        return Verdict::Refuse(ErrorCode::InvalidProducerIdMapping);
    }
    match transaction.state {
        State::Ongoing if is_current => Verdict::Decide,
        State::Empty if is_current && !commit => Verdict::Decide,
        State::Complete { .. } if is_current && !commit => Verdict::Decide,
        State::Complete { commit: decided } if is_retry && decided == commit => Verdict::Decided,
        State::Prepare { commit: decided } if is_retry && decided == commit => Verdict::Wait,
        // The end of the next transaction, or of nothing, which Kafka refuses as fenced until the
        // markers are written.
        State::Prepare { .. } if is_current => Verdict::Wait,
        State::Empty if is_current => Verdict::Refuse(ErrorCode::InvalidTxnState),
        State::Complete { .. } if is_current || is_retry => {
            Verdict::Refuse(ErrorCode::InvalidTxnState)
        }
        State::Prepare { .. } if is_retry => Verdict::Refuse(ErrorCode::InvalidTxnState),
        _ => Verdict::Refuse(ErrorCode::ProducerFenced),
    }
}

/// Whether the producer has asked already for partitions of its next transaction.
fn begins_another(transaction: &Transaction, producer: ProducerIdentity) -> bool {
    let mut waiting = transaction.parked.iter();
    waiting.any(|parked| matches!(&parked.request, Waiting::Add(add) if add.producer == producer))
}
