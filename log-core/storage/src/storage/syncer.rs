//! The work behind the appends: sync segments, write checkpoints, free journal space.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use headwater_env::Now;

use super::Inner;
use crate::core::Relief;
use crate::error::{FileError, Stopped};
use crate::lsn::Lsn;
use crate::partition::{Capture, PartitionLog, SyncError};
use crate::raft::RegisterError;

/// What a step of the syncer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Demand {
    /// Whatever is due.
    Routine,
    /// Checkpoints of everything that changed.
    All,
    /// The same during recovery, when there is no new journal yet.
    Recovery,
}

#[derive(Debug, Default)]
pub(super) struct Syncer {
    last_checkpoint: Now,
}

type Captured = (Arc<PartitionLog>, Capture);

impl Relief for Inner {
    fn relieve(&self) -> Result<(), Stopped> {
        self.step_syncer(Demand::Routine)
    }
}

pub(super) fn relief_of(inner: &Arc<Inner>) -> Weak<dyn Relief> {
    let weak: Weak<Inner> = Arc::downgrade(inner);
    weak
}

impl Inner {
    /// One round: a spare journal file, segments with much unsynced, checkpoints. What a file that
    /// fails leaves undone stays in the journal.
    pub(super) fn step_syncer(&self, demand: Demand) -> Result<(), Stopped> {
        if let Some(error) = self.run_syncer(demand)? {
            tracing::warn!(%error, "a checkpoint is missing, its journal frames are kept");
        }
        Ok(())
    }

    /// As [`Inner::step_syncer`]; gives the first file's error.
    pub(super) fn run_syncer(&self, demand: Demand) -> Result<Option<FileError>, Stopped> {
        let mut syncer = self.syncer.lock();
        self.core.medium.check()?;
        if demand != Demand::Recovery {
            self.core.journal()?.make_spare()?;
        }
        let mut failed = None;
        for log in self.core.take_dirty() {
            note_failure(&mut failed, &log, log.sync_segments())?;
        }
        let now = self.core.clock.now();
        let is_due = now.since(syncer.last_checkpoint) >= self.core.options.checkpoint_interval;
        let oldest_only = match demand {
            Demand::All | Demand::Recovery => None,
            Demand::Routine if is_due => None,
            Demand::Routine => match self.core.journal()?.pressure() {
                Some(upto) => Some(upto),
                None => return Ok(failed),
            },
        };
        if oldest_only.is_none() {
            syncer.last_checkpoint = now;
        }
        self.write_checkpoints(oldest_only, demand, &mut failed)?;
        Ok(failed)
    }

    /// Checkpoints the partitions whose oldest uncovered frame is not behind `oldest_only`, or all.
    fn write_checkpoints(
        &self,
        oldest_only: Option<Lsn>,
        demand: Demand,
        failed: &mut Option<FileError>,
    ) -> Result<(), Stopped> {
        let partitions: Vec<_> = self.partitions.read().values().cloned().collect();
        let mut captured: Vec<Captured> = Vec::new();
        for log in &partitions {
            let is_wanted =
                oldest_only.is_none_or(|upto| log.first_dirty().is_some_and(|first| first <= upto));
            if is_wanted && let Some(capture) = capture_and_sync(log, failed)? {
                captured.push((Arc::clone(log), capture));
            }
        }
        let tail = match demand {
            Demand::Recovery => Lsn::MAX,
            Demand::Routine | Demand::All => {
                let last = captured.iter().map(|(_, capture)| capture.lsn).max();
                self.core.settle(last.unwrap_or(Lsn::ZERO))?;
                // Read first: a frame that is missed below comes behind it.
                let next = self.core.journal()?.last().next();
                self.tail(&partitions, &captured)
                    .map_or(next, |first| first.min(next))
            }
        };
        let is_new = !captured.is_empty() || tail != self.core.tail();
        if !is_new && demand != Demand::Recovery {
            // A file may have been filled since with frames that the checkpoints have already.
            self.core.journal()?.release(tail);
            return Ok(());
        }
        let entries = captured
            .iter()
            .map(|(log, capture)| (log.id(), capture.entry.clone()));
        match self.core.store_checkpoints(entries, tail) {
            Ok(()) => {}
            Err(RegisterError::Stopped(stopped)) => return Err(stopped),
            Err(RegisterError::File(error)) => {
                for (log, _) in &captured {
                    log.forget_capture();
                }
                failed.get_or_insert(error);
                return Ok(());
            }
        }
        for (log, capture) in &captured {
            log.note_checkpoint(capture);
        }
        if demand != Demand::Recovery {
            self.core.journal()?.release(tail);
        }
        Ok(())
    }

    /// First frame that is needed once the captured states are durable.
    fn tail(&self, partitions: &[Arc<PartitionLog>], captured: &[Captured]) -> Option<Lsn> {
        let ids: BTreeSet<_> = captured.iter().map(|(log, _)| log.id()).collect();
        partitions
            .iter()
            .filter_map(|log| {
                if ids.contains(&log.id()) {
                    log.first_since_capture()
                } else {
                    log.first_dirty()
                }
            })
            .min()
    }
}

fn capture_and_sync(
    log: &Arc<PartitionLog>,
    failed: &mut Option<FileError>,
) -> Result<Option<Capture>, Stopped> {
    let capture = match log.capture() {
        Ok(capture) => capture,
        Err(error) => {
            note_failure(failed, log, Err(SyncError::File(error)))?;
            None
        }
    };
    let Some(capture) = capture else {
        return Ok(None);
    };
    let synced = log.sync_captured(&capture);
    if synced.is_err() {
        log.forget_capture();
        note_failure(failed, log, synced)?;
        return Ok(None);
    }
    Ok(Some(capture))
}

/// Keeps the first error of a file; a partition whose file cannot be opened takes no more appends,
/// and its frames stay in the journal.
fn note_failure(
    failed: &mut Option<FileError>,
    log: &PartitionLog,
    result: Result<(), SyncError>,
) -> Result<(), Stopped> {
    match result {
        Ok(()) => Ok(()),
        Err(SyncError::Stopped(stopped)) => Err(stopped),
        Err(SyncError::File(error)) => {
            if !error.is_out_of_space() {
                log.quarantine(&format!("{error}: {}", error.source));
            }
            failed.get_or_insert(error);
            Ok(())
        }
    }
}
