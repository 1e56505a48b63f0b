//! The machine's data, and what its handlers share.

use std::collections::BTreeMap;

use headwater_wire::ErrorCode;

use super::config::TransactionConfig;
use super::effect::{Effect, Response, WriteMarkers};
use super::records;
use super::transaction::{NO_PRODUCER_ID, Protocol, State, Transaction, TransactionalId};
use crate::outbox::Outbox;
use crate::timers::Timers;
use crate::{Append, AppendId, Now, Record, Time, Timestamp, Token};

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
    pub(super) spare: Spare,
}

/// A producer id in reserve, for the transaction that uses up the epochs of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spare {
    Absent,
    Asked,
    Present(i64),
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
            spare: Spare::Absent,
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
            spare: &mut self.spare,
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
    pub(super) spare: &'a mut Spare,
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

    /// Starts the timer of a transaction whose time is over when the wall clock shows `at`.
    pub(super) fn time_out_at(&mut self, id: &TransactionalId, at: Timestamp) {
        let due = self.time.when_wall_reaches(at);
        self.timers.set(TimerKey::Timeout(id.clone()), due);
    }

    /// Answers once `after` is durable.
    pub(super) fn reply(&mut self, after: AppendId, token: Token, response: Response) {
        self.outbox
            .release(after, Effect::Reply { token, response }, self.out);
    }

    /// Decides the transaction; the markers follow once that is durable.
    ///
    /// With version 2 of the protocol the epoch grows, and the markers carry the new one: nothing
    /// that was sent before can reach the next transaction (KIP-890).
    ///
    /// # Errors
    /// `COORDINATOR_LOAD_IN_PROGRESS` while there is no producer id to follow one whose epochs are
    /// used up; nothing has changed then.
    pub(super) fn prepare(
        &mut self,
        transaction: &mut Transaction,
        commit: bool,
        protocol: Protocol,
    ) -> Result<(), ErrorCode> {
        if protocol == Protocol::V2 {
            if transaction.is_epoch_exhausted() {
                transaction.next_producer_id = self.take_spare()?;
            }
            transaction.last_epoch = transaction.epoch;
            transaction.epoch = transaction.epoch.saturating_add(1);
        }
        transaction.previous_producer_id = transaction.producer_id;
        transaction.protocol = protocol;
        transaction.state = State::Prepare { commit };
        // Only an abort of nothing has none.
        transaction.started.get_or_insert(self.time.wall);
        self.timers
            .cancel(&TimerKey::Timeout(transaction.id.clone()));
        self.write(transaction);
        self.write_markers(transaction);
        Ok(())
    }

    /// A producer id that nobody was given; another is asked for.
    ///
    /// # Errors
    /// `COORDINATOR_LOAD_IN_PROGRESS` until it has come.
    pub(super) fn take_spare(&mut self) -> Result<i64, ErrorCode> {
        let taken = *self.spare;
        if taken != Spare::Asked {
            *self.spare = Spare::Asked;
            self.out.push(Effect::ProducerIdWanted);
        }
        match taken {
            Spare::Present(id) => Ok(id),
            Spare::Absent | Spare::Asked => Err(ErrorCode::CoordinatorLoadInProgress),
        }
    }

    /// Keeps an id that nobody was given for later, if there is none yet.
    pub(super) fn keep_spare(&mut self, id: i64) {
        if id != NO_PRODUCER_ID && !matches!(self.spare, Spare::Present(_)) {
            *self.spare = Spare::Present(id);
        }
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
}
