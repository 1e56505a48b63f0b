//! Producer ids, taken from the metadata quorum in blocks.

use std::ops::Range;
use std::sync::Arc;

use headwater_coordination::transactions::{Input, TransactionCoordinator};
use headwater_wire::ErrorCode;
use tokio::sync::Mutex;

use super::partition::Partition;
use crate::metadata::{Command, Outcome};
use crate::node::Node;
use crate::topic_creation::TopicRefused;

/// Ids taken at a time, as Kafka does. What a crash leaves of a block is never used.
const BLOCK: i32 = 1_000;

/// The node's block of producer ids.
pub(super) struct ProducerIds {
    left: Mutex<Range<i64>>,
}

impl ProducerIds {
    pub(super) fn new() -> Self {
        Self {
            left: Mutex::new(0..0),
        }
    }

    /// An id nobody else was or will be given.
    pub(super) async fn next(&self, node: &Node) -> Result<i64, TopicRefused> {
        let mut left = self.left.lock().await;
        if left.is_empty() {
            let command = Command::AllocateProducerIds {
                broker_id: node.config.node_id,
                broker_epoch: node.broker_epoch,
                count: BLOCK,
            };
            match node.change_metadata(command).await? {
                Outcome::ProducerIds { first, count } => {
                    *left = first..first.saturating_add(i64::from(count));
                }
                other => {
                    return Err(TopicRefused::new(
                        ErrorCode::UnknownServerError,
                        format!("the quorum answered {other:?} when asked for producer ids"),
                    ));
                }
            }
        }
        left.next().ok_or_else(|| {
            TopicRefused::new(ErrorCode::UnknownServerError, "producer ids are used up")
        })
    }
}

/// Takes an id for a coordinator that needs one, and tells it.
pub(super) fn give(node: &Arc<Node>, coordinator: &Arc<Partition<TransactionCoordinator>>) {
    let (giver, coordinator) = (Arc::clone(node), Arc::clone(coordinator));
    node.spawn("producer id", async move {
        let id = giver.coordinators.next_producer_id(&giver).await;
        if let Err(error) = &id {
            tracing::warn!(%error, "no producer id can be had");
        }
        coordinator.tell(Input::ProducerId(id.ok()));
    });
}
