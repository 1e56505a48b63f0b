//! Retention, compaction and the deletion of deleted topics' files, on a thread of their own: all
//! of them wait for the disk.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use headwater_storage::ChangeError;

use crate::node::Node;

/// Calls for a pass before the next one is due.
#[derive(Debug, Clone)]
pub(crate) struct Housekeeper {
    wake: SyncSender<Call>,
}

/// What the thread waits for.
#[derive(Debug)]
pub(crate) enum Call {
    /// Topics were deleted.
    Deleted,
    /// The node stops.
    Stop,
}

/// A way to call the thread, and the thread's end of it. One call in waiting is as good as many.
pub(crate) fn channel() -> (Housekeeper, Receiver<Call>) {
    let (wake, woken) = sync_channel(1);
    (Housekeeper { wake }, woken)
}

impl Housekeeper {
    /// Has the files of deleted topics removed soon.
    pub(crate) fn remove_deleted(&self) {
        match self.wake.try_send(Call::Deleted) {
            // A full queue holds a call that does as well; without a thread the files go at the
            // next start.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }

    /// Wakes the thread to find that the node stops. A call that is in waiting does that too.
    pub(crate) fn stop(&self) {
        match self.wake.try_send(Call::Stop) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

/// Starts the thread, which runs a pass every `log.retention.check.interval.ms`.
pub(crate) fn start(node: Arc<Node>, calls: Receiver<Call>) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("housekeeping".to_owned())
        .spawn(move || run(&node, &calls))
}

fn run(node: &Node, calls: &Receiver<Call>) {
    let interval = node.config.settings.retention_check_interval;
    loop {
        let call = calls.recv_timeout(interval);
        if *node.shutdown.borrow() {
            return;
        }
        match call {
            Ok(Call::Deleted) => remove_deleted(node),
            Err(RecvTimeoutError::Timeout) => {
                remove_deleted(node);
                clean(node);
            }
            Ok(Call::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn remove_deleted(node: &Node) {
    for id in node.topics.take_doomed() {
        match node.storage.delete_partition(&id) {
            Ok(()) | Err(ChangeError::Unknown(_)) => {}
            Err(error) => {
                tracing::error!(partition = %id, %error, "files of a deleted partition stay, to be removed by a later pass");
                node.topics.doom(id);
            }
        }
    }
}

fn clean(node: &Node) {
    let now = node.clock.wall();
    if let Err(error) = node.storage.run_retention(now) {
        tracing::error!(%error, "retention failed");
    }
    match node.storage.compact(now) {
        Ok(0) => {}
        Ok(count) => tracing::debug!(count, "partitions compacted"),
        Err(error) => tracing::error!(%error, "compaction failed"),
    }
}
