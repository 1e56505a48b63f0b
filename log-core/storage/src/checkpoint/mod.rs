//! How far each partition is synced in its own segments: where recovery cuts them, and behind which
//! journal space is free again.
//!
//! One file for the node, replaced whole. An entry names the last journal frame it covers, so that a
//! frame is replayed exactly if no checkpoint has it; it never covers what the journal or the segment
//! had not synced.

mod entry;
mod file;

pub(crate) use entry::{CheckpointEntry, SegmentEnd};
pub(crate) use file::{CheckpointFile, Checkpoints, Numbered};
