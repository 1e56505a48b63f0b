//! Kafka messages and record batches: bytes on the wire to typed values and back.
//!
//! The only crate that knows byte layouts. It does no I/O, reads no clock, and never trusts a
//! length: every count is checked against the bytes that are there before anything is allocated.
//!
//! - [`records`]: record batches (magic 2), read without copying, built, and patched in place.
//! - [`messages`]: requests and responses as plain structs, with the derive that reads like Kafka's
//!   schema: [`Message`].
//! - [`catalog`]: which APIs there are, in which versions; [`RequestKind`] and [`ResponseKind`]
//!   hold any of them.
//! - [`frame`]: length-prefixed frames, with [`RequestHeader`] and [`ResponseHeader`] in front.
//! - [`internal`]: the records of `__consumer_offsets` and `__transaction_state`.
//! - [`codec`]: the encoder and decoder beneath.
//! - [`ApiKey`] and [`ErrorCode`]: the protocol's two tables of numbers.

// The derive names this crate from the outside, also when it is used inside.
extern crate self as headwater_wire;

mod api_key;
pub mod catalog;
pub mod codec;
mod error_code;
pub mod frame;
mod header;
pub mod internal;
mod kind;
pub mod messages;
pub mod records;
mod varint;

pub use api_key::ApiKey;
pub use codec::{DecodeError, Decoder, EncodeError, Encoder, Message, Request};
pub use error_code::ErrorCode;
pub use header::{RequestHeader, ResponseHeader, header_version, response_header_version};
pub use headwater_wire_derive::Message;
pub use kind::{RequestKind, ResponseKind, UnexpectedKind};
