//! EndTxn, and what follows from it.

use headwater_wire::ErrorCode;
use headwater_wire::messages::end_txn::EndTxnRequest;

use super::add_partitions::{self, find};
use super::coordinator::{Cx, TimerKey, TransactionCoordinator};
use super::effect::Effect;
use super::errors;
use super::init;
use super::parked::{Parked, Waiting, park};
use super::transaction::{Partitions, State, Transaction};
use crate::{ProducerIdentity, Time, Token};

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
        let Some(transaction) = self.transactions.get_mut(id) else {
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
        if transaction.partitions.is_empty() {
            self.complete(id, time, out);
        }
    }

    /// Every marker is written: the producer may go on, and so may those who waited.
    pub(super) fn complete(&mut self, id: &str, time: Time, out: &mut Vec<Effect>) {
        let (transactions, mut cx) = self.split(time, out);
        let Some(transaction) = transactions.get_mut(id) else {
            return;
        };
        let State::Prepare { commit } = transaction.state else {
            return;
        };
        transaction.state = State::Complete { commit };
        cx.write(transaction);
        cx.timers.cancel(&TimerKey::Parked(transaction.id.clone()));
        // Each is run once. One that begins and ends another transaction makes those behind it
        // wait again.
        for parked in std::mem::take(&mut transaction.parked) {
            match parked.request {
                Waiting::Init { .. } => init::init(&mut cx, transaction, parked),
                Waiting::Add(_) => add_partitions::add(&mut cx, transaction, parked),
                Waiting::End { .. } => end(&mut cx, transaction, parked),
            }
        }
    }
}

fn end(cx: &mut Cx<'_>, transaction: &mut Transaction, parked: Parked) {
    let Waiting::End { producer, commit } = parked.request else {
        return;
    };
    let code = match (transaction.check_producer(producer), transaction.state) {
        (Err(code), _) => code,
        (Ok(()), State::Ongoing) => {
            cx.prepare(transaction, commit);
            ErrorCode::None
        }
        // A retry whose first answer was lost.
        (Ok(()), State::Complete { commit: decided }) if decided == commit => ErrorCode::None,
        // A retry, or the end of the transaction that a request before it waits to begin.
        (Ok(()), State::Prepare { commit: decided })
            if decided == commit || begins_another(transaction, producer) =>
        {
            park(cx, transaction, parked);
            return;
        }
        (Ok(()), State::Empty | State::Prepare { .. } | State::Complete { .. }) => {
            ErrorCode::InvalidTxnState
        }
    };
    let response = errors::waiting(&parked, code);
    cx.reply(transaction.written, parked.token, response);
}

/// Whether the producer has asked already for partitions of its next transaction.
fn begins_another(transaction: &Transaction, producer: ProducerIdentity) -> bool {
    let mut waiting = transaction.parked.iter();
    waiting.any(|parked| matches!(&parked.request, Waiting::Add(add) if add.producer == producer))
}
