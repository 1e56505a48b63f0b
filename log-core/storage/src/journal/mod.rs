//! One journal per node: whatever the number of partitions, one write and one sync make durable
//! all that gathered while the last sync ran.
//!
//! A few files of fixed size, written full of zeros once and used again. On disk:
//!
//! - a file starts with a 4 KiB block that names the process's incarnation, the file's number in
//!   this incarnation, its first frame and the checksum the chain stood at ([`file`]);
//! - then groups, each from a fresh 4 KiB block: a header that names the last sequence number
//!   synced before it, and frames ([`frame`]);
//! - a frame has length, kind, incarnation, sequence number, partition, position and a CRC-32C that
//!   starts from its predecessor's, so that old bytes in a recycled file never pass for a frame.
//!
//! Costs of an append: one copy into the group's buffer, two checksum passes at memory speed, no
//! allocation, no system call; a 1/n-th of a write and a sync, n being what gathers meanwhile.
//!
//! Room is reserved before a partition is locked ([`Journal::try_reserve`]), so that an append that
//! waits for room holds up nothing that would make room.

mod file;
mod frame;
mod pool;
mod recovery;
mod staging;
mod writer;

pub(crate) use frame::{FrameKind, FrameRef};
pub(crate) use recovery::{JournalScan, RecoveredFrame};
pub(crate) use staging::{Publish, Reservation, ReserveError};
pub(crate) use writer::Journal;
