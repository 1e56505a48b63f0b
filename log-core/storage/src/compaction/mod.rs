//! Keeping only the latest record of each key: the pure parts.
//!
//! [`LatestOffsets`] says which record of a key is the latest. [`Filter`] decides batch by batch what
//! stays: offsets never change, aborted records go, tombstones and markers stay for
//! `delete.retention.ms` (KIP-534), and the last batch of each producer keeps at least its header, so
//! that other replicas can still tell duplicates.

mod filter;
mod keys;
mod limits;

pub(crate) use filter::{Filter, Kept};
pub(crate) use keys::LatestOffsets;
pub use limits::{CompactionLimits, CompactionPace, Unhurried};
