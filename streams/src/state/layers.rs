//! Committed state: what waits to be written to the backend, over the backend.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use bytes::Bytes;
use uuid::Uuid;

use super::{Checkpoint, StateError, StateStore, VisitEntry};

/// A value, or its absence, and its timestamp in ms.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) value: Option<Bytes>,
    pub(super) timestamp: i64,
}

pub(super) type Layer = BTreeMap<Bytes, Cell>;

/// Length of the timestamp that precedes every value in a backend.
const TIMESTAMP: usize = 8;

/// Bytes an entry of a layer takes besides key and value, roughly.
pub(super) const ENTRY_OVERHEAD: usize = 96;

/// The layers below the uncommitted one. `committed` collects commits; a drain takes it as a whole
/// to `draining` and writes that to the backend, piece by piece, then the checkpoint.
pub(super) struct Layers {
    pub(super) name: String,
    pub(super) committed: Layer,
    committed_bytes: usize,
    /// Changelog offset that `committed` has reached.
    committed_offset: Option<i64>,
    /// The same, or what a checkpoint says already.
    reached: Option<i64>,
    /// As in [`Checkpoint`], of all layers together.
    confirmed_at: i64,
    draining: Layer,
    draining_bytes: usize,
    draining_offset: Option<i64>,
    draining_confirmed_at: i64,
    /// As in the backend's checkpoint.
    drained_confirmed_at: i64,
    /// Key up to which `draining` has been written.
    drained: Option<Bytes>,
    backend: Box<dyn StateStore>,
    /// Spares reading the backend for each new key of a store that has just begun.
    backend_empty: bool,
    topic_id: Uuid,
}

impl Layers {
    pub(super) fn new(
        name: String,
        mut backend: Box<dyn StateStore>,
        topic_id: Uuid,
    ) -> Result<(Self, Option<i64>), StateError> {
        let checkpoint = backend.checkpoint()?;
        let checkpoint = checkpoint.filter(|found| found.topic_id == topic_id);
        let offset = match checkpoint {
            Some(found) => Some(found.offset),
            // Of another changelog. Or writes without a checkpoint: the first drain was cut short. The
            // changelog is replayed over them, but a key that it no longer holds would survive.
            None => {
                backend.clear()?;
                None
            }
        };
        let confirmed_at = checkpoint.map_or(0, |found| found.confirmed_at);
        let backend_empty = backend.is_empty()?;
        let layers = Self {
            name,
            committed: Layer::new(),
            committed_bytes: 0,
            committed_offset: None,
            reached: offset,
            confirmed_at,
            draining: Layer::new(),
            draining_bytes: 0,
            draining_offset: None,
            draining_confirmed_at: confirmed_at,
            drained_confirmed_at: confirmed_at,
            drained: None,
            backend,
            backend_empty,
            topic_id,
        };
        Ok((layers, offset))
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<(Bytes, i64)>, StateError> {
        for layer in [&self.committed, &self.draining] {
            if let Some(cell) = layer.get(key) {
                return Ok(cell.value.clone().map(|value| (value, cell.timestamp)));
            }
        }
        if self.backend_empty {
            return Ok(None);
        }
        match self.backend.get(key)? {
            Some(stored) => {
                let (timestamp, _) = self.split(&stored)?;
                Ok(Some((Bytes::from(stored).slice(TIMESTAMP..), timestamp)))
            }
            None => Ok(None),
        }
    }

    fn split<'a>(&self, stored: &'a [u8]) -> Result<(i64, &'a [u8]), StateError> {
        match stored.split_first_chunk::<TIMESTAMP>() {
            Some((timestamp, value)) => Ok((i64::from_be_bytes(*timestamp), value)),
            None => Err(StateError::Damaged {
                store: self.name.clone(),
                bytes: stored.len(),
            }),
        }
    }

    /// Visits entries in the order of keys, `over` on top.
    pub(super) fn scan(
        &self,
        over: Option<&Layer>,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        visit: &mut VisitEntry<'_>,
    ) -> Result<(), StateError> {
        if is_empty_range(from, to) {
            return Ok(());
        }
        let mut merged: BTreeMap<&[u8], &Cell> = BTreeMap::new();
        for layer in [Some(&self.draining), Some(&self.committed), over]
            .into_iter()
            .flatten()
        {
            for (key, cell) in layer.range::<[u8], _>((from, to)) {
                merged.insert(key, cell);
            }
        }
        let mut upper = merged.into_iter().peekable();
        let mut stopped = false;
        let mut damaged = None;
        if !self.backend_empty {
            self.backend.scan(from, to, &mut |key, stored| {
                while let Some((upper_key, cell)) = upper.next_if(|(k, _)| *k < key) {
                    if let Some(value) = &cell.value
                        && visit(upper_key, value, cell.timestamp).is_break()
                    {
                        stopped = true;
                        return ControlFlow::Break(());
                    }
                }
                let flow = match upper.next_if(|(k, _)| *k == key) {
                    Some((_, cell)) => match &cell.value {
                        Some(value) => visit(key, value, cell.timestamp),
                        None => ControlFlow::Continue(()),
                    },
                    None => match self.split(stored) {
                        Ok((timestamp, value)) => visit(key, value, timestamp),
                        Err(error) => {
                            damaged = Some(error);
                            ControlFlow::Break(())
                        }
                    },
                };
                stopped |= flow.is_break();
                flow
            })?;
        }
        if let Some(error) = damaged {
            return Err(error);
        }
        if stopped {
            return Ok(());
        }
        for (key, cell) in upper {
            if let Some(value) = &cell.value
                && visit(key, value, cell.timestamp).is_break()
            {
                break;
            }
        }
        Ok(())
    }

    /// Adds what a commit has made true. `offset` is the first changelog offset after it, if it
    /// wrote to the changelog.
    pub(super) fn commit(&mut self, changes: Layer, offset: Option<i64>) {
        if self.committed.is_empty() {
            self.committed_bytes = changes.iter().map(|(key, cell)| size(key, cell)).sum();
            self.committed = changes;
        } else {
            for (key, cell) in changes {
                let added = size(&key, &cell);
                if self.committed.insert(key, cell).is_none() {
                    self.committed_bytes += added;
                }
            }
        }
        if offset.is_some() {
            self.committed_offset = offset;
            self.reached = offset;
        }
    }

    /// Says that at `at` the changelog had nothing that is not here.
    pub(super) fn confirm(&mut self, at: i64) {
        self.confirmed_at = self.confirmed_at.max(at);
    }

    pub(super) fn confirmed_at(&self) -> i64 {
        self.confirmed_at
    }

    /// Empties all layers and the backend.
    pub(super) fn discard(&mut self) -> Result<(), StateError> {
        self.backend.clear()?;
        self.backend_empty = true;
        self.committed.clear();
        self.draining.clear();
        (self.committed_bytes, self.draining_bytes) = (0, 0);
        (self.committed_offset, self.draining_offset) = (None, None);
        (self.reached, self.drained) = (None, None);
        self.confirmed_at = 0;
        self.draining_confirmed_at = 0;
        self.drained_confirmed_at = 0;
        Ok(())
    }

    /// Bytes that wait to be written to the backend, roughly.
    pub(super) fn pending_bytes(&self) -> usize {
        self.committed_bytes + self.draining_bytes
    }

    /// Whether a drain has begun and not ended.
    pub(super) fn is_draining(&self) -> bool {
        !self.draining.is_empty() || self.draining_offset.is_some()
    }

    /// Takes what is committed to be drained, unless a drain is under way.
    pub(super) fn begin_drain(&mut self) {
        if self.is_draining() {
            return;
        }
        self.draining = std::mem::take(&mut self.committed);
        self.draining_bytes = std::mem::take(&mut self.committed_bytes);
        // A store that does not change gets a new checkpoint too, if more is known of it.
        let is_confirmed = self.confirmed_at > self.drained_confirmed_at;
        let confirmed = self.reached.filter(|_| is_confirmed);
        self.draining_offset = self.committed_offset.take().or(confirmed);
        self.draining_confirmed_at = self.confirmed_at;
        self.drained = None;
    }

    /// Writes up to `entries` entries to the backend; after the last one, the checkpoint.
    pub(super) fn drain(&mut self, entries: usize) -> Result<(), StateError> {
        let from = match &self.drained {
            Some(key) => Bound::Excluded(key.clone()),
            None => Bound::Unbounded,
        };
        let mut last = None;
        let mut written = 0;
        let mut buffer = Vec::new();
        for (key, cell) in self.draining.range((from, Bound::Unbounded)).take(entries) {
            match &cell.value {
                Some(value) => {
                    buffer.clear();
                    buffer.extend_from_slice(&cell.timestamp.to_be_bytes());
                    buffer.extend_from_slice(value);
                    self.backend.write(key, Some(&buffer))?;
                    self.backend_empty = false;
                }
                None if self.backend_empty => {}
                None => self.backend.write(key, None)?,
            }
            last = Some(key.clone());
            written += 1;
        }
        if last.is_some() {
            self.drained = last;
        }
        if written < entries {
            if let Some(offset) = self.draining_offset.take() {
                self.backend.set_checkpoint(Checkpoint {
                    topic_id: self.topic_id,
                    offset,
                    confirmed_at: self.draining_confirmed_at,
                })?;
                self.drained_confirmed_at = self.draining_confirmed_at;
            }
            self.draining.clear();
            self.draining_bytes = 0;
            self.drained = None;
        }
        Ok(())
    }
}

pub(super) fn size(key: &Bytes, cell: &Cell) -> usize {
    key.len() + cell.value.as_ref().map_or(0, Bytes::len) + ENTRY_OVERHEAD
}

/// Whether nothing can lie between the bounds; `BTreeMap::range` panics on such.
pub(super) fn is_empty_range(from: Bound<&[u8]>, to: Bound<&[u8]>) -> bool {
    match (from, to) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (
            Bound::Included(from) | Bound::Excluded(from),
            Bound::Included(to) | Bound::Excluded(to),
        ) => from >= to,
    }
}
