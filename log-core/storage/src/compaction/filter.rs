//! What stays of each batch.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use headwater_wire::records::{
    BatchBuilder, BatchError, BatchHeader, BatchOptions, Header, RecordBatch, RecordRef,
    TimestampType,
};

use super::LatestOffsets;
use crate::partition::AbortedTransaction;

/// What stays of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kept {
    /// All of it, as it is.
    Whole,
    /// These bytes in its place.
    Rewritten(Bytes),
    /// Nothing.
    Nothing,
}

/// Decides what stays, batch by batch from the start of the log.
#[derive(Debug)]
pub(crate) struct Filter<'a> {
    latest: &'a LatestOffsets,
    /// Aborted transactions by producer: first offset and offset of the marker.
    aborted: BTreeMap<i64, Vec<(i64, i64)>>,
    /// Last offset of each producer's latest batch.
    last_batches: BTreeMap<i64, i64>,
    log_start: i64,
    /// Below this, keys are compared to the last: of a tombstone's key, no older record is left, so
    /// the tombstone's time to go may begin.
    compared_end: i64,
    now: i64,
    /// When what is marked for removal now may go, in ms.
    horizon: i64,
    /// Producers with records of the transaction under way among the batches read.
    in_transaction: BTreeSet<i64>,
    /// Offsets of markers that went.
    pub(crate) dropped_markers: BTreeSet<i64>,
}

impl<'a> Filter<'a> {
    pub(crate) fn new(
        latest: &'a LatestOffsets,
        aborted: &[AbortedTransaction],
        last_batches: BTreeMap<i64, i64>,
        log_start: i64,
        now: i64,
        delete_retention: i64,
        compared_end: i64,
    ) -> Self {
        let mut by_producer: BTreeMap<i64, Vec<(i64, i64)>> = BTreeMap::new();
        for transaction in aborted {
            let range = (transaction.first_offset, transaction.last_offset);
            by_producer
                .entry(transaction.producer_id)
                .or_default()
                .push(range);
        }
        Self {
            latest,
            aborted: by_producer,
            last_batches,
            log_start,
            compared_end,
            now,
            horizon: now.saturating_add(delete_retention),
            in_transaction: BTreeSet::new(),
            dropped_markers: BTreeSet::new(),
        }
    }

    /// Whether the batch's records were aborted.
    pub(crate) fn is_aborted(&self, header: &BatchHeader) -> bool {
        header.is_transactional()
            && !header.is_control()
            && self.aborted.get(&header.producer_id).is_some_and(|ranges| {
                ranges
                    .iter()
                    .any(|(first, last)| (*first..*last).contains(&header.base_offset))
            })
    }

    pub(crate) fn keep(&mut self, batch: &RecordBatch) -> Result<Kept, BatchError> {
        let header = &batch.header;
        if header.last_offset() < self.log_start {
            return Ok(Kept::Nothing);
        }
        if header.is_control() {
            return self.keep_marker(batch);
        }
        if header.is_transactional() && header.record_count > 0 {
            self.in_transaction.insert(header.producer_id);
        }
        if self.is_aborted(header) {
            return self.rebuild(batch, &[], false);
        }
        let Ok(records) = batch.records() else {
            return Ok(Kept::Whole);
        };
        let mut kept = Vec::new();
        let mut has_new_tombstones = false;
        for record in records.iter() {
            let Ok(record) = record else {
                return Ok(Kept::Whole);
            };
            if self.keeps_record(header, &record) {
                has_new_tombstones |= record.value.is_none()
                    && header.delete_horizon().is_none()
                    && self.is_compared(header);
                kept.push(record);
            }
        }
        let is_whole = kept.len() == usize::try_from(header.record_count).unwrap_or(0);
        if is_whole && !has_new_tombstones && !kept.is_empty() {
            return Ok(Kept::Whole);
        }
        self.rebuild(batch, &kept, has_new_tombstones)
    }

    fn keeps_record(&self, header: &BatchHeader, record: &RecordRef<'_>) -> bool {
        // A compacted topic takes no records without a key; one from before it was is of no use.
        let Some(key) = record.key else { return false };
        if record.offset < self.log_start || !self.latest.is_latest(key, record.offset) {
            return false;
        }
        let is_over = header
            .delete_horizon()
            .is_some_and(|horizon| horizon <= self.now);
        record.value.is_some() || !is_over || !self.is_compared(header)
    }

    fn is_compared(&self, header: &BatchHeader) -> bool {
        header.last_offset() < self.compared_end
    }

    /// A marker stays as long as records of its transaction are read, and for `delete.retention.ms`
    /// after that, so that every reader that saw one sees the end.
    fn keep_marker(&mut self, batch: &RecordBatch) -> Result<Kept, BatchError> {
        let header = &batch.header;
        if self.in_transaction.remove(&header.producer_id) {
            return Ok(Kept::Whole);
        }
        match header.delete_horizon() {
            Some(horizon) if horizon <= self.now => {
                self.dropped_markers.insert(header.base_offset);
                Ok(Kept::Nothing)
            }
            Some(_) => Ok(Kept::Whole),
            None => {
                let records = batch.records()?;
                let kept: Vec<_> = records.iter().collect::<Result<_, _>>()?;
                self.rebuild(batch, &kept, true)
            }
        }
    }

    /// The batch with only these records, reaching as far as before.
    fn rebuild(
        &self,
        batch: &RecordBatch,
        kept: &[RecordRef<'_>],
        is_marked: bool,
    ) -> Result<Kept, BatchError> {
        let header = &batch.header;
        let is_last = self.last_batches.get(&header.producer_id) == Some(&header.last_offset());
        if kept.is_empty() {
            if !(is_last && header.has_producer_id()) {
                return Ok(Kept::Nothing);
            }
            if header.record_count == 0 {
                return Ok(Kept::Whole);
            }
        }
        let is_stamped = header.timestamp_type() == TimestampType::LogAppendTime;
        let mut builder = BatchBuilder::with_capacity(
            BatchOptions {
                compression: header.compression()?,
                compression_level: None,
                base_offset: header.base_offset,
                partition_leader_epoch: header.partition_leader_epoch,
                producer_id: header.producer_id,
                producer_epoch: header.producer_epoch,
                base_sequence: header.base_sequence,
                is_transactional: header.is_transactional(),
                is_control: header.is_control(),
                log_append_time: is_stamped.then_some(header.max_timestamp),
                delete_horizon: header
                    .delete_horizon()
                    .or(is_marked.then_some(self.horizon)),
            },
            batch.bytes.len(),
        );
        for record in kept {
            let mut headers = Vec::with_capacity(record.headers.len());
            for header in record.headers.iter() {
                let header = header?;
                headers.push(Header {
                    key: header.key,
                    value: header.value,
                });
            }
            let (offset, timestamp) = (record.offset, record.timestamp);
            builder.append_at(offset, timestamp, record.key, record.value, &headers)?;
        }
        builder.extend_to(header.last_offset())?;
        builder.build().map(Kept::Rewritten)
    }
}
