//! Compaction of closed segments: read them, keep what counts, replace them.
//!
//! The result is one file, synced, then renamed over the first of the segments it replaces. Its
//! header says up to which offset it replaces others, so that after a crash either the old segments
//! stand or the new one does; leftovers of the old are removed when they are found.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use headwater_env::{DiskFile, Timestamp};
use headwater_wire::records::{BatchHeader, NO_TIMESTAMP, RecordBatch};

use super::roll::encode_aborted;
use super::truncate::WALK_CHUNK;
use super::{AbortedTransaction, PartitionLog};
use crate::compaction::{CompactionLimits, CompactionPace, Filter, Kept, LatestOffsets};
use crate::error::{ChangeError, Corruption, FileError, Stopped, Unusable};
use crate::index::{IndexEntry, IndexFile, SegmentIndex};
use crate::raft::replace_file;
use crate::segment::{FileKind, SEGMENT_HEADER, Segment, SegmentHeader, SegmentTimes};

/// Bytes of the result gathered for one write.
const WRITE_CHUNK: usize = 1 << 20;

/// A stretch of segments that becomes one.
#[derive(Debug)]
struct Group {
    segments: Vec<Arc<Segment>>,
    /// Offset behind the last of them.
    end: i64,
    /// All their keys are compared with this.
    is_clean: bool,
}

/// What a run goes by.
struct Run<'a> {
    now: i64,
    /// Memory for keys.
    memory_bytes: usize,
    pace: &'a dyn CompactionPace,
    aborted: Vec<AbortedTransaction>,
    /// Last offset of each producer, and the log start.
    producers: (BTreeMap<i64, i64>, i64),
}

/// How far there was memory for keys.
#[derive(Debug)]
enum Noted {
    /// This many segments whole.
    Segments(usize),
    /// Only up to this offset in the first segment.
    Part(i64),
}

impl PartitionLog {
    /// Compacts closed segments if enough of them is new: `cleanup.policy=compact`. Segments must be
    /// wholly synced, checkpointed, and below the last stable offset. Takes as many runs as the
    /// memory for keys makes necessary. Returns whether anything was replaced. Blocks for reading
    /// and writing it all; appends and reads go on meanwhile.
    ///
    /// # Errors
    /// [`ChangeError`]; the segments not replaced yet then stand.
    pub fn compact(
        &self,
        now: Timestamp,
        limits: CompactionLimits<'_>,
    ) -> Result<bool, ChangeError> {
        if !self.config().cleanup.compact {
            return Ok(false);
        }
        // What is appended meanwhile is left to the next call, so that this one ends.
        let limit = self.checkpoint_segment();
        let mut is_replaced = false;
        loop {
            let compacted = self.compact_once(now, limit, limits);
            let removed = self.remove_left_dead();
            if !compacted? {
                return removed.map(|()| is_replaced);
            }
            removed?;
            is_replaced = true;
        }
    }

    /// One run: from the start of the log to the end of the last segment whose keys all fit into
    /// memory. The rest stays as it is, to be compared to all keys by a later run.
    fn compact_once(
        &self,
        now: Timestamp,
        limit: i64,
        limits: CompactionLimits<'_>,
    ) -> Result<bool, ChangeError> {
        let _upkeep = self.upkeep.lock();
        if let Some(deleted @ Unusable::Deleted(_)) = self.unusable() {
            return Err(deleted.into());
        }
        let Some((mut segments, end)) = self.compactable(now, limit) else {
            return Ok(false);
        };
        if !self.is_dirty_enough(&segments, now) {
            return Ok(false);
        }
        let run = Run {
            now: now.as_millis(),
            memory_bytes: limits.memory_bytes / limits.threads.max(1),
            pace: limits.pace,
            aborted: self.all_aborted(),
            producers: self.producers_and_start(),
        };
        let mut from = i64::MIN;
        loop {
            let clean = segments.iter().take_while(|s| s.header().is_clean).count();
            let mut latest = LatestOffsets::new(run.memory_bytes);
            let dirty = segments.get(clean..).unwrap_or_default();
            match self.note_keys(dirty, from, &run, &mut latest)? {
                Noted::Segments(count) => {
                    let rest = segments.split_off(clean + count);
                    let end = rest.first().map_or(end, |next| next.base_offset());
                    let groups = self.group(&segments, end);
                    return Ok(self.compact_groups(groups, &run, &latest)?.is_some());
                }
                Noted::Part(upto) => {
                    let rest = segments.split_off(clean + 1);
                    let part_end = rest.first().map_or(end, |next| next.base_offset());
                    let Some(part) = segments.pop() else {
                        return Ok(false);
                    };
                    let mut groups = self.group(&segments, part.base_offset());
                    groups.push(Group {
                        segments: vec![part],
                        end: part_end,
                        is_clean: false,
                    });
                    let Some(replaced) = self.compact_groups(groups, &run, &latest)? else {
                        return Ok(false);
                    };
                    segments = replaced;
                    segments.extend(rest);
                    from = upto;
                }
            }
        }
    }

    /// The segments that may be compacted, and the offset behind them.
    fn compactable(&self, now: Timestamp, limit: i64) -> Option<(Vec<Arc<Segment>>, i64)> {
        let lag = i64::try_from(self.config().min_compaction_lag.as_millis()).unwrap_or(i64::MAX);
        let limit = limit
            .min(self.checkpoint_segment())
            .min(self.durable().last_stable);
        let view = self.view.read();
        let mut end = None;
        let segments: Vec<_> = view
            .segments
            .windows(2)
            .map_while(|pair| {
                let [segment, next] = pair else { return None };
                let is_old =
                    lag == 0 || now.as_millis().saturating_sub(segment.times().largest) >= lag;
                if next.base_offset() > limit || !is_old {
                    return None;
                }
                end = Some(next.base_offset());
                Some(Arc::clone(segment))
            })
            .collect();
        Some((segments, end?))
    }

    fn is_dirty_enough(&self, segments: &[Arc<Segment>], now: Timestamp) -> bool {
        let config = self.config();
        let is_clean = |segment: &&Arc<Segment>| segment.header().is_clean;
        let total: u64 = segments.iter().map(|segment| segment.batch_bytes()).sum();
        let dirty: Vec<_> = segments.iter().skip_while(is_clean).collect();
        let dirty_bytes: u64 = dirty.iter().map(|segment| segment.batch_bytes()).sum();
        if dirty_bytes == 0 {
            return false;
        }
        let is_overdue = config.max_compaction_lag.is_some_and(|lag| {
            let lag = i64::try_from(lag.as_millis()).unwrap_or(i64::MAX);
            dirty.iter().any(|segment| {
                segment
                    .times()
                    .first
                    .is_some_and(|first| now.as_millis().saturating_sub(first) > lag)
            })
        });
        is_overdue || dirty_bytes as f64 >= total as f64 * config.min_cleanable_dirty_ratio
    }

    fn all_aborted(&self) -> Vec<AbortedTransaction> {
        let segments = self.view.read().segments.clone();
        segments
            .iter()
            .flat_map(|segment| segment.aborted.read().clone())
            .collect()
    }

    fn producers_and_start(&self) -> (BTreeMap<i64, i64>, i64) {
        let writer = self.writer.lock();
        let last = writer
            .producers
            .summaries()
            .iter()
            .filter_map(|producer| {
                let id = producer.producer_id;
                Some((id, writer.producers.last_offset(id)?))
            })
            .collect();
        (last, writer.log_start)
    }

    /// Notes the keys of what is new, from offset `from` on, as far as there is memory. Keys of what
    /// was compacted before are superseded by these or unique already.
    fn note_keys(
        &self,
        dirty: &[Arc<Segment>],
        from: i64,
        run: &Run<'_>,
        latest: &mut LatestOffsets,
    ) -> Result<Noted, ChangeError> {
        let nothing = LatestOffsets::new(0);
        let judge = self.filter(run, &nothing, i64::MIN);
        for (index, segment) in dirty.iter().enumerate() {
            let mut scanner = segment.scan(SEGMENT_HEADER, segment.size(), WALK_CHUNK)?;
            while let Some((_, batch)) = scanner.next_verified()? {
                let header = &batch.header;
                self.spend(run, header.size_in_bytes())?;
                if header.base_offset < from || header.is_control() || judge.is_aborted(header) {
                    continue;
                }
                if !latest.note(&batch) {
                    return Ok(match index {
                        0 => Noted::Part(header.base_offset),
                        _ => Noted::Segments(index),
                    });
                }
            }
        }
        Ok(Noted::Segments(dirty.len()))
    }

    /// Goes on at the run's pace, unless the log is deleted or the node stops.
    fn spend(&self, run: &Run<'_>, bytes: usize) -> Result<(), ChangeError> {
        let is_over = || self.is_leaving.load(Ordering::Relaxed);
        let goes_on = run.pace.spend(bytes as u64, &is_over);
        if is_over() {
            return Err(Unusable::Deleted(self.id).into());
        }
        if goes_on { Ok(()) } else { Err(Stopped.into()) }
    }

    fn filter<'a>(
        &self,
        run: &Run<'_>,
        latest: &'a LatestOffsets,
        compared_end: i64,
    ) -> Filter<'a> {
        let retention = self.config().delete_retention.as_millis();
        let (last_batches, log_start) = run.producers.clone();
        Filter::new(
            latest,
            &run.aborted,
            last_batches,
            log_start,
            run.now,
            i64::try_from(retention).unwrap_or(i64::MAX),
            compared_end,
        )
    }

    /// Replaces each group by what stays of it. `None` if a group was gone.
    fn compact_groups(
        &self,
        groups: Vec<Group>,
        run: &Run<'_>,
        latest: &LatestOffsets,
    ) -> Result<Option<Vec<Arc<Segment>>>, ChangeError> {
        let clean = groups.iter().take_while(|group| group.is_clean);
        let mut filter = self.filter(run, latest, clean.last().map_or(i64::MIN, |g| g.end));
        let mut results = Vec::with_capacity(groups.len());
        for group in &groups {
            let result = self
                .compact_group(group, run, &mut filter)
                .inspect_err(|error| {
                    if let ChangeError::Corrupt(damage) = error {
                        self.quarantine(&damage.to_string());
                    }
                })?;
            match result {
                Some(segment) => results.push(segment),
                None => return Ok(None),
            }
        }
        Ok(Some(results))
    }

    /// Neighbours that fit into one segment together.
    fn group(&self, segments: &[Arc<Segment>], end: i64) -> Vec<Group> {
        let limit = u64::from(self.config().segment_bytes);
        let mut groups: Vec<Group> = Vec::new();
        let mut bytes = 0;
        for (index, segment) in segments.iter().enumerate() {
            let next = segments
                .get(index + 1)
                .map_or(end, |next| next.base_offset());
            let size = segment.batch_bytes();
            match groups.last_mut() {
                Some(group)
                    if bytes + size <= limit
                        && group
                            .segments
                            .first()
                            .is_some_and(|f| next - f.base_offset() < i64::from(i32::MAX)) =>
                {
                    bytes += size;
                    group.segments.push(Arc::clone(segment));
                    group.end = next;
                }
                _ => {
                    bytes = size;
                    groups.push(Group {
                        segments: vec![Arc::clone(segment)],
                        end: next,
                        is_clean: true,
                    });
                }
            }
        }
        groups
    }

    fn compact_group(
        &self,
        group: &Group,
        run: &Run<'_>,
        filter: &mut Filter<'_>,
    ) -> Result<Option<Arc<Segment>>, ChangeError> {
        let Some(first) = group.segments.first() else {
            return Ok(None);
        };
        let revision = group
            .segments
            .iter()
            .map(|segment| segment.header().revision)
            .max();
        let header = SegmentHeader {
            covered_end: Some(group.end),
            is_clean: group.is_clean,
            revision: revision.unwrap_or(0) + 1,
            ..first.header()
        };
        let mut aborted: Vec<AbortedTransaction> = group
            .segments
            .iter()
            .flat_map(|segment| segment.aborted.read().clone())
            .collect();
        let mut result = Rewrite::create(self, first.path(), header)?;
        for segment in &group.segments {
            let mut scanner = segment.scan(SEGMENT_HEADER, segment.size(), WALK_CHUNK)?;
            while let Some((position, batch)) = scanner.next_verified()? {
                let size = batch.header.size_in_bytes();
                let kept = filter.keep(&batch).map_err(|error| Corruption {
                    path: segment.path().to_owned(),
                    position,
                    reason: error.to_string(),
                })?;
                let before = result.position;
                result.add(&batch, kept)?;
                let written = usize::try_from(result.position - before).unwrap_or(0);
                self.spend(run, size + written)?;
            }
        }
        aborted.retain(|aborted| !filter.dropped_markers.contains(&aborted.last_offset));
        result.flush()?;
        self.replace(group, result, aborted)
    }

    /// Puts the result in the place of the group's segments; `None` if they are gone.
    fn replace(
        &self,
        group: &Group,
        result: Rewrite<'_>,
        aborted: Vec<AbortedTransaction>,
    ) -> Result<Option<Arc<Segment>>, ChangeError> {
        let Some(first) = group.segments.first() else {
            return Ok(None);
        };
        let medium = &self.core.medium;
        medium.sync_file(result.file.as_ref(), &result.path)?;
        // The list first: it may name too much, never too little, for the segments it is read with.
        let list = first.sibling(FileKind::Aborted);
        if !aborted.is_empty() || !first.aborted.read().is_empty() {
            replace_file(
                medium,
                &list,
                &encode_aborted(result.header.revision, &aborted),
            )?;
        }
        let segment = Segment::existing(&self.core.handles, &self.dir, result.header);
        segment.set_size(result.position);
        segment.set_inherited(0);
        segment.set_times(result.times);
        *segment.aborted.write() = aborted;
        {
            let mut view = self.view.write();
            let is_there = view.segments.iter().any(|other| Arc::ptr_eq(other, first));
            if !is_there {
                self.remove_if_there(&result.path)?;
                return Ok(None);
            }
            medium
                .disk
                .rename(&result.path, first.path())
                .map_err(FileError::new("replace", first.path()))?;
            for old in &group.segments {
                old.retire();
            }
            // No index yet: until it is written, a look-up walks from the start.
            view.segments.retain(|other| !other.is_retired());
            let at = view
                .segments
                .partition_point(|other| other.base_offset() < segment.base_offset());
            view.segments.insert(at, Arc::clone(&segment));
            view.generation += 1;
        }
        self.cursors.lock().clear();
        medium.sync_dir(&self.dir)?;
        self.index_result(&segment, result.index, group.end)?;
        let mut writer = self.writer.lock();
        self.remove_segment_files(&mut writer, group.segments.get(1..).unwrap_or_default())?;
        writer
            .unsynced
            .segments
            .retain(|segment| !segment.is_retired());
        Ok(Some(segment))
    }

    fn index_result(
        &self,
        segment: &Arc<Segment>,
        index: SegmentIndex,
        end: i64,
    ) -> Result<(), FileError> {
        let (mut entries, _) = index.unpersisted().unwrap_or_default();
        entries.push(IndexEntry {
            relative_offset: u32::try_from(end - segment.base_offset()).unwrap_or(u32::MAX),
            position: u32::try_from(segment.size()).unwrap_or(u32::MAX),
            largest_before: segment.times().largest,
        });
        let disk = self.core.medium.disk.as_ref();
        let path = segment.sibling(FileKind::Index);
        IndexFile::write(disk, &path, segment.header(), &entries, 0)?;
        segment.index.write().close(entries.len());
        Ok(())
    }
}

/// The file that will replace a group, being written.
struct Rewrite<'a> {
    log: &'a PartitionLog,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    header: SegmentHeader,
    index: SegmentIndex,
    times: SegmentTimes,
    buffer: Vec<u8>,
    /// Where the buffer goes.
    written: u64,
    /// Where the next batch goes.
    position: u64,
}

impl<'a> Rewrite<'a> {
    fn create(
        log: &'a PartitionLog,
        replaced: &Path,
        header: SegmentHeader,
    ) -> Result<Self, FileError> {
        let path = replaced.with_extension("compacted");
        let disk = &log.core.medium.disk;
        let file = disk
            .create(&path)
            .map_err(FileError::new("create", &path))?;
        Ok(Self {
            log,
            path,
            file,
            header,
            index: SegmentIndex::new(header),
            times: SegmentTimes {
                first: None,
                largest: NO_TIMESTAMP,
            },
            buffer: header.encode(),
            written: 0,
            position: SEGMENT_HEADER,
        })
    }

    fn add(&mut self, batch: &RecordBatch, kept: Kept) -> Result<(), ChangeError> {
        let rewritten;
        let (header, bytes) = match kept {
            Kept::Nothing => return Ok(()),
            Kept::Whole => (batch.header, &batch.bytes),
            Kept::Rewritten(bytes) => {
                rewritten = bytes;
                let header = BatchHeader::parse(&rewritten).map_err(|error| Corruption {
                    path: self.path.clone(),
                    position: self.position,
                    reason: error.to_string(),
                })?;
                (header, &rewritten)
            }
        };
        let interval = self.log.config().index_interval_bytes;
        self.index
            .note(&header, self.position, self.times.largest, interval);
        self.times.largest = self.times.largest.max(header.max_timestamp);
        self.times.first.get_or_insert(header.max_timestamp);
        self.buffer.extend_from_slice(bytes);
        self.position += bytes.len() as u64;
        if self.buffer.len() >= WRITE_CHUNK {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), FileError> {
        self.file
            .write_all_at(&self.buffer, self.written)
            .map_err(FileError::new("write", &self.path))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}
