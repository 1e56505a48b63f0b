//! Reading whole batches, never past what is durable.

use std::sync::Arc;

use bytes::Bytes;
use headwater_wire::records::{BATCH_HEADER_LEN, BatchHeader, RecordBatch};

use super::PartitionLog;
use crate::error::{Corruption, FileError, ReadError, Unusable};
use crate::segment::Segment;

/// Where readers left off, so that the next read of each finds its place without the index.
#[derive(Debug, Default)]
pub(super) struct Cursors {
    places: [(i64, u64); 8],
    next: usize,
}

impl Cursors {
    fn find(&self, offset: i64) -> Option<u64> {
        self.places
            .iter()
            .find(|(o, position)| *o == offset && *position > 0)
            .map(|(_, p)| *p)
    }

    fn note(&mut self, offset: i64, position: u64) {
        if let Some(place) = self.places.get_mut(self.next) {
            *place = (offset, position);
        }
        self.next = (self.next + 1) % self.places.len();
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// What one read asks for.
#[derive(Debug, Clone, Copy)]
struct Request {
    offset: i64,
    max_bytes: usize,
    min_one: bool,
    upto: i64,
    /// Durable end.
    end: i64,
}

/// What a segment gave.
struct Found {
    bytes: Bytes,
    next: Option<(i64, u64)>,
}

impl PartitionLog {
    /// Whole batches from the one that holds `offset` on, as they are on disk: at most `max_bytes`,
    /// but with `min_one` at least one batch (KIP-74). Ends before `upto`, which is cut to the durable
    /// end, and at the end of a segment. The first batch may begin below `offset`.
    ///
    /// Empty at the end.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] outside the log start and the durable end; others if files fail or
    /// are damaged.
    pub fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        min_one: bool,
        upto: i64,
    ) -> Result<Bytes, ReadError> {
        let mut request = Request {
            offset,
            max_bytes,
            min_one,
            upto,
            end: 0,
        };
        loop {
            let (found, log_start, generation) = {
                let view = self.view.read();
                (view.find(request.offset), view.log_start, view.generation)
            };
            let end = self.durable().end;
            if offset < log_start || offset > end {
                self.check_deleted()?;
                return Err(ReadError::OutOfRange {
                    id: self.id,
                    requested: offset,
                    log_start,
                    end,
                });
            }
            (request.upto, request.end) = (upto.min(end), end);
            let Some((segment, next)) = found else {
                self.check_deleted()?;
                return Ok(Bytes::new());
            };
            if request.offset >= request.upto {
                return Ok(Bytes::new());
            }
            let result = self.read_segment(&segment, request);
            // Cut or rewritten under the read: what came may be neither old nor new.
            if self.view.read().generation != generation || segment.is_retired() {
                self.check_deleted()?;
                continue;
            }
            let found = result.inspect_err(|error| self.note_read_error(error))?;
            match next {
                // Compaction removed the rest of the segment.
                Some(next) if found.bytes.is_empty() && found.next.is_none() => {
                    request.offset = request.offset.max(next);
                }
                _ => {
                    if let Some((offset, position)) = found.next {
                        self.cursors.lock().note(offset, position);
                    }
                    return Ok(found.bytes);
                }
            }
        }
    }

    fn check_deleted(&self) -> Result<(), ReadError> {
        match self.unusable() {
            Some(deleted @ Unusable::Deleted(_)) => Err(deleted.into()),
            _ => Ok(()),
        }
    }

    pub(super) fn note_read_error(&self, error: &ReadError) {
        if let ReadError::Corrupt(corruption) = error {
            self.quarantine(&corruption.to_string());
        }
    }

    fn read_segment(&self, segment: &Arc<Segment>, request: Request) -> Result<Found, ReadError> {
        let noted = self.cursors.lock().find(request.offset);
        let start = match noted {
            Some(position) if self.is_batch_at(segment, position, request.offset)? => position,
            _ => self.locate(segment, request.offset)?,
        };
        let available = segment.size().saturating_sub(start);
        if available == 0 {
            return Ok(Found {
                bytes: Bytes::new(),
                next: None,
            });
        }
        let wanted = request.max_bytes.max(BATCH_HEADER_LEN);
        let mut buffer = self.read_bytes(segment, start, wanted, available)?;
        let mut taken = Taken::default();
        self.take_batches(segment, start, &buffer, request, &mut taken)?;
        if taken.len == 0 && request.min_one && taken.first_size > buffer.len() {
            let Taken { first_size, .. } = taken;
            buffer = self.read_bytes(segment, start, first_size, available)?;
            taken = Taken::default();
            self.take_batches(segment, start, &buffer, request, &mut taken)?;
        }
        let next = Some((taken.next_offset, start + taken.len as u64));
        Ok(Found {
            bytes: buffer.slice(..taken.len),
            next,
        })
    }

    /// Whether a batch that starts with `offset` is at a noted place. Places are noted without
    /// their segment, so one may belong to another.
    fn is_batch_at(
        &self,
        segment: &Arc<Segment>,
        position: u64,
        offset: i64,
    ) -> Result<bool, FileError> {
        if position >= segment.size() {
            return Ok(false);
        }
        let bytes = self.read_bytes(segment, position, BATCH_HEADER_LEN, u64::MAX)?;
        Ok(BatchHeader::parse(&bytes).is_ok_and(|header| header.base_offset == offset))
    }

    fn read_bytes(
        &self,
        segment: &Arc<Segment>,
        position: u64,
        len: usize,
        available: u64,
    ) -> Result<Bytes, FileError> {
        let len = len.min(usize::try_from(available).unwrap_or(usize::MAX));
        let mut buffer = Vec::new();
        segment
            .file()?
            .read_to(&mut buffer, position, len)
            .map_err(FileError::new("read", segment.path()))?;
        Ok(Bytes::from(buffer))
    }

    /// Counts the bytes of whole batches at the start of `buffer` that may be returned.
    fn take_batches(
        &self,
        segment: &Segment,
        start: u64,
        buffer: &Bytes,
        request: Request,
        taken: &mut Taken,
    ) -> Result<(), ReadError> {
        taken.next_offset = request.offset;
        loop {
            let rest = buffer.get(taken.len..).unwrap_or_default();
            if rest.len() < BATCH_HEADER_LEN {
                return Ok(());
            }
            let position = start + taken.len as u64;
            let damaged = |reason: String| {
                ReadError::Corrupt(Corruption {
                    path: segment.path().to_owned(),
                    position,
                    reason,
                })
            };
            let header = BatchHeader::parse(rest).map_err(|error| damaged(error.to_string()))?;
            let size = header.size_in_bytes();
            if taken.len == 0 {
                taken.first_size = size;
            } else if header.base_offset < taken.next_offset {
                return Err(damaged(format!(
                    "offset {} comes again",
                    header.base_offset
                )));
            }
            // All that was here at the start is durable; offsets lie outside the checksum.
            if position < segment.inherited() && header.next_offset() > request.end {
                return Err(damaged(format!(
                    "offset {} is behind the end",
                    header.base_offset
                )));
            }
            let is_first_of_any_size = taken.len == 0 && request.min_one;
            if header.next_offset() > request.upto
                || (taken.len + size > request.max_bytes && !is_first_of_any_size)
            {
                return Ok(());
            }
            if rest.len() < size {
                return Ok(());
            }
            // Checked when it came, unless that was before a restart.
            if position < segment.inherited() {
                let bytes = buffer.slice(taken.len..taken.len + size);
                RecordBatch { header, bytes }
                    .verify_crc()
                    .map_err(|error| damaged(error.to_string()))?;
            }
            taken.len += size;
            taken.next_offset = header.next_offset();
        }
    }
}

/// How much of a buffer is taken.
#[derive(Debug, Default, Clone, Copy)]
struct Taken {
    len: usize,
    next_offset: i64,
    /// Size of the first batch, whether or not it was taken.
    first_size: usize,
}
