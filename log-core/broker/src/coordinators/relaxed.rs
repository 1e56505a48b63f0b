//! Partitions with `durability=relaxed` in transactions. A transaction is all or nothing over a
//! power cut too: its records are on disk before it is decided, its markers before it is complete.

use std::sync::Arc;

use headwater_storage::{ChangeError, Durability, PartitionLog, Stopped};

use crate::node::Node;

/// The log of a partition, if its appends are not journaled.
pub(super) fn log(node: &Node, topic: &str, index: i32) -> Option<Arc<PartitionLog>> {
    let topics = node.topics.load();
    let log = topics
        .by_name(topic)?
        .logs
        .get(usize::try_from(index).ok()?)?;
    (log.config().durability == Durability::Relaxed).then(|| Arc::clone(log))
}

/// Waits until what was appended to `logs` so far is on disk.
pub(crate) async fn sync(node: &Node, logs: Vec<Arc<PartitionLog>>) -> Result<(), ChangeError> {
    if logs.is_empty() {
        return Ok(());
    }
    let storage = node.storage.clone();
    let synced = tokio::task::spawn_blocking(move || storage.sync(&logs)).await;
    // Only a runtime that ends cancels it.
    synced.unwrap_or(Err(ChangeError::Stopped(Stopped)))
}
