//! Partition logs and the journal that makes them durable.
//!
//! [`Storage`] is a node's data directory, [`PartitionLog`] one partition's log in it. A partition is
//! named by its topic's id ([`TopicPartitionId`]), [`LogConfig`] says how its log is kept. An append is
//! answered with an [`Lsn`]; what the answer reveals is durable once the journal is synced up to that
//! number ([`Storage::wait_durable`]). [`Log`] and [`Register`] serve a Raft log and its vote.
//!
//! Where things are:
//!
//! - `storage`: open, recover, the syncer, the two threads.
//! - `partition`: append, read, truncate, trim, compact; load and replay after a crash.
//! - `journal`: frames, files, group commit, telling damage from a torn tail.
//! - `checkpoint`: how far partitions are synced in their own segments.
//! - `segment`, `index`: files of batches and their sparse index.
//! - `producers`: sequences, epochs and open transactions; pure.
//! - `compaction`: what stays of a batch; pure.
//! - `raft`: logs of opaque entries, registers.
//!
//! Assumptions about the medium: a sync makes a file's bytes and length durable, a directory's sync
//! its names; a rename inside a directory is atomic; a write that was not synced may survive in any
//! part; what was synced is not changed by later writes to other bytes of the file.

mod checkpoint;
mod compaction;
mod config;
mod core;
mod encoding;
mod error;
mod fail_stop;
mod id;
mod index;
mod journal;
mod lsn;
mod medium;
mod options;
mod partition;
mod producers;
mod raft;
mod sealed;
mod segment;
mod storage;

pub use compaction::{CompactionLimits, CompactionPace, Unhurried};
pub use config::{CleanupPolicy, Durability, LogConfig};
pub use error::{
    AppendError, ChangeError, Corruption, FileError, NoRoom, OpenError, ProducerError, ReadError,
    Stopped, Unusable,
};
pub use fail_stop::{AbortProcess, FailStop};
pub use id::TopicPartitionId;
pub use lsn::Lsn;
pub use options::{Background, JournalOptions, StorageOptions};
pub use partition::{
    AbortedTransaction, AppendOrigin, Appended, DurableState, PartitionLog, ProducerSummary,
    TimestampOffset, Verification,
};
pub use raft::{Log, LogError, Register, RegisterError};
pub use storage::{KnownPartition, Owner, Recovery, Storage};
