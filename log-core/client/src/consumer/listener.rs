//! Being told which partitions come and go.

use async_trait::async_trait;

use super::Consumer;
use crate::TopicPartition;

/// Called from inside [`Consumer::poll`] (and `close`) when a rebalance takes partitions away or
/// brings new ones; what is taken away comes first. The consumer may be used in it, but for `poll`.
#[async_trait]
pub trait RebalanceListener: Send + Sync {
    /// These will be given up once this returns; offsets can still be committed.
    async fn on_partitions_revoked(&self, consumer: &Consumer, partitions: &[TopicPartition]);

    /// These are new. Under the eager form of the classic protocol, which takes everything away
    /// first, they are all the member has; under its cooperative form and under
    /// `group.protocol=consumer` they come to what it has, and may be none.
    async fn on_partitions_assigned(&self, consumer: &Consumer, partitions: &[TopicPartition]);

    /// These are already another member's; nothing can be committed any more.
    async fn on_partitions_lost(&self, consumer: &Consumer, partitions: &[TopicPartition]) {
        self.on_partitions_revoked(consumer, partitions).await;
    }
}
