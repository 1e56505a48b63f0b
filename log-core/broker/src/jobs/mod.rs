//! Work that goes on behind the requests, on threads of its own: all of it waits for the disk.

mod cleaner;
mod housekeeping;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};

use self::housekeeping::Call;
use crate::node::Node;

/// Calls for a pass before the next one is due.
#[derive(Debug, Clone)]
pub(crate) struct Housekeeper {
    wake: SyncSender<Call>,
    stop_cleaner: SyncSender<()>,
}

/// The threads' ends of the ways to call them.
#[derive(Debug)]
pub(crate) struct Calls {
    housekeeping: Receiver<Call>,
    cleaner: Receiver<()>,
}

/// A way to call the threads, and their ends of it. One call in waiting is as good as many.
pub(crate) fn channel() -> (Housekeeper, Calls) {
    let (wake, housekeeping) = sync_channel(1);
    let (stop_cleaner, cleaner) = sync_channel(1);
    let housekeeper = Housekeeper { wake, stop_cleaner };
    let calls = Calls {
        housekeeping,
        cleaner,
    };
    (housekeeper, calls)
}

impl Housekeeper {
    /// Has the files of deleted topics removed soon.
    pub(crate) fn remove_deleted(&self) {
        // A full queue holds a call that does as well; without a thread the files go at the next
        // start.
        call(&self.wake, Call::Deleted);
    }

    /// Wakes the threads to find that the node stops. A call that is in waiting does that too.
    pub(crate) fn stop(&self) {
        call(&self.wake, Call::Stop);
        call(&self.stop_cleaner, ());
    }
}

fn call<T>(to: &SyncSender<T>, what: T) {
    match to.try_send(what) {
        Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
    }
}

/// Starts the threads.
pub(crate) fn start(node: &Arc<Node>, calls: Calls) -> io::Result<Vec<JoinHandle<()>>> {
    let Calls {
        housekeeping,
        cleaner,
    } = calls;
    let keeper = Arc::clone(node);
    let keeper = Builder::new()
        .name("housekeeping".to_owned())
        .spawn(move || housekeeping::run(&keeper, &housekeeping))?;
    let cleaned = Arc::clone(node);
    let cleaner = Builder::new()
        .name("log-cleaner".to_owned())
        .spawn(move || cleaner::run(&cleaned, &cleaner))?;
    Ok(vec![keeper, cleaner])
}
