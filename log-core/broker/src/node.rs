//! What every part of a running broker shares.

use std::sync::Arc;
use std::time::Duration;

use headwater_env::{Clock, Now, Random};
use headwater_storage::{PartitionLog, Storage};
use headwater_wire::records::RecordBatch;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tracing::Instrument;

use crate::api::FetchSessions;
use crate::config::{BrokerConfig, BrokerSettings};
use crate::coordinators::Coordinators;
use crate::jobs::Housekeeper;
use crate::labor::Labor;
use crate::live_config::LiveConfig;
use crate::loggers::Loggers;
use crate::memory::MemoryBudget;
use crate::quorum::MetadataQuorum;
use crate::topics::Topics;

/// Bytes read at a time when a partition is replayed.
const REPLAY_BYTES: usize = 1024 * 1024;

/// A running broker's parts. Handlers, jobs and coordinators get it as `Arc<Node>`.
pub(crate) struct Node {
    /// What the broker was started with. Settings that can change meanwhile are in `live`.
    pub(crate) config: BrokerConfig,
    pub(crate) live: Arc<LiveConfig>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) loggers: Arc<dyn Loggers>,
    pub(crate) storage: Storage,
    pub(crate) quorum: Arc<dyn MetadataQuorum>,
    pub(crate) topics: Arc<Topics>,
    pub(crate) coordinators: Coordinators,
    /// The runtime the broker was started on, where everything that outlives a request runs: a
    /// client in the same process may call from one that ends with one of its threads.
    pub(crate) runtime: Handle,
    /// Where requests go that take the processor for long.
    pub(crate) labor: Labor,
    /// Epoch of this process's registration (KIP-380).
    pub(crate) broker_epoch: i64,
    pub(crate) housekeeper: Housekeeper,
    /// Held from the check of a configuration until it is in the topics, so that what was checked
    /// is what it is added to.
    pub(crate) changing_configs: tokio::sync::Mutex<()>,
    /// Memory of fetch answers on their way.
    pub(crate) response_memory: MemoryBudget,
    /// What clients fetch from request to request (KIP-227).
    pub(crate) fetch_sessions: FetchSessions,
    /// Becomes true once, when the node is to stop.
    pub(crate) shutdown: watch::Receiver<bool>,
}

/// Why a partition could not be replayed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    #[error(transparent)]
    Read(#[from] headwater_storage::ReadError),
    #[error(transparent)]
    Batch(#[from] headwater_wire::records::BatchError),
}

impl Node {
    /// The settings in force.
    pub(crate) fn settings(&self) -> Arc<BrokerSettings> {
        Arc::clone(self.live.load().settings())
    }

    /// The directory of all partitions, as administrators are told of it.
    pub(crate) fn log_dir(&self) -> String {
        self.storage.data_dir().display().to_string()
    }

    /// Broker that leads the metadata quorum, -1 if none is known.
    pub(crate) fn controller_id(&self) -> i32 {
        self.quorum.leader().unwrap_or(-1)
    }

    /// Runs `task` until it ends or the node stops.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let mut shutdown = self.shutdown.clone();
        let until_shutdown = async move {
            tokio::select! {
                () = task => {}
                _ = shutdown.wait_for(|stopping| *stopping) => {}
            }
        };
        let span = tracing::debug_span!("task", name);
        self.runtime.spawn(until_shutdown.instrument(span));
    }

    /// Waits until the monotonic clock shows `at`.
    pub(crate) async fn wake_at(&self, at: Now) {
        loop {
            let left = at.since(self.clock.now());
            if left == Duration::ZERO {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }

    /// Hands every durable batch of `log`, from its start on, to `each`. Blocks on the disk: call
    /// it where blocking is allowed.
    pub(crate) fn replay<E: From<ReplayError>>(
        &self,
        log: &PartitionLog,
        mut each: impl FnMut(RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        let end = log.durable_end_offset();
        let mut next = log.log_start_offset();
        while next < end {
            let mut bytes = log
                .read(next, REPLAY_BYTES, true, end)
                .map_err(ReplayError::from)?;
            let before = next;
            while let Some(batch) =
                RecordBatch::split_from(&mut bytes).map_err(ReplayError::from)?
            {
                next = batch.header.next_offset();
                each(batch)?;
            }
            if next == before {
                break;
            }
        }
        Ok(())
    }
}
