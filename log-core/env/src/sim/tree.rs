//! Files and directories in memory, each with its synced state and the changes since.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path};
use std::sync::Arc;

pub(super) type InodeId = u64;

pub(super) const ROOT: InodeId = 0;

#[derive(Debug, Clone)]
pub(super) enum FileChange {
    Write { at: usize, bytes: Arc<[u8]> },
    SetLen(usize),
}

impl FileChange {
    /// Length of a file of `len` bytes after this change.
    pub(super) fn len_after(&self, len: usize) -> usize {
        match self {
            Self::Write { at, bytes } => len.max(at + bytes.len()),
            Self::SetLen(len) => *len,
        }
    }

    pub(super) fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => {
                let end = at + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[*at..end].copy_from_slice(bytes);
            }
            Self::SetLen(len) => content.resize(*len, 0),
        }
    }
}

/// `Arc`s make an image of the disk cheap; content is copied only when it changes meanwhile.
#[derive(Debug, Clone, Default)]
pub(super) struct FileState {
    pub(super) current: Arc<Vec<u8>>,
    pub(super) durable: Arc<Vec<u8>>,
    pub(super) pending: Vec<FileChange>,
}

impl FileState {
    pub(super) fn change(&mut self, change: FileChange) {
        change.apply(Arc::make_mut(&mut self.current));
        self.pending.push(change);
    }

    pub(super) fn sync(&mut self) {
        let durable = Arc::make_mut(&mut self.durable);
        for change in self.pending.drain(..) {
            change.apply(durable);
        }
    }

    /// What a failed sync leaves: the pages read as written but are never written back.
    pub(super) fn lose_pending(&mut self) {
        self.pending.clear();
    }
}

#[derive(Debug, Clone)]
pub(super) enum NameChange {
    Link(OsString, InodeId),
    Unlink(OsString),
    Rename {
        from: OsString,
        to: OsString,
        inode: InodeId,
    },
}

impl NameChange {
    pub(super) fn apply(&self, names: &mut BTreeMap<OsString, InodeId>) {
        match self {
            Self::Link(name, inode) => {
                names.insert(name.clone(), *inode);
            }
            Self::Unlink(name) => {
                names.remove(name);
            }
            Self::Rename { from, to, inode } => {
                if names.get(from) == Some(inode) {
                    names.remove(from);
                }
                names.insert(to.clone(), *inode);
            }
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct DirState {
    pub(super) current: BTreeMap<OsString, InodeId>,
    pub(super) durable: BTreeMap<OsString, InodeId>,
    pub(super) pending: Vec<NameChange>,
}

impl DirState {
    pub(super) fn change(&mut self, change: NameChange) {
        change.apply(&mut self.current);
        self.pending.push(change);
    }

    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable);
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Inode {
    File(FileState),
    Dir(DirState),
}

/// All inodes. Unlinked ones stay until a crash, since an unlink may be lost.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) inodes: BTreeMap<InodeId, Inode>,
    next: InodeId,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self {
            inodes: BTreeMap::from([(ROOT, Inode::Dir(DirState::default()))]),
            next: ROOT + 1,
        }
    }

    pub(super) fn insert(&mut self, inode: Inode) -> InodeId {
        let id = self.next;
        self.next += 1;
        self.inodes.insert(id, inode);
        id
    }

    pub(super) fn resolve(&self, path: &Path) -> io::Result<InodeId> {
        let mut at = ROOT;
        for name in names(path)? {
            at = *self
                .dir(at)?
                .current
                .get(&name)
                .ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    /// The directory that holds the last name of `path`, and that name.
    pub(super) fn parent(&self, path: &Path) -> io::Result<(InodeId, OsString)> {
        let mut names = names(path)?;
        let last = names.pop().ok_or(io::ErrorKind::InvalidInput)?;
        let mut at = ROOT;
        for name in names {
            at = *self
                .dir(at)?
                .current
                .get(&name)
                .ok_or(io::ErrorKind::NotFound)?;
        }
        Ok((at, last))
    }

    pub(super) fn dir(&self, id: InodeId) -> io::Result<&DirState> {
        match self.inodes.get(&id) {
            Some(Inode::Dir(dir)) => Ok(dir),
            Some(Inode::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn dir_mut(&mut self, id: InodeId) -> io::Result<&mut DirState> {
        match self.inodes.get_mut(&id) {
            Some(Inode::Dir(dir)) => Ok(dir),
            Some(Inode::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn file(&self, id: InodeId) -> io::Result<&FileState> {
        match self.inodes.get(&id) {
            Some(Inode::File(file)) => Ok(file),
            Some(Inode::Dir(_)) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn file_mut(&mut self, id: InodeId) -> io::Result<&mut FileState> {
        match self.inodes.get_mut(&id) {
            Some(Inode::File(file)) => Ok(file),
            Some(Inode::Dir(_)) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Bytes in all files that still have a name.
    pub(super) fn used_bytes(&self) -> u64 {
        let mut used = 0;
        let mut open = vec![ROOT];
        while let Some(id) = open.pop() {
            match self.inodes.get(&id) {
                Some(Inode::Dir(dir)) => open.extend(dir.current.values()),
                Some(Inode::File(file)) => used += file.current.len() as u64,
                None => {}
            }
        }
        used
    }
}

fn names(path: &Path) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => names.push(name.to_owned()),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(io::ErrorKind::InvalidInput.into());
            }
        }
    }
    Ok(names)
}
