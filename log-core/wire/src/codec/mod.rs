//! How values stand in bytes: the encoder, the decoder, and what a message must offer them.
//!
//! A message has two encodings: the plain one with fixed-width lengths, and from some version on
//! the *flexible* one (KIP-482) with variable-length lengths and tagged fields behind each
//! structure. [`Message::encode`] and [`Message::decode`] choose by the version.
//!
//! ```
//! use bytes::Bytes;
//! use headwater_wire::{Decoder, Encoder, Message};
//!
//! /// Where a reader stands.
//! #[derive(Debug, Clone, PartialEq, Message)]
//! #[message(versions = "0-2", flexible = "2+")]
//! struct Position {
//!     #[kafka(versions = "0+")]
//!     topic: String,
//!     #[kafka(versions = "0+", default = -1)]
//!     offset: i64,
//!     #[kafka(versions = "1+", nullable = "1+", default = null, ignorable)]
//!     note: Option<String>,
//!     #[kafka(versions = "2+", tag = 0)]
//!     partitions: Vec<i32>,
//! }
//!
//! let position = Position { topic: "flights".into(), offset: 7, ..Default::default() };
//! let mut out = Encoder::new();
//! position.encode(&mut out, 2)?;
//! let bytes = out.into_bytes();
//! assert_eq!(bytes, &b"\x08flights\0\0\0\0\0\0\0\x07\0\0"[..]);
//! assert_eq!(Position::decode(&mut Decoder::new(bytes), 2)?, position);
//!
//! // Version 0 has no partitions; rather than to lose them, it is refused.
//! let position = Position { partitions: vec![1], ..position };
//! assert!(position.encode(&mut Encoder::new(), 0).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod decoder;
mod encoder;
mod error;
mod schema;
mod tree;
mod value;

pub use decoder::Decoder;
pub use encoder::{Encoder, SHARED_LEN_MIN};
pub use error::{DecodeError, EncodeError};
pub use schema::{Field, FieldType, Versions};
pub use tree::Tree;
pub use value::{Nullable, Structure, Value, put_present};

use crate::{ApiKey, RequestKind, ResponseKind, UnexpectedKind};

/// A value that stands on the wire on its own: a request, a response, or a record of an internal
/// topic.
///
/// Derived, together with `Default` as the schema has it, by `#[derive(Message)]` with a
/// `#[message(versions = "..", flexible = "..")]` attribute.
pub trait Message: Structure + Default {
    /// The message's name as Kafka spells it.
    const NAME: &'static str;
    /// Lowest version.
    const MIN_VERSION: i16;
    /// Highest version.
    const MAX_VERSION: i16;
    /// First version in the flexible encoding; `i16::MAX` if there is none.
    const FLEXIBLE_FROM: i16;

    /// Appends the message in `version`.
    ///
    /// # Errors
    /// If the message has no such version, if a field is set that the version lacks and that may
    /// not be left out, or if a length exceeds its type.
    fn encode(&self, out: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        if !(Self::MIN_VERSION..=Self::MAX_VERSION).contains(&version) {
            return Err(EncodeError::UnsupportedVersion {
                message: Self::NAME,
                version,
            });
        }
        out.set_flexible(version >= Self::FLEXIBLE_FROM);
        self.put(out, version)
    }

    /// Reads the message in `version` from the front of `input`.
    ///
    /// # Errors
    /// If the message has no such version or the bytes are not one.
    fn decode(input: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        if !(Self::MIN_VERSION..=Self::MAX_VERSION).contains(&version) {
            return Err(DecodeError::UnsupportedVersion {
                message: Self::NAME,
                version,
            });
        }
        input.set_flexible(version >= Self::FLEXIBLE_FROM);
        Self::take(input, version)
    }

    /// A message that says nothing but this error, if it has a place for one at its top in
    /// `version`.
    fn refusal(_error_code: i16, _version: i16) -> Option<Self> {
        None
    }
}

/// A message that asks for another. All of them stand in the [`catalog`](crate::catalog).
///
/// Derived by `#[message(key = .., response = ..)]`.
pub trait Request:
    Message + Into<RequestKind> + TryFrom<RequestKind, Error = UnexpectedKind>
{
    /// What is asked for.
    const KEY: ApiKey;
    /// The answer, in the same version.
    type Response: Message + Into<ResponseKind> + TryFrom<ResponseKind, Error = UnexpectedKind>;
}
