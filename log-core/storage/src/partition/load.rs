//! A log as its files and its checkpoint have it: cut at the checkpoint, or, if it is relaxed,
//! where the first batch is that did not make it to the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};

use parking_lot::{Mutex, RwLock};

use super::roll::ABORTED_MAGIC;
use super::truncate::WALK_CHUNK;
use super::{DurableState, DurableWatch, PartitionLog, View, Writer, take_aborted};
use crate::checkpoint::{CheckpointEntry, SegmentEnd};
use crate::config::{Durability, LogConfig};
use crate::core::Core;
use crate::encoding::Fields;
use crate::error::{ChangeError, FileError, OpenError};
use crate::id::TopicPartitionId;
use crate::index::{IndexEntry, IndexFile, SegmentIndex};
use crate::sealed;
use crate::segment::{
    FileKind, SEGMENT_HEADER, ScanError, Segment, SegmentHeader, marker_of, parse_file_name,
};

impl From<ChangeError> for OpenError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Corrupt(error) => Self::Corrupt(error),
            ChangeError::File(error) => Self::File(error),
            ChangeError::Stopped(error) => Self::Stopped(error),
            // Recovery reserves no room.
            ChangeError::NoRoom(_) => Self::Stopped(crate::Stopped),
            ChangeError::OutOfRange { .. } => {
                Self::Options("a journal frame does not fit its partition")
            }
            ChangeError::Unknown(_) | ChangeError::Unusable(_) => {
                Self::Options("a partition is not usable during recovery")
            }
        }
    }
}

impl From<ScanError> for OpenError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Damaged(corruption) => Self::Corrupt(corruption),
            ScanError::File(error) => Self::File(error),
        }
    }
}

impl PartitionLog {
    /// An empty log. Nothing is on disk before the first append.
    pub(crate) fn empty(
        core: &Arc<Core>,
        id: TopicPartitionId,
        name: &str,
        config: LogConfig,
    ) -> Arc<Self> {
        let is_relaxed = config.durability == Durability::Relaxed;
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            core: Arc::clone(core),
            id,
            name: name.into(),
            dir: core.partitions_dir.join(id.to_string()),
            config: RwLock::new(Arc::new(config)),
            is_relaxed: AtomicBool::new(is_relaxed),
            writer: Mutex::new(Writer::new(is_relaxed)),
            view: RwLock::new(View::default()),
            durable: Arc::new(DurableWatch::new(DurableState {
                end: 0,
                last_stable: 0,
            })),
            checkpoint_segment: AtomicI64::new(-1),
            cursors: Mutex::default(),
            upkeep: Mutex::new(()),
            has_dead: AtomicBool::new(false),
            is_leaving: AtomicBool::new(false),
            buried: Mutex::default(),
        })
    }

    /// The log as it was at its checkpoint. `has_frames` says that the journal goes on from there.
    pub(crate) fn load(
        core: &Arc<Core>,
        id: TopicPartitionId,
        name: &str,
        config: LogConfig,
        checkpoint: Option<CheckpointEntry>,
        has_frames: bool,
    ) -> Result<Arc<Self>, OpenError> {
        let is_relaxed = match &checkpoint {
            Some(checkpoint) => checkpoint.is_relaxed,
            None => config.durability == Durability::Relaxed,
        };
        let log = Self::empty(core, id, name, config);
        let mut writer = log.writer.lock();
        writer.is_relaxed = is_relaxed;
        log.is_relaxed
            .store(is_relaxed, std::sync::atomic::Ordering::Relaxed);
        let mut files = log.find_segments()?;
        let target = checkpoint
            .as_ref()
            .and_then(|checkpoint| checkpoint.segment);
        let behind = files.partition_point(|header| {
            target.is_some_and(|target| header.base_offset <= target.base_offset)
        });
        let later = files.split_off(behind);
        // Journaled and relaxed appends never mix behind a checkpoint.
        let is_scanned = is_relaxed && !has_frames;
        if let Some(checkpoint) = checkpoint {
            log.restore(&mut writer, checkpoint, &files, is_scanned)?;
        }
        if is_scanned {
            log.scan_relaxed(&mut writer, later)?;
        } else {
            for header in later {
                log.remove_files_of(&mut writer, header)?;
            }
        }
        log.durable.publish(writer.durable_state());
        drop(writer);
        Ok(log)
    }

    /// Headers of the segments on disk by base offset, without what a compaction replaced.
    fn find_segments(&self) -> Result<Vec<SegmentHeader>, OpenError> {
        let disk = self.core.medium.disk.as_ref();
        let entries = match disk.list(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(FileError::new("list", &self.dir)(error).into()),
        };
        let mut found: Vec<SegmentHeader> = Vec::new();
        for entry in entries {
            let path = self.dir.join(&entry.name);
            let base_offset = match parse_file_name(&entry.name) {
                Some((base_offset, FileKind::Log)) => base_offset,
                Some(_) => continue,
                None => {
                    // One that never got its name; what others put here is not ours to remove.
                    if entry.name.ends_with(".compacted") || entry.name.ends_with(".tmp") {
                        self.remove_if_there(&path)?;
                    }
                    continue;
                }
            };
            let mut bytes = Vec::new();
            let file = disk.open(&path).map_err(FileError::new("open", &path))?;
            file.read_to(&mut bytes, 0, SEGMENT_HEADER as usize)
                .map_err(FileError::new("read", &path))?;
            let header = match SegmentHeader::decode(&bytes, &path) {
                Ok(header) => header,
                Err(OpenError::Corrupt(_)) => SegmentHeader {
                    id: self.id,
                    base_offset,
                    revision: 0,
                    covered_end: None,
                    is_clean: false,
                },
                Err(error) => return Err(error),
            };
            let is_replaced = found
                .last()
                .and_then(|last| last.covered_end)
                .is_some_and(|covered_end| base_offset < covered_end);
            if is_replaced {
                self.remove_if_there(&path)?;
            } else {
                found.push(SegmentHeader {
                    base_offset,
                    ..header
                });
            }
        }
        Ok(found)
    }

    fn remove_files_of(&self, writer: &mut Writer, header: SegmentHeader) -> Result<(), OpenError> {
        let segment = Segment::existing(&self.core.handles, &self.dir, header);
        segment.retire();
        self.remove_segment_files(writer, &[segment])?;
        Ok(())
    }

    /// Puts the checkpoint's state and its segments in place.
    fn restore(
        &self,
        writer: &mut Writer,
        checkpoint: CheckpointEntry,
        files: &[SegmentHeader],
        keeps_tail: bool,
    ) -> Result<(), OpenError> {
        writer.end = checkpoint.end;
        writer.log_start = checkpoint.log_start;
        writer.producers = checkpoint.producers;
        writer.epochs = checkpoint.epochs;
        writer.leader_epoch = checkpoint.leader_epoch;
        writer.generation = checkpoint.generation;
        let mut segments = Vec::with_capacity(files.len());
        let mut expected = None;
        let target = checkpoint.segment;
        for header in files {
            if Some(header.base_offset) == target.map(|target| target.base_offset) {
                continue;
            }
            let segment = Segment::existing(&self.core.handles, &self.dir, *header);
            let end = match self.load_closed(&segment) {
                Ok(end) => end,
                Err(OpenError::Corrupt(damage)) => {
                    writer.suspect(header.base_offset, damage.position, damage.to_string());
                    // Where it ends is not known, so nothing can be missing behind it.
                    i64::MAX
                }
                Err(error) => return Err(error),
            };
            self.check_follows(writer, expected, header.base_offset);
            expected = Some(end);
            segments.push(segment);
        }
        if let Some(target) = target {
            self.check_follows(writer, expected, target.base_offset);
            let header = files
                .iter()
                .find(|header| header.base_offset == target.base_offset);
            let segment = self.cut_at_checkpoint(writer, header, target, keeps_tail)?;
            *segment.aborted.write() = checkpoint.aborted;
            segments.push(segment);
        }
        let mut view = self.view.write();
        view.log_start = checkpoint.log_start;
        view.segments = segments;
        self.checkpoint_segment.store(
            target.map_or(-1, |target| target.base_offset),
            std::sync::atomic::Ordering::Release,
        );
        Ok(())
    }

    fn check_follows(&self, writer: &mut Writer, expected: Option<i64>, base_offset: i64) {
        let expected = expected.unwrap_or(base_offset.min(writer.log_start.max(0)));
        if expected < base_offset && base_offset > writer.log_start {
            let reason = format!("offsets {expected}..{base_offset} are missing");
            writer.suspect(expected, 0, reason);
        }
    }

    /// Loads what is kept in memory of a closed segment; returns the offset behind it.
    fn load_closed(&self, segment: &Arc<Segment>) -> Result<i64, OpenError> {
        let file = segment.file()?;
        let size = file
            .len()
            .map_err(FileError::new("measure", segment.path()))?;
        segment.set_size(size);
        self.load_aborted(segment)?;
        let end = self.open_index(segment).and_then(|index| {
            let count = index.count();
            let end = index.entry(count.checked_sub(1)?)?;
            (u64::from(end.position) == size).then_some((end, count))
        });
        let (end, count) = match end {
            Some(found) => found,
            None => self.rebuild_closed(segment)?,
        };
        *segment.index.write() = SegmentIndex::closed(segment.header(), count);
        let mut times = segment.times();
        times.largest = end.largest_before;
        segment.set_times(times);
        Ok(segment.base_offset() + i64::from(end.relative_offset))
    }

    /// Makes the index of a closed segment anew, from the segment.
    pub(super) fn rebuild_closed(
        &self,
        segment: &Arc<Segment>,
    ) -> Result<(IndexEntry, usize), OpenError> {
        tracing::info!(segment = %segment.path().display(), "rebuilding index");
        let interval = self.config().index_interval_bytes;
        let mut index = SegmentIndex::new(segment.header());
        let mut end = IndexEntry {
            relative_offset: 0,
            position: 0,
            largest_before: -1,
        };
        let mut next = segment.base_offset();
        let mut scanner = segment.scan(SEGMENT_HEADER, segment.size(), WALK_CHUNK)?;
        while let Some((position, header)) = scanner.next()? {
            index.note(&header, position, end.largest_before, interval);
            end.largest_before = end.largest_before.max(header.max_timestamp);
            next = header.next_offset();
        }
        let next = segment.header().covered_end.unwrap_or(next);
        end.relative_offset = u32::try_from(next - segment.base_offset()).unwrap_or(u32::MAX);
        end.position = u32::try_from(segment.size()).unwrap_or(u32::MAX);
        let (mut entries, _) = index.unpersisted().unwrap_or_default();
        entries.push(end);
        let disk = self.core.medium.disk.as_ref();
        let path = segment.sibling(FileKind::Index);
        IndexFile::write(disk, &path, segment.header(), &entries, 0)?;
        Ok((end, entries.len()))
    }

    fn load_aborted(&self, segment: &Arc<Segment>) -> Result<(), OpenError> {
        let path = segment.sibling(FileKind::Aborted);
        let Some(bytes) = sealed::read_file(self.core.medium.disk.as_ref(), &path)? else {
            return Ok(());
        };
        let payload = sealed::unseal(ABORTED_MAGIC, &bytes)
            .map_err(|broken| sealed::broken(&path, broken))?;
        let mut fields = Fields::new(payload);
        let aborted = fields.u32().and_then(|_revision| take_aborted(&mut fields));
        *segment.aborted.write() = aborted.unwrap_or_default();
        Ok(())
    }

    /// The growing segment, cut where the checkpoint says. A file that is too short, or damaged
    /// before the checkpoint, is suspect unless a journaled truncation explains it.
    fn cut_at_checkpoint(
        &self,
        writer: &mut Writer,
        header: Option<&SegmentHeader>,
        target: SegmentEnd,
        keeps_tail: bool,
    ) -> Result<Arc<Segment>, OpenError> {
        let segment = match header {
            Some(header) => Segment::existing(&self.core.handles, &self.dir, *header),
            None => {
                let disk = &self.core.medium.disk;
                disk.create_dir_all(&self.dir)
                    .map_err(FileError::new("create", &self.dir))?;
                writer.unsynced.has_names = true;
                let base_offset = target.base_offset;
                Segment::create(
                    &self.core.medium,
                    &self.core.handles,
                    &self.dir,
                    self.id,
                    base_offset,
                )?
            }
        };
        let file = segment.file()?;
        let len = file
            .len()
            .map_err(FileError::new("measure", segment.path()))?;
        if len < target.position || (len > target.position && !keeps_tail) {
            file.set_len(target.position)
                .map_err(FileError::new("cut", segment.path()))?;
            writer.unsynced.note_segment(&segment, 0);
            writer.is_changed = true;
        }
        segment.set_size(target.position);
        if len < target.position {
            let path = segment.path().display();
            let reason = format!(
                "{path} ends at {len}, but was synced to {}",
                target.position
            );
            writer.suspect(target.base_offset, len, reason);
        }
        self.load_growing(writer, &segment, target)?;
        Ok(segment)
    }

    /// Reads what there is of the growing segment's index and walks over the rest.
    fn load_growing(
        &self,
        writer: &mut Writer,
        segment: &Arc<Segment>,
        target: SegmentEnd,
    ) -> Result<(), OpenError> {
        let file = self.open_index(segment);
        let count = file.as_ref().map_or(0, |file| file.count());
        let mut entries = file.map(|file| file.valid_entries()).unwrap_or_default();
        entries.retain(|entry| u64::from(entry.position) < target.position);
        while let Some(last) = entries.last() {
            let offset = segment.base_offset() + i64::from(last.relative_offset);
            let mut there = segment.scan(last.position.into(), target.position, 4096)?;
            match there.peek() {
                Ok(Some((_, header))) if header.base_offset == offset => break,
                Err(ScanError::File(error)) => return Err(error.into()),
                _ => entries.pop(),
            };
        }
        let interval = self.config().index_interval_bytes;
        let mut times = segment.times();
        let mut from = SEGMENT_HEADER;
        if let Some(last) = entries.last() {
            from = u64::from(last.position);
            times.largest = last.largest_before;
        }
        let mut index = SegmentIndex::growing(segment.header(), entries, count);
        let mut scanner = segment.scan(from, target.position, WALK_CHUNK)?;
        loop {
            match scanner.next() {
                Ok(Some((position, header))) => {
                    index.note(&header, position, times.largest, interval);
                    times.largest = times.largest.max(header.max_timestamp);
                    times.first.get_or_insert(header.max_timestamp);
                }
                Ok(None) => break,
                Err(ScanError::File(error)) => return Err(error.into()),
                Err(ScanError::Damaged(damage)) => {
                    writer.suspect(target.base_offset, damage.position, damage.to_string());
                    break;
                }
            }
        }
        if from > SEGMENT_HEADER
            && let Ok(Some((_, first))) =
                segment.scan(SEGMENT_HEADER, target.position, 4096)?.peek()
        {
            times.first = Some(first.max_timestamp);
        }
        segment.set_times(times);
        *segment.index.write() = index;
        Ok(())
    }

    /// Finds the relaxed appends behind the checkpoint, up to the first batch that is not whole.
    fn scan_relaxed(
        &self,
        writer: &mut Writer,
        later: Vec<SegmentHeader>,
    ) -> Result<(), OpenError> {
        let growing = self.view.read().segments.last().cloned();
        let mut is_whole = match &growing {
            Some(segment) => self.scan_tail(writer, segment)?,
            None => true,
        };
        for header in later {
            if !is_whole || header.base_offset != writer.end {
                self.remove_files_of(writer, header)?;
                is_whole = false;
                continue;
            }
            let growing = self.view.read().segments.last().cloned();
            if let Some(old) = growing {
                self.close_segment(writer, &old)?;
            }
            // Behind the checkpoint nobody saw to it that the file keeps its name.
            writer.unsynced.has_names = true;
            let segment = Segment::existing(&self.core.handles, &self.dir, header);
            self.view.write().segments.push(Arc::clone(&segment));
            is_whole = self.scan_tail(writer, &segment)?;
        }
        Ok(())
    }

    /// Takes whole batches behind a segment's size into the log and cuts what follows them.
    /// Returns whether nothing had to be cut.
    fn scan_tail(&self, writer: &mut Writer, segment: &Arc<Segment>) -> Result<bool, OpenError> {
        let file = segment.file()?;
        let len = file
            .len()
            .map_err(FileError::new("measure", segment.path()))?;
        let interval = self.config().index_interval_bytes;
        let wall = self.core.clock.wall().as_millis();
        let start = segment.size().max(SEGMENT_HEADER);
        let mut scanner = segment.scan(start, len, WALK_CHUNK)?;
        loop {
            let next = match scanner.next_verified() {
                Ok(next) => next,
                Err(ScanError::Damaged(_)) => None,
                Err(ScanError::File(error)) => return Err(error.into()),
            };
            let Some((position, batch)) = next else { break };
            let Ok(marker) = marker_of(&batch) else { break };
            if batch.header.base_offset < writer.end {
                break;
            }
            segment.note(&batch.header, position, interval);
            self.note_batch(writer, &batch.header, marker, wall);
            writer
                .unsynced
                .note_segment(segment, batch.bytes.len() as u64);
            writer.is_changed = true;
        }
        let size = segment.size();
        if len <= size.max(SEGMENT_HEADER) && size > 0 || len == 0 {
            return Ok(true);
        }
        file.set_len(size)
            .map_err(FileError::new("cut", segment.path()))?;
        writer.unsynced.note_segment(segment, 0);
        writer.is_changed = true;
        Ok(false)
    }

    /// Ends recovery: frames are of a new journal from here on, and what was there is verified when
    /// it is read.
    pub(crate) fn finish_recovery(&self) {
        let mut writer = self.writer.lock();
        if let Some(suspect) = writer.suspect.take() {
            self.quarantine_locked(&mut writer, &suspect.reason);
        }
        writer.last_lsn = crate::Lsn::ZERO;
        writer.first_dirty = None;
        writer.first_since_capture = None;
        for segment in &self.view.read().segments {
            segment.set_inherited(segment.size());
        }
        self.durable.publish(writer.durable_state());
    }
}
