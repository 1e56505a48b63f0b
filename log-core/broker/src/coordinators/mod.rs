//! Groups and transactions on this node: the shell around the state machines of
//! `headwater-coordination`.
//!
//! What a machine needs from the node is here or one call away:
//! - its internal topic, made when it is first needed: [`Node::internal_topic`];
//! - its partition's past: [`Node::replay`];
//! - appends, with the journal position their durability is known by: [`PartitionLog::append`] and
//!   [`Storage::wait_durable`];
//! - time: `node.clock` for what is written and decided, [`Node::wake_at`] for timers;
//! - tasks that end with the node: [`Node::spawn`].
//!
//! [`PartitionLog::append`]: headwater_storage::PartitionLog::append
//! [`Storage::wait_durable`]: headwater_storage::Storage::wait_durable

use std::sync::Arc;

use headwater_wire::ErrorCode;

use crate::api::Entry;
use crate::node::Node;

/// The coordinators of this node.
pub(crate) struct Coordinators {}

/// A transactional batch that is the first of its producer's transaction in a partition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TransactionalProduce<'a> {
    pub(crate) transactional_id: &'a str,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
}

/// Handlers of the APIs of groups and transactions, for the table of all APIs.
pub(crate) fn handlers() -> Vec<Entry> {
    Vec::new()
}

impl Coordinators {
    pub(crate) fn new() -> Self {
        Self {}
    }

    /// Loads what this node coordinates. Called once, when the node's topics are there and before
    /// it listens.
    pub(crate) fn start(&self, _node: &Arc<Node>) {}

    /// Checks that the producer's transaction goes on and has this partition (KIP-890). Must not
    /// wait.
    pub(crate) fn verify_in_transaction(
        &self,
        _node: &Node,
        _produce: &TransactionalProduce<'_>,
    ) -> Result<(), ErrorCode> {
        // No transaction has been begun here.
        Err(ErrorCode::InvalidTxnState)
    }
}
