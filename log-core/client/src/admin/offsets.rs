//! Offsets: of partitions, of groups, and the records before one deleted.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};

use super::{Admin, millis};
use crate::cluster::Topics;
use crate::consumer::{ConsumerGroupMetadata, IsolationLevel, OffsetAndTimestamp};
use crate::coordinator::{Coordinator, CoordinatorKind};
use crate::error::ClientError;
use crate::group_offsets;
use crate::list_offsets::{EARLIEST, LATEST, MAX_TIMESTAMP, list_offsets};
use crate::transport::Target;
use crate::{OffsetAndMetadata, TopicPartition};

/// Which offset of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The log start offset.
    Earliest,
    /// The end.
    Latest,
    /// That of the record with the largest timestamp (KIP-734).
    MaxTimestamp,
    /// That of the first record at or after this time, in milliseconds since the epoch.
    Timestamp(i64),
}

impl OffsetSpec {
    fn timestamp(self) -> i64 {
        match self {
            Self::Earliest => EARLIEST,
            Self::Latest => LATEST,
            Self::MaxTimestamp => MAX_TIMESTAMP,
            Self::Timestamp(timestamp) => timestamp.max(0),
        }
    }
}

impl Admin {
    /// The offset that each partition's spec names; `None` where no record is that young.
    pub async fn list_offsets(
        &self,
        wanted: &HashMap<TopicPartition, OffsetSpec>,
        isolation: IsolationLevel,
    ) -> HashMap<TopicPartition, Result<Option<OffsetAndTimestamp>, ClientError>> {
        let wanted = wanted
            .iter()
            .map(|(p, spec)| (p.clone(), spec.timestamp()))
            .collect();
        list_offsets(
            &self.cluster,
            &self.channel,
            wanted,
            isolation,
            self.limit(),
        )
        .await
    }

    /// A group's committed offsets: of `partitions`, or all there are. Partitions without one are
    /// left out. With `require_stable`, waits for transactions that are about to change them.
    ///
    /// # Errors
    /// The coordinator's, or a timeout.
    pub async fn list_group_offsets(
        &self,
        group_id: &str,
        partitions: Option<&[TopicPartition]>,
        require_stable: bool,
    ) -> Result<HashMap<TopicPartition, OffsetAndMetadata>, ClientError> {
        let coordinator = Coordinator::new(CoordinatorKind::Group, group_id);
        let (cluster, channel) = (&self.cluster, &self.channel);
        let fetch = group_offsets::fetch(
            cluster,
            channel,
            &coordinator,
            group_id,
            partitions,
            require_stable,
            self.limit(),
        );
        fetch.await
    }

    /// Sets committed offsets of a group that has no members now.
    ///
    /// # Errors
    /// The coordinator's, such as [`ErrorCode::UnknownMemberId`] if it has members; or a timeout.
    pub async fn alter_group_offsets(
        &self,
        group_id: &str,
        offsets: &HashMap<TopicPartition, OffsetAndMetadata>,
    ) -> Result<(), ClientError> {
        let coordinator = Coordinator::new(CoordinatorKind::Group, group_id);
        let (cluster, channel) = (&self.cluster, &self.channel);
        let nobody = ConsumerGroupMetadata::new(group_id);
        let limit = self.limit();
        group_offsets::commit(cluster, channel, &coordinator, &nobody, offsets, limit).await
    }

    /// Deletes the records below the given offset of each partition; -1 is the high watermark.
    /// Returns each partition's log start offset afterwards.
    ///
    /// # Errors
    /// If nothing could be asked; each partition has its own result.
    pub async fn delete_records(
        &self,
        before: &HashMap<TopicPartition, i64>,
    ) -> Result<HashMap<TopicPartition, Result<i64, ClientError>>, ClientError> {
        let mut retry = self.retry("deleting records");
        let mut open = before.clone();
        let mut done = HashMap::with_capacity(before.len());
        loop {
            let failures = self.delete_once(&mut open, &mut done, &mut retry).await?;
            let Some(failure) = failures.into_iter().next() else {
                return Ok(done);
            };
            if let Err(error) = retry.pause(failure).await {
                done.extend(
                    open.into_keys()
                        .map(|partition| (partition, Err(error.clone()))),
                );
                return Ok(done);
            }
        }
    }

    /// Asks every leader once. Moves what is settled from `open` to `done`, and returns the
    /// failures of the rest.
    async fn delete_once(
        &self,
        open: &mut HashMap<TopicPartition, i64>,
        done: &mut HashMap<TopicPartition, Result<i64, ClientError>>,
        retry: &mut crate::retry::Retry,
    ) -> Result<Vec<ClientError>, ClientError> {
        let topics: HashSet<Arc<str>> = open.keys().map(|p| p.topic.clone()).collect();
        let topics: Vec<Arc<str>> = topics.into_iter().collect();
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        let named = Topics::Named(&topics);
        self.cluster
            .refresh(&self.channel, named, false, retry.remaining())
            .await?;
        let view = self.cluster.view();
        let mut failures = Vec::new();
        let mut nodes: HashMap<i32, HashMap<Arc<str>, Vec<DeleteRecordsPartition>>> =
            HashMap::new();
        for (partition, offset) in open.iter() {
            let Some(node) = view.leader(partition) else {
                let code = ErrorCode::UnknownTopicOrPartition;
                failures.push(ClientError::broker(deleting(partition), code));
                continue;
            };
            let topics = nodes.entry(node).or_default();
            topics
                .entry(partition.topic.clone())
                .or_default()
                .push(DeleteRecordsPartition {
                    partition_index: partition.partition,
                    offset: *offset,
                });
        }
        let timeout_ms = millis(self.limit());
        for (node, topics) in nodes {
            let topics: Vec<DeleteRecordsTopic> = topics
                .into_iter()
                .map(|(name, partitions)| DeleteRecordsTopic {
                    name: name.to_string(),
                    partitions,
                })
                .collect();
            let build = |_| DeleteRecordsRequest {
                topics: topics.clone(),
                timeout_ms,
            };
            let response = self.ask(Target::Node(node), retry, i16::MAX, build).await?;
            for topic in response.topics {
                for answer in topic.partitions {
                    let partition =
                        TopicPartition::new(topic.name.as_str(), answer.partition_index);
                    let code = ErrorCode::from_code(answer.error_code);
                    if code == ErrorCode::None {
                        open.remove(&partition);
                        done.insert(partition, Ok(answer.low_watermark));
                        continue;
                    }
                    let error = ClientError::broker(deleting(&partition), code);
                    if error.is_retriable() {
                        failures.push(error);
                    } else {
                        open.remove(&partition);
                        done.insert(partition, Err(error));
                    }
                }
            }
        }
        Ok(failures)
    }
}

fn deleting(partition: &TopicPartition) -> String {
    format!("deleting records of {partition}")
}
