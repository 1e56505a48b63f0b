//! Which journal file is written, which wait for a checkpoint and which are free again.

use std::collections::VecDeque;

use super::file::{FileHeader, JournalFile};
use super::frame::{BLOCK, group_size};
use crate::lsn::Lsn;

/// The file being written.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) file: JournalFile,
    pub(super) sequence: u64,
    /// Where the next group goes.
    pub(super) position: u64,
}

/// A file that was filled and is needed until every checkpoint has passed its last frame.
#[derive(Debug)]
struct Filled {
    file: JournalFile,
    last: Lsn,
}

/// Frames of a group that go to one place.
#[derive(Debug)]
pub(super) struct Placement {
    pub(super) file: JournalFile,
    pub(super) sequence: u64,
    pub(super) position: u64,
    /// Whether the file's first block must be written with the group.
    pub(super) opens_file: bool,
    /// How many of the group's frames go here.
    pub(super) frames: usize,
}

/// Where a staged frame ends in its group's buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrameEnd {
    pub(super) end: usize,
    pub(super) lsn: Lsn,
}

#[derive(Debug)]
pub(super) struct Pool {
    current: Current,
    filled: VecDeque<Filled>,
    free: VecDeque<JournalFile>,
    files_max: usize,
    file_bytes: u64,
}

impl Pool {
    /// `file` is the one whose first block was written as sequence 0.
    pub(super) fn new(
        file: JournalFile,
        free: Vec<JournalFile>,
        files_max: usize,
        file_bytes: u64,
    ) -> Self {
        let current = Current {
            file,
            sequence: 0,
            position: BLOCK,
        };
        Self {
            current,
            filled: VecDeque::new(),
            free: free.into(),
            files_max,
            file_bytes,
        }
    }

    /// Whether a group of this many bytes on disk has a place.
    pub(super) fn has_room(&self, size: u64) -> bool {
        size <= self.current.file.len - self.current.position
            || self.free.iter().any(|file| size <= file.capacity())
    }

    /// Largest group that can ever have a place.
    pub(super) fn capacity_max(&self) -> u64 {
        self.current.file.capacity().max(self.file_bytes - BLOCK)
    }

    /// Places the next frames: as many as fit into the current file, or into a free one that becomes
    /// the current. `None` if there is no file for them.
    pub(super) fn place(
        &mut self,
        start: usize,
        frames: &[FrameEnd],
        last: Lsn,
    ) -> Option<Placement> {
        let room = self.current.file.len - self.current.position;
        if let Some(placement) = self.fit(start, frames, room) {
            return Some(placement);
        }
        let all = frames
            .last()
            .map_or(0, |frame| group_size((frame.end - start) as u64));
        let index = self.free.iter().position(|file| all <= file.capacity())?;
        let file = self.free.remove(index)?;
        self.open(file, last);
        let room = self.current.file.capacity();
        self.fit(start, frames, room)
    }

    /// Makes `file` the current one; `last` is the last frame placed so far.
    pub(super) fn open(&mut self, file: JournalFile, last: Lsn) {
        let sequence = self.current.sequence + 1;
        let next = Current {
            file,
            sequence,
            position: BLOCK,
        };
        let filled = std::mem::replace(&mut self.current, next);
        self.filled.push_back(Filled {
            file: filled.file,
            last,
        });
    }

    fn fit(&mut self, start: usize, frames: &[FrameEnd], room: u64) -> Option<Placement> {
        let fits = |frame: &FrameEnd| group_size((frame.end - start) as u64) <= room;
        let count = frames.iter().take_while(|frame| fits(frame)).count();
        let last = frames.get(count.checked_sub(1)?)?;
        let position = self.current.position;
        self.current.position += group_size((last.end - start) as u64);
        Some(Placement {
            file: self.current.file.clone(),
            sequence: self.current.sequence,
            position,
            // The first block of file 0 is durable before the incarnation begins.
            opens_file: position == BLOCK && self.current.sequence > 0,
            frames: count,
        })
    }

    pub(super) fn add_free(&mut self, file: JournalFile) {
        self.free.push_back(file);
    }

    /// Frees the files whose frames all lie below `tail`. Returns files that are to be removed:
    /// those smaller than they should be, once there is another.
    pub(super) fn release(&mut self, tail: Lsn) -> Vec<JournalFile> {
        let mut surplus = Vec::new();
        while self.filled.front().is_some_and(|filled| filled.last < tail) {
            let Some(filled) = self.filled.pop_front() else {
                break;
            };
            if filled.file.len < self.file_bytes && self.current.file.len >= self.file_bytes {
                surplus.push(filled.file);
            } else {
                self.free.push_back(filled.file);
            }
        }
        surplus
    }

    /// Whether another file should be made before it is missed.
    pub(super) fn wants_spare(&self) -> bool {
        self.may_grow() && self.current.position > self.current.file.len / 2
    }

    /// Whether none is free and there may be one more.
    pub(super) fn may_grow(&self) -> bool {
        self.free.is_empty() && self.filled.len() + 1 < self.files_max
    }

    /// Whether checkpoints should be pushed on: half of what there may be is in use.
    pub(super) fn is_half_full(&self) -> bool {
        let filled: u64 = self.filled.iter().map(|filled| filled.file.len).sum();
        let used = filled + self.current.position;
        used >= self.file_bytes * self.files_max as u64 / 2
    }

    /// Frames up to this one lie in filled files: passing it frees a file.
    pub(super) fn oldest_filled(&self) -> Option<Lsn> {
        self.filled.front().map(|filled| filled.last)
    }

    pub(super) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }
}

/// The first block of the file a placement opens.
pub(super) fn header_of(
    placement: &Placement,
    incarnation: u64,
    first: Lsn,
    predecessor: u32,
) -> FileHeader {
    FileHeader {
        incarnation,
        sequence: placement.sequence,
        first,
        predecessor,
    }
}
