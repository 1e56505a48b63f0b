//! Counters that clients keep of themselves.
//!
//! Counting costs one relaxed addition per batch, request or call, and never one per record.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Something that is counted.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn add_size(&self, size: usize) {
        self.add(u64::try_from(size).unwrap_or(u64::MAX));
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Something that takes time.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    count: AtomicU64,
    total_nanos: AtomicU64,
    max_nanos: AtomicU64,
}

impl Timer {
    pub(crate) fn add(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.total_nanos.fetch_add(nanos, Ordering::Relaxed);
        self.max_nanos.fetch_max(nanos, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Timing {
        Timing {
            count: self.count.load(Ordering::Relaxed),
            total: Duration::from_nanos(self.total_nanos.load(Ordering::Relaxed)),
            max: Duration::from_nanos(self.max_nanos.load(Ordering::Relaxed)),
        }
    }
}

/// How often something was done since the client was made, and how long it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// How often.
    pub count: u64,
    /// The time of all together.
    pub total: Duration,
    /// The longest.
    pub max: Duration,
}

impl Timing {
    /// The mean; zero if there were none.
    pub fn average(&self) -> Duration {
        let count = u32::try_from(self.count).unwrap_or(u32::MAX);
        self.total.checked_div(count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_know_count_mean_and_longest() {
        let timer = Timer::default();
        assert_eq!(timer.get().average(), Duration::ZERO);
        timer.add(Duration::from_millis(10));
        timer.add(Duration::from_millis(30));
        let timing = timer.get();
        assert_eq!((timing.count, timing.max), (2, Duration::from_millis(30)));
        assert_eq!(timing.average(), Duration::from_millis(20));
    }
}
