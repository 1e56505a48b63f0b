//! The machine's data, and what its handlers share.

use std::collections::BTreeMap;

use super::config::TransactionConfig;
use super::effect::{Effect, Response, WriteMarkers};
use super::records;
use super::transaction::{State, Transaction, TransactionalId};
use crate::outbox::Outbox;
use crate::timers::Timers;
use crate::{Append, AppendId, Now, Record, Time, Token};

/// The transactional ids of one partition of `__transaction_state`.
///
/// Made empty by [`new`](Self::new), filled by [`load`](Self::load), opened by
/// [`finish_loading`](Self::finish_loading), driven by [`step`](Self::step).
#[derive(Debug)]
pub struct TransactionCoordinator {
    pub(super) config: TransactionConfig,
    pub(super) epoch: i32,
    pub(super) transactions: BTreeMap<TransactionalId, Transaction>,
    pub(super) timers: Timers<TimerKey>,
    pub(super) outbox: Outbox<Effect>,
    pub(super) phase: Phase,
    pub(super) wake_asked: Option<Now>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Loading,
    Active,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TimerKey {
    /// The ongoing transaction has taken its timeout.
    Timeout(TransactionalId),
    /// Requests have waited long enough for the transaction to complete.
    Parked(TransactionalId),
    /// Unused ids are looked for.
    Expiry,
}

impl TransactionCoordinator {
    /// A coordinator that knows no transactional id yet and refuses requests until it is loaded.
    ///
    /// `epoch` is the leader epoch of its partition; it goes into markers, so that those of a
    /// former coordinator can be told.
    #[must_use]
    pub fn new(config: TransactionConfig, epoch: i32) -> Self {
        Self {
            config,
            epoch,
            transactions: BTreeMap::new(),
            timers: Timers::default(),
            outbox: Outbox::default(),
            phase: Phase::Loading,
            wake_asked: None,
        }
    }

    /// How many transactional ids are held.
    #[must_use]
    pub fn transactional_id_count(&self) -> usize {
        self.transactions.len()
    }

    /// The partitions of the transaction under `transactional_id`, by topic; empty without one.
    pub fn partitions(&self, transactional_id: &str) -> impl Iterator<Item = (&str, i32)> {
        let transaction = self.transactions.get(transactional_id);
        let topics = transaction.into_iter().flat_map(|found| &found.partitions);
        topics
            .flat_map(|(topic, indexes)| indexes.iter().map(move |index| (topic.as_str(), *index)))
    }

    /// The transactions, and apart from them everything a handler needs to change one.
    pub(super) fn split<'a>(
        &'a mut self,
        time: Time,
        out: &'a mut Vec<Effect>,
    ) -> (&'a mut BTreeMap<TransactionalId, Transaction>, Cx<'a>) {
        let cx = Cx {
            config: &self.config,
            epoch: self.epoch,
            timers: &mut self.timers,
            outbox: &mut self.outbox,
            time,
            out,
        };
        (&mut self.transactions, cx)
    }
}

/// What a handler works with, besides the transaction it changes.
pub(super) struct Cx<'a> {
    pub(super) config: &'a TransactionConfig,
    pub(super) epoch: i32,
    pub(super) timers: &'a mut Timers<TimerKey>,
    pub(super) outbox: &'a mut Outbox<Effect>,
    pub(super) time: Time,
    pub(super) out: &'a mut Vec<Effect>,
}

impl Cx<'_> {
    pub(super) fn append(&mut self, record: Record) -> AppendId {
        let id = self.outbox.next_append();
        self.out.push(Effect::Append {
            id,
            append: Append::Records(vec![record]),
        });
        id
    }

    /// Writes down the transaction as it is now.
    ///
    /// Its strings and its size were checked when they came in, so that it can be written.
    pub(super) fn write(&mut self, transaction: &mut Transaction) {
        transaction.updated = self.time.wall;
        if let Ok(record) = records::record(transaction) {
            transaction.written = self.append(record);
        }
    }

    /// Whether the transaction as it is now can be written in one batch, also once it is decided.
    pub(super) fn fits(&self, transaction: &Transaction) -> bool {
        const BATCH_AND_RECORD_OVERHEAD: usize = 128;
        records::record(transaction).is_ok_and(|record| {
            let value = record.value.as_ref().map_or(0, bytes::Bytes::len);
            record.key.len() + value + BATCH_AND_RECORD_OVERHEAD <= self.config.max_append_bytes
        })
    }

    /// Answers once `after` is durable.
    pub(super) fn reply(&mut self, after: AppendId, token: Token, response: Response) {
        self.outbox
            .release(after, Effect::Reply { token, response }, self.out);
    }

    /// Decides the transaction; the markers follow once that is durable.
    pub(super) fn prepare(&mut self, transaction: &mut Transaction, commit: bool) {
        transaction.state = State::Prepare { commit };
        self.timers
            .cancel(&TimerKey::Timeout(transaction.id.clone()));
        self.write(transaction);
        self.write_markers(transaction);
    }

    /// Asks for the markers of a decided transaction.
    pub(super) fn write_markers(&mut self, transaction: &Transaction) {
        let Some(marker) = transaction.marker(self.epoch) else {
            return;
        };
        let markers = WriteMarkers {
            transactional_id: transaction.id.to_string(),
            marker,
            partitions: transaction.partitions.clone(),
        };
        self.outbox
            .release(transaction.written, Effect::WriteMarkers(markers), self.out);
    }

    /// Aborts the ongoing transaction and fences its producer, whose epoch is never used again.
    pub(super) fn fence(&mut self, transaction: &mut Transaction) {
        transaction.epoch = transaction.epoch.saturating_add(1);
        transaction.last_epoch = super::transaction::NO_EPOCH;
        self.prepare(transaction, false);
    }
}
