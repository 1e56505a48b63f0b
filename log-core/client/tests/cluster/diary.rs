//! What tests of groups share: a listener that writes down what it is told, and polling in turn.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use headwater_client::{Consumer, ConsumerConfig, RebalanceListener, TopicPartition};
use parking_lot::Mutex;

use crate::support::Cluster;

/// Writes down what it is told.
#[derive(Default)]
pub(crate) struct Diary {
    entries: Mutex<Vec<(&'static str, Vec<i32>)>>,
}

impl Diary {
    fn note(&self, what: &'static str, partitions: &[TopicPartition]) {
        let mut indexes: Vec<i32> = partitions.iter().map(|p| p.partition).collect();
        indexes.sort_unstable();
        self.entries.lock().push((what, indexes));
    }

    pub(crate) fn entries(&self) -> Vec<(&'static str, Vec<i32>)> {
        self.entries.lock().clone()
    }
}

#[async_trait]
impl RebalanceListener for Diary {
    async fn on_partitions_revoked(&self, consumer: &Consumer, partitions: &[TopicPartition]) {
        // Offsets can still be committed, and the consumer be asked.
        let assigned = consumer.assignment();
        assert!(partitions.iter().all(|p| assigned.contains(p)));
        self.note("revoked", partitions);
    }

    async fn on_partitions_assigned(&self, _: &Consumer, partitions: &[TopicPartition]) {
        self.note("assigned", partitions);
    }

    async fn on_partitions_lost(&self, _: &Consumer, partitions: &[TopicPartition]) {
        self.note("lost", partitions);
    }
}

/// A member of the group that `config` names, whose rebalances `diary` writes down.
pub(crate) fn member(
    cluster: &Cluster,
    config: ConsumerConfig,
    topic: &str,
    diary: &Arc<Diary>,
) -> Consumer {
    let consumer = cluster.client.consumer(config).expect("a consumer");
    consumer
        .subscribe([topic], Some(diary.clone()))
        .expect("a group");
    consumer
}

/// Polls all consumers in turn until `condition` holds.
pub(crate) async fn poll_until(consumers: &[&Consumer], what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + crate::support::PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        for consumer in consumers {
            consumer
                .poll(Duration::from_millis(10))
                .await
                .expect("a poll");
        }
    }
}

pub(crate) fn shares(consumers: &[&Consumer]) -> Vec<usize> {
    consumers
        .iter()
        .map(|consumer| consumer.assignment().len())
        .collect()
}
