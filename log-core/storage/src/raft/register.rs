//! A small value on disk, replaced whole or not at all.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::error::{FileError, OpenError, Stopped};
use crate::medium::Medium;
use crate::sealed::{self, Magic};

const MAGIC: Magic = *b"HWREGSTR";

/// Why a register could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// An operation on its file failed; the old value stands.
    #[error(transparent)]
    File(#[from] FileError),
    /// The storage is stopped; the old or the new value stands.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl From<RegisterError> for OpenError {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::File(error) => Self::File(error),
            RegisterError::Stopped(error) => Self::Stopped(error),
        }
    }
}

/// A small value on disk. A Raft vote is one.
///
/// A store writes a new file, syncs it, renames it over the old one and syncs the directory, so
/// that after a crash the old or the new value is there, whole.
#[derive(Debug)]
pub struct Register {
    medium: Medium,
    path: PathBuf,
    magic: Magic,
    value: Mutex<Option<Bytes>>,
}

impl Register {
    pub(crate) fn open(medium: Medium, path: &Path) -> Result<Self, OpenError> {
        Self::open_as(medium, path, MAGIC)
    }

    pub(crate) fn open_as(medium: Medium, path: &Path, magic: Magic) -> Result<Self, OpenError> {
        let value = match sealed::read_file(medium.disk.as_ref(), path)? {
            Some(bytes) => {
                let payload =
                    sealed::unseal(magic, &bytes).map_err(|broken| sealed::broken(path, broken))?;
                Some(Bytes::copy_from_slice(payload))
            }
            None => None,
        };
        Ok(Self {
            medium,
            path: path.to_owned(),
            magic,
            value: Mutex::new(value),
        })
    }

    /// The value last stored; `None` if there was none yet.
    pub fn load(&self) -> Option<Bytes> {
        self.value.lock().clone()
    }

    /// Replaces the value; it is durable when this returns.
    ///
    /// # Errors
    /// [`RegisterError`]; a failed sync stops the storage.
    pub fn store(&self, value: &[u8]) -> Result<(), RegisterError> {
        let mut current = self.value.lock();
        replace_file(&self.medium, &self.path, &sealed::seal(self.magic, value))?;
        *current = Some(Bytes::copy_from_slice(value));
        Ok(())
    }

    /// Replaces the value by one too large to keep a copy of in memory: [`Register::load`] then
    /// still gives what it gave before.
    pub(crate) fn store_uncached(&self, value: &[u8]) -> Result<(), RegisterError> {
        let _one_at_a_time = self.value.lock();
        replace_file(&self.medium, &self.path, &sealed::seal(self.magic, value))
    }

    /// Lets go of the copy in memory.
    pub(crate) fn take(&self) -> Option<Bytes> {
        self.value.lock().take()
    }
}

/// Puts a file of this content under `path`, durably, or leaves what was there.
pub(crate) fn replace_file(
    medium: &Medium,
    path: &Path,
    content: &[u8],
) -> Result<(), RegisterError> {
    medium.check()?;
    let mut temporary = path.to_owned().into_os_string();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let disk = medium.disk.as_ref();
    let file = disk
        .create(&temporary)
        .map_err(FileError::new("create", &temporary))?;
    file.write_all_at(content, 0)
        .map_err(FileError::new("write", &temporary))?;
    medium.sync_file(file.as_ref(), &temporary)?;
    disk.rename(&temporary, path)
        .map_err(FileError::new("replace", path))?;
    if let Some(dir) = path.parent() {
        medium.sync_dir(dir)?;
    }
    Ok(())
}
