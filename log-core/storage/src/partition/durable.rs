//! What readers may see, and how they learn of more.

use tokio::sync::watch;

use super::DurableState;

/// The durable state of a partition. Changed by the journal's writer after each sync, in the order
/// of the appends; read without a lock that an append or a sync holds.
#[derive(Debug)]
pub(crate) struct DurableWatch {
    sender: watch::Sender<DurableState>,
}

impl DurableWatch {
    pub(super) fn new(state: DurableState) -> Self {
        Self {
            sender: watch::Sender::new(state),
        }
    }

    pub(crate) fn publish(&self, state: DurableState) {
        self.sender.send_if_modified(|current| {
            let is_new = *current != state;
            *current = state;
            is_new
        });
    }

    pub(super) fn get(&self) -> DurableState {
        *self.sender.borrow()
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<DurableState> {
        self.sender.subscribe()
    }
}
