//! A node's data directory: its partitions, its journal, and what runs behind them.

mod background;
mod open;
mod recover;
mod syncer;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use headwater_env::{DiskLock, Space, Timestamp};
use parking_lot::{Mutex, RwLock};

pub use open::Owner;
pub use recover::{KnownPartition, Recovery};

use crate::checkpoint::Checkpoints;
use crate::compaction::{CompactionLimits, Unhurried};
use crate::config::LogConfig;
use crate::core::Core;
use crate::error::{ChangeError, FileError, OpenError, Stopped};
use crate::id::TopicPartitionId;
use crate::lsn::Lsn;
use crate::partition::PartitionLog;
use crate::raft::{Log, Register};
use syncer::{Demand, Syncer};

/// One node's data directory. Clones are the same directory.
///
/// The directory is locked until [`Storage::shutdown`], or until the last clone is gone, which is a
/// crash that was announced: nothing acknowledged is lost, but the next start has more to replay.
#[derive(Clone)]
pub struct Storage {
    inner: Arc<Inner>,
    _keeper: Arc<Keeper>,
}

/// Held by the handles and not by the threads, so that the last handle's end is the end.
struct Keeper(Arc<Inner>);

impl Drop for Keeper {
    fn drop(&mut self) {
        if self.0.close(false).is_err() {
            tracing::debug!("storage was stopped before it was dropped");
        }
    }
}

pub(crate) struct Inner {
    core: Arc<Core>,
    partitions: RwLock<BTreeMap<TopicPartitionId, Arc<PartitionLog>>>,
    syncer: Mutex<Syncer>,
    journal_dir: PathBuf,
    incarnation: Register,
    /// What the checkpoint file held, until recovery takes it.
    checkpoints: Mutex<Option<Checkpoints>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    is_closing: AtomicBool,
    lock: Mutex<Option<Box<dyn DiskLock>>>,
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage")
            .field("data_dir", &self.core.options.data_dir)
            .field("partitions", &self.partitions.read().len())
            .finish_non_exhaustive()
    }
}

impl Storage {
    /// Makes an empty log for a partition; the existing one if there is one. Costs no sync: files
    /// are made by the first append, and by the journal's replay if a crash takes them.
    ///
    /// # Errors
    /// [`Stopped`] before [`Storage::recover`] and after a stop.
    pub fn create_partition(
        &self,
        id: TopicPartitionId,
        name: &str,
        config: LogConfig,
    ) -> Result<Arc<PartitionLog>, Stopped> {
        let core = &self.inner.core;
        core.journal()?;
        core.medium.check()?;
        let mut partitions = self.inner.partitions.write();
        let log = partitions
            .entry(id)
            .or_insert_with(|| PartitionLog::empty(core, id, name, config));
        Ok(Arc::clone(log))
    }

    /// The data directory, as an absolute path if the system can tell it.
    pub fn data_dir(&self) -> PathBuf {
        let dir = &self.inner.core.options.data_dir;
        std::path::absolute(dir).unwrap_or_else(|_| dir.clone())
    }

    /// How much room there is for the data directory.
    ///
    /// # Errors
    /// [`FileError`] if the system does not tell.
    pub fn space(&self) -> Result<Space, FileError> {
        let dir = &self.inner.core.options.data_dir;
        let disk = &self.inner.core.medium.disk;
        disk.space(dir).map_err(FileError::new("measure", dir))
    }

    /// The log of a partition that is on this node.
    pub fn partition(&self, id: &TopicPartitionId) -> Option<Arc<PartitionLog>> {
        self.inner.partitions.read().get(id).cloned()
    }

    /// All logs, by topic id and partition.
    pub fn partitions(&self) -> Vec<Arc<PartitionLog>> {
        self.inner.partitions.read().values().cloned().collect()
    }

    /// Deletes a partition's log. The deletion is journaled and synced before the files go; this
    /// blocks for that.
    ///
    /// # Errors
    /// [`ChangeError`]; the log then takes no appends but may still be on disk. To be called again:
    /// until it succeeds the log is among [`Storage::partitions`].
    pub fn delete_partition(&self, id: &TopicPartitionId) -> Result<(), ChangeError> {
        let log = self.partition(id).ok_or(ChangeError::Unknown(*id))?;
        log.delete()?;
        self.inner.partitions.write().remove(id);
        self.inner.core.checkpoints.remove(id);
        Ok(())
    }

    /// Last sequence number that is durable.
    pub fn durable_lsn(&self) -> Lsn {
        self.inner
            .core
            .journal()
            .map_or(Lsn::ZERO, |journal| journal.progress().durable)
    }

    /// Waits until everything up to `lsn` is durable.
    ///
    /// # Errors
    /// [`Stopped`] if that will not happen any more.
    pub async fn wait_durable(&self, lsn: Lsn) -> Result<(), Stopped> {
        let journal = self.inner.core.journal()?;
        if journal.progress().durable >= lsn {
            return Ok(());
        }
        let mut watch = journal.watch();
        let progress = watch
            .wait_for(|progress| progress.durable >= lsn || progress.is_stopped)
            .await
            .map_err(|_| Stopped)?;
        if progress.durable >= lsn {
            Ok(())
        } else {
            Err(Stopped)
        }
    }

    /// Syncs what `relaxed` logs were appended so far, so that it survives a power cut too; logs
    /// whose appends are journaled have [`Storage::wait_durable`] for that. Blocks for syncs.
    ///
    /// # Errors
    /// [`ChangeError`] if a log could not be synced; how much of it is on disk is then not known.
    pub fn sync(&self, relaxed: &[Arc<PartitionLog>]) -> Result<(), ChangeError> {
        // The syncer may have taken over a new file whose name it has not synced yet.
        let _syncing = self.inner.syncer.lock();
        for log in relaxed {
            log.sync_segments()?;
        }
        Ok(())
    }

    /// Applies retention to every log, forgets silent producers and removes what may go. Blocks for
    /// syncs: for a timer's own thread.
    ///
    /// # Errors
    /// The first error; the other logs are seen to nevertheless.
    pub fn run_retention(&self, now: Timestamp) -> Result<(), ChangeError> {
        let mut result = Ok(());
        let logs = self.partitions();
        for log in &logs {
            log.expire_producers(now);
            keep_first(&mut result, log.apply_retention(now));
        }
        keep_first(
            &mut result,
            self.inner
                .step_syncer(Demand::All)
                .map_err(ChangeError::from),
        );
        for log in &logs {
            keep_first(&mut result, log.remove_dead_segments());
        }
        result
    }

    /// Forgets producers from now on when they were silent for this long, instead of the time the
    /// storage was opened with. Kafka's `producer.id.expiration.ms` (KIP-854).
    pub fn set_producer_id_expiration(&self, after: Duration) {
        self.inner.core.set_producer_id_expiration(after);
    }

    /// Compacts every log whose policy says so and that is dirty enough, as fast as the disk is.
    /// Blocks for reading and writing: for a timer's own thread. Returns how many logs were
    /// compacted.
    ///
    /// # Errors
    /// The first error; the other logs are seen to nevertheless.
    pub fn compact(&self, now: Timestamp) -> Result<usize, ChangeError> {
        let limits = CompactionLimits {
            threads: 1,
            memory_bytes: self.inner.core.options.compaction_bytes,
            pace: &Unhurried,
        };
        self.compact_within(now, limits)
    }

    /// The same within limits.
    ///
    /// # Errors
    /// The first error; the other logs are seen to nevertheless. [`Stopped`] if the pace ended it.
    pub fn compact_within(
        &self,
        now: Timestamp,
        limits: CompactionLimits<'_>,
    ) -> Result<usize, ChangeError> {
        let logs: Vec<_> = self
            .partitions()
            .into_iter()
            .filter(|log| log.config().cleanup.compact)
            .collect();
        if logs.is_empty() {
            return Ok(0);
        }
        // Only what a checkpoint has passed is compacted.
        self.inner.step_syncer(Demand::All)?;
        let threads = limits.threads.clamp(1, logs.len());
        let queue = Mutex::new(logs.into_iter());
        let outcome = Mutex::new((0, Ok(())));
        let work = || {
            loop {
                let Some(log) = queue.lock().next() else {
                    break;
                };
                let compacted = log.compact(now, limits);
                let (count, result) = &mut *outcome.lock();
                let compacted = compacted.map(|is_compacted| *count += usize::from(is_compacted));
                keep_first(result, compacted);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        let (count, result) = outcome.into_inner();
        result.map(|()| count)
    }

    /// Removes files of segments that left their logs, as far as `file.delete.delay.ms` is over.
    ///
    /// # Errors
    /// The first error; the other logs are seen to nevertheless.
    pub fn remove_dead_segments(&self) -> Result<(), ChangeError> {
        let mut result = Ok(());
        for log in self.partitions() {
            keep_first(&mut result, log.remove_dead_segments());
        }
        result
    }

    /// Writes checkpoints of all that changed. Blocks for syncs.
    ///
    /// # Errors
    /// [`Stopped`] if a sync failed.
    pub fn checkpoint(&self) -> Result<(), Stopped> {
        self.inner.step_syncer(Demand::All)
    }

    /// Opens a log of opaque entries with its own files. Works before [`Storage::recover`], since the
    /// metadata that tells the partitions is kept in one. Each name is opened once.
    ///
    /// # Errors
    /// [`OpenError`] if its files are damaged or fail.
    pub fn log(&self, name: &str) -> Result<Log, OpenError> {
        let root = &self.inner.core.options.data_dir;
        let dir = root.join("logs").join(name);
        self.inner.core.medium.make_dir(root, &dir)?;
        Log::open(self.inner.core.medium.clone(), &dir)
    }

    /// Opens a small durable value. Works before [`Storage::recover`]. Each name is opened once.
    ///
    /// # Errors
    /// [`OpenError`] if its file is damaged or fails.
    pub fn register(&self, name: &str) -> Result<Register, OpenError> {
        let root = &self.inner.core.options.data_dir;
        let dir = root.join("registers");
        self.inner.core.medium.make_dir(root, &dir)?;
        Register::open(self.inner.core.medium.clone(), &dir.join(name))
    }

    /// Commits what the journal gathered; false if there was nothing. For
    /// [`Background::Stepped`](crate::Background::Stepped).
    ///
    /// # Errors
    /// [`Stopped`] if the sync failed.
    pub fn step_journal(&self) -> Result<bool, Stopped> {
        self.inner.core.journal()?.commit()
    }

    /// Does what the syncer's thread does when it wakes. For
    /// [`Background::Stepped`](crate::Background::Stepped).
    ///
    /// # Errors
    /// [`Stopped`] if a sync failed.
    pub fn step_syncer(&self) -> Result<(), Stopped> {
        self.inner.step_syncer(Demand::Routine)
    }

    /// Commits and checkpoints everything, stops the threads and unlocks the directory. All later
    /// appends are refused.
    ///
    /// # Errors
    /// [`Stopped`] if it was stopped before, or a sync failed.
    pub fn shutdown(&self) -> Result<(), Stopped> {
        self.inner.close(true)
    }
}

impl Inner {
    /// Ends the background work; `is_orderly` checkpoints so that the next start replays nothing.
    fn close(&self, is_orderly: bool) -> Result<(), Stopped> {
        if self.is_closing.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let mut result = Ok(());
        if let Ok(journal) = self.core.journal() {
            journal.close();
            self.core.wake_syncer();
            self.join_threads();
            if is_orderly {
                result = self.step_syncer(Demand::All);
            }
        }
        self.core.medium.shut();
        if let Ok(journal) = self.core.journal() {
            journal.publish_stop();
        }
        drop(self.lock.lock().take());
        result
    }

    fn join_threads(&self) {
        for thread in std::mem::take(&mut *self.threads.lock()) {
            if thread.join().is_err() {
                tracing::error!("a storage thread panicked");
            }
        }
    }
}

fn keep_first(result: &mut Result<(), ChangeError>, next: Result<(), ChangeError>) {
    if result.is_ok() {
        *result = next;
    }
}
