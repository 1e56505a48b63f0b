//! The two threads behind the appends.

use std::sync::{Arc, Weak};
use std::thread;

use super::Inner;
use super::syncer::Demand;
use crate::error::OpenError;
use crate::options::Background;

impl Inner {
    pub(super) fn start_threads(self: &Arc<Self>) -> Result<(), OpenError> {
        if self.core.options.background == Background::Stepped {
            return Ok(());
        }
        let journal = Arc::clone(self.core.journal()?);
        self.spawn("headwater-journal", move || {
            while journal.wait_for_work() {
                if journal.commit().is_err() {
                    break;
                }
            }
        })?;
        // Weak, so that dropping the last handle ends the thread.
        let inner = Arc::downgrade(self);
        let core = Arc::clone(&self.core);
        let tick = core.options.relaxed_sync_interval;
        self.spawn("headwater-syncer", move || {
            loop {
                core.wait_for_wake(tick);
                let Some(inner) = Weak::upgrade(&inner) else {
                    break;
                };
                let is_closing = inner.is_closing.load(std::sync::atomic::Ordering::Acquire);
                if is_closing || inner.step_syncer(Demand::Routine).is_err() {
                    break;
                }
            }
        })
    }

    fn spawn(
        &self,
        name: &'static str,
        body: impl FnOnce() + Send + 'static,
    ) -> Result<(), OpenError> {
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(body)
            .map_err(|source| OpenError::Thread { name, source })?;
        self.threads.lock().push(thread);
        Ok(())
    }
}
