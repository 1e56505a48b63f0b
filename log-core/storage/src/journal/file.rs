//! A journal file: made full of zeros once, so that syncing it never changes metadata.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_env::DiskFile;

use super::frame::BLOCK;
use crate::encoding::{Fields, PutFields};
use crate::error::{FileError, OpenError};
use crate::lsn::Lsn;
use crate::medium::Medium;
use crate::sealed::FORMAT_VERSION;

const MAGIC: [u8; 8] = *b"HWJOURNL";

/// Zeros written at a time.
const ZEROS: usize = 1 << 20;

/// The first block of a file in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileHeader {
    pub(super) incarnation: u64,
    /// Number of the file in this incarnation, from 0.
    pub(super) sequence: u64,
    /// First frame in the file.
    pub(super) first: Lsn,
    /// Checksum of the frame before that.
    pub(super) predecessor: u32,
}

impl FileHeader {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(BLOCK as usize);
        out.put(&MAGIC);
        out.put_u32(FORMAT_VERSION);
        out.put_u64(self.incarnation);
        out.put_u64(self.sequence);
        out.put_u64(self.first.get());
        out.put_u32(self.predecessor);
        let crc = crc32c::crc32c(&out);
        out.put_u32(crc);
        out.resize(BLOCK as usize, 0);
        out
    }

    /// `None` for a file that was never used or whose first block is damaged.
    ///
    /// # Errors
    /// [`OpenError::NewerFormat`] for a file of a newer build.
    pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<Option<Self>, OpenError> {
        let Some((header, version)) = Self::fields(bytes) else {
            return Ok(None);
        };
        if version > FORMAT_VERSION {
            return Err(OpenError::NewerFormat {
                path: path.to_owned(),
                found: version,
                known: FORMAT_VERSION,
            });
        }
        Ok(Some(header))
    }

    fn fields(bytes: &[u8]) -> Option<(Self, u32)> {
        let mut fields = Fields::new(bytes);
        if fields.take(8)? != MAGIC {
            return None;
        }
        let version = fields.u32()?;
        let header = Self {
            incarnation: fields.u64()?,
            sequence: fields.u64()?,
            first: Lsn::new(fields.u64()?),
            predecessor: fields.u32()?,
        };
        let crc = fields.u32()?;
        (crc32c::crc32c(bytes.get(..40)?) == crc).then_some((header, version))
    }
}

/// A file of the pool.
#[derive(Debug, Clone)]
pub(super) struct JournalFile {
    pub(super) path: PathBuf,
    pub(super) file: Arc<dyn DiskFile>,
    /// Length in bytes, header block included.
    pub(super) len: u64,
}

impl JournalFile {
    /// Makes a file of `len` zeros and its name durable.
    pub(super) fn create(medium: &Medium, path: PathBuf, len: u64) -> Result<Self, OpenError> {
        let file = medium
            .disk
            .create(&path)
            .map_err(FileError::new("create", &path))?;
        let zeros = vec![0; ZEROS.min(usize::try_from(len).unwrap_or(ZEROS))];
        let mut at = 0;
        while at < len {
            let n = usize::try_from(len - at).unwrap_or(ZEROS).min(zeros.len());
            let zeros = zeros.get(..n).unwrap_or_default();
            file.write_all_at(zeros, at)
                .map_err(FileError::new("write", &path))?;
            at += n as u64;
        }
        medium.sync_file(file.as_ref(), &path)?;
        if let Some(dir) = path.parent() {
            medium.sync_dir(dir)?;
        }
        Ok(Self { path, file, len })
    }

    pub(super) fn open(medium: &Medium, path: PathBuf) -> Result<Self, FileError> {
        let file = medium
            .disk
            .open(&path)
            .map_err(FileError::new("open", &path))?;
        let len = file.len().map_err(FileError::new("measure", &path))? / BLOCK * BLOCK;
        Ok(Self { path, file, len })
    }

    pub(super) fn read_header(&self) -> Result<Option<FileHeader>, OpenError> {
        let mut bytes = Vec::new();
        self.file
            .read_to(&mut bytes, 0, 64)
            .map_err(FileError::new("read", &self.path))?;
        FileHeader::decode(&bytes, &self.path)
    }

    /// Bytes for groups.
    pub(super) fn capacity(&self) -> u64 {
        self.len.saturating_sub(BLOCK)
    }
}

/// Name of a journal file.
pub(super) fn name(number: u64) -> String {
    format!("journal-{number:06}.log")
}

/// The number in a journal file's name.
pub(super) fn parse_name(name: &str) -> Option<u64> {
    name.strip_prefix("journal-")?
        .strip_suffix(".log")?
        .parse()
        .ok()
}
