//! Reads what a Fetch request names, once.

use std::sync::Arc;

use bytes::Bytes;
use headwater_storage::{PartitionLog, ReadError, Unusable};
use headwater_wire::ErrorCode;
use headwater_wire::messages::fetch::{
    AbortedTransaction, FetchPartition, FetchRequest, FetchResponse, FetchableTopicResponse,
    PartitionData,
};

use super::super::{Located, check_leader_epoch};
use crate::config::BrokerSettings;
use crate::topics::TopicMap;

/// How much one answer may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes of all partitions together, apart from a first batch that is longer (KIP-74).
    pub(super) total: usize,
    /// Whether only committed records are wanted.
    committed: bool,
}

impl Bounds {
    pub(super) fn of(request: &FetchRequest, settings: &BrokerSettings) -> Self {
        let asked = usize::try_from(request.max_bytes).unwrap_or(0);
        let partitions = request.topics.iter().flat_map(|topic| &topic.partitions);
        let possible = partitions
            .map(|partition| usize::try_from(partition.partition_max_bytes).unwrap_or(0))
            .fold(0, usize::saturating_add);
        Self {
            total: asked.min(settings.fetch_max_bytes as usize).min(possible),
            committed: request.isolation_level == 1,
        }
    }

    /// The same, in no more than `memory` bytes.
    pub(super) fn within(self, memory: usize) -> Self {
        Self {
            total: self.total.min(memory),
            ..self
        }
    }
}

/// One pass over the partitions.
pub(super) struct Read {
    pub(super) response: FetchResponse,
    /// Bytes of records in it.
    pub(super) bytes: usize,
    /// Whether there is something to say at once: an error, or nothing was asked for.
    pub(super) must_answer: bool,
    /// The logs read, with the durable end each had before it was read.
    pub(super) ends: Vec<(Arc<PartitionLog>, i64)>,
}

/// Reads every partition of the request as far as `bounds` go.
pub(super) fn read_all(topics: &TopicMap, request: &FetchRequest, bounds: &Bounds) -> Read {
    let mut read = Read {
        response: FetchResponse::default(),
        bytes: 0,
        must_answer: request
            .topics
            .iter()
            .all(|topic| topic.partitions.is_empty()),
        ends: Vec::new(),
    };
    for topic in &request.topics {
        let found = topics.find(topic.topic_id, &topic.topic);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let located = found.and_then(|topic| topic.locate(partition.partition));
            let data = match located {
                Ok(located) => read.partition(&located, partition, bounds),
                Err(error) => Err(error),
            };
            partitions.push(data.unwrap_or_else(|error| {
                read.must_answer = true;
                refused(partition.partition, error)
            }));
        }
        read.response.responses.push(FetchableTopicResponse {
            topic: topic.topic.clone(),
            topic_id: topic.topic_id,
            partitions,
        });
    }
    read
}

impl Read {
    fn partition(
        &mut self,
        located: &Located<'_>,
        asked: &FetchPartition,
        bounds: &Bounds,
    ) -> Result<PartitionData, ErrorCode> {
        check_leader_epoch(asked.current_leader_epoch, located.leader_epoch)?;
        let log = located.log;
        // Taken first: what becomes durable while this reads must not be waited for in vain.
        let high_watermark = log.durable_end_offset();
        let stable = log.last_stable_offset().min(high_watermark);
        let upto = if bounds.committed {
            stable
        } else {
            high_watermark
        };
        let start = log.log_start_offset();
        // What is appended and not yet durable is waited for like what is not appended at all.
        let beyond =
            asked.fetch_offset > high_watermark && asked.fetch_offset > log.log_end_offset();
        if asked.fetch_offset < start || beyond {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        let records = self.records(log, asked, upto, bounds)?;
        let aborted = bounds
            .committed
            .then(|| aborted_in(log, asked.fetch_offset, upto, &records));
        self.bytes = self.bytes.saturating_add(records.len());
        self.ends.push((Arc::clone(log), high_watermark));
        Ok(PartitionData {
            partition_index: asked.partition,
            high_watermark,
            last_stable_offset: stable,
            log_start_offset: start,
            aborted_transactions: aborted,
            records: Some(records),
            ..Default::default()
        })
    }

    fn records(
        &self,
        log: &PartitionLog,
        asked: &FetchPartition,
        upto: i64,
        bounds: &Bounds,
    ) -> Result<Bytes, ErrorCode> {
        let left = bounds.total.saturating_sub(self.bytes);
        let most = usize::try_from(asked.partition_max_bytes)
            .unwrap_or(0)
            .min(left);
        // The first batch of an answer comes whole however long it is, or a consumer with small
        // limits would never get past it.
        let at_least_one = self.bytes == 0;
        if asked.fetch_offset >= upto || (most == 0 && !at_least_one) {
            return Ok(Bytes::new());
        }
        log.read(asked.fetch_offset, most, at_least_one, upto)
            .map_err(|error| match error {
                ReadError::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
                ReadError::Unusable(Unusable::Deleted(_)) => ErrorCode::UnknownTopicOrPartition,
                error => {
                    tracing::error!(partition = asked.partition, %error, "a fetch failed");
                    ErrorCode::KafkaStorageError
                }
            })
    }
}

/// The aborted transactions a consumer must know to read these records.
fn aborted_in(
    log: &PartitionLog,
    from: i64,
    upto: i64,
    records: &Bytes,
) -> Vec<AbortedTransaction> {
    if records.is_empty() {
        return Vec::new();
    }
    let aborted = log.aborted_transactions(from, upto).into_iter();
    let listed = aborted.map(|transaction| AbortedTransaction {
        producer_id: transaction.producer_id,
        first_offset: transaction.first_offset,
    });
    listed.collect()
}

fn refused(partition_index: i32, error: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index,
        error_code: error.code(),
        high_watermark: -1,
        records: Some(Bytes::new()),
        ..Default::default()
    }
}
