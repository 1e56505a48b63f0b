//! What a thread does when the group divides its tasks anew.

use std::sync::Arc;

use async_trait::async_trait;
use headwater_client::{Consumer, RebalanceListener, TopicPartition};
use tokio::sync::Mutex;

use super::tasks::Tasks;

/// Passes rebalances on to the tasks of a thread. Called within the consumer's poll, during which
/// the thread does not hold the lock.
pub(super) struct TaskListener {
    pub(super) tasks: Arc<Mutex<Tasks>>,
}

#[async_trait]
impl RebalanceListener for TaskListener {
    async fn on_partitions_revoked(&self, consumer: &Consumer, _partitions: &[TopicPartition]) {
        self.tasks.lock().await.revoked(consumer).await;
    }

    async fn on_partitions_assigned(&self, consumer: &Consumer, partitions: &[TopicPartition]) {
        let mut tasks = self.tasks.lock().await;
        if let Err(error) = tasks.assigned(consumer, partitions) {
            tasks.failure.get_or_insert(error.into());
        }
    }

    async fn on_partitions_lost(&self, _consumer: &Consumer, _partitions: &[TopicPartition]) {
        self.tasks.lock().await.lost();
    }
}
