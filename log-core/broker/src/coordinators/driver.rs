//! The task beside each partition: it loads the machine, waits for the disk and for the clock.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use headwater_coordination::AppendId;
use headwater_coordination::transactions::WriteMarkers;
use headwater_env::Now;
use headwater_storage::Stopped;
use tracing::Instrument;

use super::machine::{LoadError, Machine};
use super::partition::Partition;
use super::rounds::Load;
use crate::node::Node;

/// Pause after a partition could not be loaded, or was of no use, before it is loaded again.
const LOAD_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What a partition's task needs to know of its machine.
pub(super) struct Kind<M: Machine> {
    pub(super) topic: &'static str,
    /// An empty machine, to be loaded.
    pub(super) empty: fn(&Node) -> M,
    /// Ends transactions elsewhere and tells the partition so.
    pub(super) write_markers: fn(&Arc<Node>, &Arc<Partition<M>>, Load, WriteMarkers),
    /// Takes a producer id and tells the partition.
    pub(super) give_producer_id: fn(&Arc<Node>, &Arc<Partition<M>>),
}

impl<M: Machine> Clone for Kind<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Machine> Copy for Kind<M> {}

/// Starts the task of partition `index`, which ends with the node.
pub(super) fn start<M: Machine>(
    node: &Arc<Node>,
    kind: Kind<M>,
    index: usize,
    partition: Arc<Partition<M>>,
) {
    let span = tracing::debug_span!("coordinator", topic = kind.topic, partition = index);
    let (node, runtime) = (Arc::clone(node), node.runtime.clone());
    let mut shutdown = node.shutdown.clone();
    let task = async move {
        tokio::select! {
            () = drive(&node, kind, &partition) => {}
            _ = shutdown.wait_for(|stopping| *stopping) => {}
        }
        partition.close();
    };
    runtime.spawn(task.instrument(span));
}

/// Ends when the storage has stopped.
async fn drive<M: Machine>(node: &Arc<Node>, kind: Kind<M>, partition: &Arc<Partition<M>>) {
    let mut syncing: Option<(AppendId, BoxFuture<'static, Result<(), Stopped>>)> = None;
    let mut loaded: Option<Now> = None;
    loop {
        let work = partition.take_work();
        if work.must_load {
            syncing = None;
            partition.rounds.end().await;
            // A log that can be read and not written fails its machine as soon as that is loaded.
            let since = loaded.map(|at| node.clock.now().since(at));
            if let Some(pause) = since.and_then(|since| LOAD_AGAIN_AFTER.checked_sub(since)) {
                partition.refuse_until_loaded();
                tokio::time::sleep(pause).await;
            }
            if load(node, kind, partition).await.is_err() {
                return;
            }
            loaded = Some(node.clock.now());
            continue;
        }
        for markers in work.markers {
            let load = partition.rounds.load().await;
            (kind.write_markers)(node, partition, load, markers);
        }
        if work.wants_producer_id {
            (kind.give_producer_id)(node, partition);
        }
        // Each wait runs to its end; what is appended meanwhile shares the next.
        if syncing.is_none()
            && let Some((id, lsn)) = partition.take_unsynced()
        {
            let storage = node.storage.clone();
            syncing = Some((id, async move { storage.wait_durable(lsn).await }.boxed()));
        }
        let synced = async {
            match &mut syncing {
                Some((id, wait)) => wait.await.map(|()| *id),
                None => std::future::pending().await,
            }
        };
        let woken = async {
            match work.wake_at {
                Some(at) => node.wake_at(Now::from_nanos(at.as_nanos())).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            synced = synced => {
                let Ok(id) = synced else { return };
                syncing = None;
                partition.durable(id);
            }
            () = woken => partition.wake(),
            () = partition.changed() => {}
        }
    }
}

/// Loads the partition's machine from its log, however often it takes.
async fn load<M: Machine>(
    node: &Arc<Node>,
    kind: Kind<M>,
    partition: &Arc<Partition<M>>,
) -> Result<(), Stopped> {
    loop {
        // What was appended before a failure has to be durable to be replayed.
        if let Some((_, lsn)) = partition.take_unsynced() {
            node.storage.wait_durable(lsn).await?;
        }
        let loading = async {
            if partition.is_log_empty() {
                return Ok(partition.load(node, (kind.empty)(node)));
            }
            // Never closed; without a permit there would only be more at a time.
            let _permit = node.coordinators.loads.acquire().await;
            let (node, partition) = (Arc::clone(node), Arc::clone(partition));
            tokio::task::spawn_blocking(move || partition.load(&node, (kind.empty)(&node))).await
        };
        match loading.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(LoadError::Stopping)) => return Err(Stopped),
            Ok(Err(error)) => tracing::error!(%error, "a coordinator cannot read its log"),
            Err(error) => tracing::error!(%error, "a coordinator was not loaded"),
        }
        partition.refuse_until_loaded();
        tokio::time::sleep(LOAD_AGAIN_AFTER).await;
    }
}
