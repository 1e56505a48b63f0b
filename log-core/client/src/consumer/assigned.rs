//! The partitions a consumer reads: positions, what is buffered of each, what may be fetched.
//!
//! Pure: no I/O and no clock. The fetcher task fills it, polls empty it.

use std::collections::{HashMap, VecDeque};

use tokio::time::Instant;

use super::config::AutoOffsetReset;
use super::record::{FetchedBatch, Watermarks};
use crate::TopicPartition;

/// Where a partition is read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// Not known: at the group's committed offset, or where `auto.offset.reset` says.
    Unknown,
    /// At one of the ends, not yet asked for.
    Reset(AutoOffsetReset),
    At(i64),
}

/// A stretch of a partition as it came from the log.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// `None` for what nobody may see: control records, aborted transactions.
    pub(crate) batch: Option<FetchedBatch>,
    pub(crate) next_offset: i64,
}

impl Fetched {
    fn bytes(&self) -> usize {
        self.batch
            .as_ref()
            .map_or(0, |batch| batch.batch.bytes.len())
    }
}

#[derive(Debug)]
pub(crate) struct Partition {
    /// Names this stretch of reading: answers to what was asked before a seek have an older one.
    id: u64,
    position: Position,
    /// The next offset to fetch, at or after the position.
    fetch_offset: i64,
    is_paused: bool,
    /// Whether a fetch or a look-up of the position is under way.
    is_busy: bool,
    retry_at: Option<Instant>,
    buffer: VecDeque<Fetched>,
    buffered_bytes: usize,
    watermarks: Option<Watermarks>,
    leader_epoch: Option<i32>,
    /// The epoch of what was fetched last, or committed with the position.
    fetched_epoch: Option<i32>,
    /// The leader's epoch in which the position was found to be good.
    checked_epoch: i32,
}

impl Partition {
    fn new(id: u64) -> Self {
        Self {
            id,
            position: Position::Unknown,
            fetch_offset: 0,
            is_paused: false,
            is_busy: false,
            retry_at: None,
            buffer: VecDeque::new(),
            buffered_bytes: 0,
            watermarks: None,
            leader_epoch: None,
            fetched_epoch: None,
            checked_epoch: -1,
        }
    }
}

/// Something to be done for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Todo {
    pub(crate) partition: TopicPartition,
    pub(crate) id: u64,
    pub(crate) kind: TodoKind,
    /// What is to be checked with a leader whose epoch is above these: see [`Epochs`].
    pub(crate) epochs: Option<Epochs>,
}

/// The leader epochs of a position: a leader of a later one may have another log (KIP-320).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epochs {
    /// Of what was read last.
    pub(crate) read: i32,
    /// Of the leader that found the position good.
    pub(crate) checked: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TodoKind {
    /// Ask for the committed offset.
    FindCommitted,
    /// Ask for one of the ends.
    FindEnd(AutoOffsetReset),
    /// Fetch from this offset on.
    Fetch(i64),
}

/// All assigned partitions.
#[derive(Debug, Default)]
pub(crate) struct Assigned {
    partitions: HashMap<TopicPartition, Partition>,
    /// In the order in which polls serve them.
    turns: VecDeque<TopicPartition>,
    last_id: u64,
    buffered_bytes: usize,
}

impl Assigned {
    /// Replaces the assignment. Partitions that stay keep their position and buffer.
    pub(crate) fn assign(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) {
        let mut before = std::mem::take(&mut self.partitions);
        for partition in partitions {
            let state = before.remove(&partition).unwrap_or_else(|| {
                self.last_id += 1;
                Partition::new(self.last_id)
            });
            self.partitions.insert(partition, state);
        }
        self.turns = self.partitions.keys().cloned().collect();
        self.turns.make_contiguous().sort();
        self.buffered_bytes = self
            .partitions
            .values()
            .map(|state| state.buffered_bytes)
            .sum();
    }

    /// Takes these out of the assignment; the others go on as they are.
    pub(crate) fn remove(&mut self, partitions: &[TopicPartition]) {
        let kept = self.partitions.keys();
        let kept: Vec<TopicPartition> = kept.filter(|p| !partitions.contains(p)).cloned().collect();
        self.assign(kept);
    }

    pub(crate) fn partitions(&self) -> Vec<TopicPartition> {
        let mut partitions: Vec<TopicPartition> = self.partitions.keys().cloned().collect();
        partitions.sort();
        partitions
    }

    /// The offset of the next record that a poll returns.
    pub(crate) fn position(&self, partition: &TopicPartition) -> Option<i64> {
        match self.partitions.get(partition)?.position {
            Position::At(offset) => Some(offset),
            _ => None,
        }
    }

    /// Positions with the leader epoch of the last batch returned, to be committed.
    pub(crate) fn positions(&self) -> Vec<(TopicPartition, i64, Option<i32>)> {
        self.partitions
            .iter()
            .filter_map(|(partition, state)| match state.position {
                Position::At(offset) => Some((partition.clone(), offset, state.leader_epoch)),
                _ => None,
            })
            .collect()
    }

    /// Moves a partition. What is buffered or under way of it is dropped. False if it is not
    /// assigned.
    pub(crate) fn seek(&mut self, partition: &TopicPartition, position: Position) -> bool {
        let Some(state) = self.partitions.get_mut(partition) else {
            return false;
        };
        self.last_id += 1;
        self.buffered_bytes -= state.buffered_bytes;
        let fresh = Partition::new(self.last_id);
        let (is_paused, watermarks) = (state.is_paused, state.watermarks);
        *state = Partition {
            position,
            is_paused,
            watermarks,
            ..fresh
        };
        if let Position::At(offset) = position {
            state.fetch_offset = offset;
        }
        true
    }

    pub(crate) fn set_paused(&mut self, partition: &TopicPartition, is_paused: bool) -> bool {
        let state = self.partitions.get_mut(partition);
        state.map(|state| state.is_paused = is_paused).is_some()
    }

    pub(crate) fn paused(&self) -> Vec<TopicPartition> {
        let paused = self.partitions.iter().filter(|(_, state)| state.is_paused);
        paused.map(|(partition, _)| partition.clone()).collect()
    }

    pub(crate) fn watermarks(&self, partition: &TopicPartition) -> Option<Watermarks> {
        self.partitions.get(partition)?.watermarks
    }

    pub(crate) fn buffered_bytes(&self) -> usize {
        self.buffered_bytes
    }

    /// What is to be done now, and when to ask again if partitions only wait.
    ///
    /// A partition is fetched while less than `partition_bytes` of it is buffered.
    pub(crate) fn todo(
        &self,
        now: Instant,
        partition_bytes: usize,
    ) -> (Vec<Todo>, Option<Instant>) {
        let mut todo = Vec::new();
        let mut next: Option<Instant> = None;
        for partition in &self.turns {
            let Some(state) = self.partitions.get(partition) else {
                continue;
            };
            if state.is_busy {
                continue;
            }
            let kind = match state.position {
                Position::Unknown => TodoKind::FindCommitted,
                Position::Reset(to) => TodoKind::FindEnd(to),
                Position::At(_) if state.is_paused || state.buffered_bytes >= partition_bytes => {
                    continue;
                }
                Position::At(_) => TodoKind::Fetch(state.fetch_offset),
            };
            if let Some(retry_at) = state.retry_at.filter(|at| *at > now) {
                next = Some(next.map_or(retry_at, |next| next.min(retry_at)));
                continue;
            }
            todo.push(Todo {
                partition: partition.clone(),
                id: state.id,
                kind,
                epochs: state.fetched_epoch.map(|read| Epochs {
                    read,
                    checked: state.checked_epoch,
                }),
            });
        }
        (todo, next)
    }

    /// The state that `id` still names.
    fn current(&mut self, partition: &TopicPartition, id: u64) -> Option<&mut Partition> {
        self.partitions
            .get_mut(partition)
            .filter(|state| state.id == id)
    }

    pub(crate) fn set_busy(&mut self, partition: &TopicPartition, id: u64) {
        if let Some(state) = self.current(partition, id) {
            state.is_busy = true;
            state.retry_at = None;
        }
    }

    /// What was under way is over without a result; nothing more is tried before `retry_at`.
    pub(crate) fn failed(
        &mut self,
        partition: &TopicPartition,
        id: u64,
        retry_at: Option<Instant>,
    ) {
        if let Some(state) = self.current(partition, id) {
            state.is_busy = false;
            state.retry_at = retry_at;
        }
    }

    /// The position was found.
    pub(crate) fn found(&mut self, partition: &TopicPartition, id: u64, position: Position) {
        if let Some(state) = self.current(partition, id) {
            state.is_busy = false;
            state.position = position;
            if let Position::At(offset) = position {
                state.fetch_offset = offset;
            }
        }
    }

    /// The position is that of a commit, with the epoch of what was read before it.
    pub(crate) fn found_committed(
        &mut self,
        partition: &TopicPartition,
        id: u64,
        offset: i64,
        epoch: Option<i32>,
    ) {
        self.found(partition, id, Position::At(offset));
        if let Some(state) = self.current(partition, id) {
            state.fetched_epoch = epoch;
            state.leader_epoch = epoch;
        }
    }

    /// The leader of this epoch has the log that was read.
    pub(crate) fn checked(&mut self, partition: &TopicPartition, id: u64, leader_epoch: i32) {
        if let Some(state) = self.current(partition, id) {
            state.is_busy = false;
            state.checked_epoch = leader_epoch;
        }
    }

    /// The log parts from what was read at `end`: goes on there, or where polls have got to if that
    /// is before. Returns what polls have read beyond, if they have. False ids change nothing.
    pub(crate) fn diverged(
        &mut self,
        partition: &TopicPartition,
        id: u64,
        end: i64,
    ) -> Option<i64> {
        let Position::At(position) = self.current(partition, id)?.position else {
            return None;
        };
        self.seek(partition, Position::At(position.min(end)));
        (position > end).then_some(position)
    }

    /// Takes in what a fetch brought. False if nobody waits for it any more.
    pub(crate) fn fetched(
        &mut self,
        partition: &TopicPartition,
        id: u64,
        fetched: Vec<Fetched>,
        watermarks: Watermarks,
    ) -> bool {
        let Some(state) = self.current(partition, id) else {
            return false;
        };
        state.is_busy = false;
        state.watermarks = Some(watermarks);
        let mut bytes = 0;
        for stretch in fetched {
            state.fetch_offset = stretch.next_offset;
            let epoch = stretch.batch.as_ref().and_then(FetchedBatch::leader_epoch);
            state.fetched_epoch = epoch.or(state.fetched_epoch);
            bytes += stretch.bytes();
            state.buffer.push_back(stretch);
        }
        // What nobody may see need not wait for a poll.
        while state
            .buffer
            .front()
            .is_some_and(|first| first.batch.is_none())
        {
            if let Some(first) = state.buffer.pop_front() {
                state.position = Position::At(first.next_offset);
            }
        }
        state.buffered_bytes += bytes;
        self.buffered_bytes += bytes;
        true
    }

    /// Whether the position was overtaken while records before it still wait for a poll.
    pub(crate) fn has_buffered(&self, partition: &TopicPartition) -> bool {
        self.partitions
            .get(partition)
            .is_some_and(|state| !state.buffer.is_empty())
    }

    /// Takes batches out, of one partition after the other, until there are `max_records`.
    pub(crate) fn take(&mut self, max_records: usize) -> Vec<FetchedBatch> {
        let mut taken = Vec::new();
        let mut records = 0;
        for _ in 0..self.turns.len() {
            let Some(partition) = self.turns.front() else {
                break;
            };
            let Some(state) = self.partitions.get_mut(partition) else {
                break;
            };
            while records < max_records && !state.is_paused {
                let Some(first) = state.buffer.pop_front() else {
                    break;
                };
                let bytes = first.bytes();
                state.buffered_bytes -= bytes;
                self.buffered_bytes -= bytes;
                state.position = Position::At(first.next_offset);
                if let Some(batch) = first.batch {
                    records += batch.record_count();
                    state.leader_epoch = batch.leader_epoch().or(state.leader_epoch);
                    taken.push(batch);
                }
            }
            if records >= max_records && !state.buffer.is_empty() {
                break;
            }
            self.turns.rotate_left(1);
        }
        taken
    }
}

#[cfg(test)]
mod tests;
