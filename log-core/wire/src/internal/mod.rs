//! The records of Kafka's internal topics, in Kafka's own formats, so that its tools can read them.
//!
//! Key and value of such a record each begin with a version in two bytes; [`encode`] writes it and
//! [`decode`] reads it. In `__consumer_offsets` the key's version says what the record is, which is
//! [`OffsetsKey`]'s to know. A record without a value removes what its key names.

pub mod consumer_group;
pub mod consumer_offsets;
mod offsets_key;
pub mod transaction_state;

use bytes::Bytes;

use crate::codec::{DecodeError, Decoder, EncodeError, Encoder, Message};

pub use offsets_key::OffsetsKey;

/// A value of an internal topic, or the key of a transactional id: its version, then the message.
///
/// # Errors
/// Those of [`Message::encode`].
pub fn encode<M: Message>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut out = Encoder::new();
    out.put_i16(version);
    message.encode(&mut out, version)?;
    Ok(out.into_bytes())
}

/// Reads a value of an internal topic, or the key of a transactional id, in whatever version it is.
///
/// # Errors
/// Those of [`Message::decode`]; an unknown version is one of them.
pub fn decode<M: Message>(bytes: Bytes) -> Result<M, DecodeError> {
    let mut input = Decoder::new(bytes);
    let version = input.take_i16()?;
    M::decode(&mut input, version)
}
