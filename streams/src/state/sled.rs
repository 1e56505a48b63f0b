//! State in sled: one database for each process, one tree for each partition of a store.
//!
//! Entries are written by plain inserts in the order of keys, the checkpoint last: sled recovers a
//! prefix of what was written, so a checkpoint is never found without the entries it follows. There
//! is no `apply_batch`, which would switch the whole process to a global lock and take memory by the
//! gigabyte.

use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::backend::Visit;
use super::{Checkpoint, StateBackend, StateError, StateStore, StoreId};

/// Keeps state in a directory.
#[derive(Clone, Debug)]
pub struct SledBackend {
    db: sled::Db,
    set_aside: Option<PathBuf>,
}

/// Bytes that sled may use as its page cache; it takes more than it is told.
const CACHE_BYTES: u64 = 32 << 20;

/// First byte of the keys of entries.
const ENTRY: u8 = b'd';
/// First byte after the keys of entries.
const ENTRY_END: u8 = ENTRY + 1;
/// Key of the checkpoint.
const CHECKPOINT: &[u8] = b"m";

fn failed(store: &str, action: &'static str, source: sled::Error) -> StateError {
    StateError::Backend {
        store: store.to_owned(),
        action,
        source: Box::new(source),
    }
}

fn config(dir: &Path) -> sled::Config {
    // Flushing is the runtime's: the changelog is the durability, and sled's own flusher would
    // stall writes at times of its choosing.
    sled::Config::new()
        .path(dir)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(None)
}

impl SledBackend {
    /// Opens, or makes, the database in `dir`. One that does not open is renamed and a new one begun:
    /// its contents come back from the changelogs.
    ///
    /// # Errors
    /// [`StateError::Backend`] if another process has it open, or the directory cannot be written.
    pub fn open(dir: &Path) -> Result<Self, StateError> {
        let name = dir.display().to_string();
        match open_patiently(dir) {
            Ok(db) => Ok(Self {
                db,
                set_aside: None,
            }),
            Err(error) if is_corrupt(&error) => {
                let aside = free_name(dir);
                tracing::warn!(dir = %name, aside = %aside.display(), %error, "state set aside");
                std::fs::rename(dir, &aside).map_err(|source| StateError::Backend {
                    store: name.clone(),
                    action: "setting the damaged database aside",
                    source: Box::new(source),
                })?;
                let db = config(dir)
                    .open()
                    .map_err(|error| failed(&name, "opening", error))?;
                Ok(Self {
                    db,
                    set_aside: Some(aside),
                })
            }
            Err(error) => Err(failed(&name, "opening", error)),
        }
    }

    /// Where a database that did not open was put, if there was one.
    pub fn set_aside(&self) -> Option<&Path> {
        self.set_aside.as_deref()
    }
}

/// Whether the database itself is bad. A lock held by another process, or a full disk, is not.
fn is_corrupt(error: &sled::Error) -> bool {
    match error {
        sled::Error::Io(error) => matches!(
            error.kind(),
            std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof
        ),
        _ => true,
    }
}

/// A database that has just been dropped in this process may be locked a moment longer.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

fn open_patiently(dir: &Path) -> sled::Result<sled::Db> {
    let until = Instant::now() + LOCK_PATIENCE;
    loop {
        match config(dir).open() {
            Err(sled::Error::Io(error))
                if error.to_string().contains("lock") && Instant::now() < until =>
            {
                std::thread::sleep(Duration::from_millis(10));
            }
            opened => return opened,
        }
    }
}

fn free_name(dir: &Path) -> PathBuf {
    let mut number = 0_u32;
    loop {
        let mut name = dir.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        let candidate = PathBuf::from(name);
        if !candidate.exists() {
            return candidate;
        }
        number += 1;
    }
}

impl StateBackend for SledBackend {
    fn open(&self, id: &StoreId) -> Result<Box<dyn StateStore>, StateError> {
        let name = id.to_string();
        let tree = self
            .db
            .open_tree(&name)
            .map_err(|error| failed(&name, "opening", error))?;
        Ok(Box::new(SledStore {
            name,
            tree,
            key: Vec::new(),
        }))
    }

    fn flush(&self) -> Result<(), StateError> {
        self.db
            .flush()
            .map(|_| ())
            .map_err(|error| failed("all stores", "flushing", error))
    }
}

struct SledStore {
    name: String,
    tree: sled::Tree,
    /// Reused for prefixed keys of writes.
    key: Vec<u8>,
}

fn prefixed(key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.len() + 1);
    out.push(ENTRY);
    out.extend_from_slice(key);
    out
}

impl StateStore for SledStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        match self.tree.get(prefixed(key)) {
            Ok(value) => Ok(value.map(|value| value.to_vec())),
            Err(error) => Err(failed(&self.name, "reading", error)),
        }
    }

    fn write(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), StateError> {
        self.key.clear();
        self.key.push(ENTRY);
        self.key.extend_from_slice(key);
        let written = match value {
            Some(value) => self.tree.insert(&self.key, value),
            None => self.tree.remove(&self.key),
        };
        written
            .map(|_| ())
            .map_err(|error| failed(&self.name, "writing", error))
    }

    fn scan(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        visit: &mut Visit<'_>,
    ) -> Result<(), StateError> {
        if super::layers::is_empty_range(from, to) {
            return Ok(());
        }
        let from = match from {
            Bound::Included(key) => Bound::Included(prefixed(key)),
            Bound::Excluded(key) => Bound::Excluded(prefixed(key)),
            Bound::Unbounded => Bound::Included(vec![ENTRY]),
        };
        let to = match to {
            Bound::Included(key) => Bound::Included(prefixed(key)),
            Bound::Excluded(key) => Bound::Excluded(prefixed(key)),
            Bound::Unbounded => Bound::Excluded(vec![ENTRY_END]),
        };
        for entry in self.tree.range::<Vec<u8>, _>((from, to)) {
            let (key, value) = entry.map_err(|error| failed(&self.name, "scanning", error))?;
            let key = key.get(1..).unwrap_or(&[]);
            if visit(key, &value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn is_empty(&self) -> Result<bool, StateError> {
        let mut entries = self.tree.range([ENTRY]..[ENTRY_END]);
        match entries.next() {
            None => Ok(true),
            Some(Ok(_)) => Ok(false),
            Some(Err(error)) => Err(failed(&self.name, "reading", error)),
        }
    }

    fn checkpoint(&self) -> Result<Option<Checkpoint>, StateError> {
        let found = self
            .tree
            .get(CHECKPOINT)
            .map_err(|error| failed(&self.name, "reading", error))?;
        let parse = |bytes: &[u8]| {
            let (topic_id, rest) = bytes.split_first_chunk::<16>()?;
            let (offset, rest) = rest.split_first_chunk::<8>()?;
            // Older checkpoints end here.
            let confirmed_at = rest.first_chunk::<8>().copied().unwrap_or_default();
            Some(Checkpoint {
                topic_id: Uuid::from_bytes(*topic_id),
                offset: i64::from_be_bytes(*offset),
                confirmed_at: i64::from_be_bytes(confirmed_at),
            })
        };
        Ok(found.and_then(|bytes| parse(&bytes)))
    }

    fn set_checkpoint(&mut self, checkpoint: Checkpoint) -> Result<(), StateError> {
        let mut value = Vec::with_capacity(32);
        value.extend_from_slice(checkpoint.topic_id.as_bytes());
        value.extend_from_slice(&checkpoint.offset.to_be_bytes());
        value.extend_from_slice(&checkpoint.confirmed_at.to_be_bytes());
        let written = self.tree.insert(CHECKPOINT, value);
        written
            .map(|_| ())
            .map_err(|error| failed(&self.name, "writing", error))
    }

    fn clear(&mut self) -> Result<(), StateError> {
        self.tree
            .remove(CHECKPOINT)
            .map_err(|error| failed(&self.name, "writing", error))?;
        self.tree
            .clear()
            .map_err(|error| failed(&self.name, "clearing", error))
    }
}
