//! Appending: check, assign offsets, write to the segment, stage in the journal.
//!
//! A batch costs one vectored write of the bytes as they came, with a fresh 61-byte header in front,
//! and one copy into the journal's buffer. Nothing is done per record.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use headwater_wire::records::{
    BATCH_HEADER_LEN, BatchHeader, ControlMarker, RecordBatch, TimestampType, patch_log_append_time,
};
use parking_lot::MutexGuard;

use super::{AppendOrigin, Appended, PartitionLog, Writer};
use crate::error::AppendError;
use crate::journal::{FrameKind, FrameRef, Publish, Reservation};
use crate::lsn::Lsn;
use crate::producers::Verdict;
use crate::segment::marker_of;

/// Largest append in bytes, whatever the journal would take: positions in a segment are 32-bit.
const APPEND_MAX: u64 = i32::MAX as u64 - (1 << 20);

/// A batch on its way in.
struct Incoming<'a> {
    header: BatchHeader,
    marker: Option<ControlMarker>,
    body: &'a [u8],
}

/// Who appends, and after how many markers that was verified.
struct Claim {
    origin: AppendOrigin,
    verified: Option<u64>,
}

impl PartitionLog {
    /// Appends batches whose checksums were verified. They are readable and may be acknowledged once
    /// the journal is durable up to the answer's `lsn`.
    ///
    /// Waits only while the journal is full, or another append to this partition is at it.
    ///
    /// # Errors
    /// [`AppendError`]; nothing of the batches is in the log then.
    pub fn append(
        &self,
        batches: &[RecordBatch],
        origin: AppendOrigin,
    ) -> Result<Appended, AppendError> {
        self.append_since(batches, origin, None)
    }

    /// `verified` is the number of markers after which the write was verified.
    pub(super) fn append_since(
        &self,
        batches: &[RecordBatch],
        origin: AppendOrigin,
        verified: Option<u64>,
    ) -> Result<Appended, AppendError> {
        let stamped;
        let mut log_append_time = None;
        let mut batches = batches;
        if origin != AppendOrigin::Replication
            && self.config.read().timestamp_type == TimestampType::LogAppendTime
        {
            let now = self.core.clock.wall().as_millis();
            stamped = stamp(batches, now)?;
            batches = &stamped;
            log_append_time = Some(now);
        }
        let incoming = incoming(batches)?;
        let bytes: u64 = batches.iter().map(|batch| batch.bytes.len() as u64).sum();
        if bytes > APPEND_MAX {
            return Err(AppendError::TooLarge {
                bytes,
                limit: APPEND_MAX,
            });
        }
        let (writer, reservation) = self.lock_with_room(bytes)?;
        let claim = Claim { origin, verified };
        let mut appended = self.append_locked(writer, reservation, incoming, bytes, claim)?;
        appended.log_append_time = log_append_time;
        Ok(appended)
    }

    /// Room in the journal is reserved first: whoever waits for it must hold no lock.
    fn lock_with_room(
        &self,
        bytes: u64,
    ) -> Result<(MutexGuard<'_, Writer>, Option<Reservation<'_>>), AppendError> {
        loop {
            let is_relaxed = self.is_relaxed.load(Ordering::Relaxed);
            let reservation = if is_relaxed {
                None
            } else {
                Some(self.core.reserve(bytes)?)
            };
            let writer = self.writer.lock();
            if writer.is_relaxed == is_relaxed {
                return Ok((writer, reservation));
            }
            // Being changed in this moment; the change blocks for its checkpoint only.
            self.is_relaxed.store(writer.is_relaxed, Ordering::Relaxed);
        }
    }

    fn append_locked(
        &self,
        mut guard: MutexGuard<'_, Writer>,
        reservation: Option<Reservation<'_>>,
        mut incoming: Vec<Incoming<'_>>,
        bytes: u64,
        Claim { origin, verified }: Claim,
    ) -> Result<Appended, AppendError> {
        let writer = &mut *guard;
        self.core.medium.check()?;
        writer.check_usable()?;
        let judged = incoming.iter().map(|batch| (&batch.header, batch.marker));
        if let Verdict::Duplicate {
            base_offset,
            last_offset,
        } = writer.producers.check_all(judged, origin)?
        {
            return Ok(Appended {
                base_offset,
                last_offset,
                log_append_time: None,
                log_start_offset: writer.log_start,
                lsn: writer.last_lsn,
                duplicate: true,
            });
        }
        if let Some(since) = verified {
            for batch in &incoming {
                writer.verifying.check(batch.header.producer_id, since)?;
            }
        }
        self.assign(writer, &mut incoming, origin)?;
        let (first, last) = match (incoming.first(), incoming.last()) {
            (Some(first), Some(last)) => (first.header, last.header),
            _ => return Err(AppendError::Empty),
        };
        let headers: Vec<_> = incoming
            .iter()
            .map(|batch| batch.header.to_bytes())
            .collect();
        let parts: Vec<&[u8]> = headers
            .iter()
            .zip(&incoming)
            .flat_map(|(header, batch)| [header.as_slice(), batch.body])
            .collect();

        let interval = self.config.read().index_interval_bytes;
        self.write_segment(writer, &incoming, &parts, bytes, interval)?;
        let wall = self.core.clock.wall().as_millis();
        self.note_batches(writer, &incoming, wall);

        let lsn = match reservation {
            Some(reservation) => {
                let frame = FrameRef {
                    kind: FrameKind::Append,
                    id: self.id,
                    position: first.base_offset,
                    parts: &parts,
                };
                let publish = Publish {
                    watch: Arc::clone(&self.durable),
                    state: writer.durable_state(),
                };
                let lsn = self
                    .core
                    .journal()?
                    .stage(reservation, &frame, Some(publish));
                writer.note_frame(lsn);
                lsn
            }
            None => {
                writer.is_changed = true;
                self.durable.publish(writer.durable_state());
                Lsn::ZERO
            }
        };
        self.queue_if_dirty(writer);
        Ok(Appended {
            base_offset: first.base_offset,
            last_offset: last.last_offset(),
            log_append_time: None,
            log_start_offset: writer.log_start,
            lsn,
            duplicate: false,
        })
    }

    fn assign(
        &self,
        writer: &Writer,
        incoming: &mut [Incoming<'_>],
        origin: AppendOrigin,
    ) -> Result<(), AppendError> {
        let mut next = writer.end;
        for batch in incoming {
            if origin == AppendOrigin::Replication {
                // A leader's log may have holes where compaction removed whole batches.
                if batch.header.base_offset < next {
                    let found = batch.header.base_offset;
                    return Err(AppendError::NotNext {
                        id: self.id,
                        expected: next,
                        found,
                    });
                }
            } else {
                batch.header.base_offset = next;
                batch.header.partition_leader_epoch = writer.leader_epoch;
            }
            next = batch.header.next_offset();
        }
        Ok(())
    }

    fn write_segment(
        &self,
        writer: &mut Writer,
        incoming: &[Incoming<'_>],
        parts: &[&[u8]],
        bytes: u64,
        interval: u32,
    ) -> Result<(), AppendError> {
        let (Some(first), Some(last)) = (incoming.first(), incoming.last()) else {
            return Err(AppendError::Empty);
        };
        let segment = self.segment_for(writer, &first.header, last.header.last_offset(), bytes)?;
        let mut position = segment.write(parts).inspect_err(|error| {
            // Without room nothing is damaged, and there may be room again.
            if !error.is_out_of_space() {
                let reason = format!("{error}: {}", error.source);
                self.quarantine_locked(writer, &reason);
            }
        })?;
        for batch in incoming {
            segment.note(&batch.header, position, interval);
            position += batch.header.size_in_bytes() as u64;
        }
        let records: i64 = incoming
            .iter()
            .map(|batch| i64::from(batch.header.record_count))
            .sum();
        writer.unsynced.records += records.unsigned_abs();
        writer.unsynced.note_segment(&segment, bytes);
        Ok(())
    }

    /// Takes written batches into the partition's state.
    fn note_batches(&self, writer: &mut Writer, incoming: &[Incoming<'_>], wall: i64) {
        for batch in incoming {
            self.note_batch(writer, &batch.header, batch.marker, wall);
        }
    }

    pub(super) fn note_batch(
        &self,
        writer: &mut Writer,
        header: &BatchHeader,
        marker: Option<ControlMarker>,
        wall: i64,
    ) {
        writer
            .epochs
            .note(header.partition_leader_epoch, header.base_offset);
        if let Some(aborted) = writer.producers.apply(header, marker, wall)
            && let Some(segment) = self.view.read().segments.last()
        {
            segment.aborted.write().push(aborted);
        }
        if marker.is_some() {
            writer.verifying.note_marker(header.producer_id);
        }
        writer.end = header.next_offset();
    }

    pub(super) fn queue_if_dirty(&self, writer: &mut Writer) {
        let options = &self.core.options;
        let (limit, is_due) = if writer.is_relaxed {
            (options.relaxed_sync_bytes, true)
        } else {
            (options.sync_bytes, false)
        };
        let is_over = writer.unsynced.bytes >= limit || self.is_flush_due(writer);
        if !writer.unsynced.is_queued && (is_over || is_due) {
            writer.unsynced.is_queued = true;
            self.core.queue_dirty(self.me.clone());
        }
        if is_over {
            self.core.wake_syncer();
        }
    }

    /// Whether `flush.messages` or `flush.ms` want a relaxed log synced sooner than it is anyway.
    fn is_flush_due(&self, writer: &Writer) -> bool {
        let routine = self.core.options.relaxed_sync_interval;
        writer.is_relaxed
            && writer
                .unsynced
                .is_flush_due(&self.config(), routine, || self.core.clock.now())
    }
}

fn incoming(batches: &[RecordBatch]) -> Result<Vec<Incoming<'_>>, AppendError> {
    if batches.is_empty() {
        return Err(AppendError::Empty);
    }
    let mut incoming = Vec::with_capacity(batches.len());
    for batch in batches {
        incoming.push(Incoming {
            header: batch.header,
            marker: marker_of(batch)?,
            body: batch.bytes.get(BATCH_HEADER_LEN..).unwrap_or_default(),
        });
    }
    Ok(incoming)
}

fn stamp(batches: &[RecordBatch], now: i64) -> Result<Vec<RecordBatch>, AppendError> {
    let mut stamped = Vec::with_capacity(batches.len());
    for batch in batches {
        let mut bytes = BytesMut::from(batch.bytes.as_ref());
        patch_log_append_time(&mut bytes, now)?;
        let bytes = bytes.freeze();
        stamped.push(RecordBatch {
            header: BatchHeader::parse(&bytes)?,
            bytes,
        });
    }
    Ok(stamped)
}
