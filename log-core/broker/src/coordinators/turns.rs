//! Writes in a transaction, one after the other while one of them waits to join it: a batch must not
//! get before the one that its producer sent first.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use headwater_env::Now;
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// The last to wait for each transactional id. Bounded by the requests in flight.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    last: Mutex<HashMap<String, Last>>,
}

#[derive(Debug)]
struct Last {
    number: u64,
    /// Ends when its turn is over.
    over: oneshot::Receiver<()>,
}

/// A place in the queue; whoever is behind may go when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Arc<Turns>,
    transactional_id: String,
    arrived: Now,
    number: u64,
    before: Option<oneshot::Receiver<()>>,
    _over: oneshot::Sender<()>,
}

impl Turns {
    /// Whether a write under this id waits.
    pub(crate) fn is_awaited(&self, transactional_id: &str) -> bool {
        self.last.lock().contains_key(transactional_id)
    }

    /// Queues up what arrives now.
    pub(crate) fn enter(self: &Arc<Self>, transactional_id: &str, now: Now) -> Turn {
        let (end, over) = oneshot::channel();
        let mut last = self.last.lock();
        let before = last.remove(transactional_id);
        let number = before.as_ref().map_or(0, |before| before.number + 1);
        last.insert(transactional_id.to_owned(), Last { number, over });
        Turn {
            turns: Arc::clone(self),
            transactional_id: transactional_id.to_owned(),
            arrived: now,
            number,
            before: before.map(|before| before.over),
            _over: end,
        }
    }
}

impl Turn {
    /// Waits until everyone before has gone.
    pub(crate) async fn come(&mut self) {
        if let Some(before) = self.before.take() {
            // It ends by being dropped.
            drop(before.await);
        }
    }

    /// How long ago it arrived. Those in the queue share their time: each may wait for so much less,
    /// or the last would wait for all of them together.
    pub(crate) fn waited(&self, now: Now) -> Duration {
        now.since(self.arrived)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut last = self.turns.last.lock();
        let is_last = last
            .get(&self.transactional_id)
            .is_some_and(|last| last.number == self.number);
        if is_last {
            last.remove(&self.transactional_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn turns_come_one_after_the_other() {
        let (turns, now) = (Arc::new(Turns::default()), Now::default());
        let mut first = turns.enter("a", now);
        let mut second = turns.enter("a", now);
        let mut other = turns.enter("b", now);
        assert!(first.come().now_or_never().is_some());
        assert!(other.come().now_or_never().is_some());
        assert!(second.come().now_or_never().is_none());
        drop(first);
        let mut third = turns.enter("a", now);
        assert!(third.come().now_or_never().is_none());
        drop(second);
        assert!(third.come().now_or_never().is_some());
        drop(third);
        assert!(!turns.is_awaited("a") && turns.is_awaited("b"));
    }
}
