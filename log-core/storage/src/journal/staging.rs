//! Where frames gather for the next group.

use std::sync::Arc;

use super::frame::{BLOCK, FRAME_HEADER, FrameRef, GROUP_HEADER, group_size, put_frame};
use super::pool::{FrameEnd, Pool};
use super::writer::Journal;
use crate::error::Stopped;
use crate::lsn::Lsn;
use crate::partition::{DurableState, DurableWatch};

/// What becomes visible when a frame is durable.
#[derive(Debug, Clone)]
pub(crate) struct Publish {
    pub(crate) watch: Arc<DurableWatch>,
    pub(crate) state: DurableState,
}

/// Why room cannot be reserved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReserveError {
    #[error(transparent)]
    Stopped(#[from] Stopped),
    #[error("{bytes} bytes do not fit into a journal file, the limit is {limit}")]
    TooLarge { bytes: u64, limit: u64 },
}

/// Room for one frame, given back when dropped unused.
#[derive(Debug)]
pub(crate) struct Reservation<'a> {
    journal: &'a Journal,
    bytes: u64,
}

impl<'a> Reservation<'a> {
    pub(super) fn new(journal: &'a Journal, bytes: u64) -> Self {
        Self { journal, bytes }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.journal.give_back(self.bytes);
    }
}

/// A group taken for writing.
#[derive(Debug)]
pub(super) struct Group {
    /// Room for a group header, then the frames.
    pub(super) buffer: Vec<u8>,
    pub(super) frames: Vec<FrameEnd>,
    pub(super) publishes: Vec<Publish>,
}

#[derive(Debug)]
pub(super) struct Staging {
    buffer: Vec<u8>,
    frames: Vec<FrameEnd>,
    publishes: Vec<Publish>,
    next: Lsn,
    reserved: u64,
    reservations: u64,
    group_bytes: u64,
    pub(super) pool: Pool,
    /// An append waits for room.
    pub(super) is_starved: bool,
    pub(super) is_closing: bool,
}

impl Staging {
    pub(super) fn new(pool: Pool, group_bytes: u64) -> Self {
        Self {
            buffer: Vec::new(),
            frames: Vec::new(),
            publishes: Vec::new(),
            next: Lsn::ZERO.next(),
            reserved: 0,
            reservations: 0,
            group_bytes,
            pool,
            is_starved: false,
            is_closing: false,
        }
    }

    /// Reserves `bytes` of frames if they, and all that is staged or reserved before them, have a
    /// place on disk now: what is staged can then always be written.
    pub(super) fn reserve(&mut self, bytes: u64) -> Result<bool, ReserveError> {
        if self.is_closing {
            return Err(Stopped.into());
        }
        let limit = self
            .pool
            .capacity_max()
            .saturating_sub(GROUP_HEADER as u64 + BLOCK);
        if bytes > limit {
            return Err(ReserveError::TooLarge { bytes, limit });
        }
        let before = self.buffer.len() as u64 + self.reserved;
        // Each reservation may end up in a group of its own, padded to whole blocks.
        let padding = if before > 0 {
            (self.reservations + 2) * BLOCK
        } else {
            0
        };
        let is_within_group = before == 0 || before + bytes <= self.group_bytes;
        if !is_within_group || !self.pool.has_room(group_size(before + bytes) + padding) {
            self.is_starved = true;
            return Ok(false);
        }
        self.reserved += bytes;
        self.reservations += 1;
        Ok(true)
    }

    pub(super) fn give_back(&mut self, bytes: u64) {
        self.reserved = self.reserved.saturating_sub(bytes);
        self.reservations = self.reservations.saturating_sub(1);
    }

    /// Adds a frame and says what it makes visible. Returns its number and whether it is the first
    /// of its group, so that the writer is woken once a group.
    pub(super) fn stage(
        &mut self,
        frame: &FrameRef<'_>,
        incarnation: u64,
        publish: Option<Publish>,
    ) -> (Lsn, bool) {
        let is_first = self.frames.is_empty();
        if is_first {
            self.buffer.resize(GROUP_HEADER, 0);
        }
        let lsn = self.next;
        self.next = lsn.next();
        put_frame(&mut self.buffer, frame, incarnation, lsn);
        self.frames.push(FrameEnd {
            end: self.buffer.len(),
            lsn,
        });
        if let Some(publish) = publish {
            match self.publishes.last_mut() {
                Some(last) if Arc::ptr_eq(&last.watch, &publish.watch) => {
                    last.state = publish.state
                }
                _ => self.publishes.push(publish),
            }
        }
        (lsn, is_first)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Last number given out.
    pub(super) fn last(&self) -> Lsn {
        self.next.previous()
    }

    /// Takes what gathered, leaving the empty buffers of an earlier group to gather in.
    pub(super) fn take(&mut self, mut empty: Group) -> Group {
        std::mem::swap(&mut self.buffer, &mut empty.buffer);
        std::mem::swap(&mut self.frames, &mut empty.frames);
        std::mem::swap(&mut self.publishes, &mut empty.publishes);
        empty
    }
}

impl Group {
    pub(super) const fn empty() -> Self {
        Self {
            buffer: Vec::new(),
            frames: Vec::new(),
            publishes: Vec::new(),
        }
    }

    /// Empties the buffers for the next group; one grown beyond the usual is given back.
    pub(super) fn recycle(mut self) -> Self {
        const KEPT: usize = 2 << 20;
        self.buffer.clear();
        self.buffer.shrink_to(KEPT);
        self.frames.clear();
        self.frames.shrink_to(KEPT / 64);
        self.publishes.clear();
        self.publishes.shrink_to(KEPT / 64);
        self
    }
}

/// Bytes that a frame with this payload takes in a group.
pub(super) const fn frame_size(payload: u64) -> u64 {
    FRAME_HEADER as u64 + payload
}
