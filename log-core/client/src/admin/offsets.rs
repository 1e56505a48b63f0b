//! Offsets of partitions, and the records before one deleted.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use headwater_wire::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopic,
};

use super::drive::{ByLeader, by_topic, checked};
use super::{Admin, millis};
use crate::TopicPartition;
use crate::consumer::{IsolationLevel, OffsetAndTimestamp};
use crate::error::ClientError;
use crate::list_offsets::{
    EARLIEST, EARLIEST_LOCAL, EARLIEST_PENDING_UPLOAD, LATEST, LATEST_TIERED, MAX_TIMESTAMP,
    list_offsets,
};

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
    /// The first that the leader has itself, not in tiered storage (KIP-405).
    EarliestLocal,
    /// The last that is in tiered storage (KIP-1005).
    LatestTiered,
    /// The first that is not in tiered storage yet (KIP-1023).
    EarliestPendingUpload,
}

impl OffsetSpec {
    fn timestamp(self) -> i64 {
        match self {
            Self::Earliest => EARLIEST,
            Self::Latest => LATEST,
            Self::MaxTimestamp => MAX_TIMESTAMP,
            Self::Timestamp(timestamp) => timestamp.max(0),
            Self::EarliestLocal => EARLIEST_LOCAL,
            Self::LatestTiered => LATEST_TIERED,
            Self::EarliestPendingUpload => EARLIEST_PENDING_UPLOAD,
        }
    }
}

/// How long a partition that is not there is asked for: nodes learn of new ones a little later.
const MISSING_PATIENCE: Duration = Duration::from_secs(2);

impl Admin {
    /// The offset that each partition's spec names; `None` where no record is that young.
    ///
    /// Partitions that the cluster does not know of have UNKNOWN_TOPIC_OR_PARTITION for
    /// their result after two seconds, in which news of a new topic comes round.
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
            MISSING_PATIENCE,
        )
        .await
    }

    /// The end of each partition: the high watermark, or the last stable offset under
    /// [`IsolationLevel::ReadCommitted`].
    ///
    /// # Errors
    /// That of the first partition without an answer.
    pub async fn end_offsets(
        &self,
        partitions: &[TopicPartition],
        isolation: IsolationLevel,
    ) -> Result<HashMap<TopicPartition, i64>, ClientError> {
        let wanted = partitions
            .iter()
            .map(|partition| (partition.clone(), OffsetSpec::Latest))
            .collect();
        let listed = self.list_offsets(&wanted, isolation).await;
        listed
            .into_iter()
            .map(|(partition, end)| Ok((partition, end?.map_or(0, |end| end.offset))))
            .collect()
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
        let timeout_ms = millis(self.limit());
        let build = |_, partitions: &[TopicPartition]| {
            let topics = by_topic(partitions).into_iter().map(|(name, indexes)| {
                let topic: Arc<str> = name.as_str().into();
                let partitions = indexes.into_iter().map(|partition_index| {
                    let at = TopicPartition::new(topic.clone(), partition_index);
                    DeleteRecordsPartition {
                        partition_index,
                        offset: before.get(&at).copied().unwrap_or_default(),
                    }
                });
                DeleteRecordsTopic {
                    partitions: partitions.collect(),
                    name,
                }
            });
            DeleteRecordsRequest {
                topics: topics.collect(),
                timeout_ms,
            }
        };
        let read = |_, _: &[TopicPartition], response: DeleteRecordsResponse| {
            let mut results = Vec::new();
            for topic in response.topics {
                let name: Arc<str> = topic.name.into();
                for answer in topic.partitions {
                    let at = TopicPartition::new(name.clone(), answer.partition_index);
                    let operation = || format!("deleting records of {at}");
                    let deleted = checked(answer.error_code, None, operation);
                    results.push((at, deleted.map(|()| answer.low_watermark)));
                }
            }
            results
        };
        let partitions = before.keys().cloned();
        self.drive(
            "deleting records",
            ByLeader::default(),
            partitions,
            build,
            read,
        )
        .await
    }
}
