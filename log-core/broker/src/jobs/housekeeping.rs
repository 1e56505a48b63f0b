//! Retention, and the deletion of deleted topics' files.

use std::sync::mpsc::{Receiver, RecvTimeoutError};

use headwater_storage::ChangeError;

use crate::node::Node;

/// What the thread waits for.
#[derive(Debug)]
pub(super) enum Call {
    /// Topics were deleted.
    Deleted,
    /// The node stops.
    Stop,
}

/// Runs a pass every `log.retention.check.interval.ms` until the node stops.
pub(super) fn run(node: &Node, calls: &Receiver<Call>) {
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
                retain(node);
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

fn retain(node: &Node) {
    let expiration = node.settings().producer_id_expiration;
    node.storage.set_producer_id_expiration(expiration);
    if let Err(error) = node.storage.run_retention(node.clock.wall()) {
        tracing::error!(%error, "retention failed");
    }
}
