//! Finding batches by offset and by time.

use std::sync::Arc;

use headwater_wire::records::{NO_TIMESTAMP, RecordBatch};

use super::{PartitionLog, TimestampOffset};
use crate::error::{Corruption, ReadError};
use crate::index::IndexFile;
use crate::segment::{FileKind, SEGMENT_HEADER, ScanError, Segment};

/// Bytes read at a time when looking for a batch: two index intervals.
const CHUNK: usize = 8 << 10;

impl From<ScanError> for ReadError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Damaged(corruption) => Self::Corrupt(corruption),
            ScanError::File(error) => Self::File(error),
        }
    }
}

impl PartitionLog {
    /// Where the first batch starts whose last offset is not below `offset`; the segment's end if
    /// there is none.
    pub(super) fn locate(&self, segment: &Arc<Segment>, offset: i64) -> Result<u64, ScanError> {
        let relative = offset - segment.base_offset();
        let entry = segment.index.read().last_before(
            || self.open_index(segment),
            |e| i64::from(e.relative_offset) <= relative,
        );
        if let Some(entry) = entry {
            let base_offset = segment.base_offset() + i64::from(entry.relative_offset);
            match self.walk_to(
                segment,
                u64::from(entry.position),
                Some(base_offset),
                offset,
            ) {
                Ok(Some(position)) => return Ok(position),
                Ok(None) | Err(ScanError::Damaged(_)) => {
                    tracing::warn!(segment = %segment.path().display(), "index does not match");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(self
            .walk_to(segment, SEGMENT_HEADER, None, offset)?
            .unwrap_or(segment.size()))
    }

    /// Walks from `position` to the batch; `None` if the batch there is not the expected one.
    fn walk_to(
        &self,
        segment: &Arc<Segment>,
        position: u64,
        expected: Option<i64>,
        offset: i64,
    ) -> Result<Option<u64>, ScanError> {
        let mut scanner = segment.scan(position, segment.size(), CHUNK)?;
        let mut expected = expected;
        while let Some((at, header)) = scanner.peek()? {
            if expected
                .take()
                .is_some_and(|expected| header.base_offset != expected)
            {
                return Ok(None);
            }
            if header.last_offset() >= offset {
                return Ok(Some(at));
            }
            scanner.skip(&header);
        }
        Ok(expected.is_none().then_some(segment.size()))
    }

    pub(super) fn open_index(&self, segment: &Segment) -> Option<IndexFile> {
        let disk = self.core.medium.disk.as_ref();
        IndexFile::open(disk, &segment.sibling(FileKind::Index), segment.header())
    }

    /// The first durable record whose timestamp is not below `timestamp` (ms).
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn offset_for_timestamp(
        &self,
        timestamp: i64,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        loop {
            let (segments, log_start, generation) = {
                let view = self.view.read();
                (view.segments.clone(), view.log_start, view.generation)
            };
            let end = self.durable().end;
            let mut found = Ok(None);
            for segment in &segments {
                // The largest time is set after the bytes; one that grows meanwhile is not durable.
                if segment.times().largest < timestamp || segment.batch_bytes() == 0 {
                    continue;
                }
                found = self.search_segment(segment, timestamp, log_start, end);
                if !matches!(found, Ok(None)) {
                    break;
                }
            }
            if self.view.read().generation == generation {
                return found.inspect_err(|error| self.note_read_error(error));
            }
        }
    }

    /// The durable record with the largest timestamp, the first of them (KIP-734).
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn max_timestamp_offset(&self) -> Result<Option<TimestampOffset>, ReadError> {
        let largest = self
            .view
            .read()
            .segments
            .iter()
            .map(|segment| segment.times().largest)
            .max();
        match largest {
            Some(largest) if largest != NO_TIMESTAMP => self.offset_for_timestamp(largest),
            _ => Ok(None),
        }
    }

    fn search_segment(
        &self,
        segment: &Arc<Segment>,
        timestamp: i64,
        log_start: i64,
        end: i64,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        let entry = segment.index.read().last_before(
            || self.open_index(segment),
            |e| e.largest_before < timestamp,
        );
        // A segment's end entry points behind the last batch, where the walk ends at once.
        let position = entry.map_or(SEGMENT_HEADER, |entry| u64::from(entry.position));
        let mut scanner = segment.scan(position, segment.size(), CHUNK)?;
        while let Some((_, header)) = scanner.peek()? {
            if header.base_offset >= end {
                break;
            }
            if header.max_timestamp < timestamp || header.last_offset() < log_start {
                scanner.skip(&header);
                continue;
            }
            let Some((position, batch)) = scanner.next_verified()? else {
                break;
            };
            if let Some(found) =
                first_record(&batch, timestamp, log_start).map_err(|reason| Corruption {
                    path: segment.path().to_owned(),
                    position,
                    reason,
                })?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

fn first_record(
    batch: &RecordBatch,
    timestamp: i64,
    log_start: i64,
) -> Result<Option<TimestampOffset>, String> {
    let records = batch.records().map_err(|error| error.to_string())?;
    for record in records.iter() {
        let record = record.map_err(|error| error.to_string())?;
        if record.timestamp >= timestamp && record.offset >= log_start {
            return Ok(Some(TimestampOffset {
                offset: record.offset,
                timestamp: record.timestamp,
                leader_epoch: batch.header.partition_leader_epoch,
            }));
        }
    }
    Ok(None)
}
