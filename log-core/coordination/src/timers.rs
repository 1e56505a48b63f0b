//! Deadlines by key, in a deterministic order.

use std::collections::{BTreeMap, BTreeSet};

use crate::Now;

/// At most one deadline per key. Setting a key again moves it.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    by_key: BTreeMap<K, Now>,
    by_time: BTreeSet<(Now, K)>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self {
            by_key: BTreeMap::new(),
            by_time: BTreeSet::new(),
        }
    }
}

impl<K: Ord + Clone> Timers<K> {
    pub(crate) fn set(&mut self, key: K, at: Now) {
        if let Some(before) = self.by_key.insert(key.clone(), at) {
            self.by_time.remove(&(before, key.clone()));
        }
        self.by_time.insert((at, key));
    }

    pub(crate) fn cancel(&mut self, key: &K) {
        if let Some(at) = self.by_key.remove(key) {
            self.by_time.remove(&(at, key.clone()));
        }
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        self.by_key.contains_key(key)
    }

    pub(crate) fn at(&self, key: &K) -> Option<Now> {
        self.by_key.get(key).copied()
    }

    pub(crate) fn next(&self) -> Option<Now> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes out the earliest key that is due, earliest deadline first, then by key.
    pub(crate) fn pop_due(&mut self, now: Now) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }

    pub(crate) fn clear(&mut self) {
        self.by_key.clear();
        self.by_time.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_a_key_again_moves_its_deadline() {
        let mut timers = Timers::default();
        timers.set("a", Now::from_nanos(5));
        timers.set("b", Now::from_nanos(7));
        timers.set("a", Now::from_nanos(9));
        assert_eq!(timers.next(), Some(Now::from_nanos(7)));
        assert_eq!(timers.pop_due(Now::from_nanos(6)), None);
        assert_eq!(timers.pop_due(Now::from_nanos(9)), Some("b"));
        timers.cancel(&"a");
        assert_eq!(timers.next(), None);
        assert_eq!(timers.pop_due(Now::from_nanos(100)), None);
    }
}
