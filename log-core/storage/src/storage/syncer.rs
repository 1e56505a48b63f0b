//! The work behind the appends: sync segments, write checkpoints, free journal space.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use headwater_env::Now;

use super::Inner;
use crate::core::Relief;
use crate::error::Stopped;
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
    /// One round: a spare journal file, segments with much unsynced, checkpoints.
    pub(super) fn step_syncer(&self, demand: Demand) -> Result<(), Stopped> {
        let mut syncer = self.syncer.lock();
        self.core.medium.check()?;
        if demand != Demand::Recovery {
            self.core.journal()?.make_spare()?;
        }
        for log in self.core.take_dirty() {
            if let Err(error) = log.sync_segments() {
                stopped_or_quarantine(&log, error)?;
            }
        }
        let now = self.core.clock.now();
        let is_due = now.since(syncer.last_checkpoint) >= self.core.options.checkpoint_interval;
        let oldest_only = match demand {
            Demand::All | Demand::Recovery => None,
            Demand::Routine if is_due => None,
            Demand::Routine => match self.core.journal()?.pressure() {
                Some(upto) => Some(upto),
                None => return Ok(()),
            },
        };
        if oldest_only.is_none() {
            syncer.last_checkpoint = now;
        }
        self.write_checkpoints(oldest_only, demand)
    }

    /// Checkpoints the partitions whose oldest uncovered frame is not behind `oldest_only`, or all.
    fn write_checkpoints(&self, oldest_only: Option<Lsn>, demand: Demand) -> Result<(), Stopped> {
        let partitions: Vec<_> = self.partitions.read().values().cloned().collect();
        let mut captured: Vec<Captured> = Vec::new();
        for log in &partitions {
            let is_wanted =
                oldest_only.is_none_or(|upto| log.first_dirty().is_some_and(|first| first <= upto));
            if is_wanted && let Some(capture) = self.capture_and_sync(log)? {
                captured.push((Arc::clone(log), capture));
            }
        }
        let tail = match demand {
            Demand::Recovery => Lsn::new(u64::MAX),
            Demand::Routine | Demand::All => {
                let last = captured.iter().map(|(_, capture)| capture.lsn).max();
                self.core.settle(last.unwrap_or(Lsn::ZERO))?;
                // Read first: a frame that is missed below comes behind it.
                let next = self.core.journal()?.last().next();
                self.tail(&partitions, &captured)
                    .map_or(next, |first| first.min(next))
            }
        };
        if captured.is_empty() && tail == self.core.tail() {
            return Ok(());
        }
        for (log, capture) in &captured {
            self.core.checkpoints.set(log.id(), capture.entry.clone());
        }
        match self.core.store_checkpoints(tail) {
            Ok(()) => {}
            Err(RegisterError::Stopped(stopped)) => return Err(stopped),
            Err(RegisterError::File(error)) => {
                tracing::warn!(%error, "cannot write checkpoints, the journal is kept");
                for (log, _) in &captured {
                    log.forget_capture();
                }
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

    fn capture_and_sync(&self, log: &Arc<PartitionLog>) -> Result<Option<Capture>, Stopped> {
        let capture = match log.capture() {
            Ok(Some(capture)) => capture,
            Ok(None) => return Ok(None),
            Err(error) => {
                tracing::warn!(partition = %log.id(), %error, "cannot checkpoint");
                return Ok(None);
            }
        };
        match log.sync_captured(&capture) {
            Ok(()) => Ok(Some(capture)),
            Err(error) => {
                log.forget_capture();
                stopped_or_quarantine(log, error)?;
                Ok(None)
            }
        }
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

/// A file that cannot be opened for a sync leaves its partition's journal frames in place.
fn stopped_or_quarantine(log: &PartitionLog, error: SyncError) -> Result<(), Stopped> {
    match error {
        SyncError::Stopped(stopped) => Err(stopped),
        SyncError::File(error) => {
            log.quarantine(&format!("{error}: {}", error.source));
            Ok(())
        }
    }
}
