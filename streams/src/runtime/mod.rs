//! Topologies at work on a log: threads, tasks, commits, restores.
//!
//! Each stream thread is an operating system thread with a consumer, a producer and the tasks that
//! the group gave it. It polls, processes, produces, and commits all its tasks together: under
//! exactly-once in one transaction with the offsets, then the state goes to the backend behind it.
//! Shutdown is a crash that was announced: start-up is always the same.

mod assignment;
mod caught_up;
mod config;
mod internal_topics;
mod listener;
mod produce;
mod query;
mod restore;
mod shared;
mod state_dir;
mod streams;
mod tasks;
mod thread;

pub use config::{ProcessingGuarantee, StateBackendKind, StreamsConfig};
pub use query::{ReadOnlyStore, ReadOnlyWindowStore};
pub use streams::{RunningStreams, StreamsState};
