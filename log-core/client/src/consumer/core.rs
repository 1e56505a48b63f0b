//! What a consumer's handles and its tasks share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::assigned::Assigned;
use super::config::ConsumerConfig;
use super::group::Group;
use super::metrics::Counters;
use crate::cluster::Cluster;
use crate::error::ClientError;
use crate::transport::Channel;

pub(crate) struct Core {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) config: ConsumerConfig,
    /// For calls that are answered at once.
    pub(crate) channel: Channel,
    pub(crate) assigned: Mutex<Assigned>,
    pub(crate) group: Option<Group>,
    /// Wakes the fetcher: partitions, positions or room in the buffers have changed.
    pub(crate) fetch: Notify,
    /// Wakes the poll: there are records, a rebalance is due, or something failed.
    pub(crate) ready: Notify,
    /// What the next poll fails with.
    failure: Mutex<Option<ClientError>>,
    pub(crate) is_closed: AtomicBool,
    pub(crate) counters: Counters,
}

impl Core {
    pub(crate) fn new(cluster: Arc<Cluster>, config: ConsumerConfig) -> Self {
        let channel = Channel::new(cluster.clone());
        let group = config
            .group_id
            .clone()
            .map(|id| Group::new(cluster.clone(), id, &config));
        Self {
            cluster,
            channel,
            assigned: Mutex::default(),
            group,
            fetch: Notify::new(),
            ready: Notify::new(),
            failure: Mutex::new(None),
            is_closed: AtomicBool::new(false),
            counters: Counters::default(),
            config,
        }
    }

    /// Has the next poll fail. Only the first failure is kept.
    pub(crate) fn fail(&self, error: ClientError) {
        self.failure.lock().get_or_insert(error);
        self.ready.notify_one();
    }

    /// Has the next poll fail if no node of the cluster was ever reached, which a task that tries
    /// on and on would keep to itself.
    pub(crate) fn tell_if_unreachable(&self, error: &ClientError) {
        if error.is_unreachable() {
            self.fail(error.clone());
        }
    }

    pub(crate) fn take_failure(&self) -> Option<ClientError> {
        self.failure.lock().take()
    }
}
