//! Work that takes the processor for longer than others should have to wait for it.

use std::num::NonZero;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Runs such work on threads where blocking is allowed, a few at a time, in the order in which it
/// came.
///
/// That bounds what it takes of the processor, so that threads that only pass bytes on get theirs,
/// and of memory: a batch may decompress to many times what it was counted with.
#[derive(Debug)]
pub(crate) struct Labor {
    runtime: Handle,
    places: Arc<Semaphore>,
}

/// The work was not done: it failed, or the runtime is about to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work was not done: it panicked, or the process is about to end")]
pub(crate) struct NotDone;

impl Labor {
    /// Work runs on the blocking threads of `runtime`, on all cores but one at a time.
    pub(crate) fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            places: Arc::new(Semaphore::new(places())),
        }
    }

    /// Runs `work` when it is its turn. Once begun it goes on to its end, whether or not anybody
    /// waits for it any more.
    ///
    /// # Errors
    /// [`NotDone`].
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotDone> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_| NotDone)?;
        let done = self.runtime.spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        done.await.map_err(|error| {
            tracing::error!(%error, "work on a request was not done");
            NotDone
        })
    }

    /// Takes all places, once they are free: nothing is begun while what this returns is kept.
    #[cfg(test)]
    pub(crate) async fn pause(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = u32::try_from(places()).unwrap_or(u32::MAX);
        let places = Arc::clone(&self.places).acquire_many_owned(all).await;
        places.expect("it is never closed")
    }
}

fn places() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    cores.saturating_sub(1).max(1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::FutureExt;
    use tokio::runtime::Handle;

    use super::{Labor, NotDone, places};

    #[tokio::test]
    async fn work_waits_for_a_place_and_gives_it_back_even_if_it_panics() {
        let labor = Arc::new(Labor::new(Handle::current()));
        let pause = labor.pause().await;
        let mut waiting = Box::pin(labor.run(|| 7));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(pause);
        assert_eq!(waiting.await, Ok(7));
        for _ in 0..=places() {
            let failed = labor.run(|| assert_eq!(1, 2, "it fails")).await;
            assert_eq!(failed, Err(NotDone));
        }
        drop(labor.pause().await);
    }
}
