//! Closing a segment and starting the next.

use std::sync::Arc;
use std::time::Duration;

use headwater_wire::records::BatchHeader;

use super::{PartitionLog, Writer};
use crate::encoding::PutFields;
use crate::error::FileError;
use crate::index::{IndexEntry, IndexFile};
use crate::partition::AbortedTransaction;
use crate::producers::ProducerStates;
use crate::sealed::{self, Magic};
use crate::segment::{FileKind, Segment};

pub(super) const PRODUCERS_MAGIC: Magic = *b"HWPRODUC";
pub(super) const ABORTED_MAGIC: Magic = *b"HWABORTD";

impl PartitionLog {
    /// The segment that takes an append of `bytes` bytes: the growing one, or a new one.
    pub(super) fn segment_for(
        &self,
        writer: &mut Writer,
        first: &BatchHeader,
        last_offset: i64,
        bytes: u64,
    ) -> Result<Arc<Segment>, FileError> {
        let growing = self.view.read().segments.last().cloned();
        if let Some(segment) = growing
            && !self.is_full(&segment, first, last_offset, bytes)
        {
            return Ok(segment);
        }
        // A replicated batch may begin behind the end; the segment begins where the log goes on.
        self.roll(writer)
    }

    fn is_full(
        &self,
        segment: &Segment,
        first: &BatchHeader,
        last_offset: i64,
        bytes: u64,
    ) -> bool {
        if segment.batch_bytes() == 0 {
            return false;
        }
        let config = self.config();
        // A batch without a time, or with times before 1970 only, says nothing of the segment's age.
        let begin = segment.times().first.filter(|begin| *begin >= 0);
        let age = begin.map_or(0, |begin| first.max_timestamp.saturating_sub(begin));
        let life = config.segment_time.saturating_sub(self.jitter(segment));
        segment.batch_bytes() + bytes > u64::from(config.segment_bytes)
            || last_offset - segment.base_offset() > i64::from(i32::MAX)
            || Duration::from_millis(u64::try_from(age).unwrap_or(0)) > life
            || segment.index.read().size_in_bytes() >= u64::from(config.segment_index_bytes)
    }

    /// How much sooner this segment is closed: by chance, and the same whoever asks when.
    fn jitter(&self, segment: &Segment) -> Duration {
        let most = self.config().segment_jitter.as_millis();
        let Ok(most @ 1..) = u64::try_from(most) else {
            return Duration::ZERO;
        };
        let (high, low) = self.id.topic.as_u64_pair();
        let mut hash = high ^ low.rotate_left(17);
        hash ^= u64::from(self.id.partition.unsigned_abs()).rotate_left(40);
        hash ^= segment.base_offset().unsigned_abs();
        // SplitMix64's last steps: neighbours in, strangers out.
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Duration::from_millis((hash ^ (hash >> 31)) % most)
    }

    /// Starts a segment at the end of the log. On an error nothing changed but stray files.
    pub(super) fn roll(&self, writer: &mut Writer) -> Result<Arc<Segment>, FileError> {
        let core = &self.core;
        let old = self.view.read().segments.last().cloned();
        if old.is_none() {
            let disk = &core.medium.disk;
            disk.create_dir_all(&self.dir)
                .map_err(FileError::new("create", &self.dir))?;
        }
        writer.unsynced.has_names = true;
        let segment = Segment::create(&core.medium, &core.handles, &self.dir, self.id, writer.end)?;
        self.write_producers(writer, &segment)?;
        if let Some(old) = &old {
            self.close_segment(writer, old)?;
        }
        self.view.write().segments.push(Arc::clone(&segment));
        Ok(segment)
    }

    /// Completes a segment's side files. They are synced with the segment, before a checkpoint
    /// passes it.
    pub(super) fn close_segment(
        &self,
        writer: &mut Writer,
        segment: &Arc<Segment>,
    ) -> Result<(), FileError> {
        let disk = self.core.medium.disk.as_ref();
        let aborted = segment.aborted.read();
        if !aborted.is_empty() {
            let path = segment.sibling(FileKind::Aborted);
            write_whole(
                disk,
                &path,
                &encode_aborted(segment.header().revision, &aborted),
            )?;
            writer.unsynced.files.push(path);
        }
        let end = IndexEntry {
            relative_offset: u32::try_from(writer.end - segment.base_offset()).unwrap_or(u32::MAX),
            position: u32::try_from(segment.size()).unwrap_or(u32::MAX),
            largest_before: segment.times().largest,
        };
        let path = segment.sibling(FileKind::Index);
        let mut index = segment.index.write();
        let (mut entries, after) = index.unpersisted().unwrap_or_default();
        let after = if entries.is_empty() {
            index.persisted_count()
        } else {
            after
        };
        entries.push(end);
        IndexFile::write(disk, &path, index.header(), &entries, after)?;
        index.close(after + entries.len());
        writer.unsynced.files.push(path);
        Ok(())
    }

    /// Puts the producer state at the segment's start beside it.
    fn write_producers(&self, writer: &mut Writer, segment: &Segment) -> Result<(), FileError> {
        let mut payload = Vec::new();
        writer.producers.encode(&mut payload);
        writer.epochs.encode(&mut payload);
        let path = segment.sibling(FileKind::Producers);
        let bytes = sealed::seal(PRODUCERS_MAGIC, &payload);
        write_whole(self.core.medium.disk.as_ref(), &path, &bytes)?;
        writer.unsynced.files.push(path);
        Ok(())
    }

    /// Writes entries of a growing segment's index that are not in its file yet, if that spares
    /// recovery a scan worth mentioning.
    pub(super) fn flush_index(
        &self,
        writer: &mut Writer,
        segment: &Arc<Segment>,
    ) -> Result<(), FileError> {
        const WORTH_A_SYNC: usize = 256;
        let mut index = segment.index.write();
        let count = index.unpersisted_count();
        if count < WORTH_A_SYNC {
            return Ok(());
        }
        let Some((entries, after)) = index.unpersisted() else {
            return Ok(());
        };
        let path = segment.sibling(FileKind::Index);
        let disk = self.core.medium.disk.as_ref();
        IndexFile::write(disk, &path, index.header(), &entries, after)?;
        index.set_persisted(after + entries.len());
        writer.unsynced.files.push(path);
        if after == 0 {
            writer.unsynced.has_names = true;
        }
        Ok(())
    }
}

pub(crate) fn write_whole(
    disk: &dyn headwater_env::Disk,
    path: &std::path::Path,
    bytes: &[u8],
) -> Result<(), FileError> {
    let file = disk.create(path).map_err(FileError::new("create", path))?;
    file.write_all_at(bytes, 0)
        .map_err(FileError::new("write", path))
}

pub(crate) fn encode_aborted(revision: u32, aborted: &[AbortedTransaction]) -> Vec<u8> {
    let mut payload = Vec::new();
    payload.put_u32(revision);
    put_aborted(&mut payload, aborted);
    sealed::seal(ABORTED_MAGIC, &payload)
}

pub(crate) fn put_aborted(out: &mut Vec<u8>, aborted: &[AbortedTransaction]) {
    out.put_len(aborted.len());
    for transaction in aborted {
        out.put_i64(transaction.producer_id);
        out.put_i64(transaction.first_offset);
        out.put_i64(transaction.last_offset);
    }
}

pub(crate) fn take_aborted(
    fields: &mut crate::encoding::Fields<'_>,
) -> Option<Vec<AbortedTransaction>> {
    let mut aborted = Vec::new();
    for _ in 0..fields.u32()? {
        aborted.push(AbortedTransaction {
            producer_id: fields.i64()?,
            first_offset: fields.i64()?,
            last_offset: fields.i64()?,
        });
    }
    Some(aborted)
}

/// Producer state and leader epochs from a snapshot file.
pub(super) fn decode_producers(bytes: &[u8]) -> Option<(ProducerStates, super::LeaderEpochs)> {
    let payload = sealed::unseal(PRODUCERS_MAGIC, bytes).ok()?;
    let mut fields = crate::encoding::Fields::new(payload);
    let producers = ProducerStates::decode(&mut fields)?;
    let epochs = super::LeaderEpochs::decode(&mut fields)?;
    fields.is_empty().then_some((producers, epochs))
}
