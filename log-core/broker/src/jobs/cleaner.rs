//! Compaction, on threads of its own, as fast as `log.cleaner.*` allow.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use headwater_env::Now;
use headwater_storage::{ChangeError, CompactionLimits, CompactionPace};
use parking_lot::Mutex;

use crate::node::Node;

/// Longest sleep at a time: so soon a stop is noticed.
const NAP: Duration = Duration::from_millis(100);

/// Compacts until the node stops, with a pause of `log.cleaner.backoff.ms` whenever there was
/// nothing to do.
pub(super) fn run(node: &Arc<Node>, stopped: &Receiver<()>) {
    let throttle = Throttle {
        node: Arc::clone(node),
        ready: Mutex::new(Now::default()),
    };
    let mut pause = node.settings().cleaner.backoff;
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
            node.settings().cleaner.backoff
        };
    }
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
    /// When what was spent so far is paid for.
    ready: Mutex<Now>,
}

impl CompactionPace for Throttle {
    fn spend(&self, bytes: u64) -> bool {
        let rate = self.node.settings().cleaner.bytes_per_second;
        let cost = cost(bytes, rate);
        let ready = {
            let mut ready = self.ready.lock();
            *ready = (*ready).max(self.node.clock.now()) + cost;
            *ready
        };
        loop {
            if *self.node.shutdown.borrow() {
                return false;
            }
            let left = ready.since(self.node.clock.now());
            // Batches are small: short debts add up until they are worth a sleep.
            if left < NAP / 10 {
                return true;
            }
            std::thread::sleep(left.min(NAP));
        }
    }
}

fn cost(bytes: u64, rate: f64) -> Duration {
    Duration::try_from_secs_f64(bytes as f64 / rate.max(1.0)).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::cost;

    #[test]
    fn bytes_cost_time_by_the_rate() {
        assert_eq!(cost(500, 1000.0), Duration::from_millis(500));
        assert_eq!(cost(u64::MAX, f64::MAX), Duration::ZERO);
    }
}
