//! One partition's log.
//!
//! An append takes the partition's one lock, writes the batches to the growing segment through the
//! page cache, and stages them in the journal; it waits for nothing. Readers take no lock that an
//! append or a sync holds for long, and see what the journal's writer published as durable.

mod answer;
mod append;
mod capture;
mod compact;
mod durable;
mod epochs;
mod load;
mod read;
mod replay;
mod roll;
mod search;
mod state;
mod trim;
mod truncate;
mod verification;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Weak};

use headwater_env::Now;
use headwater_wire::records::BatchHeader;
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

pub use answer::{
    AbortedTransaction, AppendOrigin, Appended, DurableState, ProducerSummary, TimestampOffset,
};
pub(crate) use capture::{Capture, SyncError};
pub(crate) use durable::DurableWatch;
pub(crate) use epochs::LeaderEpochs;
pub(crate) use roll::{put_aborted, take_aborted};
pub(crate) use state::{View, Writer};
pub use verification::Verification;

use crate::config::{Durability, LogConfig};
use crate::core::Core;
use crate::error::{ChangeError, ProducerError, Unusable};
use crate::id::TopicPartitionId;
use crate::lsn::Lsn;
use crate::segment::Segment;
use read::Cursors;

/// One partition's log. Shared by all who append to it and read it.
#[derive(Debug)]
pub struct PartitionLog {
    me: Weak<Self>,
    core: Arc<Core>,
    id: TopicPartitionId,
    name: Arc<str>,
    dir: PathBuf,
    config: RwLock<Arc<LogConfig>>,
    /// The writer's copy is what counts; this tells whether to reserve room before locking.
    is_relaxed: AtomicBool,
    writer: Mutex<Writer>,
    view: RwLock<View>,
    durable: Arc<DurableWatch>,
    /// Base offset of the segment that the durable checkpoint points into, -1 without one. Those
    /// before it are whole, synced and no longer looked at by recovery.
    checkpoint_segment: AtomicI64,
    cursors: Mutex<Cursors>,
    /// One compaction or removal of segments at a time.
    upkeep: Mutex<()>,
    /// There may be dead segments that were not removed because `upkeep` was held.
    has_dead: AtomicBool,
    /// The log is about to be deleted: a compaction under way ends.
    is_leaving: AtomicBool,
    /// Segments that are no part of the log any more, with files that wait to be removed.
    buried: Mutex<Vec<Buried>>,
}

/// Segments whose files are removed when `due`.
#[derive(Debug)]
struct Buried {
    due: Now,
    segments: Vec<Arc<Segment>>,
}

impl PartitionLog {
    /// The partition.
    pub fn id(&self) -> TopicPartitionId {
        self.id
    }

    /// Name of its topic, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is durable now.
    pub fn durable(&self) -> DurableState {
        self.durable.get()
    }

    /// Tells of each change of [`PartitionLog::durable`]: how a long poll waits.
    pub fn watch(&self) -> watch::Receiver<DurableState> {
        self.durable.subscribe()
    }

    /// First offset that can be read. Kafka's log start offset.
    pub fn log_start_offset(&self) -> i64 {
        self.view.read().log_start
    }

    /// Offset that the next record gets, whether or not the last is durable.
    pub fn log_end_offset(&self) -> i64 {
        self.writer.lock().end
    }

    /// Offset behind the last durable record; the high watermark on a single node.
    pub fn durable_end_offset(&self) -> i64 {
        self.durable().end
    }

    /// First offset of the earliest open transaction, or the durable end (KIP-98).
    pub fn last_stable_offset(&self) -> i64 {
        self.durable().last_stable
    }

    /// What an answer that reveals anything of this log as it stands must wait for.
    pub fn last_lsn(&self) -> Lsn {
        self.writer.lock().last_lsn
    }

    /// Bytes of batches in all segments.
    pub fn size_in_bytes(&self) -> u64 {
        self.view
            .read()
            .segments
            .iter()
            .map(|segment| segment.batch_bytes())
            .sum()
    }

    /// Number of segments.
    pub fn segment_count(&self) -> usize {
        self.view.read().segments.len()
    }

    /// Whether the producer has an open transaction here, under this epoch (KIP-890).
    pub fn has_open_transaction(&self, producer_id: i64, epoch: i16) -> bool {
        self.writer
            .lock()
            .producers
            .has_open_transaction(producer_id, epoch)
    }

    /// Whether a coordinator's append ([`AppendOrigin::Coordinator`]) for a producer would get past
    /// the check of producers: records of a transaction, or, with a coordinator's epoch, a marker.
    /// For those who cannot take back what they did before they append.
    ///
    /// # Errors
    /// [`ProducerError`], as the append would be refused with.
    pub fn check_coordinated(
        &self,
        producer_id: i64,
        epoch: i16,
        coordinator_epoch: Option<i32>,
    ) -> Result<(), ProducerError> {
        let writer = self.writer.lock();
        writer
            .producers
            .check_coordinated(producer_id, epoch, coordinator_epoch)
    }

    /// Notes that a client's batch was refused for now, because the partition was not seen to be in
    /// its transaction: batches behind it are refused until one at or before it is appended.
    pub fn hold_back(&self, batch: &BatchHeader) {
        let wall = self.core.clock.wall().as_millis();
        self.writer.lock().producers.hold_back(batch, wall);
    }

    /// Number of producers known.
    pub fn producer_count(&self) -> usize {
        self.writer.lock().producers.len()
    }

    /// All producers known, by id.
    pub fn producers(&self) -> Vec<ProducerSummary> {
        self.writer.lock().producers.summaries()
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<LogConfig> {
        Arc::clone(&self.config.read())
    }

    /// Puts a configuration in force. A change of `durability` writes a checkpoint first, so that
    /// what was journaled and what was not never mix; that blocks for a few syncs.
    ///
    /// # Errors
    /// [`ChangeError`] if the checkpoint cannot be written; the old durability then stays, the rest
    /// is in force.
    pub fn set_config(&self, config: LogConfig) -> Result<(), ChangeError> {
        let will_be_relaxed = config.durability == Durability::Relaxed;
        *self.config.write() = Arc::new(config);
        self.switch_durability(will_be_relaxed)
    }

    /// Puts the configured durability in force, should the last process have ended before it could.
    pub(crate) fn match_durability(&self) -> Result<(), ChangeError> {
        self.switch_durability(self.config().durability == Durability::Relaxed)
    }

    fn switch_durability(&self, will_be_relaxed: bool) -> Result<(), ChangeError> {
        let mut writer = self.writer.lock();
        if writer.is_relaxed == will_be_relaxed {
            return Ok(());
        }
        writer.is_relaxed = will_be_relaxed;
        writer.is_changed = true;
        self.checkpoint_locked(&mut writer)
            .inspect_err(|_| writer.is_relaxed = !will_be_relaxed)?;
        self.is_relaxed.store(will_be_relaxed, Ordering::Relaxed);
        Ok(())
    }

    /// Epoch written into the batches that clients and coordinators append.
    pub fn leader_epoch(&self) -> i32 {
        self.writer.lock().leader_epoch
    }

    /// Sets the epoch written into batches from now on. Lower ones are ignored.
    pub fn set_leader_epoch(&self, epoch: i32) {
        let mut writer = self.writer.lock();
        writer.leader_epoch = writer.leader_epoch.max(epoch);
    }

    /// The largest leader epoch with records that is not above `epoch`, and the offset behind its
    /// last record (KIP-101, KIP-279).
    pub fn end_of_epoch(&self, epoch: i32) -> Option<(i32, i64)> {
        let writer = self.writer.lock();
        writer.epochs.end_of(epoch, writer.end)
    }

    /// Aborted transactions with records in `from..to`, for read_committed fetches.
    pub fn aborted_transactions(&self, from: i64, to: i64) -> Vec<AbortedTransaction> {
        let segments = self.view.read().segments.clone();
        let first = segments
            .partition_point(|segment| segment.base_offset() <= from)
            .max(1)
            - 1;
        let mut aborted = Vec::new();
        for segment in segments.iter().skip(first) {
            let all = segment.aborted.read();
            aborted.extend(
                all.iter()
                    .filter(|a| a.last_offset >= from && a.first_offset < to),
            );
        }
        aborted
    }

    /// Why the log takes no appends, if it does not.
    pub fn unusable(&self) -> Option<Unusable> {
        self.writer.lock().unusable.clone()
    }

    /// Takes no appends from now on; what can be read still is.
    pub(crate) fn quarantine(&self, reason: &str) {
        let mut writer = self.writer.lock();
        self.quarantine_locked(&mut writer, reason);
    }

    pub(crate) fn quarantine_locked(&self, writer: &mut Writer, reason: &str) {
        if writer.unusable.is_none() {
            tracing::error!(topic = %self.name, partition = %self.id, reason, "quarantined");
            writer.unusable = Some(Unusable::Quarantined {
                id: self.id,
                reason: reason.to_owned(),
            });
        }
    }

    pub(crate) fn checkpoint_segment(&self) -> i64 {
        self.checkpoint_segment.load(Ordering::Acquire)
    }
}
