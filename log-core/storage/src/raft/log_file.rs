//! A file of a log of opaque entries.
//!
//! Frames follow a short header. Each names the length of the file that was synced before it was
//! written: an unreadable frame below that is damage, one above is a torn tail.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use headwater_env::DiskFile;

use crate::encoding::{Fields, PutFields};
use crate::error::{Corruption, FileError, OpenError, Stopped};
use crate::medium::Medium;
use crate::raft::{RegisterError, replace_file};
use crate::sealed::FORMAT_VERSION;

const MAGIC: [u8; 8] = *b"HWENTRY\0";
pub(super) const FILE_HEADER: u64 = 32;
const FRAME_HEADER: usize = 24;

/// Largest entry in bytes: a snapshot does not belong into a log.
pub(super) const ENTRY_MAX: usize = 256 << 20;

/// One file, and where its entries are.
#[derive(Debug)]
pub(super) struct LogFile {
    pub(super) path: PathBuf,
    file: Arc<dyn DiskFile>,
    pub(super) first: u64,
    /// Position and length of each payload.
    entries: Vec<(u64, u32)>,
    len: u64,
    synced: u64,
}

pub(super) fn name(first: u64) -> String {
    format!("{first:020}.entries")
}

pub(super) fn parse_name(file_name: &str) -> Option<u64> {
    let first = file_name.strip_suffix(".entries")?.parse().ok()?;
    (name(first) == file_name).then_some(first)
}

fn encode_header(first: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(FILE_HEADER as usize);
    out.put(&MAGIC);
    out.put_u32(FORMAT_VERSION);
    out.put_u64(first);
    let crc = crc32c::crc32c(&out);
    out.put_u32(crc);
    out.resize(FILE_HEADER as usize, 0);
    out
}

/// Whether the header is whole.
fn check_header(bytes: &[u8], first: u64, path: &Path) -> Result<bool, OpenError> {
    let parsed = (|| {
        let mut fields = Fields::new(bytes);
        let is_ours = fields.take(8)? == MAGIC;
        let version = fields.u32()?;
        let is_first = fields.u64()? == first;
        let is_whole = fields.u32()? == crc32c::crc32c(bytes.get(..20)?);
        (is_ours && is_whole).then_some((version, is_first))
    })();
    match parsed {
        Some((found, _)) if found > FORMAT_VERSION => Err(OpenError::NewerFormat {
            path: path.to_owned(),
            found,
            known: FORMAT_VERSION,
        }),
        Some((_, is_first)) => Ok(is_first),
        None => Ok(false),
    }
}

struct Frame<'a> {
    index: u64,
    synced: u64,
    payload: &'a [u8],
}

fn put_frame(out: &mut Vec<u8>, frame: &Frame<'_>) {
    let start = out.len();
    out.put_len(frame.payload.len());
    out.put_u64(frame.index);
    out.put_u64(frame.synced);
    let crc = crc32c::crc32c(out.get(start..).unwrap_or_default());
    out.put_u32(crc32c::crc32c_append(crc, frame.payload));
    out.put(frame.payload);
}

fn take_frame(bytes: &[u8]) -> Option<Frame<'_>> {
    let (header, rest) = bytes.split_at_checked(FRAME_HEADER)?;
    let mut fields = Fields::new(header);
    let len = usize::try_from(fields.u32()?).ok()?;
    let frame = Frame {
        index: fields.u64()?,
        synced: fields.u64()?,
        payload: rest.get(..len)?,
    };
    let crc = crc32c::crc32c(header.get(..FRAME_HEADER - 4)?);
    (crc32c::crc32c_append(crc, frame.payload) == fields.u32()?).then_some(frame)
}

impl LogFile {
    pub(super) fn create(medium: &Medium, dir: &Path, first: u64) -> Result<Self, FileError> {
        let path = dir.join(name(first));
        let file = medium
            .disk
            .create(&path)
            .map_err(FileError::new("create", &path))?;
        let header = encode_header(first);
        file.write_all_at(&header, 0)
            .map_err(FileError::new("write", &path))?;
        Ok(Self {
            path,
            file,
            first,
            entries: Vec::new(),
            len: FILE_HEADER,
            synced: 0,
        })
    }

    /// Reads a file back. `None` if it is the last one and never got its header.
    pub(super) fn open(
        medium: &Medium,
        dir: &Path,
        first: u64,
        is_last: bool,
    ) -> Result<Option<Self>, OpenError> {
        let path = dir.join(name(first));
        let file = medium
            .disk
            .open(&path)
            .map_err(FileError::new("open", &path))?;
        let len = file.len().map_err(FileError::new("measure", &path))?;
        let mut bytes = Vec::new();
        let max = usize::try_from(len).unwrap_or(usize::MAX);
        file.read_to(&mut bytes, 0, max)
            .map_err(FileError::new("read", &path))?;
        let damaged = |position: usize| {
            OpenError::Corrupt(Corruption {
                path: path.clone(),
                position: position as u64,
                reason: "an entry that was synced cannot be read".to_owned(),
            })
        };
        if !check_header(&bytes, first, &path)? {
            return if is_last && !is_synced_after(&bytes, 0) {
                Ok(None)
            } else {
                Err(damaged(0))
            };
        }
        let mut entries = Vec::new();
        let mut at = FILE_HEADER as usize;
        while let Some(frame) = bytes.get(at..).and_then(take_frame) {
            if frame.index != first + entries.len() as u64 {
                break;
            }
            let payload = (at + FRAME_HEADER) as u64;
            entries.push((
                payload,
                u32::try_from(frame.payload.len()).unwrap_or(u32::MAX),
            ));
            at += FRAME_HEADER + frame.payload.len();
        }
        if at < bytes.len() {
            if !is_last || is_synced_after(&bytes, at) {
                return Err(damaged(at));
            }
            file.set_len(at as u64)
                .map_err(FileError::new("cut", &path))?;
            medium.sync_file(file.as_ref(), &path)?;
        }
        let len = at as u64;
        Ok(Some(Self {
            path,
            file,
            first,
            entries,
            len,
            synced: len,
        }))
    }

    pub(super) fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Writes entries behind the last and syncs them.
    pub(super) fn append(
        &mut self,
        medium: &Medium,
        entries: &[Bytes],
    ) -> Result<(), AppendFailure> {
        let mut bytes = Vec::new();
        let mut places = Vec::with_capacity(entries.len());
        for (index, entry) in (self.next()..).zip(entries) {
            put_frame(
                &mut bytes,
                &Frame {
                    index,
                    synced: self.synced,
                    payload: entry,
                },
            );
            let payload = self.len + (bytes.len() - entry.len()) as u64;
            places.push((payload, u32::try_from(entry.len()).unwrap_or(u32::MAX)));
        }
        self.file
            .write_all_at(&bytes, self.len)
            .map_err(|error| AppendFailure::File(FileError::new("append to", &self.path)(error)))?;
        medium
            .sync_file(self.file.as_ref(), &self.path)
            .map_err(AppendFailure::Stopped)?;
        self.len += bytes.len() as u64;
        self.synced = self.len;
        self.entries.append(&mut places);
        Ok(())
    }

    pub(super) fn read(&self, index: u64) -> Result<Option<Bytes>, FileError> {
        let place = index
            .checked_sub(self.first)
            .and_then(|at| self.entries.get(usize::try_from(at).ok()?));
        let Some((position, len)) = place else {
            return Ok(None);
        };
        let mut bytes = vec![0; *len as usize];
        self.file
            .read_exact_at(&mut bytes, *position)
            .map_err(FileError::new("read", &self.path))?;
        Ok(Some(bytes.into()))
    }

    /// Cuts entries from `index` on, durably. The file is replaced: cutting it in place may leave
    /// zeros behind the cut at its old length, which would look like damage.
    pub(super) fn truncate_from(
        &mut self,
        medium: &Medium,
        index: u64,
    ) -> Result<(), AppendFailure> {
        let keep = usize::try_from(index.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let Some((payload, _)) = self.entries.get(keep) else {
            return Ok(());
        };
        let len = payload - FRAME_HEADER as u64;
        let mut kept = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        let failed = |action| {
            let wrap = FileError::new(action, &self.path);
            |error| AppendFailure::File(wrap(error))
        };
        self.file
            .read_exact_at(&mut kept, 0)
            .map_err(failed("read"))?;
        replace_file(medium, &self.path, &kept).map_err(|error| match error {
            RegisterError::File(error) => AppendFailure::File(error),
            RegisterError::Stopped(stopped) => AppendFailure::Stopped(stopped),
        })?;
        self.file = medium.disk.open(&self.path).map_err(failed("open"))?;
        self.entries.truncate(keep);
        (self.len, self.synced) = (len, len);
        Ok(())
    }
}

/// Why a file could not be changed.
#[derive(Debug)]
pub(super) enum AppendFailure {
    File(FileError),
    Stopped(Stopped),
}

/// Whether a whole frame anywhere behind `at` says that the file had been synced past `at`.
fn is_synced_after(bytes: &[u8], at: usize) -> bool {
    (at + 1..bytes.len()).any(|start| {
        let Some(rest) = bytes.get(start..) else {
            return false;
        };
        // The cheap test first: the field must name a length between `at` and the frame.
        let mut fields = Fields::new(rest);
        let synced = fields.u32().and(fields.u64()).and_then(|_| fields.u64());
        synced.is_some_and(|synced| synced > at as u64 && synced <= start as u64)
            && take_frame(rest).is_some()
    })
}
