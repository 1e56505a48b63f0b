//! Values to bytes and back.
//!
//! A [`Codec`] is a value held by the nodes of a topology, never part of a stream's type. Nulls are
//! Kafka's: a record without a key or value. A type that can hold "nothing" (`Option<T>`, `()`)
//! says so through its codec; for every other type a null is [`CodecError::Null`].

mod error;
mod json;
mod primitive;
mod registry;
mod windowed;

pub use error::CodecError;
pub use json::Json;
pub use primitive::{BytesCodec, F64, I32, I64, Nullable, Unit, Utf8, VecCodec};
pub use registry::Codecs;
pub use windowed::{Window, Windowed, WindowedCodec};

/// Encodes and decodes values of one type.
pub trait Codec<T>: Send + Sync {
    /// Appends the bytes of `value` to `out`. Not called if [`is_null`](Self::is_null) says yes.
    ///
    /// # Errors
    /// If the value has no representation. What was appended is then discarded.
    fn encode(&self, value: &T, out: &mut Vec<u8>) -> Result<(), CodecError>;

    /// The value of `bytes`.
    ///
    /// # Errors
    /// If they are not the encoding of a value.
    fn decode(&self, bytes: &[u8]) -> Result<T, CodecError>;

    /// The value that null stands for, if the type has one.
    fn null(&self) -> Option<T> {
        None
    }

    /// Whether `value` is written as null.
    fn is_null(&self, value: &T) -> bool {
        let _ = value;
        false
    }
}

impl<T, C: Codec<T> + ?Sized> Codec<T> for std::sync::Arc<C> {
    fn encode(&self, value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
        (**self).encode(value, out)
    }

    fn decode(&self, bytes: &[u8]) -> Result<T, CodecError> {
        (**self).decode(bytes)
    }

    fn null(&self) -> Option<T> {
        (**self).null()
    }

    fn is_null(&self, value: &T) -> bool {
        (**self).is_null(value)
    }
}

/// The value of `bytes`, where `None` is null.
///
/// # Errors
/// [`CodecError::Null`] if the type has no null, else what the codec fails with.
pub fn decode<T>(codec: &dyn Codec<T>, bytes: Option<&[u8]>) -> Result<T, CodecError> {
    match bytes {
        Some(bytes) => codec.decode(bytes),
        None => codec.null().ok_or(CodecError::Null),
    }
}

/// The bytes of `value`, `None` for null.
///
/// # Errors
/// What the codec fails with.
pub fn encode<T>(codec: &dyn Codec<T>, value: &T) -> Result<Option<Vec<u8>>, CodecError> {
    if codec.is_null(value) {
        return Ok(None);
    }
    let mut out = Vec::new();
    codec.encode(value, &mut out)?;
    Ok(Some(out))
}
