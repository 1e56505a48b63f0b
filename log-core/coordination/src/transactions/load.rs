//! Replaying `__transaction_state`.

use headwater_wire::DecodeError;

use super::coordinator::{Phase, TimerKey, TransactionCoordinator};
use super::effect::Effect;
use super::end::complete_if_marked;
use super::records;
use super::transaction::State;
use crate::{LogEntry, Time};

/// A record of the topic cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("a record of __transaction_state cannot be read")]
pub struct LoadError {
    #[from]
    source: DecodeError,
}

impl TransactionCoordinator {
    /// Replays one entry of the partition; to be called for every entry in order, before
    /// [`finish_loading`](Self::finish_loading).
    ///
    /// # Errors
    /// [`LoadError`] if the record is not in one of Kafka's formats.
    pub fn load(&mut self, entry: LogEntry<'_>) -> Result<(), LoadError> {
        let written = self.outbox.next_loaded();
        // Nobody writes transactions to this topic, so nobody ends one here.
        let LogEntry::Record { key, value, .. } = entry else {
            return Ok(());
        };
        let (id, transaction) = records::decode(key, value)?;
        match transaction {
            Some(mut transaction) => {
                transaction.written = written;
                self.transactions
                    .insert(transaction.id.clone(), transaction);
            }
            None => {
                self.transactions.remove(id.as_str());
            }
        }
        Ok(())
    }

    /// Opens the coordinator: ongoing transactions go on towards their timeout, decided ones
    /// towards their markers, and requests are answered from here on.
    pub fn finish_loading(&mut self, time: Time, out: &mut Vec<Effect>) {
        self.phase = Phase::Active;
        let (transactions, mut cx) = self.split(time, out);
        for transaction in transactions.values_mut() {
            if let Some(at) = transaction.times_out_at() {
                cx.time_out_at(&transaction.id, at);
            }
            if matches!(transaction.state, State::Prepare { .. }) {
                if transaction.partitions.is_empty() {
                    complete_if_marked(&mut cx, transaction);
                } else {
                    cx.write_markers(transaction);
                }
            }
        }
        cx.timers.set(
            TimerKey::Expiry,
            time.now.after(cx.config.expiration_check_interval),
        );
        self.ask_for_wake(out);
    }
}
