//! The simulated disk behind the [`Disk`] trait.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::crash::{Survival, cut_power};
use super::faults::{Fault, Faults};
use super::tree::{DirState, FileChange, FileState, Inode, InodeId, NameChange, Tree};
use crate::disk::{DirEntry, Disk, DiskFile, DiskLock, Space};

/// A change to the disk, as an [`Observer`] sees it before it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Bytes written to a file.
    Write {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// How many bytes.
        len: usize,
    },
    /// A file's length set.
    SetLen {
        /// The file.
        path: PathBuf,
        /// New length in bytes.
        len: u64,
    },
    /// A file synced.
    Sync(PathBuf),
    /// A file created or emptied.
    Create(PathBuf),
    /// A file or directory renamed.
    Rename(PathBuf, PathBuf),
    /// A file or directory removed.
    Remove(PathBuf),
    /// A directory made.
    CreateDir(PathBuf),
    /// A directory synced.
    SyncDir(PathBuf),
}

/// Called before each operation with its number, from 0, and an image of the disk as it is: cut
/// the image's power to see what would be left. It is not called for what it does itself.
pub type Observer = Box<dyn FnMut(u64, &Operation, &SimDisk) + Send>;

/// A disk in memory. Clones are the same disk; [`SimDisk::image`] makes another.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

struct State {
    tree: Tree,
    faults: Faults,
    locked: BTreeSet<PathBuf>,
    operations: u64,
    /// Handles of an earlier power-on are dead.
    power_on: u64,
    observer: Option<Observer>,
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::with(Tree::new(), Faults::default())
    }

    fn with(tree: Tree, faults: Faults) -> Self {
        let state = State {
            tree,
            faults,
            locked: BTreeSet::new(),
            operations: 0,
            power_on: 0,
            observer: None,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Another disk of the same content, synced and not, without locks, faults and observer.
    #[must_use]
    pub fn image(&self) -> Self {
        Self::with(self.state.lock().tree.clone(), Faults::default())
    }

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// Has `observer` called before each operation from now on.
    pub fn observe(&self, observer: Observer) {
        self.state.lock().observer = Some(observer);
    }

    /// Ends observation.
    pub fn stop_observing(&self) {
        self.state.lock().observer = None;
    }

    /// Cuts the power and turns it on again: open handles fail from now on, locks are free, and
    /// the content is what survived.
    pub fn crash(&self, survival: Survival) {
        let mut state = self.state.lock();
        cut_power(&mut state.tree, survival);
        state.locked.clear();
        state.power_on += 1;
    }

    /// Makes the next `times` operations of this kind fail on paths that contain `path_contains`.
    pub fn inject(&self, fault: Fault, path_contains: &str, times: u32) {
        self.state.lock().faults.arm(fault, path_contains, times);
    }

    /// Gives the disk room for this many bytes in all files together; `None` is without limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state.lock().faults.capacity = bytes;
    }

    /// Disarms all faults.
    pub fn clear_faults(&self) {
        self.state.lock().faults.clear();
    }

    /// Turns over one bit of a file, on the medium and in the cache.
    ///
    /// # Errors
    /// `NotFound` without the file, `UnexpectedEof` past its end.
    pub fn flip_bit(&self, path: &Path, byte: u64, bit: u32) -> io::Result<()> {
        let mut state = self.state.lock();
        let id = state.tree.resolve(path)?;
        let file = state.tree.file_mut(id)?;
        let at = usize::try_from(byte).unwrap_or(usize::MAX);
        let flip = 1_u8 << (bit % 8);
        for content in [&mut file.current, &mut file.durable] {
            if let Some(byte) = Arc::make_mut(content).get_mut(at) {
                *byte ^= flip;
            }
        }
        if at >= file.current.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// Bytes in all files together.
    pub fn used_bytes(&self) -> u64 {
        self.state.lock().tree.used_bytes()
    }

    /// Counts an operation and shows it to the observer.
    fn begin(&self, operation: impl FnOnce() -> Operation) {
        let mut state = self.state.lock();
        let number = state.operations;
        state.operations += 1;
        let Some(mut observer) = state.observer.take() else {
            return;
        };
        let image = Self::with(state.tree.clone(), Faults::default());
        drop(state);
        observer(number, &operation(), &image);
        drop(image);
        self.state.lock().observer.get_or_insert(observer);
    }
}

impl Default for SimDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimDisk")
            .field("operations", &self.operations())
            .finish_non_exhaustive()
    }
}

impl SimDisk {
    fn handle(&self, state: &State, inode: InodeId, path: &Path) -> Arc<dyn DiskFile> {
        Arc::new(SimFile {
            disk: self.clone(),
            inode,
            path: path.to_owned(),
            power_on: state.power_on,
        })
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.state.lock();
        let inode = state.tree.resolve(path)?;
        state.tree.file(inode)?;
        Ok(self.handle(&state, inode, path))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.begin(|| Operation::Create(path.to_owned()));
        let mut state = self.state.lock();
        let (dir, name) = state.tree.parent(path)?;
        let inode = match state.tree.dir(dir)?.current.get(&name).copied() {
            Some(inode) => {
                let file = state.tree.file_mut(inode)?;
                if !file.current.is_empty() {
                    file.change(FileChange::SetLen(0));
                }
                inode
            }
            None => {
                let inode = state.tree.insert(Inode::File(FileState::default()));
                state
                    .tree
                    .dir_mut(dir)?
                    .change(NameChange::Link(name, inode));
                inode
            }
        };
        Ok(self.handle(&state, inode, path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let state = self.state.lock();
        let id = state.tree.resolve(dir)?;
        let mut entries = Vec::new();
        for (name, inode) in &state.tree.dir(id)?.current {
            let is_dir = matches!(state.tree.inodes.get(inode), Some(Inode::Dir(_)));
            entries.push(DirEntry {
                name: name.to_string_lossy().into_owned(),
                is_dir,
            });
        }
        Ok(entries)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        match self.state.lock().tree.resolve(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.begin(|| Operation::Rename(from.to_owned(), to.to_owned()));
        let mut state = self.state.lock();
        let (dir, from) = state.tree.parent(from)?;
        let (to_dir, to) = state.tree.parent(to)?;
        if dir != to_dir {
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        let names = state.tree.dir_mut(dir)?;
        let inode = *names.current.get(&from).ok_or(io::ErrorKind::NotFound)?;
        names.change(NameChange::Rename { from, to, inode });
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.begin(|| Operation::Remove(path.to_owned()));
        let mut state = self.state.lock();
        let inode = state.tree.resolve(path)?;
        state.tree.file(inode)?;
        let shown = path.to_string_lossy();
        state.faults.check(Fault::Remove, &shown)?;
        let (dir, name) = state.tree.parent(path)?;
        state.tree.dir_mut(dir)?.change(NameChange::Unlink(name));
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        for entry in self.list(path)? {
            let inner = path.join(&entry.name);
            if entry.is_dir {
                self.remove_dir_all(&inner)?;
            } else {
                self.remove_file(&inner)?;
            }
        }
        self.begin(|| Operation::Remove(path.to_owned()));
        let mut state = self.state.lock();
        let (dir, name) = state.tree.parent(path)?;
        state.tree.dir_mut(dir)?.change(NameChange::Unlink(name));
        Ok(())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        if self.exists(path)? {
            return self.list(path).map(|_| ());
        }
        if let Some(parent) = path.parent() {
            self.create_dir_all(parent)?;
        }
        self.begin(|| Operation::CreateDir(path.to_owned()));
        let mut state = self.state.lock();
        let (dir, name) = state.tree.parent(path)?;
        let inode = state.tree.insert(Inode::Dir(DirState::default()));
        state
            .tree
            .dir_mut(dir)?
            .change(NameChange::Link(name, inode));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.begin(|| Operation::SyncDir(dir.to_owned()));
        let mut state = self.state.lock();
        state.faults.check(Fault::Sync, &dir.to_string_lossy())?;
        let id = state.tree.resolve(dir)?;
        state.tree.dir_mut(id)?.sync();
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let mut state = self.state.lock();
        let (dir, name) = state.tree.parent(path)?;
        if !state.tree.dir(dir)?.current.contains_key(&name) {
            let inode = state.tree.insert(Inode::File(FileState::default()));
            state
                .tree
                .dir_mut(dir)?
                .change(NameChange::Link(name, inode));
        }
        if !state.locked.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let power_on = state.power_on;
        Ok(Box::new(SimLock {
            disk: self.clone(),
            path: path.to_owned(),
            power_on,
        }))
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.state.lock().tree.resolve(path)?;
        Ok(Space {
            total: u64::MAX,
            available: u64::MAX,
        })
    }

    fn open_file_limit(&self) -> usize {
        1024
    }
}

struct SimLock {
    disk: SimDisk,
    path: PathBuf,
    power_on: u64,
}

impl fmt::Debug for SimLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimLock").field(&self.path).finish()
    }
}

impl DiskLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.state.lock();
        if state.power_on == self.power_on {
            state.locked.remove(&self.path);
        }
    }
}

struct SimFile {
    disk: SimDisk,
    inode: InodeId,
    path: PathBuf,
    power_on: u64,
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimFile").field(&self.path).finish()
    }
}

impl SimFile {
    fn check(&self, state: &mut State, fault: Option<Fault>) -> io::Result<()> {
        if state.power_on != self.power_on {
            return Err(io::Error::other(
                "the power was cut since this file was opened",
            ));
        }
        match fault {
            Some(fault) => state.faults.check(fault, &self.path.to_string_lossy()),
            None => Ok(()),
        }
    }

    fn change(&self, change: FileChange) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        self.check(&mut state, Some(Fault::Write))?;
        let old = state.tree.file(self.inode)?.current.len();
        let grown = change.len_after(old).saturating_sub(old) as u64;
        if let Some(capacity) = state.faults.capacity
            && grown > 0
            && state.tree.used_bytes() + grown > capacity
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.tree.file_mut(self.inode)?.change(change);
        Ok(())
    }
}

fn to_index(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput.into())
}

impl DiskFile for SimFile {
    fn read_to(&self, out: &mut Vec<u8>, offset: u64, max_bytes: usize) -> io::Result<usize> {
        let mut state = self.disk.state.lock();
        self.check(&mut state, Some(Fault::Read))?;
        let content = &state.tree.file(self.inode)?.current;
        let start = to_index(offset)?.min(content.len());
        let end = start.saturating_add(max_bytes).min(content.len());
        out.extend_from_slice(&content[start..end]);
        Ok(end - start)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        self.check(&mut state, Some(Fault::Read))?;
        let start = to_index(offset)?;
        let content = &state.tree.file(self.inode)?.current;
        let bytes = start
            .checked_add(buffer.len())
            .and_then(|end| content.get(start..end));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let path = &self.path;
        self.disk.begin(|| Operation::Write {
            path: path.clone(),
            offset,
            len: bytes.len(),
        });
        self.change(FileChange::Write {
            at: to_index(offset)?,
            bytes: bytes.into(),
        })
    }

    fn write_all_vectored_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        let bytes: Vec<u8> = slices
            .iter()
            .flat_map(|slice| slice.iter().copied())
            .collect();
        self.write_all_at(&bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.begin(|| Operation::Sync(self.path.clone()));
        let mut state = self.disk.state.lock();
        let failed = self.check(&mut state, Some(Fault::Sync));
        let file = state.tree.file_mut(self.inode)?;
        match failed {
            Ok(()) => file.sync(),
            Err(_) => file.lose_pending(),
        }
        failed
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.begin(|| Operation::SetLen {
            path: self.path.clone(),
            len,
        });
        self.change(FileChange::SetLen(to_index(len)?))
    }

    fn len(&self) -> io::Result<u64> {
        let mut state = self.disk.state.lock();
        self.check(&mut state, None)?;
        Ok(state.tree.file(self.inode)?.current.len() as u64)
    }

    fn preallocate(&self, len: u64) -> io::Result<()> {
        if self.len()? >= len {
            return Ok(());
        }
        self.set_len(len)
    }
}
