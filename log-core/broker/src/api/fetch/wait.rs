//! Waits until one of several logs grows.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use headwater_storage::PartitionLog;

/// Returns when the durable end of one of the logs is beyond the offset given with it, or one of
/// them is closed. Never, if there are none.
pub(super) async fn any_grows(ends: Vec<(Arc<PartitionLog>, i64)>) {
    if ends.is_empty() {
        return std::future::pending().await;
    }
    let mut waiting: FuturesUnordered<_> = ends
        .into_iter()
        .map(|(log, end)| async move {
            let mut durable = log.watch();
            // An error means that the log is gone, which the next read finds out.
            let _ = durable.wait_for(|now| now.end > end).await;
        })
        .collect();
    waiting.next().await;
}
