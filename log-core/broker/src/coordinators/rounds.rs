//! Rounds of writing markers, which end when their coordinator is loaded anew.
//!
//! A loaded coordinator asks anew for the markers of every decided transaction. A round that goes on
//! from before could write its marker behind the one asked for anew, and end the transaction after
//! it where both have one epoch.

use tokio::sync::{RwLock, RwLockReadGuard};

/// How often a coordinator was loaded, and the rounds that are at work for it.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    loads: RwLock<u64>,
}

/// A load of a coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load(u64);

impl Rounds {
    /// The load there is now.
    pub(super) async fn load(&self) -> Load {
        Load(*self.loads.read().await)
    }

    /// Begins a round for what `load` asked for; it lasts as long as what is returned. `None` if
    /// the coordinator has been loaded anew since.
    pub(super) async fn begin(&self, load: Load) -> Option<RwLockReadGuard<'_, u64>> {
        let loads = self.loads.read().await;
        (*loads == load.0).then_some(loads)
    }

    /// Waits for every round to end and lets none begin for what was asked before.
    pub(super) async fn end(&self) {
        *self.loads.write().await += 1;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_load_waits_for_rounds_and_lets_none_begin_for_those_before() {
        let rounds = Rounds::default();
        let first = rounds.load().await;
        let (one, other) = (rounds.begin(first).await, rounds.begin(first).await);
        assert!(one.is_some() && other.is_some());
        let mut end = std::pin::pin!(rounds.end());
        assert!(end.as_mut().now_or_never().is_none());
        drop(one);
        assert!(end.as_mut().now_or_never().is_none());
        drop(other);
        end.await;
        assert!(rounds.begin(first).await.is_none());
        let second = rounds.load().await;
        assert!(second != first && rounds.begin(second).await.is_some());
    }
}
