//! Transactions as DescribeTransactions and ListTransactions show them (KIP-664).

use std::collections::{BTreeMap, BTreeSet};

use headwater_wire::ErrorCode;

use super::coordinator::TransactionCoordinator;
use super::effect::{Effect, Response};
use super::input::TransactionFilter;
use super::transaction::{State, Transaction};
use crate::{ProducerIdentity, Time, Timestamp, Token};

/// Kafka's names of the states a transaction can be in. `Dead` and `PrepareEpochFence` are names
/// too, of states that last no time at all.
pub const STATE_NAMES: [&str; 8] = [
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "Dead",
    "PrepareEpochFence",
];

/// One transactional id and what it is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionSummary {
    /// The id.
    pub transactional_id: String,
    /// Its producer; the epoch is -1 until the producer is initialised.
    pub producer: ProducerIdentity,
    /// One of [`STATE_NAMES`].
    pub state: &'static str,
    /// Milliseconds after which the coordinator aborts a transaction.
    pub timeout_ms: i32,
    /// When the latest transaction began; `None` if there was none since the producer was
    /// initialised.
    pub started: Option<Timestamp>,
    /// Partitions in the transaction and still without a marker, by topic.
    pub partitions: BTreeMap<String, BTreeSet<i32>>,
}

impl TransactionCoordinator {
    pub(super) fn describe(&mut self, token: Token, id: &str, time: Time, out: &mut Vec<Effect>) {
        let (transactions, mut cx) = self.split(time, out);
        let (after, found) = match transactions.get(id) {
            _ if id.is_empty() => (cx.outbox.last(), Err(ErrorCode::InvalidRequest)),
            None => (cx.outbox.last(), Err(ErrorCode::TransactionalIdNotFound)),
            Some(transaction) => (transaction.written, Ok(vec![summary(transaction)])),
        };
        cx.reply(after, token, Response::Transactions(found));
    }

    pub(super) fn list(
        &mut self,
        token: Token,
        filter: &TransactionFilter,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        let (transactions, mut cx) = self.split(time, out);
        let found = transactions
            .values()
            .filter(|transaction| is_wanted(transaction, filter, time.wall))
            .map(summary)
            .collect();
        let after = cx.outbox.last();
        cx.reply(after, token, Response::Transactions(Ok(found)));
    }
}

/// As in Kafka, what has not begun counts as begun at the epoch.
fn is_wanted(transaction: &Transaction, filter: &TransactionFilter, now: Timestamp) -> bool {
    let started = transaction.started.map_or(-1, Timestamp::as_millis);
    let duration = now.as_millis().saturating_sub(started);
    (filter.producer_ids.is_empty() || filter.producer_ids.contains(&transaction.producer_id))
        && (filter.states.is_empty() || filter.states.contains(name(transaction.state)))
        && (filter.duration_ms < 0 || duration > filter.duration_ms)
}

fn summary(transaction: &Transaction) -> TransactionSummary {
    TransactionSummary {
        transactional_id: transaction.id.to_string(),
        producer: transaction.producer(),
        state: name(transaction.state),
        timeout_ms: transaction.timeout_ms,
        started: transaction.started,
        partitions: transaction.partitions.clone(),
    }
}

fn name(state: State) -> &'static str {
    match state {
        State::Empty => "Empty",
        State::Ongoing => "Ongoing",
        State::Prepare { commit: true } => "PrepareCommit",
        State::Prepare { commit: false } => "PrepareAbort",
        State::Complete { commit: true } => "CompleteCommit",
        State::Complete { commit: false } => "CompleteAbort",
    }
}
