//! openraft's log and vote on the storage's `Log` and `Register`.
//!
//! Every entry that is not purged is also kept in memory, a few thousand between two snapshots, so
//! that reading never touches the disk. Writing does, on the blocking threads: openraft waits for
//! each call before it makes the next, which keeps votes and entries in order.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use bytes::Bytes;
use headwater_storage::{Log, Register};
use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{AnyError, LogState, OptionalSend, RaftLogReader, StorageIOError};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use super::types::{Entry, LogId, StorageError, Types, Vote};

/// What the register beside the log holds: both change seldom, and together they stay consistent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Marks {
    vote: Option<Vote>,
    /// Last entry that was purged. Written before the log is cut, so that it is never behind.
    purged: Option<LogId>,
}

struct Files {
    log: Log,
    register: Register,
    marks: RwLock<Marks>,
    entries: RwLock<BTreeMap<u64, Entry>>,
}

/// The log of one member. Clones share it; openraft reads through clones and writes through one.
#[derive(Clone)]
pub(crate) struct LogStore {
    files: Arc<Files>,
}

impl LogStore {
    /// Reads what the files hold.
    pub(crate) fn open(log: Log, register: Register) -> Result<Self, AnyError> {
        let marks: Marks = match register.load() {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| AnyError::new(&error))?,
            None => Marks::default(),
        };
        let first_kept = marks.purged.map_or(0, |id| id.index.saturating_add(1));
        let mut entries = BTreeMap::new();
        let range = log.first_index().max(first_kept)..log.next_index();
        for bytes in log.read(range).map_err(|error| AnyError::new(&error))? {
            let entry: Entry =
                serde_json::from_slice(&bytes).map_err(|error| AnyError::new(&error))?;
            entries.insert(entry.log_id.index, entry);
        }
        let files = Files {
            log,
            register,
            marks: RwLock::new(marks),
            entries: RwLock::new(entries),
        };
        Ok(Self {
            files: Arc::new(files),
        })
    }

    /// The last entry, durable like all of them.
    pub(crate) fn last_index(&self) -> Option<u64> {
        let last = self
            .files
            .entries
            .read()
            .last_key_value()
            .map(|(index, _)| *index);
        last.or(self.files.marks.read().purged.map(|id| id.index))
    }

    /// Runs `work` where blocking is allowed.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> Result<T, AnyError> + Send + 'static,
    ) -> Result<T, AnyError> {
        let files = Arc::clone(&self.files);
        tokio::task::spawn_blocking(move || work(&files))
            .await
            .map_err(|error| AnyError::new(&error))?
    }
}

impl Files {
    fn change_marks(&self, change: impl FnOnce(&mut Marks)) -> Result<(), AnyError> {
        let mut next = self.marks.read().clone();
        change(&mut next);
        let bytes = serde_json::to_vec(&next).map_err(|error| AnyError::new(&error))?;
        self.register
            .store(&bytes)
            .map_err(|error| AnyError::new(&error))?;
        *self.marks.write() = next;
        Ok(())
    }
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<R>(&mut self, range: R) -> Result<Vec<Entry>, StorageError>
    where
        R: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        if is_empty(&range) {
            return Ok(Vec::new());
        }
        let entries = self.files.entries.read();
        Ok(entries
            .range(range)
            .map(|(_, entry)| entry.clone())
            .collect())
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, StorageError> {
        let purged = self.files.marks.read().purged;
        let last = self
            .files
            .entries
            .read()
            .last_key_value()
            .map(|(_, entry)| entry.log_id);
        Ok(LogState {
            last_purged_log_id: purged,
            last_log_id: last.or(purged),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        let vote = *vote;
        self.blocking(move |files| files.change_marks(|marks| marks.vote = Some(vote)))
            .await
            .map_err(|error| StorageIOError::write_vote(error).into())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        Ok(self.files.marks.read().vote)
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: LogFlushed<Types>,
    ) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let written = self.blocking(move |files| write(files, entries)).await;
        match written {
            Ok(()) => {
                callback.log_io_completed(Ok(()));
                Ok(())
            }
            Err(error) => {
                callback.log_io_completed(Err(std::io::Error::other(error.to_string())));
                Err(StorageIOError::write_logs(error).into())
            }
        }
    }

    async fn truncate(&mut self, log_id: LogId) -> Result<(), StorageError> {
        self.blocking(move |files| {
            files
                .log
                .truncate_from(log_id.index)
                .map_err(|error| AnyError::new(&error))?;
            files.entries.write().split_off(&log_id.index);
            Ok(())
        })
        .await
        .map_err(|error| StorageIOError::write_logs(error).into())
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), StorageError> {
        self.blocking(move |files| {
            files.change_marks(|marks| marks.purged = marks.purged.max(Some(log_id)))?;
            let keep_from = log_id.index.saturating_add(1);
            files
                .log
                .purge_before(keep_from)
                .map_err(|error| AnyError::new(&error))?;
            let mut entries = files.entries.write();
            *entries = entries.split_off(&keep_from);
            Ok(())
        })
        .await
        .map_err(|error| StorageIOError::write_logs(error).into())
    }
}

fn write(files: &Files, mut entries: Vec<Entry>) -> Result<(), AnyError> {
    // What was purged is in a snapshot and needs no log.
    let purged = files.marks.read().purged;
    entries.retain(|entry| Some(entry.log_id.index) > purged.map(|id| id.index));
    let Some(first) = entries.first().map(|entry| entry.log_id.index) else {
        return Ok(());
    };
    let mut encoded = Vec::with_capacity(entries.len());
    for entry in &entries {
        let bytes = serde_json::to_vec(entry).map_err(|error| AnyError::new(&error))?;
        encoded.push(Bytes::from(bytes));
    }
    let next = files.log.next_index();
    let placed = if first < next {
        // What stands there was not committed and gives way.
        files.log.truncate_from(first)
    } else if files.log.first_index() == next {
        // An empty log goes on wherever the leader says.
        files.log.purge_before(first)
    } else {
        Ok(())
    };
    placed.map_err(|error| AnyError::new(&error))?;
    files
        .log
        .append(first, &encoded)
        .map_err(|error| AnyError::new(&error))?;
    let mut kept = files.entries.write();
    kept.split_off(&first);
    kept.extend(entries.into_iter().map(|entry| (entry.log_id.index, entry)));
    Ok(())
}

/// `BTreeMap::range` panics on ranges that end before they begin.
fn is_empty(range: &impl RangeBounds<u64>) -> bool {
    let from = match range.start_bound() {
        Bound::Included(from) => *from,
        Bound::Excluded(from) => from.saturating_add(1),
        Bound::Unbounded => 0,
    };
    match range.end_bound() {
        Bound::Included(to) => *to < from,
        Bound::Excluded(to) => *to <= from,
        Bound::Unbounded => false,
    }
}
