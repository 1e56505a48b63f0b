//! A segment: a file of record batches exactly as they go over the wire, behind a short header,
//! with a sparse index beside it.

mod files;
mod handles;
mod header;
mod scan;

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use headwater_env::DiskFile;
use headwater_wire::records::BatchHeader;
use parking_lot::{Mutex, RwLock};

pub(crate) use files::{FileKind, file_name, parse_file_name};
pub(crate) use handles::HandlePool;
pub(crate) use header::{SEGMENT_HEADER, SegmentHeader};
pub(crate) use scan::{BatchScanner, ScanError, marker_of};

use crate::error::FileError;
use crate::id::TopicPartitionId;
use crate::index::SegmentIndex;
use crate::medium::Medium;
use crate::partition::AbortedTransaction;

/// Timestamps of a segment, in ms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SegmentTimes {
    /// Largest timestamp of the first batch, from which the segment's age counts.
    pub(crate) first: Option<i64>,
    /// Largest timestamp of all batches, -1 if none.
    pub(crate) largest: i64,
}

/// One segment. Its bytes grow by the partition's writer; readers see them up to `size`.
#[derive(Debug)]
pub(crate) struct Segment {
    base_offset: i64,
    path: PathBuf,
    header: SegmentHeader,
    pool: Arc<HandlePool>,
    slot: RwLock<Option<Arc<dyn DiskFile>>>,
    /// Bytes of header and whole batches; 0 until the first append.
    size: AtomicU64,
    /// Bytes that were here when the process started, which are checked when they are read.
    inherited: AtomicU64,
    pub(crate) index: RwLock<SegmentIndex>,
    times: Mutex<SegmentTimes>,
    /// Transactions whose abort marker is in this segment.
    pub(crate) aborted: RwLock<Vec<AbortedTransaction>>,
    /// The path belongs to another file now, or to none.
    is_retired: AtomicBool,
}

impl Segment {
    /// A new, empty segment; its file is created.
    pub(crate) fn create(
        medium: &Medium,
        pool: &Arc<HandlePool>,
        dir: &Path,
        id: TopicPartitionId,
        base_offset: i64,
    ) -> Result<Arc<Self>, FileError> {
        let path = dir.join(file_name(base_offset, FileKind::Log));
        let file = medium
            .disk
            .create(&path)
            .map_err(FileError::new("create", &path))?;
        let header = SegmentHeader {
            id,
            base_offset,
            revision: 0,
            covered_end: None,
            is_clean: false,
        };
        let segment = Self::with(pool, path, header, SegmentIndex::new(header));
        segment.pool.adopt(&segment, file);
        Ok(segment)
    }

    /// A segment whose file exists; the caller then sets what it finds in it.
    pub(crate) fn existing(pool: &Arc<HandlePool>, dir: &Path, header: SegmentHeader) -> Arc<Self> {
        let path = dir.join(file_name(header.base_offset, FileKind::Log));
        Self::with(pool, path, header, SegmentIndex::new(header))
    }

    fn with(
        pool: &Arc<HandlePool>,
        path: PathBuf,
        header: SegmentHeader,
        index: SegmentIndex,
    ) -> Arc<Self> {
        Arc::new(Self {
            base_offset: header.base_offset,
            path,
            header,
            pool: Arc::clone(pool),
            slot: RwLock::new(None),
            size: AtomicU64::new(0),
            inherited: AtomicU64::new(0),
            index: RwLock::new(index),
            times: Mutex::new(SegmentTimes {
                first: None,
                largest: -1,
            }),
            aborted: RwLock::new(Vec::new()),
            is_retired: AtomicBool::new(false),
        })
    }

    pub(crate) fn base_offset(&self) -> i64 {
        self.base_offset
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn header(&self) -> SegmentHeader {
        self.header
    }

    /// The file beside this one that holds `kind`.
    pub(crate) fn sibling(&self, kind: FileKind) -> PathBuf {
        self.path.with_file_name(file_name(self.base_offset, kind))
    }

    pub(crate) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    pub(crate) fn set_size(&self, size: u64) {
        self.size.store(size, Ordering::Release);
    }

    /// Bytes of batches.
    pub(crate) fn batch_bytes(&self) -> u64 {
        self.size().saturating_sub(SEGMENT_HEADER)
    }

    pub(crate) fn inherited(&self) -> u64 {
        self.inherited.load(Ordering::Relaxed)
    }

    pub(crate) fn set_inherited(&self, bytes: u64) {
        self.inherited.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn times(&self) -> SegmentTimes {
        *self.times.lock()
    }

    pub(crate) fn set_times(&self, times: SegmentTimes) {
        *self.times.lock() = times;
    }

    /// The open file.
    ///
    /// # Errors
    /// `NotFound` inside [`FileError`] if the segment was removed or replaced meanwhile.
    pub(crate) fn file(self: &Arc<Self>) -> Result<Arc<dyn DiskFile>, FileError> {
        if let Some(file) = self.slot.read().as_ref() {
            return Ok(Arc::clone(file));
        }
        let file = self
            .pool
            .open(&self.path)
            .map_err(FileError::new("open", &self.path))?;
        // A new file may have taken the path between the check and the opening.
        if self.is_retired() {
            let gone = std::io::ErrorKind::NotFound.into();
            return Err(FileError::new("open", &self.path)(gone));
        }
        self.pool.adopt(self, Arc::clone(&file));
        Ok(file)
    }

    pub(super) fn set_handle(&self, file: Option<Arc<dyn DiskFile>>) {
        *self.slot.write() = file;
    }

    pub(crate) fn retire(&self) {
        self.is_retired.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.is_retired.load(Ordering::SeqCst)
    }

    /// Writes batches at the end and returns where they start. The size is not moved: bytes behind
    /// it do not exist until [`Segment::note`].
    pub(crate) fn write(self: &Arc<Self>, parts: &[&[u8]]) -> Result<u64, FileError> {
        let file = self.file()?;
        let size = self.size();
        let header = if size == 0 {
            self.header.encode()
        } else {
            Vec::new()
        };
        let mut slices = [IoSlice::new(&[]); 3];
        let written = if let [first, second] = parts {
            slices[0] = IoSlice::new(&header);
            slices[1] = IoSlice::new(first);
            slices[2] = IoSlice::new(second);
            let from = usize::from(header.is_empty());
            file.write_all_vectored_at(slices.get(from..).unwrap_or_default(), size)
        } else {
            let slices: Vec<IoSlice<'_>> = std::iter::once(header.as_slice())
                .chain(parts.iter().copied())
                .filter(|part| !part.is_empty())
                .map(IoSlice::new)
                .collect();
            file.write_all_vectored_at(&slices, size)
        };
        written.map_err(FileError::new("append to", &self.path))?;
        Ok(size.max(SEGMENT_HEADER))
    }

    /// Takes a written batch into index and times, and moves the size behind it.
    pub(crate) fn note(&self, header: &BatchHeader, position: u64, index_interval: u32) {
        let mut times = self.times.lock();
        self.index
            .write()
            .note(header, position, times.largest, index_interval);
        times.largest = times.largest.max(header.max_timestamp);
        times.first.get_or_insert(header.max_timestamp);
        drop(times);
        self.set_size(position + header.size_in_bytes() as u64);
    }

    /// Batches from `position` up to `end`.
    pub(crate) fn scan(
        self: &Arc<Self>,
        position: u64,
        end: u64,
        chunk: usize,
    ) -> Result<BatchScanner, FileError> {
        Ok(BatchScanner::new(
            self.file()?,
            self.path.clone(),
            position,
            end,
            chunk,
        ))
    }
}
