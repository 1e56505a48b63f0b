//! The operating system's files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::FallocateFlags;
use rustix::process::{Resource, Rlimit};

use crate::disk::{DirEntry, Disk, DiskFile, DiskLock, Space};

/// Slices handed to one vectored write; Linux accepts 1,024.
const SLICES_PER_WRITE: usize = 256;

/// The file system of this machine.
#[derive(Debug, Clone, Copy)]
pub struct RealDisk {
    open_file_limit: usize,
}

impl RealDisk {
    /// A disk that may open as many files as the system's hard limit allows: the soft limit, 1,024
    /// on most systems, is raised to it, since a node holds one open file per written partition.
    pub fn new() -> Self {
        let limit = rustix::process::getrlimit(Resource::Nofile);
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        let current = match rustix::process::setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit.maximum,
            Err(_) => limit.current,
        };
        let open_file_limit =
            current.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
        Self { open_file_limit }
    }
}

impl Default for RealDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl Disk for RealDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                entries.push(DirEntry {
                    name,
                    is_dir: entry.file_type()?.is_dir(),
                });
            }
        }
        entries.sort();
        Ok(entries)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(RealLock(file))),
            Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let found = rustix::fs::statvfs(path)?;
        Ok(Space {
            total: found.f_blocks.saturating_mul(found.f_frsize),
            available: found.f_bavail.saturating_mul(found.f_frsize),
        })
    }

    fn open_file_limit(&self) -> usize {
        self.open_file_limit
    }
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn read_to(&self, out: &mut Vec<u8>, offset: u64, max_bytes: usize) -> io::Result<usize> {
        let start = out.len();
        let end = start + max_bytes;
        out.reserve_exact(max_bytes);
        while out.len() < end {
            let at = offset + (out.len() - start) as u64;
            let n = retry(|| rustix::io::pread(&self.0, rustix::buffer::spare_capacity(out), at))?;
            if n == 0 {
                break;
            }
        }
        // A vector with more room than asked for is filled by the read; the surplus goes again.
        out.truncate(end);
        Ok(out.len() - start)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn write_all_vectored_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        let mut at = offset;
        for group in slices.chunks(SLICES_PER_WRITE) {
            let wanted: usize = group.iter().map(|slice| slice.len()).sum();
            let written = retry(|| rustix::io::pwritev(&self.0, group, at))?;
            if written < wanted {
                self.write_rest(group, written, at)?;
            }
            at += wanted as u64;
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn preallocate(&self, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        Ok(retry(|| {
            rustix::fs::fallocate(&self.0, FallocateFlags::empty(), 0, len)
        })?)
    }
}

impl RealFile {
    /// Writes what a short vectored write of `group` at `at` left over.
    fn write_rest(&self, group: &[IoSlice<'_>], written: usize, at: u64) -> io::Result<()> {
        let mut skip = written;
        let mut position = at;
        for slice in group {
            let done = skip.min(slice.len());
            if let Some(rest) = slice.get(done..).filter(|rest| !rest.is_empty()) {
                self.0.write_all_at(rest, position + done as u64)?;
            }
            skip -= done;
            position += slice.len() as u64;
        }
        Ok(())
    }
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            result => return result,
        }
    }
}

#[derive(Debug)]
#[expect(
    dead_code,
    reason = "held for its lock, which closing the file releases"
)]
struct RealLock(File);

impl DiskLock for RealLock {}
