//! Cutting the end of a log, as a follower does whose leader never had it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::roll::decode_producers;
use super::{LeaderEpochs, PartitionLog, Writer};
use crate::error::{AppendError, ChangeError, FileError, Unusable};
use crate::journal::{FrameKind, FrameRef, Publish};
use crate::producers::ProducerStates;
use crate::sealed;
use crate::segment::{FileKind, SEGMENT_HEADER, ScanError, Segment};

/// Bytes read at a time when batches are walked over in order.
pub(super) const WALK_CHUNK: usize = 256 << 10;

impl From<ScanError> for ChangeError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Damaged(corruption) => Self::Corrupt(corruption),
            ScanError::File(error) => Self::File(error),
        }
    }
}

/// Only what reserving room fails with.
pub(super) fn reserve_error(error: AppendError) -> ChangeError {
    match error {
        AppendError::Unusable(error) => ChangeError::Unusable(error),
        AppendError::File(error) => ChangeError::File(error),
        AppendError::NoRoom(error) => ChangeError::NoRoom(error),
        _ => ChangeError::Stopped(crate::Stopped),
    }
}

/// Where a log is to end.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) segment: Arc<Segment>,
    pub(super) position: u64,
    /// The end: `offset`, or the base offset of the batch that spans it.
    pub(super) end: i64,
}

impl Cut {
    /// Bytes left of the segment; its header goes with its last batch.
    pub(super) fn size(&self) -> u64 {
        if self.position <= SEGMENT_HEADER {
            0
        } else {
            self.position
        }
    }
}

impl PartitionLog {
    /// Cuts the log so that it ends at `offset`, or at the start of the batch that spans it, and
    /// returns the end. Nothing happens if the log ends before.
    ///
    /// The cut is journaled and synced before any file changes. Blocks for that, and holds up
    /// appends to this partition meanwhile.
    ///
    /// # Errors
    /// [`ChangeError::OutOfRange`] below the log start; others if files or the journal fail.
    pub fn truncate_to(&self, offset: i64) -> Result<i64, ChangeError> {
        let is_relaxed = self.is_relaxed.load(Ordering::Relaxed);
        let reservation = if is_relaxed {
            None
        } else {
            Some(self.core.reserve(0).map_err(reserve_error)?)
        };
        let _upkeep = self.upkeep.lock();
        let mut guard = self.writer.lock();
        let writer = &mut *guard;
        if let Some(deleted @ Unusable::Deleted(_)) = &writer.unusable {
            return Err(deleted.clone().into());
        }
        // Segments made from here on may have the names of those.
        self.remove_buried(writer, None)?;
        if offset >= writer.end {
            return Ok(writer.end);
        }
        if offset < writer.log_start {
            return Err(ChangeError::OutOfRange {
                id: self.id,
                requested: offset,
                log_start: writer.log_start,
                end: writer.end,
            });
        }
        let cut = self.find_cut(offset)?;
        let (producers, epochs) = self.state_at(&cut)?;
        writer.generation += 1;
        writer.producers = producers;
        writer.epochs = epochs;
        writer.end = cut.end;
        self.checkpoint_segment
            .fetch_min(cut.segment.base_offset(), Ordering::AcqRel);
        match reservation {
            Some(reservation) if !writer.is_relaxed => {
                let frame = FrameRef {
                    kind: FrameKind::Truncate,
                    id: self.id,
                    position: cut.end,
                    parts: &[],
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
                self.core.settle(lsn)?;
                self.cut_files(writer, &cut)?;
            }
            _ => {
                self.durable.publish(writer.durable_state());
                writer.is_changed = true;
                // Nothing in the journal tells of the cut: the checkpoint must, before any file
                // changes, and what is cut must not be found behind it by a later scan.
                self.checkpoint_cut_locked(writer, Some(&cut))?;
                self.cut_files(writer, &cut)?;
                writer.is_changed = true;
                self.checkpoint_cut_locked(writer, None)?;
            }
        }
        Ok(cut.end)
    }

    /// Where the log is to be cut. Looks at nothing behind the cut: in recovery that may be damaged
    /// by what was written after it.
    ///
    /// A segment that begins at the cut goes whole: it may have been made only after it.
    pub(super) fn find_cut(&self, offset: i64) -> Result<Cut, ChangeError> {
        let found = self.view.read().find(offset - 1);
        let Some((segment, _)) = found else {
            return Err(ChangeError::OutOfRange {
                id: self.id,
                requested: offset,
                log_start: 0,
                end: 0,
            });
        };
        let relative = offset - segment.base_offset();
        let entry = segment.index.read().last_before(
            || self.open_index(&segment),
            |e| i64::from(e.relative_offset) < relative,
        );
        if let Some(entry) = entry {
            let next = segment.base_offset() + i64::from(entry.relative_offset);
            if let Some(cut) = walk_to_cut(&segment, entry.position.into(), next, true, offset)? {
                return Ok(cut);
            }
            tracing::warn!(segment = %segment.path().display(), "index does not match");
        }
        let base_offset = segment.base_offset();
        match walk_to_cut(&segment, SEGMENT_HEADER, base_offset, false, offset)? {
            Some(cut) => Ok(cut),
            None => Ok(Cut {
                position: segment.size(),
                segment,
                end: offset,
            }),
        }
    }

    /// Cuts the files of a journaled truncation.
    pub(super) fn cut_files(&self, writer: &mut Writer, cut: &Cut) -> Result<(), ChangeError> {
        let removed = {
            let mut view = self.view.write();
            let kept = view
                .segments
                .partition_point(|s| s.base_offset() <= cut.segment.base_offset());
            view.generation += 1;
            view.segments.split_off(kept)
        };
        self.cursors.lock().clear();
        for segment in &removed {
            segment.retire();
        }
        self.remove_segment_files(writer, &removed)?;
        let segment = &cut.segment;
        let position = cut.size();
        self.cut_index(segment, position)?;
        segment.set_size(position);
        segment.set_inherited(segment.inherited().min(position));
        segment
            .aborted
            .write()
            .retain(|aborted| aborted.last_offset < cut.end);
        self.restore_times(segment)?;
        segment
            .file()?
            .set_len(position)
            .map_err(FileError::new("cut", segment.path()))?;
        writer.unsynced.note_segment(segment, 0);
        writer.unsynced.segments.retain(|s| !s.is_retired());
        Ok(())
    }

    fn cut_index(&self, segment: &Arc<Segment>, position: u64) -> Result<(), ChangeError> {
        let mut index = segment.index.write();
        if index.is_closed() {
            let entries = self.open_index(segment).map(|file| file.valid_entries());
            index.reopen(entries.unwrap_or_default(), position);
        } else {
            index.truncate(position);
        }
        drop(index);
        // The file may go on with entries for bytes that are no more.
        let path = segment.sibling(FileKind::Index);
        self.remove_if_there(&path)?;
        self.remove_if_there(&segment.sibling(FileKind::Aborted))?;
        Ok(())
    }

    /// Sets a segment's times from what is left of it.
    pub(super) fn restore_times(&self, segment: &Arc<Segment>) -> Result<(), ChangeError> {
        let mut times = segment.times();
        (times.first, times.largest) = (None, -1);
        let entry = segment
            .index
            .read()
            .last_before(|| self.open_index(segment), |_| true);
        let mut from = SEGMENT_HEADER;
        if let Some(entry) = entry {
            times.largest = entry.largest_before;
            from = u64::from(entry.position);
            let mut start = segment.scan(SEGMENT_HEADER, segment.size(), 4096)?;
            times.first = start.peek()?.map(|(_, header)| header.max_timestamp);
        }
        let mut scanner = segment.scan(from, segment.size(), WALK_CHUNK)?;
        while let Some((_, header)) = scanner.next()? {
            times.largest = times.largest.max(header.max_timestamp);
            times.first.get_or_insert(header.max_timestamp);
        }
        segment.set_times(times);
        Ok(())
    }

    /// Producer state and leader epochs as they were when the log ended at the cut: from the latest
    /// snapshot not behind it and the batches since.
    pub(super) fn state_at(
        &self,
        cut: &Cut,
    ) -> Result<(ProducerStates, LeaderEpochs), ChangeError> {
        let end = cut.segment.base_offset();
        let segments: Vec<_> = {
            let view = self.view.read();
            view.segments
                .iter()
                .filter(|s| s.base_offset() <= end)
                .cloned()
                .collect()
        };
        let mut state = (ProducerStates::default(), LeaderEpochs::default());
        let mut from = 0;
        for (index, segment) in segments.iter().enumerate().rev() {
            let path = segment.sibling(FileKind::Producers);
            let bytes = sealed::read_file(self.core.medium.disk.as_ref(), &path)?;
            if let Some(found) = bytes.as_deref().and_then(decode_producers) {
                (state, from) = (found, index);
                break;
            }
        }
        let wall = self.core.clock.wall().as_millis();
        for segment in segments.iter().skip(from) {
            let is_cut = Arc::ptr_eq(segment, &cut.segment);
            let size = if is_cut { cut.position } else { segment.size() };
            let mut scanner = segment.scan(SEGMENT_HEADER, size, WALK_CHUNK)?;
            while let Some((_, header, marker)) = scanner.next_with_marker()? {
                state
                    .1
                    .note(header.partition_leader_epoch, header.base_offset);
                state.0.apply(&header, marker, wall);
            }
        }
        Ok(state)
    }
}

/// Walks from a batch boundary to the cut; `None` if the first batch is not the expected one.
fn walk_to_cut(
    segment: &Arc<Segment>,
    position: u64,
    next: i64,
    is_expected: bool,
    offset: i64,
) -> Result<Option<Cut>, ChangeError> {
    let cut = |position, end| {
        Ok(Some(Cut {
            segment: Arc::clone(segment),
            position,
            end,
        }))
    };
    let mut scanner = segment.scan(position, segment.size(), 8 << 10)?;
    let (mut position, mut next, mut is_expected) = (position, next, is_expected);
    while next < offset {
        let Some((at, header)) = scanner.peek()? else {
            break;
        };
        if std::mem::take(&mut is_expected) && header.base_offset != next {
            return Ok(None);
        }
        if header.base_offset >= offset {
            return cut(at, offset);
        }
        if header.last_offset() >= offset {
            return cut(at, header.base_offset);
        }
        scanner.skip(&header);
        position = at + header.size_in_bytes() as u64;
        next = header.next_offset();
    }
    cut(position, offset)
}
