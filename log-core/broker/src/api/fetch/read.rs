//! Reads the partitions of a fetch, once.

use std::sync::Arc;

use bytes::Bytes;
use headwater_storage::{PartitionLog, ReadError, Unusable};
use headwater_wire::ErrorCode;
use headwater_wire::messages::fetch::{
    AbortedTransaction, EpochEndOffset, FetchPartition, FetchRequest, PartitionData,
};

use super::super::{Located, check_leader_epoch};
use super::wanted::{NotFound, Wanted};
use crate::config::BrokerSettings;
use crate::topics::TopicMap;

/// How much one answer may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes of all partitions together, apart from a first batch that is longer (KIP-74).
    total: usize,
    /// Bytes that an answer takes at most, apart from the same.
    pub(super) memory: usize,
    /// Whether only committed records are wanted.
    committed: bool,
    /// Whether a replica asks. Replicas have a way of their own to the records, so none has a
    /// place here.
    by_replica: bool,
    /// Whether the request's own limit is a number of bytes.
    limit_is_valid: bool,
}

impl Bounds {
    pub(super) fn of(request: &FetchRequest, wanted: &[Wanted], settings: &BrokerSettings) -> Self {
        let asked = usize::try_from(request.max_bytes).unwrap_or(0);
        let possible = wanted
            .iter()
            .map(|wanted| usize::try_from(wanted.asked.partition_max_bytes).unwrap_or(0))
            .fold(0, usize::saturating_add);
        let total = asked.min(settings.fetch_max_bytes as usize);
        Self {
            total,
            memory: total.min(possible),
            committed: request.isolation_level == 1,
            by_replica: request.replica_id >= 0 || request.replica_state.replica_id >= 0,
            limit_is_valid: request.max_bytes >= 0,
        }
    }

    /// The same, in no more than `memory` bytes.
    pub(super) fn within(self, memory: usize) -> Self {
        // A long first batch takes nothing from the partitions behind it, as long as there is room.
        let is_enough = memory >= self.memory;
        Self {
            total: if is_enough { self.total } else { memory },
            ..self
        }
    }
}

/// One pass over the partitions.
pub(super) struct Read {
    /// One for each that is wanted, in the same order.
    pub(super) partitions: Vec<PartitionData>,
    /// Bytes of records in it.
    pub(super) bytes: usize,
    /// Whether there is something to say at once: an error, or nothing that could be waited for.
    pub(super) must_answer: bool,
    /// The logs read, with the durable end each had before it was read.
    pub(super) ends: Vec<(Arc<PartitionLog>, i64)>,
}

/// Reads every wanted partition as far as `bounds` go.
pub(super) fn read_all(topics: &TopicMap, wanted: &[Wanted], bounds: &Bounds) -> Read {
    let mut read = Read {
        partitions: Vec::with_capacity(wanted.len()),
        bytes: 0,
        must_answer: false,
        ends: Vec::new(),
    };
    for wanted in wanted {
        let asked = &wanted.asked;
        let data = match wanted.topic.locate(topics, asked.partition) {
            Ok(located) => read.partition(&located, asked, bounds),
            Err(NotFound::Changed) => Err(ErrorCode::InconsistentTopicId),
            // No reason for an answer before its time: the client would only ask again.
            Err(NotFound::Absent(error)) => Ok(PartitionData {
                aborted_transactions: Some(Vec::new()),
                ..refused(asked.partition, error)
            }),
        };
        let data = data.unwrap_or_else(|error| {
            read.must_answer = true;
            refused(asked.partition, error)
        });
        read.partitions.push(data);
    }
    read.must_answer |= read.ends.is_empty();
    read
}

impl Read {
    fn partition(
        &mut self,
        located: &Located<'_>,
        asked: &FetchPartition,
        bounds: &Bounds,
    ) -> Result<PartitionData, ErrorCode> {
        if bounds.by_replica {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        check_leader_epoch(asked.current_leader_epoch.max(-1), located.leader_epoch)?;
        if !bounds.limit_is_valid || asked.partition_max_bytes < 0 {
            return Err(ErrorCode::UnknownServerError);
        }
        let log = located.log;
        if let Some(diverging) = divergence(located, asked)? {
            self.must_answer = true;
            return Ok(PartitionData {
                partition_index: asked.partition,
                high_watermark: log.durable_end_offset(),
                last_stable_offset: log.last_stable_offset(),
                log_start_offset: log.log_start_offset(),
                diverging_epoch: diverging,
                aborted_transactions: None,
                records: Some(Bytes::new()),
                ..Default::default()
            });
        }
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
        let most = usize::try_from(asked.partition_max_bytes)
            .unwrap_or(0)
            .min(bounds.total.saturating_sub(self.bytes));
        let records = self.records(log, asked, upto, most)?;
        // Where a batch is there and too long, Kafka says nothing of aborted transactions.
        let is_withheld = asked.fetch_offset < upto && most > 0 && records.is_empty();
        let aborted = (bounds.committed && !is_withheld)
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
        most: usize,
    ) -> Result<Bytes, ErrorCode> {
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

/// Where the client's log parts from this one, if it does (KIP-595). A partition on one node has
/// had one leadership only.
fn divergence(
    located: &Located<'_>,
    asked: &FetchPartition,
) -> Result<Option<EpochEndOffset>, ErrorCode> {
    if asked.last_fetched_epoch < 0 {
        return Ok(None);
    }
    if asked.last_fetched_epoch > located.leader_epoch {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    let end_offset = located.log.log_end_offset();
    Ok((asked.fetch_offset > end_offset).then_some(EpochEndOffset {
        epoch: located.leader_epoch,
        end_offset,
    }))
}

/// The answer for a partition that was found and is not read.
pub(super) fn refused(partition_index: i32, error: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index,
        error_code: error.code(),
        high_watermark: -1,
        aborted_transactions: None,
        records: Some(Bytes::new()),
        ..Default::default()
    }
}
