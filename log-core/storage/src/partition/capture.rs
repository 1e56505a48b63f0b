//! The partition's part of syncing behind the appends: what is to be synced, and the checkpoint
//! that stands once it is.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::truncate::Cut;
use super::{PartitionLog, Writer};
use crate::checkpoint::{CheckpointEntry, Numbered, SegmentEnd};
use crate::error::{ChangeError, FileError, Stopped};
use crate::lsn::Lsn;
use crate::segment::Segment;

/// A state of the partition that becomes its checkpoint when its files, and the journal up to its
/// frame, are synced.
#[derive(Debug)]
pub(crate) struct Capture {
    pub(crate) lsn: Lsn,
    pub(crate) entry: Numbered,
    pending: Pending,
    segment: i64,
}

/// What has to be synced.
#[derive(Debug)]
struct Pending {
    segments: Vec<(Arc<Segment>, u64)>,
    files: Vec<std::path::PathBuf>,
    has_names: bool,
    bytes: u64,
    generation: u64,
}

/// Why a partition's files were not synced.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SyncError {
    #[error(transparent)]
    Stopped(#[from] Stopped),
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<SyncError> for ChangeError {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::Stopped(stopped) => Self::Stopped(stopped),
            SyncError::File(error) => Self::File(error),
        }
    }
}

impl PartitionLog {
    /// Syncs what was written to segments so far, so that no sync ever has much to do. Holds no
    /// lock while syncing.
    pub(crate) fn sync_segments(&self) -> Result<(), SyncError> {
        let mut writer = self.writer.lock();
        writer.unsynced.is_queued = false;
        writer.unsynced.records = 0;
        writer.unsynced.synced_at = self.core.clock.now();
        if writer.unsynced.bytes == 0 {
            return Ok(());
        }
        let pending = pending(&mut writer);
        drop(writer);
        self.sync(&pending)?;
        self.note_synced(&mut self.writer.lock(), &pending);
        Ok(())
    }

    /// The present state, if it is not that of the last capture.
    pub(crate) fn capture(&self) -> Result<Option<Capture>, FileError> {
        let mut writer = self.writer.lock();
        if !writer.is_changed || matches!(writer.unusable, Some(crate::Unusable::Deleted(_))) {
            return Ok(None);
        }
        self.capture_locked(&mut writer, None).map(Some)
    }

    /// With a cut, the state as it will be once the files are cut there.
    fn capture_locked(&self, writer: &mut Writer, cut: Option<&Cut>) -> Result<Capture, FileError> {
        let growing = match cut {
            Some(cut) => Some(Arc::clone(&cut.segment)),
            None => self.view.read().segments.last().cloned(),
        };
        if let (Some(segment), None) = (&growing, cut) {
            self.flush_index(writer, segment)?;
        }
        let mut aborted = growing
            .as_ref()
            .map(|segment| segment.aborted.read().clone())
            .unwrap_or_default();
        aborted.retain(|aborted| aborted.last_offset < writer.end);
        let entry = CheckpointEntry {
            id: self.id,
            incarnation: self.core.incarnation(),
            lsn: writer.last_lsn,
            generation: writer.generation,
            is_relaxed: writer.is_relaxed,
            log_start: writer.log_start,
            end: writer.end,
            segment: growing.as_ref().map(|segment| SegmentEnd {
                base_offset: segment.base_offset(),
                position: cut.map_or(segment.size(), Cut::size),
            }),
            leader_epoch: writer.leader_epoch,
            epochs: writer.epochs.clone(),
            producers: writer.producers.clone(),
            aborted,
        };
        writer.is_changed = false;
        writer.first_since_capture = None;
        writer.captures += 1;
        Ok(Capture {
            lsn: writer.last_lsn,
            entry: Numbered {
                number: writer.captures,
                entry: entry.encode(),
            },
            pending: pending(writer),
            segment: growing.map_or(-1, |segment| segment.base_offset()),
        })
    }

    /// Syncs all that the captured state stands on.
    pub(crate) fn sync_captured(&self, capture: &Capture) -> Result<(), SyncError> {
        self.sync(&capture.pending)
    }

    /// Notes that a captured state is the partition's durable checkpoint.
    pub(crate) fn note_checkpoint(&self, capture: &Capture) {
        let mut writer = self.writer.lock();
        self.note_checkpoint_locked(&mut writer, capture);
    }

    fn note_checkpoint_locked(&self, writer: &mut Writer, capture: &Capture) {
        writer.first_dirty = writer.first_since_capture;
        self.note_synced(writer, &capture.pending);
        if writer.generation == capture.pending.generation {
            self.checkpoint_segment
                .store(capture.segment, Ordering::Release);
        }
    }

    /// The captured state did not become a checkpoint: it must be captured again.
    pub(crate) fn forget_capture(&self) {
        self.writer.lock().is_changed = true;
    }

    /// First frame that no durable checkpoint covers.
    pub(crate) fn first_dirty(&self) -> Option<Lsn> {
        self.writer.lock().first_dirty
    }

    /// First frame since the last capture.
    pub(crate) fn first_since_capture(&self) -> Option<Lsn> {
        self.writer.lock().first_since_capture
    }

    /// Writes a checkpoint of this partition while holding its lock: for changes after which
    /// recovery would go wrong with the checkpoint from before.
    pub(super) fn checkpoint_locked(&self, writer: &mut Writer) -> Result<(), ChangeError> {
        self.checkpoint_cut_locked(writer, None)
    }

    /// The same for a state whose files are still to be cut.
    pub(super) fn checkpoint_cut_locked(
        &self,
        writer: &mut Writer,
        cut: Option<&Cut>,
    ) -> Result<(), ChangeError> {
        let since_last = writer.first_since_capture;
        let capture = self.capture_locked(writer, cut)?;
        let stored = self
            .sync(&capture.pending)
            .map_err(ChangeError::from)
            .and_then(|()| Ok(self.core.settle(capture.lsn)?))
            .and_then(|()| self.core.store_checkpoint(self.id, capture.entry.clone()));
        match stored {
            Ok(()) => {
                self.note_checkpoint_locked(writer, &capture);
                Ok(())
            }
            Err(error) => {
                writer.is_changed = true;
                // A checkpoint under way stands for the frames before it only.
                writer.first_since_capture = since_last;
                Err(error)
            }
        }
    }

    fn sync(&self, pending: &Pending) -> Result<(), SyncError> {
        let medium = &self.core.medium;
        for (segment, _) in &pending.segments {
            match segment.file() {
                Ok(file) => medium.sync_file(file.as_ref(), segment.path())?,
                // Removed or replaced meanwhile, which was made durable there.
                Err(_) if segment.is_retired() => {}
                Err(error) => return Err(error.into()),
            }
        }
        for path in &pending.files {
            self.sync_side_file(path)?;
        }
        if pending.has_names {
            medium.sync_dir(&self.dir)?;
            medium.sync_dir(&self.core.partitions_dir)?;
        }
        Ok(())
    }

    /// Side files are derived: one that is gone is made again when it is missed.
    fn sync_side_file(&self, path: &Path) -> Result<(), Stopped> {
        match self.core.medium.disk.open(path) {
            Ok(file) => self.core.medium.sync_file(file.as_ref(), path),
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "nothing to sync");
                Ok(())
            }
        }
    }

    fn note_synced(&self, writer: &mut Writer, synced: &Pending) {
        writer.unsynced.bytes = writer.unsynced.bytes.saturating_sub(synced.bytes);
        if writer.generation != synced.generation {
            return;
        }
        writer.unsynced.segments.retain(|segment| {
            !synced
                .segments
                .iter()
                .any(|(done, size)| Arc::ptr_eq(done, segment) && segment.size() == *size)
        });
    }
}

/// What is unsynced now. Files and names are handed over; should the sync fail, the storage stops.
fn pending(writer: &mut Writer) -> Pending {
    let unsynced = &mut writer.unsynced;
    Pending {
        segments: unsynced
            .segments
            .iter()
            .map(|segment| (Arc::clone(segment), segment.size()))
            .collect(),
        files: std::mem::take(&mut unsynced.files),
        has_names: std::mem::take(&mut unsynced.has_names),
        bytes: unsynced.bytes,
        generation: writer.generation,
    }
}
