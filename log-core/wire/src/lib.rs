//! Kafka messages and record batches: bytes on the wire to typed values and back.
//!
//! The only crate that knows byte layouts. It does no I/O, reads no clock, and never trusts a
//! length: every count is checked against the bytes that are there before anything is allocated.
//!
//! - [`records`]: record batches (magic 2), read without copying, built, and patched in place.
//! - [`ApiKey`] and [`ErrorCode`]: the protocol's two tables of numbers.

mod api_key;
mod error_code;
pub mod records;
mod varint;

pub use api_key::ApiKey;
pub use error_code::ErrorCode;
