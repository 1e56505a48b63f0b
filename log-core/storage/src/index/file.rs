//! An index on disk: a header, then entries of fixed size.

use std::path::Path;
use std::sync::Arc;

use headwater_env::{Disk, DiskFile};

use super::IndexEntry;
use crate::encoding::{Fields, PutFields};
use crate::error::FileError;
use crate::sealed::FORMAT_VERSION;
use crate::segment::SegmentHeader;

const MAGIC: [u8; 8] = *b"HWINDEX\0";
const HEADER: usize = 32;
const ENTRY: usize = 20;

/// An open index file.
#[derive(Debug)]
pub(crate) struct IndexFile {
    file: Arc<dyn DiskFile>,
    /// What the checksums of the entries start from.
    seed: u32,
}

fn encode_header(segment: SegmentHeader) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER);
    out.put(&MAGIC);
    out.put_u32(FORMAT_VERSION);
    out.put_u32(segment.revision);
    out.put_i64(segment.base_offset);
    let crc = crc32c::crc32c(&out);
    out.put_u32(crc);
    out.resize(HEADER, 0);
    out
}

fn put_entry(out: &mut Vec<u8>, entry: &IndexEntry, seed: u32) {
    let start = out.len();
    out.put_u32(entry.relative_offset);
    out.put_u32(entry.position);
    out.put_i64(entry.largest_before);
    let crc = crc32c::crc32c_append(seed, out.get(start..).unwrap_or_default());
    out.put_u32(crc);
}

fn take_entry(bytes: &[u8], seed: u32) -> Option<IndexEntry> {
    let mut fields = Fields::new(bytes);
    let entry = IndexEntry {
        relative_offset: fields.u32()?,
        position: fields.u32()?,
        largest_before: fields.i64()?,
    };
    let crc = fields.u32()?;
    (crc32c::crc32c_append(seed, bytes.get(..ENTRY - 4)?) == crc).then_some(entry)
}

impl IndexFile {
    /// Bytes of an entry.
    pub(crate) const ENTRY_BYTES: u64 = ENTRY as u64;

    /// Opens a segment's index; `None` if there is none or it belongs to another revision.
    pub(crate) fn open(disk: &dyn Disk, path: &Path, segment: SegmentHeader) -> Option<Self> {
        let file = disk.open(path).ok()?;
        let mut header = Vec::new();
        file.read_to(&mut header, 0, HEADER).ok()?;
        let expected = encode_header(segment);
        (header == expected).then(|| Self {
            file,
            seed: crc32c::crc32c(&expected),
        })
    }

    pub(crate) fn entry(&self, number: usize) -> Option<IndexEntry> {
        let mut bytes = Vec::new();
        self.file
            .read_to(&mut bytes, (HEADER + number * ENTRY) as u64, ENTRY)
            .ok()?;
        take_entry(&bytes, self.seed)
    }

    pub(crate) fn count(&self) -> usize {
        let len = self
            .file
            .len()
            .ok()
            .and_then(|len| usize::try_from(len).ok())
            .unwrap_or(0);
        len.saturating_sub(HEADER) / ENTRY
    }

    /// The entries up to the first that is damaged or out of order.
    pub(crate) fn valid_entries(&self) -> Vec<IndexEntry> {
        let mut bytes = Vec::new();
        let len = self.count() * ENTRY;
        if self.file.read_to(&mut bytes, HEADER as u64, len).is_err() {
            return Vec::new();
        }
        let mut entries: Vec<IndexEntry> = Vec::new();
        for entry in bytes.chunks(ENTRY) {
            let Some(entry) = take_entry(entry, self.seed) else {
                break;
            };
            let is_ordered = entries.last().is_none_or(|last| {
                last.relative_offset < entry.relative_offset
                    && last.position < entry.position
                    && last.largest_before <= entry.largest_before
            });
            if !is_ordered {
                break;
            }
            entries.push(entry);
        }
        entries
    }

    /// Writes entries behind the first `after`, starting the file anew if that is 0.
    pub(crate) fn write(
        disk: &dyn Disk,
        path: &Path,
        segment: SegmentHeader,
        entries: &[IndexEntry],
        after: usize,
    ) -> Result<Arc<dyn DiskFile>, FileError> {
        let header = encode_header(segment);
        let seed = crc32c::crc32c(&header);
        let mut bytes = Vec::with_capacity(HEADER + entries.len() * ENTRY);
        if after == 0 {
            bytes.put(&header);
        }
        for entry in entries {
            put_entry(&mut bytes, entry, seed);
        }
        let (file, at) = if after == 0 {
            (
                disk.create(path).map_err(FileError::new("create", path))?,
                0,
            )
        } else {
            let file = disk.open(path).map_err(FileError::new("open", path))?;
            (file, HEADER + after * ENTRY)
        };
        file.write_all_at(&bytes, at as u64)
            .map_err(FileError::new("write", path))?;
        Ok(file)
    }
}
