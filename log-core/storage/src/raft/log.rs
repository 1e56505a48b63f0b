//! A log of opaque entries by index, in files of its own.

use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use parking_lot::Mutex;

use super::log_file::{self, AppendFailure, ENTRY_MAX, LogFile};
use super::register::Register;
use crate::error::{Corruption, FileError, OpenError, Stopped};
use crate::medium::Medium;
use crate::raft::RegisterError;

/// A file is closed once it is longer than this.
const FILE_BYTES: u64 = 8 << 20;

/// Why an operation on a log of entries failed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The entries do not follow the last one.
    #[error("entry {found} does not follow the log's end at {expected}")]
    NotNext {
        /// Index of the first entry given.
        found: u64,
        /// Index that is next.
        expected: u64,
    },
    /// The index is not in the log.
    #[error("entry {index} is outside the log, which holds {first}..{next}")]
    OutOfRange {
        /// The index.
        index: u64,
        /// First index in the log.
        first: u64,
        /// Index behind the last.
        next: u64,
    },
    /// An entry is too large.
    #[error("entry of {bytes} bytes is too large, the limit is {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// Largest size accepted.
        limit: usize,
    },
    /// An operation on a file failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The storage is stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl From<AppendFailure> for LogError {
    fn from(failure: AppendFailure) -> Self {
        match failure {
            AppendFailure::File(error) => Self::File(error),
            AppendFailure::Stopped(error) => Self::Stopped(error),
        }
    }
}

impl From<RegisterError> for LogError {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::File(error) => Self::File(error),
            RegisterError::Stopped(error) => Self::Stopped(error),
        }
    }
}

/// A log of opaque entries with consecutive indexes: what a Raft log needs. Everything is synced
/// when a call returns. An entry costs 16 bytes of memory.
#[derive(Debug)]
pub struct Log {
    medium: Medium,
    dir: PathBuf,
    /// The first index, once entries were purged.
    start: Register,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    first: u64,
    files: Vec<LogFile>,
}

impl State {
    fn next(&self) -> u64 {
        self.files
            .last()
            .map_or(self.first, LogFile::next)
            .max(self.first)
    }
}

impl Log {
    pub(crate) fn open(medium: Medium, dir: &Path) -> Result<Self, OpenError> {
        let start = Register::open(medium.clone(), &dir.join("start"))?;
        let first = match start.load() {
            Some(bytes) => u64::from_le_bytes(bytes.as_ref().try_into().map_err(|_| {
                OpenError::Corrupt(Corruption {
                    path: dir.join("start"),
                    position: 0,
                    reason: "it is not a number".to_owned(),
                })
            })?),
            None => 0,
        };
        let entries = medium.disk.list(dir).map_err(FileError::new("list", dir))?;
        let mut firsts: Vec<u64> = entries
            .iter()
            .filter_map(|entry| log_file::parse_name(&entry.name))
            .collect();
        firsts.sort_unstable();
        let mut files: Vec<LogFile> = Vec::new();
        for (number, file_first) in firsts.iter().enumerate() {
            let is_last = number + 1 == firsts.len();
            let Some(file) = LogFile::open(&medium, dir, *file_first, is_last)? else {
                remove(&medium, dir, &dir.join(log_file::name(*file_first)))?;
                continue;
            };
            // Files below the start, or from before a start that jumped ahead, were to be removed.
            if file.next() <= first {
                remove(&medium, dir, &file.path)?;
                continue;
            }
            if let Some(last) = files.last()
                && last.next() != file.first
            {
                return Err(OpenError::Corrupt(Corruption {
                    path: file.path,
                    position: 0,
                    reason: format!("entries {}..{} are missing", last.next(), file.first),
                }));
            }
            files.push(file);
        }
        if let Some(file) = files.first()
            && file.first > first
        {
            return Err(OpenError::Corrupt(Corruption {
                path: dir.to_owned(),
                position: 0,
                reason: format!("entries {first}..{} are missing", file.first),
            }));
        }
        Ok(Self {
            medium,
            dir: dir.to_owned(),
            start,
            state: Mutex::new(State { first, files }),
        })
    }

    /// Index of the first entry that was not purged, or of the next one if there is none.
    pub fn first_index(&self) -> u64 {
        self.state.lock().first
    }

    /// Index that the next entry gets.
    pub fn next_index(&self) -> u64 {
        self.state.lock().next()
    }

    /// Appends entries, the first at index `first`, which must be [`Log::next_index`].
    ///
    /// # Errors
    /// [`LogError`]; none of the entries is in the log then, unless the storage was stopped.
    pub fn append(&self, first: u64, entries: &[Bytes]) -> Result<(), LogError> {
        self.medium.check()?;
        if let Some(entry) = entries.iter().find(|entry| entry.len() > ENTRY_MAX) {
            return Err(LogError::TooLarge {
                bytes: entry.len(),
                limit: ENTRY_MAX,
            });
        }
        let mut state = self.state.lock();
        let expected = state.next();
        if first != expected {
            return Err(LogError::NotNext {
                found: first,
                expected,
            });
        }
        if entries.is_empty() {
            return Ok(());
        }
        let has_room = state
            .files
            .last()
            .is_some_and(|file| file.len() < FILE_BYTES && file.next() == expected);
        if !has_room {
            let mut file = LogFile::create(&self.medium, &self.dir, expected)?;
            file.append(&self.medium, entries)?;
            self.medium.sync_dir(&self.dir)?;
            state.files.push(file);
        } else if let Some(file) = state.files.last_mut() {
            file.append(&self.medium, entries)?;
        }
        Ok(())
    }

    /// The entries of a range of indexes, all of which must be in the log.
    ///
    /// # Errors
    /// [`LogError::OutOfRange`] if one is not.
    pub fn read(&self, range: Range<u64>) -> Result<Vec<Bytes>, LogError> {
        let state = self.state.lock();
        let mut entries = Vec::new();
        for index in range {
            let out = LogError::OutOfRange {
                index,
                first: state.first,
                next: state.next(),
            };
            if index < state.first {
                return Err(out);
            }
            let number = state.files.partition_point(|file| file.first <= index);
            let file = number
                .checked_sub(1)
                .and_then(|number| state.files.get(number));
            let entry = file.map(|file| file.read(index)).transpose()?.flatten();
            entries.push(entry.ok_or(out)?);
        }
        Ok(entries)
    }

    /// Removes the entries from `index` on.
    ///
    /// # Errors
    /// [`LogError::OutOfRange`] below the first index.
    pub fn truncate_from(&self, index: u64) -> Result<(), LogError> {
        self.medium.check()?;
        let mut state = self.state.lock();
        if index < state.first {
            let (first, next) = (state.first, state.next());
            return Err(LogError::OutOfRange { index, first, next });
        }
        // From the last file on, each removal durable before the next: never a gap.
        while state
            .files
            .last()
            .is_some_and(|file| file.first >= index && file.first > state.first)
        {
            if let Some(file) = state.files.pop() {
                remove_file(&self.medium, &self.dir, &file.path)?;
            }
        }
        if let Some(file) = state.files.last_mut() {
            file.truncate_from(&self.medium, index)?;
        }
        Ok(())
    }

    /// Removes the entries below `index`, which becomes the first index; beyond the end, the log is
    /// empty and goes on there.
    ///
    /// # Errors
    /// [`LogError`] if files fail.
    pub fn purge_before(&self, index: u64) -> Result<(), LogError> {
        self.medium.check()?;
        let mut state = self.state.lock();
        if index <= state.first {
            return Ok(());
        }
        self.start.store(&index.to_le_bytes())?;
        state.first = index;
        while state.files.first().is_some_and(|file| file.next() <= index) {
            let file = state.files.remove(0);
            remove_file(&self.medium, &self.dir, &file.path)?;
        }
        Ok(())
    }
}

fn remove_file(medium: &Medium, dir: &Path, path: &Path) -> Result<(), LogError> {
    medium
        .disk
        .remove_file(path)
        .map_err(FileError::new("remove", path))?;
    medium.sync_dir(dir)?;
    Ok(())
}

fn remove(medium: &Medium, dir: &Path, path: &Path) -> Result<(), OpenError> {
    remove_file(medium, dir, path).map_err(|error| match error {
        LogError::Stopped(stopped) => OpenError::Stopped(stopped),
        LogError::File(error) => OpenError::File(error),
        _ => OpenError::Options("a log file cannot be removed"),
    })
}
