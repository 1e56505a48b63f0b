//! A clock that stands until it is moved.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{Clock, Now, Timestamp};

/// Time that moves only by [`SimClock::advance`].
#[derive(Debug)]
pub struct SimClock {
    now: AtomicU64,
    wall: AtomicI64,
}

impl SimClock {
    /// A clock at monotonic zero and the given wall time.
    pub fn new(wall: Timestamp) -> Self {
        Self {
            now: AtomicU64::new(0),
            wall: AtomicI64::new(wall.as_millis()),
        }
    }

    /// Moves both times on. Wall time moves by whole milliseconds.
    pub fn advance(&self, span: Duration) {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        self.now.fetch_add(nanos, Ordering::Relaxed);
        self.wall.fetch_add(millis, Ordering::Relaxed);
    }

    /// Lets the wall clock jump, as an operator or NTP would.
    pub fn set_wall(&self, wall: Timestamp) {
        self.wall.store(wall.as_millis(), Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Now {
        Now::from_nanos(self.now.load(Ordering::Relaxed))
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(self.wall.load(Ordering::Relaxed))
    }
}
