//! Partition logs and the journal that makes them durable.
//!
//! [`TopicPartitionId`] names a partition by its topic's id, [`LogConfig`] says how its log is kept.
//! An append is answered with an [`Lsn`]; what the answer reveals is durable once the journal is
//! synced up to that number.

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

pub use config::{CleanupPolicy, Durability, LogConfig};
pub use error::{
    AppendError, ChangeError, Corruption, FileError, OpenError, ProducerError, ReadError, Stopped,
    Unusable,
};
pub use fail_stop::{AbortProcess, FailStop};
pub use id::TopicPartitionId;
pub use lsn::Lsn;
pub use options::{Background, JournalOptions, StorageOptions};
pub use partition::{
    AbortedTransaction, AppendOrigin, Appended, DurableState, PartitionLog, ProducerSummary,
    TimestampOffset,
};
pub use raft::{Log, LogError, Register, RegisterError};
pub use storage::{KnownPartition, Owner, Recovery, Storage};
