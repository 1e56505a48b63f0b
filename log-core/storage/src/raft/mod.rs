//! Small durable things beside the journal: a log of opaque entries and a value replaced whole.
//!
//! The metadata quorum keeps its log and its vote here. Both are synced when a call returns, and
//! neither pins the journal.

mod log;
mod log_file;
mod register;

pub use log::{Log, LogError};
pub(crate) use register::replace_file;
pub use register::{Register, RegisterError};
