//! Transactional ids that nobody uses are forgotten (`transactional.id.expiration.ms`).

use super::coordinator::{TimerKey, TransactionCoordinator};
use super::effect::Effect;
use super::records;
use super::transaction::State;
use crate::Time;

impl TransactionCoordinator {
    pub(super) fn expire(&mut self, time: Time, out: &mut Vec<Effect>) {
        let (transactions, mut cx) = self.split(time, out);
        cx.timers.set(
            TimerKey::Expiry,
            time.now.after(cx.config.expiration_check_interval),
        );
        transactions.retain(|id, transaction| {
            let is_idle = matches!(transaction.state, State::Empty | State::Complete { .. })
                && transaction.parked.is_empty();
            if !is_idle || time.wall.since(transaction.updated) < cx.config.id_expiration {
                return true;
            }
            if let Ok(tombstone) = records::tombstone(id) {
                cx.append(tombstone);
            }
            false
        });
    }
}
