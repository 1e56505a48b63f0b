//! What all partitions of a node share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use headwater_env::Clock;
use parking_lot::{Condvar, Mutex};

use crate::checkpoint::{CheckpointFile, Numbered};
use crate::error::{AppendError, ChangeError, NoRoom, Stopped};
use crate::id::TopicPartitionId;
use crate::journal::{Journal, Reservation, ReserveError};
use crate::lsn::Lsn;
use crate::medium::Medium;
use crate::options::{Background, StorageOptions};
use crate::partition::PartitionLog;
use crate::raft::RegisterError;
use crate::segment::HandlePool;

/// Rounds of journal and syncer after which a stepped append gives up waiting for room.
const STEPS_FOR_ROOM: usize = 64;

/// Makes room in the journal in the caller's thread.
pub(crate) trait Relief: Send + Sync + std::fmt::Debug {
    fn relieve(&self) -> Result<(), Stopped>;
}

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) medium: Medium,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: StorageOptions,
    pub(crate) handles: Arc<HandlePool>,
    pub(crate) partitions_dir: PathBuf,
    pub(crate) checkpoints: CheckpointFile,
    /// Held while the file of checkpoints is written: it never goes back.
    storing: Mutex<()>,
    /// The incarnation whose journal the partitions' sequence numbers are of.
    incarnation: AtomicU64,
    /// First journal frame that the checkpoints on disk leave needed.
    tail: AtomicU64,
    /// Set once recovery is over.
    journal: OnceLock<Arc<Journal>>,
    relief: OnceLock<Weak<dyn Relief>>,
    /// Partitions with enough unsynced bytes to be worth a sync.
    dirty: Mutex<Vec<Weak<PartitionLog>>>,
    producer_id_expiration_ms: AtomicI64,
    wake: Mutex<bool>,
    woken: Condvar,
}

impl Core {
    pub(crate) fn new(
        medium: Medium,
        clock: Arc<dyn Clock>,
        options: StorageOptions,
        partitions_dir: PathBuf,
        checkpoints: CheckpointFile,
    ) -> Self {
        let expiration = options.producer_id_expiration.as_millis();
        let expiration = i64::try_from(expiration).unwrap_or(i64::MAX);
        // Half is left to sockets, indexes and everything else.
        let limit = medium.disk.open_file_limit() / 2;
        let handles = Arc::new(HandlePool::new(Arc::clone(&medium.disk), limit));
        Self {
            medium,
            clock,
            options,
            handles,
            partitions_dir,
            checkpoints,
            storing: Mutex::new(()),
            incarnation: AtomicU64::new(0),
            tail: AtomicU64::new(1),
            journal: OnceLock::new(),
            relief: OnceLock::new(),
            dirty: Mutex::new(Vec::new()),
            producer_id_expiration_ms: AtomicI64::new(expiration),
            wake: Mutex::new(false),
            woken: Condvar::new(),
        }
    }

    pub(crate) fn producer_id_expiration_ms(&self) -> i64 {
        self.producer_id_expiration_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn set_producer_id_expiration(&self, after: Duration) {
        let millis = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        self.producer_id_expiration_ms
            .store(millis, Ordering::Relaxed);
    }

    pub(crate) fn incarnation(&self) -> u64 {
        self.incarnation.load(Ordering::Acquire)
    }

    pub(crate) fn tail(&self) -> Lsn {
        Lsn::new(self.tail.load(Ordering::Acquire))
    }

    /// What recovery found; the partitions' sequence numbers are of that incarnation until
    /// [`Core::begin`].
    pub(crate) fn set_recovered(&self, incarnation: u64, tail: Lsn) {
        self.incarnation.store(incarnation, Ordering::Release);
        self.tail.store(tail.get(), Ordering::Release);
    }

    /// Writes these checkpoints with all others; `tail` is then the first frame still needed.
    pub(crate) fn store_checkpoints(
        &self,
        captured: impl IntoIterator<Item = (TopicPartitionId, Numbered)>,
        tail: Lsn,
    ) -> Result<(), RegisterError> {
        let _storing = self.storing.lock();
        for (id, entry) in captured {
            self.checkpoints.set(id, entry);
        }
        self.checkpoints.store(self.incarnation(), tail)?;
        self.tail.store(tail.get(), Ordering::Release);
        Ok(())
    }

    /// Writes the checkpoint of one partition, leaving the tail where it is. On an error nothing of
    /// it is left, that another partition's checkpoint might take along.
    pub(crate) fn store_checkpoint(
        &self,
        id: TopicPartitionId,
        entry: Numbered,
    ) -> Result<(), ChangeError> {
        let _storing = self.storing.lock();
        let before = self.checkpoints.set(id, entry);
        self.checkpoints
            .store(self.incarnation(), self.tail())
            .inspect_err(|_| self.checkpoints.put_back(id, before))?;
        Ok(())
    }

    pub(crate) fn begin(&self, journal: Arc<Journal>, relief: Weak<dyn Relief>) {
        self.incarnation
            .store(journal.incarnation(), Ordering::Release);
        self.tail.store(Lsn::ZERO.next().get(), Ordering::Release);
        // Both are set once, by recovery, which runs once.
        if self.journal.set(journal).is_err() || self.relief.set(relief).is_err() {
            tracing::error!("storage was recovered twice");
        }
    }

    /// # Errors
    /// `Stopped` before recovery.
    pub(crate) fn journal(&self) -> Result<&Arc<Journal>, Stopped> {
        self.journal.get().ok_or(Stopped)
    }

    /// Reserves room in the journal, waiting for some, though not for ever. The caller must hold no lock of a
    /// partition: making room needs those.
    pub(crate) fn reserve(&self, payload: u64) -> Result<Reservation<'_>, AppendError> {
        let journal = self.journal()?;
        let mut steps = 0;
        let mut since = None;
        loop {
            match journal.try_reserve(payload) {
                Ok(Some(reservation)) => return Ok(reservation),
                Ok(None) => {}
                Err(ReserveError::Stopped(stopped)) => return Err(stopped.into()),
                Err(ReserveError::TooLarge { bytes, limit }) => {
                    return Err(AppendError::TooLarge { bytes, limit });
                }
            }
            match self.options.background {
                Background::Threads => {
                    let now = self.clock.now();
                    let waited = now.since(*since.get_or_insert(now));
                    if waited >= self.options.journal.room_wait {
                        return Err(NoRoom.into());
                    }
                    self.wake_syncer();
                    journal.wait_for_room();
                }
                Background::Stepped if steps < STEPS_FOR_ROOM => {
                    steps += 1;
                    journal.commit()?;
                    if let Some(relief) = self.relief.get().and_then(Weak::upgrade) {
                        relief.relieve()?;
                    }
                }
                Background::Stepped => return Err(Stopped.into()),
            }
        }
    }

    /// Waits until `lsn` is durable; commits in this thread if there is no other to do it.
    pub(crate) fn settle(&self, lsn: Lsn) -> Result<(), Stopped> {
        let journal = self.journal()?;
        if self.options.background == Background::Stepped || journal.is_closing() {
            while journal.progress().durable < lsn {
                journal.commit()?;
            }
        }
        journal.wait_durable_blocking(lsn)
    }

    pub(crate) fn queue_dirty(&self, log: Weak<PartitionLog>) {
        self.dirty.lock().push(log);
    }

    pub(crate) fn take_dirty(&self) -> Vec<Arc<PartitionLog>> {
        let dirty = std::mem::take(&mut *self.dirty.lock());
        dirty.iter().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn wake_syncer(&self) {
        *self.wake.lock() = true;
        self.woken.notify_one();
    }

    /// Waits until the syncer is woken, or for `limit`.
    pub(crate) fn wait_for_wake(&self, limit: Duration) {
        let mut wake = self.wake.lock();
        if !*wake {
            self.woken.wait_for(&mut wake, limit);
        }
        *wake = false;
    }
}
