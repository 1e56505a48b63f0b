//! What the writer's lock guards, and what readers look at.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use headwater_env::Now;

use super::verification::Verifying;
use super::{DurableState, LeaderEpochs};
use crate::checkpoint::SegmentEnd;
use crate::config::LogConfig;
use crate::error::Unusable;
use crate::lsn::Lsn;
use crate::producers::ProducerStates;
use crate::segment::Segment;

/// Changed only under the partition's writer lock.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(super) end: i64,
    /// As journaled; the view's follows once that is durable.
    pub(super) log_start: i64,
    pub(super) producers: ProducerStates,
    pub(super) verifying: Verifying,
    pub(super) epochs: LeaderEpochs,
    pub(super) leader_epoch: i32,
    /// Grows with every truncation, so that a sync begun before it proves nothing after it.
    pub(super) generation: u64,
    pub(super) last_lsn: Lsn,
    pub(super) is_relaxed: bool,
    pub(super) unusable: Option<Unusable>,
    pub(super) unsynced: Unsynced,
    /// First frame that no durable checkpoint covers.
    pub(super) first_dirty: Option<Lsn>,
    /// First frame since the last capture.
    pub(super) first_since_capture: Option<Lsn>,
    /// Something changed since the last capture.
    pub(super) is_changed: bool,
    /// Captures so far.
    pub(super) captures: u64,
    /// During recovery: damage before the checkpoint that a journaled truncation may explain.
    pub(super) suspect: Option<Suspect>,
}

/// Damage to what was synced, found by recovery.
#[derive(Debug, Clone)]
pub(crate) struct Suspect {
    /// Segment and place of the damage; whatever comes behind is damaged too.
    pub(super) from: SegmentEnd,
    pub(super) reason: String,
}

/// What a sync of the partition has to cover.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    pub(super) segments: Vec<Arc<Segment>>,
    /// Indexes, snapshots and the like.
    pub(super) files: Vec<PathBuf>,
    pub(super) bytes: u64,
    /// Records appended since the last sync began.
    pub(super) records: u64,
    /// When the last sync began.
    pub(super) synced_at: Now,
    /// Names in the partition's directory.
    pub(super) has_names: bool,
    /// The partition is on the list of those worth a sync.
    pub(super) is_queued: bool,
}

impl Unsynced {
    /// Whether there is something that `flush.messages` or `flush.ms` want synced now. A time that
    /// is no shorter than `routine`, between the syncs that there are anyway, wants nothing more.
    pub(super) fn is_flush_due(
        &self,
        config: &LogConfig,
        routine: Duration,
        now: impl FnOnce() -> Now,
    ) -> bool {
        if self.bytes == 0 {
            return false;
        }
        let are_enough = |count| self.records >= count;
        let is_over = |time| time < routine && now().since(self.synced_at) >= time;
        config.flush_messages.is_some_and(are_enough) || config.flush_interval.is_some_and(is_over)
    }
}

impl Writer {
    pub(super) fn new(is_relaxed: bool) -> Self {
        Self {
            end: 0,
            log_start: 0,
            producers: ProducerStates::default(),
            verifying: Verifying::default(),
            epochs: LeaderEpochs::default(),
            leader_epoch: 0,
            generation: 0,
            last_lsn: Lsn::ZERO,
            is_relaxed,
            unusable: None,
            unsynced: Unsynced::default(),
            first_dirty: None,
            first_since_capture: None,
            is_changed: false,
            captures: 0,
            suspect: None,
        }
    }

    /// What readers may see once all of it is durable.
    pub(super) fn durable_state(&self) -> DurableState {
        let last_stable = self.producers.first_open().unwrap_or(self.end);
        DurableState {
            end: self.end,
            last_stable,
        }
    }

    /// Notes damage, unless some was found before it.
    pub(super) fn suspect(&mut self, base_offset: i64, position: u64, reason: String) {
        let is_first = self.suspect.as_ref().is_none_or(|found| {
            (base_offset, position) < (found.from.base_offset, found.from.position)
        });
        if is_first {
            self.suspect = Some(Suspect {
                from: SegmentEnd {
                    base_offset,
                    position,
                },
                reason,
            });
        }
    }

    pub(super) fn check_usable(&self) -> Result<(), Unusable> {
        match &self.unusable {
            Some(unusable) => Err(unusable.clone()),
            None => Ok(()),
        }
    }

    /// Notes a frame of this partition.
    pub(super) fn note_frame(&mut self, lsn: Lsn) {
        self.last_lsn = lsn;
        self.first_dirty.get_or_insert(lsn);
        self.first_since_capture.get_or_insert(lsn);
        self.is_changed = true;
    }
}

impl Unsynced {
    pub(super) fn note_segment(&mut self, segment: &Arc<Segment>, bytes: u64) {
        self.bytes += bytes;
        if !self
            .segments
            .last()
            .is_some_and(|last| Arc::ptr_eq(last, segment))
        {
            self.segments.push(Arc::clone(segment));
        }
    }
}

/// What readers need. Replaced piecewise under its own lock, which is never held across I/O.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(super) log_start: i64,
    /// By base offset; the last one grows.
    pub(super) segments: Vec<Arc<Segment>>,
    /// Changes when bytes that were readable are cut or rewritten.
    pub(super) generation: u64,
}

impl View {
    /// The segment that holds `offset` if any does, and the base offset of the one behind it.
    pub(super) fn find(&self, offset: i64) -> Option<(Arc<Segment>, Option<i64>)> {
        let after = self
            .segments
            .partition_point(|segment| segment.base_offset() <= offset);
        let index = after.saturating_sub(1);
        let segment = self.segments.get(index)?;
        let next = self
            .segments
            .get(index + 1)
            .map(|segment| segment.base_offset());
        Some((Arc::clone(segment), next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_flush_time_is_no_sync_for_every_append() {
        let routine = Duration::from_millis(100);
        let millis = |millis| Now::from_nanos(0) + Duration::from_millis(millis);
        let of = |flush_ms| LogConfig {
            flush_interval: Some(Duration::from_millis(flush_ms)),
            ..LogConfig::default()
        };
        let unsynced = Unsynced {
            bytes: 1,
            records: 1,
            synced_at: millis(1_000),
            ..Unsynced::default()
        };
        let is_due = |flush_ms, now| unsynced.is_flush_due(&of(flush_ms), routine, || millis(now));
        assert!(!is_due(10, 1_000));
        assert!(!is_due(10, 1_009));
        assert!(is_due(10, 1_010));
        assert!(
            is_due(0, 1_000),
            "every append is synced where that is asked for"
        );
        assert!(!is_due(100, 9_000), "the routine sees to that");
        let counted = LogConfig {
            flush_messages: Some(2),
            ..LogConfig::default()
        };
        assert!(!unsynced.is_flush_due(&counted, routine, || millis(0)));
        let two = Unsynced {
            records: 2,
            bytes: 2,
            ..Unsynced::default()
        };
        assert!(two.is_flush_due(&counted, routine, || millis(0)));
        assert!(!Unsynced::default().is_flush_due(&of(10), routine, || millis(5_000)));
    }
}
