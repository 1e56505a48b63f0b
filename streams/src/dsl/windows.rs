//! Windows over event time.

use std::time::Duration;

use crate::codec::Window;

/// Windows of a fixed size, by event time. Tumbling by default: each instant lies in exactly one.
///
/// A record is late, and dropped and counted, when its window's end is not after the greatest
/// timestamp seen by the task's operator minus the grace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWindows {
    size_ms: i64,
    advance_ms: i64,
    grace_ms: i64,
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl TimeWindows {
    /// Windows of `size`, at least a millisecond, that start at multiples of it since the epoch,
    /// without grace.
    pub fn of(size: Duration) -> Self {
        let size_ms = millis(size).max(1);
        Self {
            size_ms,
            advance_ms: size_ms,
            grace_ms: 0,
        }
    }

    /// The same, accepting records up to `grace` after the end of their window.
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        Self {
            grace_ms: millis(grace),
            ..self
        }
    }

    /// Windows that start every `advance` and so overlap (hopping). More than the size, or less
    /// than a millisecond, counts as the nearest that makes sense.
    #[must_use]
    pub fn advance_by(self, advance: Duration) -> Self {
        Self {
            advance_ms: millis(advance).clamp(1, self.size_ms),
            ..self
        }
    }

    /// Length of a window in ms.
    pub fn size_ms(&self) -> i64 {
        self.size_ms
    }

    /// How long after its end a window stays open, in ms.
    pub fn grace_ms(&self) -> i64 {
        self.grace_ms
    }

    /// Starts of the windows that `timestamp` (ms, not negative) lies in, oldest first.
    pub(super) fn starts(&self, timestamp: i64) -> impl Iterator<Item = i64> + use<> {
        let from = timestamp
            .saturating_sub(self.size_ms)
            .saturating_add(self.advance_ms)
            .max(0);
        let first = from / self.advance_ms * self.advance_ms;
        let advance = self.advance_ms;
        std::iter::successors(Some(first), move |start| start.checked_add(advance))
            .take_while(move |start| *start <= timestamp)
    }

    /// The window that starts at `start`.
    pub(super) fn window(&self, start: i64) -> Window {
        Window {
            start,
            end: start.saturating_add(self.size_ms),
        }
    }
}
