//! Record batches, format 2: a 61-byte header and records behind it, perhaps compressed.
//!
//! A batch stays one slice of bytes from the socket to the disk and back. [`BatchHeader`] is read
//! on its own; records are looked at only where they must be, and then without copying:
//!
//! ```
//! use headwater_wire::records::{BatchBuilder, BatchOptions, RecordBatch};
//!
//! let mut builder = BatchBuilder::new(BatchOptions::default());
//! builder.append(1_000, Some(b"EWR"), Some(b"{}"), &[])?;
//! builder.append(1_001, Some(b"JFK"), None, &[])?;
//! let mut bytes = builder.build()?;
//!
//! let batch = RecordBatch::split_from(&mut bytes)?.ok_or("cut off")?;
//! batch.verify_crc()?;
//! assert_eq!(batch.header.next_offset(), 2);
//! let records = batch.records()?;
//! for record in records.iter() {
//!     let record = record?;
//!     println!("{} at {}: {:?}", record.offset, record.timestamp, record.key);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The checksum covers everything from the attributes on, but not the base offset and the leader
//! epoch: [`patch_assigned`] writes those into a received batch without touching the rest.

mod batch;
mod builder;
mod compression;
mod control;
mod error;
mod header;
mod lz4;
mod patch;
mod recompress;
mod record;
mod snappy;
mod zstandard;

pub use batch::RecordBatch;
pub use builder::{BatchBuilder, BatchOptions, Header};
pub use compression::{Compression, DecompressionLimits};
pub use control::{ControlMarker, TransactionResult, control_batch};
pub use error::BatchError;
pub use header::{BATCH_HEADER_LEN, BatchHeader, NO_PRODUCER_ID, NO_TIMESTAMP, TimestampType};
pub use patch::{
    patch_assigned, patch_create_time, patch_log_append_time, patch_max_timestamp,
    patch_producer_state,
};
pub use record::{HeaderRef, HeadersIter, HeadersRef, RecordIter, RecordRef, Records, TimeSpan};
