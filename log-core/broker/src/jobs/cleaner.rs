//! Compaction, on threads of its own, as fast as `log.cleaner.*` allow.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use headwater_env::Now;
use headwater_storage::{ChangeError, CompactionLimits, CompactionPace};
use parking_lot::Mutex;

use crate::node::Node;

/// Longest sleep at a time: so soon a stop is noticed. Also the shortest pause, since to look
/// whether there is something to do costs a checkpoint.
const NAP: Duration = Duration::from_millis(100);

/// Compacts until the node stops, with a pause of `log.cleaner.backoff.ms` whenever there was
/// nothing to do.
pub(super) fn run(node: &Arc<Node>, stopped: &Receiver<()>) {
    let throttle = Throttle {
        node: Arc::clone(node),
        debt: Mutex::new(Debt::default()),
    };
    let mut pause = backoff(node);
    loop {
        match stopped.recv_timeout(pause) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
        if *node.shutdown.borrow() {
            return;
        }
        let is_more = clean(node, &throttle);
        pause = if is_more {
            Duration::ZERO
        } else {
            backoff(node)
        };
    }
}

fn backoff(node: &Node) -> Duration {
    node.settings().cleaner.backoff.max(NAP)
}

/// One pass; whether something was compacted, so that there may be more.
fn clean(node: &Node, throttle: &Throttle) -> bool {
    if let Err(error) = node.storage.remove_dead_segments() {
        tracing::error!(%error, "files of deleted records stay, to be removed by a later pass");
    }
    let cleaner = node.settings().cleaner;
    if !cleaner.is_enabled || cleaner.threads == 0 {
        return false;
    }
    let limits = CompactionLimits {
        threads: cleaner.threads as usize,
        memory_bytes: usize::try_from(cleaner.dedupe_buffer_bytes).unwrap_or(usize::MAX),
        pace: throttle,
    };
    match node.storage.compact_within(node.clock.wall(), limits) {
        Ok(count) => {
            if count > 0 {
                tracing::debug!(count, "partitions compacted");
            }
            count > 0
        }
        Err(ChangeError::Stopped(_)) if *node.shutdown.borrow() => false,
        Err(error) => {
            tracing::error!(%error, "compaction failed");
            false
        }
    }
}

/// `log.cleaner.io.max.bytes.per.second`, as it is at the moment, for all threads together.
struct Throttle {
    node: Arc<Node>,
    debt: Mutex<Debt>,
}

/// What was spent and is not paid for, in bytes: what that is in time depends on the rate, which
/// may change meanwhile.
#[derive(Debug, Default)]
struct Debt {
    bytes: f64,
    /// When it was this much.
    at: Now,
}

impl Debt {
    /// Adds `bytes` at `now` and returns how long it takes to pay at `rate` bytes a second for all
    /// there is. What is paid since the last look is taken at this rate too.
    fn owe(&mut self, bytes: u64, now: Now, rate: f64) -> Duration {
        let rate = rate.max(1.0);
        let paid = now.since(self.at).as_secs_f64() * rate;
        self.bytes = (self.bytes - paid).max(0.0) + bytes as f64;
        self.at = now;
        Duration::try_from_secs_f64(self.bytes / rate).unwrap_or(Duration::ZERO)
    }
}

impl CompactionPace for Throttle {
    fn spend(&self, bytes: u64, is_over: &dyn Fn() -> bool) -> bool {
        let mut spent = bytes;
        loop {
            if *self.node.shutdown.borrow() {
                return false;
            }
            let rate = self.node.settings().cleaner.bytes_per_second;
            let now = self.node.clock.now();
            let left = self.debt.lock().owe(std::mem::take(&mut spent), now, rate);
            // Batches are small: short debts add up until they are worth a sleep.
            if left < NAP / 10 || is_over() {
                return true;
            }
            std::thread::sleep(left.min(NAP));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headwater_env::Now;

    use super::Debt;

    #[test]
    fn a_debt_is_paid_at_the_rate_of_the_moment() {
        let start = Now::from_nanos(0);
        let after = |millis| start + Duration::from_millis(millis);
        let mut debt = Debt::default();
        assert_eq!(debt.owe(500, start, 1000.0), Duration::from_millis(500));
        assert_eq!(debt.owe(0, after(200), 1000.0), Duration::from_millis(300));
        assert_eq!(debt.owe(0, after(800), 1000.0), Duration::ZERO);
        assert_eq!(debt.owe(u64::MAX, after(800), f64::MAX), Duration::ZERO);

        let mut debt = Debt::default();
        let days = debt.owe(1 << 20, start, 1.0);
        assert!(days > Duration::from_secs(1_000_000));
        let back = debt.owe(0, after(200), 10_000_000.0);
        assert_eq!(back, Duration::ZERO, "a rate set by mistake is put back");
    }
}
