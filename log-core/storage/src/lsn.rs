//! Positions in the journal.

use std::fmt;

/// Log sequence number: the place of a frame in this process's journal, from 1.
///
/// An answer that reveals a state may leave once the journal is durable up to the state's number;
/// see [`Storage::wait_durable`](crate::Storage::wait_durable).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(u64);

impl Lsn {
    /// Before the first frame: always durable. What bypasses the journal has this number.
    pub const ZERO: Self = Self(0);

    /// Behind all frames.
    pub(crate) const MAX: Self = Self(u64::MAX);

    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number itself, for logs and metrics.
    pub const fn get(self) -> u64 {
        self.0
    }

    pub(crate) const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    pub(crate) const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
