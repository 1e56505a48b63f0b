//! Asking the cluster: offsets by time and at the ends, partitions, and who this consumer is.

use std::collections::HashMap;

use super::ConsumerGroupMetadata;
use super::consumer::Consumer;
use super::group::Group;
use super::record::OffsetAndTimestamp;
use crate::TopicPartition;
use crate::error::ClientError;
use crate::list_offsets::{EARLIEST, LATEST, list_offsets};

impl Consumer {
    /// The first offset of each partition.
    ///
    /// # Errors
    /// A timeout after `default.api.timeout.ms`, or the first partition's error.
    pub async fn beginning_offsets(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, i64>, ClientError> {
        self.ends(partitions, EARLIEST).await
    }

    /// The offset after the last record of each partition: the high watermark, or the last stable
    /// offset under read_committed.
    ///
    /// # Errors
    /// As [`beginning_offsets`](Self::beginning_offsets).
    pub async fn end_offsets(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, i64>, ClientError> {
        self.ends(partitions, LATEST).await
    }

    async fn ends(
        &self,
        partitions: &[TopicPartition],
        which: i64,
    ) -> Result<HashMap<TopicPartition, i64>, ClientError> {
        let wanted = partitions
            .iter()
            .map(|partition| (partition.clone(), which))
            .collect();
        let found = self.offsets_for_times(&wanted).await?;
        Ok(found
            .into_iter()
            .map(|(partition, found)| (partition, found.offset))
            .collect())
    }

    /// The first record of each partition at or after its timestamp (milliseconds since the
    /// epoch). Partitions without one are left out.
    ///
    /// # Errors
    /// As [`beginning_offsets`](Self::beginning_offsets).
    pub async fn offsets_for_times(
        &self,
        timestamps: &HashMap<TopicPartition, i64>,
    ) -> Result<HashMap<TopicPartition, OffsetAndTimestamp>, ClientError> {
        let core = self.core();
        let (isolation, limit) = (core.config.isolation_level, core.config.default_api_timeout);
        let wanted = timestamps.clone();
        let listed = list_offsets(
            &core.cluster,
            &core.channel,
            wanted,
            isolation,
            limit,
            limit,
        )
        .await;
        let mut found = HashMap::with_capacity(listed.len());
        for (partition, result) in listed {
            if let Some(offset) = result? {
                found.insert(partition, offset);
            }
        }
        Ok(found)
    }

    /// Number of partitions of a topic.
    ///
    /// # Errors
    /// A timeout after `default.api.timeout.ms` if it is not there by then.
    pub async fn partitions_for(&self, topic: &str) -> Result<i32, ClientError> {
        let core = self.core();
        let limit = core.config.default_api_timeout;
        let allow = core.config.allow_auto_create_topics;
        let topic = core
            .cluster
            .topic(&core.channel, &topic.into(), allow, limit)
            .await?;
        Ok(topic.partition_count())
    }

    /// Who this consumer is in its group now, for
    /// [`Producer::send_offsets_to_transaction`](crate::Producer::send_offsets_to_transaction).
    ///
    /// # Errors
    /// [`ClientError::IllegalState`] without `group.id`.
    pub fn group_metadata(&self) -> Result<ConsumerGroupMetadata, ClientError> {
        self.group().map(Group::reader)
    }
}
