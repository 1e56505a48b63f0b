//! `buffer.memory`: bytes of batches that are not acknowledged yet.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// A bound on bytes, taken by batches as they grow and given back when they are settled.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: usize,
    used: AtomicUsize,
    /// Whether somebody was refused since the last release: batches then go out without lingering.
    is_starved: AtomicBool,
    released: Notify,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            used: AtomicUsize::new(0),
            is_starved: AtomicBool::new(false),
            released: Notify::new(),
        }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// What is free.
    pub(crate) fn available(&self) -> usize {
        self.limit.saturating_sub(self.used.load(Ordering::Relaxed))
    }

    /// Takes `bytes` if they are free.
    pub(crate) fn try_take(&self, bytes: usize) -> bool {
        // The counter guards no other data.
        let taken = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|used| *used <= self.limit)
            });
        if taken.is_err() {
            self.is_starved.store(true, Ordering::Relaxed);
        }
        taken.is_ok()
    }

    /// Gives `bytes` back.
    pub(crate) fn release(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        self.is_starved.store(false, Ordering::Relaxed);
        self.released.notify_waiters();
    }

    pub(crate) fn is_starved(&self) -> bool {
        self.is_starved.load(Ordering::Relaxed)
    }

    /// Waits until something was given back and at least `bytes`, or a quarter of the whole if
    /// that is less, are free.
    pub(crate) async fn has_room(&self, bytes: usize) {
        let wanted = bytes.clamp(1, (self.limit / 4).max(1));
        loop {
            let released = self.released.notified();
            tokio::pin!(released);
            released.as_mut().enable();
            if self.used.load(Ordering::Relaxed).saturating_add(wanted) <= self.limit {
                return;
            }
            released.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_taken_is_bounded_and_room_is_waited_for() {
        let memory = Memory::new(100);
        assert!(memory.try_take(60));
        assert!(!memory.try_take(60));
        assert!(memory.is_starved());
        let waiting = memory.has_room(60);
        tokio::pin!(waiting);
        assert!(
            futures::poll!(waiting.as_mut()).is_ready(),
            "a quarter is free already"
        );
        assert!(memory.try_take(40));
        let waiting = memory.has_room(60);
        tokio::pin!(waiting);
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        memory.release(100);
        waiting.await;
        assert!(!memory.is_starved());
        assert!(memory.try_take(100));
    }
}
