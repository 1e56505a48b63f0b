//! InitProducerId: a producer comes into being, or comes back.

use std::time::Duration;

use headwater_wire::ErrorCode;
use headwater_wire::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

use super::coordinator::{Cx, TransactionCoordinator};
use super::effect::{Effect, Response};
use super::end::complete_if_marked;
use super::errors;
use super::parked::{Parked, Waiting, park};
use super::transaction::{
    NO_EPOCH, NO_PRODUCER_ID, Partitions, Protocol, State, Transaction, TransactionalId,
    is_exhausted,
};
use crate::{AppendId, ProducerIdentity, Time, Token};

impl TransactionCoordinator {
    pub(super) fn init_producer_id(
        &mut self,
        token: Token,
        version: i16,
        request: InitProducerIdRequest,
        fresh: i64,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        let (transactions, mut cx) = self.split(time, out);
        let Some(id) = request.transactional_id.clone() else {
            let response = succeeded(ProducerIdentity {
                id: fresh,
                epoch: 0,
            });
            cx.reply(AppendId::default(), token, response);
            return;
        };
        if let Err(code) = check_request(&cx, &id, &request) {
            cx.keep_spare(fresh);
            let response = errors::init_producer_id(version, code);
            cx.reply(AppendId::default(), token, response);
            return;
        }
        let written = cx.outbox.last();
        let mut fresh = fresh;
        let transaction = transactions
            .entry(TransactionalId::from(id.as_str()))
            .or_insert_with(|| {
                let mut transaction = Transaction::new(TransactionalId::from(id), fresh, time.wall);
                transaction.written = written;
                fresh = NO_PRODUCER_ID;
                transaction
            });
        // It goes to whoever uses up the epochs of an id next.
        cx.keep_spare(fresh);
        let parked = Parked {
            token,
            version,
            until: cx.config.wait_until(time, Duration::ZERO),
            request: Waiting::Init { request },
        };
        init(&mut cx, transaction, parked);
    }
}

fn check_request(cx: &Cx<'_>, id: &str, request: &InitProducerIdRequest) -> Result<(), ErrorCode> {
    // What the strings of the internal topic can hold.
    let is_too_long = i16::try_from(id.len()).is_err();
    let names_half_a_producer =
        (request.producer_id == NO_PRODUCER_ID) != (request.producer_epoch == NO_EPOCH);
    if id.is_empty() || is_too_long || names_half_a_producer {
        return Err(ErrorCode::InvalidRequest);
    }
    let max = i32::try_from(cx.config.max_timeout.as_millis()).unwrap_or(i32::MAX);
    if request.transaction_timeout_ms <= 0 || request.transaction_timeout_ms > max {
        return Err(ErrorCode::InvalidTransactionTimeout);
    }
    Ok(())
}

fn succeeded(producer: ProducerIdentity) -> Response {
    Response::InitProducerId(InitProducerIdResponse {
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        ..Default::default()
    })
}

/// Answers an InitProducerId whose transactional id is known, now or when its transaction is over.
pub(super) fn init(cx: &mut Cx<'_>, transaction: &mut Transaction, parked: Parked) {
    let Waiting::Init { request } = &parked.request else {
        return;
    };
    let expected = (request.producer_id != NO_PRODUCER_ID).then_some(ProducerIdentity {
        id: request.producer_id,
        epoch: request.producer_epoch,
    });
    if expected.is_some_and(|expected| !may_be_current(transaction, expected)) {
        refuse(cx, transaction, &parked, ErrorCode::ProducerFenced);
        return;
    }
    match transaction.state {
        State::Prepare { .. } => park(cx, transaction, parked),
        State::Ongoing if expected.is_some_and(|it| it.epoch != transaction.epoch) => {
            // A former instance must not abort the transaction of the one that fenced it.
            refuse(cx, transaction, &parked, ErrorCode::ProducerFenced);
        }
        State::Ongoing => {
            // The end has the next epoch. A new instance gets the one after it, when the abort is
            // complete; the same one that goes on after an error gets that of the end.
            if let Err(code) = cx.prepare(transaction, false, Protocol::V2) {
                refuse(cx, transaction, &parked, code);
                return;
            }
            park(cx, transaction, parked);
            complete_if_marked(cx, transaction);
        }
        State::Empty | State::Complete { .. } => {
            let timeout_ms = request.transaction_timeout_ms;
            match next_epoch(cx, transaction, expected) {
                Err(code) => refuse(cx, transaction, &parked, code),
                Ok(()) => {
                    transaction.timeout_ms = timeout_ms;
                    transaction.state = State::Empty;
                    transaction.partitions = Partitions::new();
                    transaction.started = None;
                    cx.write(transaction);
                    let response = succeeded(transaction.producer());
                    cx.reply(transaction.written, parked.token, response);
                }
            }
        }
    }
}

fn refuse(cx: &mut Cx<'_>, transaction: &Transaction, parked: &Parked, code: ErrorCode) {
    cx.reply(
        transaction.written,
        parked.token,
        errors::waiting(parked, code),
    );
}

/// Whether a producer that says who it was can be the one that is known (KIP-360).
fn may_be_current(transaction: &Transaction, expected: ProducerIdentity) -> bool {
    // Nothing is known of the id, because it expired: whoever comes is the first.
    transaction.epoch == NO_EPOCH
        || expected.id == transaction.producer_id
        // It may retry the request that gave it the new id.
        || (expected.id == transaction.previous_producer_id && is_exhausted(expected.epoch))
}

/// Gives the producer its next epoch, or a new id where the epochs of the old one are used up.
fn next_epoch(
    cx: &mut Cx<'_>,
    transaction: &mut Transaction,
    expected: Option<ProducerIdentity>,
) -> Result<(), ErrorCode> {
    let current = transaction.epoch;
    let is_current = |expected: ProducerIdentity| {
        current == NO_EPOCH || (expected.epoch == current && expected.id == transaction.producer_id)
    };
    let last_epoch = match expected {
        None => NO_EPOCH,
        Some(expected) if is_current(expected) => current,
        // The answer to its last request was lost. Had another instance come in between, the last
        // epoch would be unknown.
        Some(expected) if expected.epoch == transaction.last_epoch => return Ok(()),
        Some(_) => return Err(ErrorCode::ProducerFenced),
    };
    let before = transaction.producer_id;
    if transaction.is_epoch_exhausted() {
        transaction.producer_id = cx.take_spare()?;
        transaction.epoch = 0;
    } else {
        transaction.epoch = current + 1;
    }
    transaction.previous_producer_id = before;
    transaction.last_epoch = last_epoch;
    Ok(())
}
