//! Groups and transactions on this node: the shell around the state machines of
//! `headwater-coordination`.
//!
//! A request finds its partition in [`coordinator`], and [`partition`] steps the machine, appends
//! what it wants written and hands out its answers. Beside each partition runs a task, [`driver`],
//! that loads the machine from the log, tells it what has become durable and wakes it. Markers of
//! decided transactions are written by [`markers`], through the machine where they end a
//! transaction in a group. What is written in a transaction asks [`writes`] first.

mod batch;
mod coordinator;
mod driver;
mod machine;
mod markers;
mod partition;
mod producer_ids;
mod relaxed;
mod rounds;
mod turns;
mod view;
mod writes;

use std::sync::Arc;
use std::time::Duration;

use headwater_coordination::groups::{
    Assignor, GroupConfig, GroupCoordinator, Input, MigrationPolicy,
};
use headwater_coordination::transactions::{TransactionConfig, TransactionCoordinator};
use headwater_storage::PartitionLog;
use tokio::sync::Semaphore;

use crate::internal_topics::{CONSUMER_OFFSETS, TRANSACTION_STATE};
use crate::node::Node;
use crate::topic_creation::TopicRefused;

pub(crate) use coordinator::Coordinator;
use driver::Kind;
pub(crate) use markers::write_unasked as write_markers;
use producer_ids::ProducerIds;
pub(crate) use relaxed::sync as sync_relaxed;
pub(crate) use turns::Turns;
pub(crate) use view::current as current_view;
pub(crate) use writes::{NotJoined, WriteSupport, Writer};

/// The coordinators of this node.
pub(crate) struct Coordinators {
    pub(crate) groups: Arc<Coordinator<GroupCoordinator>>,
    pub(crate) transactions: Arc<Coordinator<TransactionCoordinator>>,
    /// Produce requests that wait to join their transaction.
    pub(crate) produces: Arc<Turns>,
    producer_ids: ProducerIds,
    /// Bounds the partitions that are replayed at a time: each takes a thread and up to a
    /// mebibyte of its log.
    loads: Semaphore,
}

/// The epoch of every transaction coordinator: one node leads every partition for as long as it
/// exists, so there is no former coordinator to be told from it.
const COORDINATOR_EPOCH: i32 = 0;

/// Partitions that are replayed at a time.
const LOADS_AT_A_TIME: usize = 4;

impl Coordinators {
    pub(crate) fn new() -> Self {
        let groups = Kind {
            topic: CONSUMER_OFFSETS,
            empty: empty_groups,
            // Group coordinators end transactions of others and have none of their own.
            write_markers: |_, _, _, _| {},
            give_producer_id: |_, _| {},
        };
        let transactions = Kind {
            topic: TRANSACTION_STATE,
            empty: empty_transactions,
            write_markers: markers::write,
            give_producer_id: producer_ids::give,
        };
        Self {
            groups: Arc::new(Coordinator::new(groups)),
            transactions: Arc::new(Coordinator::new(transactions)),
            produces: Arc::default(),
            producer_ids: ProducerIds::new(),
            loads: Semaphore::new(LOADS_AT_A_TIME),
        }
    }

    /// Begins to load what this node coordinates. Called once, when the node's topics are there
    /// and before it listens; requests that come before a partition is loaded wait for it.
    pub(crate) fn start(&self, node: &Arc<Node>) {
        self.groups.start(node);
        self.transactions.start(node);
    }

    /// An id for a producer that nobody else was or will be given.
    pub(crate) async fn next_producer_id(&self, node: &Node) -> Result<i64, TopicRefused> {
        self.producer_ids.next(node).await
    }

    /// Drops the offsets of topics that were deleted.
    pub(crate) fn topics_deleted(&self, names: &[String]) {
        for partition in self.groups.partitions().iter().flat_map(|all| all.iter()) {
            partition.tell_when_loaded(Input::TopicsDeleted(names.iter().cloned().collect()));
        }
    }

    /// The partitions of a transaction that have to be synced before it is committed: those whose
    /// appends are not journaled. `None` as long as its coordinator is being loaded.
    pub(crate) fn relaxed_in_transaction(
        &self,
        node: &Node,
        transactional_id: &str,
    ) -> Option<Vec<Arc<PartitionLog>>> {
        let Some(partition) = self.transactions.partition(transactional_id) else {
            return Some(Vec::new());
        };
        partition.look_if_loaded(|machine| {
            machine
                .partitions(transactional_id)
                .filter_map(|(topic, index)| relaxed::log(node, topic, index))
                .collect()
        })
    }
}

fn empty_groups(node: &Node) -> GroupCoordinator {
    let settings = &node.config.settings;
    let assignors = settings.consumer_group.assignors.iter();
    GroupCoordinator::new(GroupConfig {
        min_session_timeout: settings.group_min_session_timeout,
        max_session_timeout: settings.group_max_session_timeout,
        initial_rebalance_delay: settings.group_initial_rebalance_delay,
        max_size: settings.group_max_size as usize,
        offset_metadata_max: settings.offset_metadata_max_bytes as usize,
        offsets_retention: Duration::from_secs(60 * u64::from(settings.offsets_retention_minutes)),
        offsets_retention_check_interval: settings.offsets_retention_check_interval,
        producer_retention: node.settings().producer_id_expiration,
        consumer_session_timeout: settings.consumer_group.session_timeout,
        consumer_heartbeat_interval: settings.consumer_group.heartbeat_interval,
        consumer_max_size: settings.consumer_group.max_size as usize,
        consumer_assignors: assignors
            .filter_map(|name| Assignor::from_name(name))
            .collect(),
        consumer_assignment_interval: settings.consumer_group.assignment_interval,
        migration_policy: MigrationPolicy::from_name(&settings.consumer_group.migration_policy)
            .unwrap_or(MigrationPolicy::Bidirectional),
        ..GroupConfig::default()
    })
}

fn empty_transactions(node: &Node) -> TransactionCoordinator {
    let settings = &node.config.settings;
    let config = TransactionConfig {
        max_timeout: settings.transaction_max_timeout,
        id_expiration: settings.transactional_id_expiration,
        expiration_check_interval: settings.transactional_id_check_interval,
        ..TransactionConfig::default()
    };
    TransactionCoordinator::new(config, COORDINATOR_EPOCH)
}
