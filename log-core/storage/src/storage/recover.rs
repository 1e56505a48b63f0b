//! Start-up: load what the checkpoints stand for, replay the journal over it, begin a new journal.
//!
//! This is the only way to start, after a crash and after an orderly end alike. It can itself be
//! cut short anywhere: until the new incarnation is durable, the old journal stands and replays over
//! the same or newer checkpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::syncer::{Demand, relief_of};
use super::{Inner, Storage};
use crate::checkpoint::Checkpoints;
use crate::config::LogConfig;
use crate::error::{Corruption, FileError, OpenError};
use crate::id::TopicPartitionId;
use crate::journal::{FrameKind, Journal, JournalScan};
use crate::lsn::Lsn;
use crate::partition::PartitionLog;

/// A partition that the metadata says is on this node.
#[derive(Debug, Clone)]
pub struct KnownPartition {
    /// The partition.
    pub id: TopicPartitionId,
    /// Name of its topic.
    pub name: String,
    /// Its configuration.
    pub config: LogConfig,
}

/// What recovery did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Journal frames replayed.
    pub frames: u64,
    /// Partitions that take no appends because what was synced is damaged.
    pub quarantined: Vec<TopicPartitionId>,
    /// Directories of partitions that the metadata does not know; they were set aside under the name
    /// `<partition>.stray`.
    pub strays: Vec<TopicPartitionId>,
}

/// What the journal has for each partition.
#[derive(Debug, Default)]
struct Survey {
    /// Partitions whose log goes on in the journal.
    continued: BTreeSet<TopicPartitionId>,
    /// Deletions that no checkpoint covers: what came before them is of no interest, and its files
    /// may be gone in part.
    deleted: BTreeMap<TopicPartitionId, Lsn>,
    /// The last of the truncations that cut deepest into what a checkpoint has. What the journal has
    /// of the log before it was cut off by it, and may be overwritten in the segments.
    deepest: BTreeMap<TopicPartitionId, (i64, Lsn)>,
    /// Log starts: segments below may be gone already.
    log_starts: BTreeMap<TopicPartitionId, i64>,
}

impl Survey {
    fn is_cut_off(&self, id: &TopicPartitionId, kind: FrameKind, lsn: Lsn) -> bool {
        let is_log = matches!(kind, FrameKind::Append | FrameKind::Truncate);
        self.deleted.get(id).is_some_and(|deleted| lsn <= *deleted)
            || (is_log
                && self
                    .deepest
                    .get(id)
                    .is_some_and(|(_, deepest)| lsn < *deepest))
    }
}

impl Storage {
    /// Brings back every known partition and starts the journal. To be called once.
    ///
    /// Frames of partitions that are not known are skipped, and their directories set aside unless
    /// the journal says they were deleted.
    ///
    /// # Errors
    /// [`OpenError::Corrupt`] if the journal, or what it must be replayed over, was damaged after it
    /// was synced; nothing is cut then.
    pub fn recover(&self, known: &[KnownPartition]) -> Result<Recovery, OpenError> {
        let inner = &self.inner;
        let Some(mut checkpoints) = inner.checkpoints.lock().take() else {
            return Err(OpenError::Options("a storage is recovered once"));
        };
        let last = inner.last_incarnation()?;
        let scan = inner.open_scan(last, &checkpoints)?;
        // The whole journal is read before anything is changed: damage must leave all as it is.
        let survey = survey(scan.as_ref(), &checkpoints, last)?;
        inner.core.set_recovered(last, checkpoints.tail);
        let mut covered_by = BTreeMap::new();
        for partition in known {
            covered_by.insert(partition.id, covered(&checkpoints, last, &partition.id));
            let mut checkpoint = checkpoints.entries.remove(&partition.id);
            if survey.deleted.contains_key(&partition.id) {
                checkpoint = None;
                inner.remove_deleted(&partition.id)?;
            }
            if let (Some(checkpoint), Some(log_start)) =
                (&mut checkpoint, survey.log_starts.get(&partition.id))
            {
                checkpoint.log_start = checkpoint.log_start.max(*log_start);
            }
            let log = PartitionLog::load(
                &inner.core,
                partition.id,
                &partition.name,
                partition.config.clone(),
                checkpoint,
                survey.continued.contains(&partition.id),
            )?;
            inner.partitions.write().insert(partition.id, log);
        }
        let frames = inner.replay(scan.as_ref(), &covered_by, &survey)?;
        let strays = inner.set_aside_strays(&survey)?;
        inner
            .core
            .checkpoints
            .retain(|id| covered_by.contains_key(id));
        // The old journal is void after this; whatever is not checkpointed would be lost.
        if let Some(error) = inner.run_syncer(Demand::Recovery)? {
            return Err(error.into());
        }

        let quarantined = inner.finish_partitions();
        inner.begin_incarnation(last + 1)?;
        for log in inner.partitions.read().values() {
            log.remove_dead_segments()?;
            log.match_durability()?;
        }
        inner.start_threads()?;
        Ok(Recovery {
            frames,
            quarantined,
            strays,
        })
    }
}

/// Last frame of incarnation `last` that the partition's checkpoint has.
fn covered(checkpoints: &Checkpoints, last: u64, id: &TopicPartitionId) -> Lsn {
    match checkpoints.entries.get(id) {
        Some(entry) if entry.incarnation == last => entry.lsn,
        _ => Lsn::ZERO,
    }
}

fn survey(
    scan: Option<&JournalScan>,
    checkpoints: &Checkpoints,
    last: u64,
) -> Result<Survey, OpenError> {
    let mut survey = Survey::default();
    let Some(scan) = scan else { return Ok(survey) };
    scan.replay(|frame| {
        if frame.kind == FrameKind::LogStart {
            let log_start = survey.log_starts.entry(frame.id).or_insert(frame.position);
            *log_start = frame.position.max(*log_start);
        }
        if frame.lsn <= covered(checkpoints, last, &frame.id) {
            return Ok(());
        }
        if frame.kind == FrameKind::Delete {
            survey.deleted.insert(frame.id, frame.lsn);
            survey.deepest.remove(&frame.id);
            survey.log_starts.remove(&frame.id);
            survey.continued.remove(&frame.id);
        }
        if matches!(frame.kind, FrameKind::Append | FrameKind::Truncate) {
            survey.continued.insert(frame.id);
        }
        let checkpointed = checkpoints
            .entries
            .get(&frame.id)
            .map_or(0, |entry| entry.end);
        if frame.kind == FrameKind::Truncate && frame.position < checkpointed {
            let deepest = survey
                .deepest
                .entry(frame.id)
                .or_insert((frame.position, frame.lsn));
            if frame.position <= deepest.0 {
                *deepest = (frame.position, frame.lsn);
            }
        }
        Ok(())
    })?;
    Ok(survey)
}

impl Inner {
    fn last_incarnation(&self) -> Result<u64, OpenError> {
        let Some(bytes) = self.incarnation.load() else {
            return Ok(0);
        };
        match bytes.as_ref().try_into() {
            Ok(bytes) => Ok(u64::from_le_bytes(bytes)),
            Err(_) => Err(OpenError::Corrupt(Corruption {
                path: self.journal_dir.join("incarnation"),
                position: 0,
                reason: "it is not a number".to_owned(),
            })),
        }
    }

    fn open_scan(
        &self,
        last: u64,
        checkpoints: &Checkpoints,
    ) -> Result<Option<JournalScan>, OpenError> {
        if checkpoints.incarnation > last {
            return Err(OpenError::Corrupt(Corruption {
                path: self.journal_dir.join("incarnation"),
                position: 0,
                reason: format!(
                    "checkpoints are of incarnation {}, but the journal's is {last}",
                    checkpoints.incarnation
                ),
            }));
        }
        // A recovery that was cut short behind its checkpoints may have begun to overwrite the journal.
        let is_done = checkpoints.incarnation == last && checkpoints.tail == Lsn::MAX;
        if last == 0 || is_done {
            return Ok(None);
        }
        let tail = if checkpoints.incarnation == last {
            checkpoints.tail
        } else {
            Lsn::ZERO.next()
        };
        JournalScan::open(&self.core.medium, &self.journal_dir, last, tail).map(Some)
    }

    fn replay(
        &self,
        scan: Option<&JournalScan>,
        covered_by: &BTreeMap<TopicPartitionId, Lsn>,
        survey: &Survey,
    ) -> Result<u64, OpenError> {
        let Some(scan) = scan else { return Ok(0) };
        let partitions = self.partitions.read();
        let mut frames = 0;
        scan.replay(|frame| {
            let covered = covered_by.get(&frame.id);
            if let Some(log) = partitions.get(&frame.id)
                && covered.is_some_and(|covered| frame.lsn > *covered)
                && !survey.is_cut_off(&frame.id, frame.kind, frame.lsn)
            {
                log.replay(&frame)?;
                frames += 1;
            }
            Ok(())
        })?;
        Ok(frames)
    }

    /// Ends a deletion that a crash cut short.
    fn remove_deleted(&self, id: &TopicPartitionId) -> Result<(), OpenError> {
        let path = self.core.partitions_dir.join(id.to_string());
        self.core.checkpoints.remove(id);
        match self.core.medium.disk.remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(FileError::new("remove", path)(error).into())
            }
            _ => Ok(()),
        }
    }

    fn set_aside_strays(&self, survey: &Survey) -> Result<Vec<TopicPartitionId>, OpenError> {
        let dir = &self.core.partitions_dir;
        let disk = self.core.medium.disk.as_ref();
        let mut strays = Vec::new();
        for entry in disk.list(dir).map_err(FileError::new("list", dir))? {
            let Some(id) = TopicPartitionId::parse(&entry.name) else {
                continue;
            };
            if self.partitions.read().contains_key(&id) {
                continue;
            }
            let path = dir.join(&entry.name);
            if survey.deleted.contains_key(&id) {
                disk.remove_dir_all(&path)
                    .map_err(FileError::new("remove", &path))?;
                continue;
            }
            let aside = dir.join(format!("{id}.stray"));
            if disk
                .exists(&aside)
                .map_err(FileError::new("look for", &aside))?
            {
                disk.remove_dir_all(&aside)
                    .map_err(FileError::new("remove", &aside))?;
            }
            disk.rename(&path, &aside)
                .map_err(FileError::new("set aside", &path))?;
            tracing::warn!(partition = %id, "not in the metadata, set aside");
            strays.push(id);
        }
        self.core.medium.sync_dir(dir)?;
        Ok(strays)
    }

    fn finish_partitions(&self) -> Vec<TopicPartitionId> {
        let mut quarantined = Vec::new();
        for (id, log) in self.partitions.read().iter() {
            log.finish_recovery();
            if log.unusable().is_some() {
                quarantined.push(*id);
            }
        }
        quarantined
    }

    /// The first block of the new journal is durable before the incarnation is, and that before any
    /// append.
    fn begin_incarnation(self: &Arc<Self>, incarnation: u64) -> Result<(), OpenError> {
        let core = &self.core;
        let journal = Journal::start(
            core.medium.clone(),
            &self.journal_dir,
            &core.options.journal,
            incarnation,
        )?;
        self.incarnation.store(&incarnation.to_le_bytes())?;
        core.begin(Arc::new(journal), relief_of(self));
        Ok(())
    }
}
