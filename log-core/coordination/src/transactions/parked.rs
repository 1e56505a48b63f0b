//! Requests that wait for a decided transaction to complete.

use headwater_wire::ErrorCode;
use headwater_wire::messages::init_producer_id::InitProducerIdRequest;

use super::coordinator::{Cx, TimerKey};
use super::errors;
use super::transaction::{Partitions, Transaction};
use crate::{Now, ProducerIdentity, Token};

/// A request and what is needed to answer it later.
#[derive(Clone, Debug)]
pub(super) struct Parked {
    pub(super) token: Token,
    pub(super) version: i16,
    /// When it is answered at the latest.
    pub(super) until: Now,
    pub(super) request: Waiting,
}

#[derive(Clone, Debug)]
pub(super) enum Waiting {
    Init {
        request: InitProducerIdRequest,
    },
    Add(Add),
    End {
        producer: ProducerIdentity,
        commit: bool,
    },
}

/// Partitions to be added.
#[derive(Clone, Debug)]
pub(super) struct Add {
    pub(super) producer: ProducerIdentity,
    pub(super) partitions: Partitions,
    pub(super) by: AddedBy,
}

/// The request that adds partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AddedBy {
    /// AddPartitionsToTxn.
    Client,
    /// AddOffsetsToTxn: the partition stands for a group's offsets.
    Offsets,
    /// Produce or TxnOffsetCommit (KIP-890).
    Write,
}

/// Keeps the request until the transaction completes, or its time is over.
pub(super) fn park(cx: &mut Cx<'_>, transaction: &mut Transaction, parked: Parked) {
    let is_late = parked.until <= cx.time.now;
    if is_late || transaction.parked.len() >= cx.config.waiting_max {
        refuse(cx, transaction, parked);
        return;
    }
    // The first whose time is over takes the others along: an end must not be left behind without
    // the beginning that it follows.
    let key = TimerKey::Parked(transaction.id.clone());
    if cx.timers.at(&key).is_none_or(|at| parked.until < at) {
        cx.timers.set(key, parked.until);
    }
    transaction.parked.push_back(parked);
}

/// The transaction takes too long: the producers have to try again, as Kafka lets them at once.
pub(super) fn give_up(cx: &mut Cx<'_>, transaction: &mut Transaction) {
    for parked in std::mem::take(&mut transaction.parked) {
        refuse(cx, transaction, parked);
    }
}

fn refuse(cx: &mut Cx<'_>, transaction: &Transaction, parked: Parked) {
    let response = errors::waiting(&parked, ErrorCode::ConcurrentTransactions);
    cx.reply(transaction.written, parked.token, response);
}
