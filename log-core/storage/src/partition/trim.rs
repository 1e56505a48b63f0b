//! Moving the start of a log: DeleteRecords and retention; and deleting it whole.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use headwater_env::{Now, Timestamp};

use super::truncate::reserve_error;
use super::{Buried, PartitionLog, Writer};
use crate::error::{ChangeError, FileError, Unusable};
use crate::journal::{FrameKind, FrameRef};
use crate::segment::{FileKind, Segment};

impl PartitionLog {
    /// Moves the log start to `offset`: nothing below can be read any more. It is durable when this
    /// returns, and segments wholly below it are removed. Blocks for a sync.
    ///
    /// # Errors
    /// [`ChangeError::OutOfRange`] behind the durable end; others if files or the journal fail.
    pub fn delete_records_before(&self, offset: i64) -> Result<i64, ChangeError> {
        let end = self.durable().end;
        if offset > end || offset < 0 {
            let log_start = self.log_start_offset();
            return Err(ChangeError::OutOfRange {
                id: self.id,
                requested: offset,
                log_start,
                end,
            });
        }
        self.move_log_start(offset)?;
        Ok(self.log_start_offset())
    }

    fn move_log_start(&self, offset: i64) -> Result<(), ChangeError> {
        let reservation = self.core.reserve(0).map_err(reserve_error)?;
        let mut writer = self.writer.lock();
        if let Some(deleted @ Unusable::Deleted(_)) = &writer.unusable {
            return Err(deleted.clone().into());
        }
        if offset > writer.log_start {
            let frame = FrameRef {
                kind: FrameKind::LogStart,
                id: self.id,
                position: offset,
                parts: &[],
            };
            let lsn = self.core.journal()?.stage(reservation, &frame, None);
            writer.note_frame(lsn);
            writer.log_start = offset;
            writer.epochs.trim(offset);
            drop(writer);
            self.core.settle(lsn)?;
            let mut view = self.view.write();
            view.log_start = view.log_start.max(offset);
        } else {
            drop(writer);
            drop(reservation);
        }
        self.remove_dead_segments()
    }

    /// Removes segments whose records all lie below the log start, as far as a checkpoint has
    /// passed them: recovery must find the segment that a checkpoint points into.
    pub(crate) fn remove_dead_segments(&self) -> Result<(), ChangeError> {
        // A compaction may take its time; it calls again when it has ended. What has left the log
        // already is none of its business.
        self.has_dead.store(true, Ordering::SeqCst);
        let Some(_upkeep) = self.upkeep.try_lock() else {
            let now = self.core.clock.now();
            return Ok(self.remove_buried(&mut self.writer.lock(), Some(now))?);
        };
        self.has_dead.store(false, Ordering::SeqCst);
        let mut writer = self.writer.lock();
        let passed = self.checkpoint_segment();
        let dead = {
            let mut view = self.view.write();
            let start = view.log_start;
            let count = view
                .segments
                .windows(2)
                .take_while(|pair| {
                    pair.last().is_some_and(|next| {
                        next.base_offset() <= start && next.base_offset() <= passed
                    })
                })
                .count();
            let kept = view.segments.split_off(count);
            std::mem::replace(&mut view.segments, kept)
        };
        for segment in &dead {
            segment.retire();
        }
        let delay = self.config().file_delete_delay;
        if delay.is_zero() {
            self.remove_segment_files(&mut writer, &dead)?;
        } else if !dead.is_empty() {
            let due = self.core.clock.now() + delay;
            let segments = dead;
            self.buried.lock().push(Buried { due, segments });
        }
        self.remove_buried(&mut writer, Some(self.core.clock.now()))?;
        Ok(())
    }

    /// Removes what died while something else held the segments.
    pub(super) fn remove_left_dead(&self) -> Result<(), ChangeError> {
        if self.has_dead.load(Ordering::SeqCst) {
            self.remove_dead_segments()?;
        }
        Ok(())
    }

    /// Removes the files of segments that left the log, as far as their time has come by `now`;
    /// all of them without a time.
    pub(super) fn remove_buried(
        &self,
        writer: &mut Writer,
        now: Option<Now>,
    ) -> Result<(), FileError> {
        let due: Vec<Buried> = {
            let mut buried = self.buried.lock();
            let is_due = |one: &mut Buried| now.is_none_or(|now| one.due <= now);
            buried.extract_if(.., is_due).collect()
        };
        let mut failed = None;
        for one in due {
            if let Err(error) = self.remove_segment_files(writer, &one.segments) {
                // Files that are gone by then are no error the next time.
                self.buried.lock().push(one);
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Applies `retention.ms` and `retention.bytes`: moves the log start to the first segment that
    /// is neither too old nor too much, and removes those before it.
    ///
    /// # Errors
    /// [`ChangeError`] if files or the journal fail.
    pub fn apply_retention(&self, now: Timestamp) -> Result<(), ChangeError> {
        let config = self.config();
        let mut start = self.log_start_offset();
        if config.cleanup.delete {
            self.roll_if_expired(now)?;
            let segments = self.view.read().segments.clone();
            let mut surplus = match config.retention_bytes {
                Some(limit) => self.size_in_bytes().saturating_sub(limit),
                None => 0,
            };
            for pair in segments.windows(2) {
                let [segment, next] = pair else { break };
                let is_surplus = surplus >= segment.batch_bytes() && segment.batch_bytes() > 0;
                if next.base_offset() > self.durable().end
                    || !(is_surplus || self.is_expired(segment, now))
                {
                    break;
                }
                surplus = surplus.saturating_sub(segment.batch_bytes());
                start = start.max(next.base_offset());
            }
        }
        self.move_log_start(start)
    }

    fn is_expired(&self, segment: &Segment, now: Timestamp) -> bool {
        let Some(retention) = self.config().retention else {
            return false;
        };
        let retention = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let largest = segment.times().largest;
        segment.batch_bytes() > 0
            && largest >= 0
            && now.as_millis().saturating_sub(largest) > retention
    }

    /// Closes the growing segment if all its records are too old, so that they can go.
    fn roll_if_expired(&self, now: Timestamp) -> Result<(), ChangeError> {
        let mut writer = self.writer.lock();
        let growing = self.view.read().segments.last().cloned();
        if let Some(segment) = growing
            && self.is_expired(&segment, now)
            && self.durable().end == writer.end
            && writer.unusable.is_none()
        {
            self.roll(&mut writer)?;
            writer.is_changed = true;
        }
        Ok(())
    }

    /// Forgets producers that were silent for too long.
    pub(crate) fn expire_producers(&self, now: Timestamp) {
        let before = now
            .as_millis()
            .saturating_sub(self.core.producer_id_expiration_ms());
        self.writer.lock().producers.expire(before);
    }

    /// Journals the deletion, then removes the files. Of a log that is deleted already, whatever
    /// files are left.
    pub(crate) fn delete(&self) -> Result<(), ChangeError> {
        self.is_leaving.store(true, Ordering::Relaxed);
        let reservation = self.core.reserve(0).map_err(reserve_error)?;
        let _upkeep = self.upkeep.lock();
        let mut writer = self.writer.lock();
        if matches!(writer.unusable, Some(Unusable::Deleted(_))) {
            drop(writer);
            self.core.medium.check()?;
            return self.remove_deleted_dir();
        }
        writer.unusable = Some(Unusable::Deleted(self.id));
        let frame = FrameRef {
            kind: FrameKind::Delete,
            id: self.id,
            position: writer.end,
            parts: &[],
        };
        let lsn = self.core.journal()?.stage(reservation, &frame, None);
        writer.note_frame(lsn);
        drop(writer);
        self.core.settle(lsn)?;
        let segments = {
            let mut view = self.view.write();
            view.generation += 1;
            std::mem::take(&mut view.segments)
        };
        for segment in &segments {
            segment.retire();
        }
        self.remove_deleted_dir()
    }

    fn remove_deleted_dir(&self) -> Result<(), ChangeError> {
        let removed = self.remove_dir();
        if removed.is_err() {
            // The frame is needed as long as there are files that it is about; but if they do not
            // go, they must not hold up the whole journal. Without the frame, the next start finds
            // a directory that nobody knows, and sets it aside.
            let mut writer = self.writer.lock();
            writer.first_dirty = None;
            writer.first_since_capture = None;
        }
        removed?;
        self.core.medium.sync_dir(&self.core.partitions_dir)?;
        Ok(())
    }

    pub(super) fn remove_dir(&self) -> Result<(), FileError> {
        match self.core.medium.disk.remove_dir_all(&self.dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(FileError::new("remove", &self.dir)(error))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn remove_segment_files(
        &self,
        writer: &mut Writer,
        segments: &[Arc<Segment>],
    ) -> Result<(), FileError> {
        for segment in segments {
            writer.unsynced.has_names = true;
            writer.is_changed = true;
            for kind in [
                FileKind::Index,
                FileKind::Producers,
                FileKind::Aborted,
                FileKind::Log,
            ] {
                self.remove_if_there(&segment.sibling(kind))?;
            }
        }
        writer
            .unsynced
            .segments
            .retain(|segment| !segment.is_retired());
        Ok(())
    }

    pub(super) fn remove_if_there(&self, path: &Path) -> Result<(), FileError> {
        match self.core.medium.disk.remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(FileError::new("remove", path)(error))
            }
            _ => Ok(()),
        }
    }
}
