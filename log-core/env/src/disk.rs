//! Blocking, positional file access: what the log asks of a disk and nothing more.

use std::fmt;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

/// A file or directory found by [`Disk::list`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// Name inside its directory. Names that are not UTF-8 are never ours and are left out.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// Room on a medium, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// All of it.
    pub total: u64,
    /// What is left to this process.
    pub available: u64,
}

/// A directory tree on some medium.
///
/// What survives a power cut: the bytes and the length of a file as of its last
/// [`DiskFile::sync_data`], and a name as of the last [`Disk::sync_dir`] of its directory.
/// Everything else may survive, may not, or may survive in part. A rename inside one directory
/// is atomic: after a cut the target is the old file or the new one.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens a file for reading and writing, made empty: created, or cut to length 0.
    ///
    /// # Errors
    /// `NotFound` if the directory does not exist.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// The entries of a directory in name order.
    ///
    /// # Errors
    /// `NotFound` if there is no such directory.
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>>;

    /// Whether a file or directory of this name exists.
    ///
    /// # Errors
    /// Whatever the medium reports, other than that it does not exist.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Renames a file or directory within its directory, replacing a file of the new name.
    ///
    /// # Errors
    /// `NotFound` if `from` does not exist.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes the name of a file. Open handles keep working.
    ///
    /// # Errors
    /// `NotFound` if it does not exist.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a directory and all that is in it.
    ///
    /// # Errors
    /// `NotFound` if it does not exist.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Makes a directory and its missing parents. No error if it exists.
    ///
    /// # Errors
    /// Whatever the medium reports.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// Whatever the medium reports; the names are then in doubt.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes an exclusive lock on a file, creating it, until the result is dropped or the
    /// process ends.
    ///
    /// # Errors
    /// `WouldBlock` if it is locked already.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>>;

    /// How much room there is where `path` is.
    ///
    /// # Errors
    /// `NotFound` if it does not exist, and whatever the medium reports.
    fn space(&self, path: &Path) -> io::Result<Space>;

    /// How many files this process may have open at once.
    fn open_file_limit(&self) -> usize;
}

/// An open file. All access is positional, so that handles are shared without a cursor.
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Appends up to `max_bytes` bytes from `offset` to `out` and returns how many; fewer only at
    /// the end of the file.
    ///
    /// # Errors
    /// Whatever the medium reports.
    fn read_to(&self, out: &mut Vec<u8>, offset: u64, max_bytes: usize) -> io::Result<usize>;

    /// Fills `buffer` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before the buffer is full.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`, growing the file with zeros if it is shorter.
    ///
    /// # Errors
    /// `StorageFull` without room; any part of the bytes may have been written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Writes the slices one after the other at `offset`, like [`DiskFile::write_all_at`].
    ///
    /// # Errors
    /// As [`DiskFile::write_all_at`].
    fn write_all_vectored_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<()>;

    /// Makes the bytes and the length durable.
    ///
    /// # Errors
    /// Whatever the medium reports. What was not synced before is then in doubt for good: a second
    /// try may succeed without having written anything, so the only sound answer is to stop.
    fn sync_data(&self) -> io::Result<()>;

    /// Cuts the file, or extends it with zeros.
    ///
    /// # Errors
    /// Whatever the medium reports.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Length in bytes.
    ///
    /// # Errors
    /// Whatever the medium reports.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    ///
    /// # Errors
    /// Whatever the medium reports.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reserves room for the first `len` bytes, extending the file with zeros, so that writing
    /// them later cannot run out of space.
    ///
    /// # Errors
    /// `StorageFull` without room.
    fn preallocate(&self, len: u64) -> io::Result<()>;
}

/// A held lock; dropping it releases it.
pub trait DiskLock: Send + Sync + fmt::Debug {}
