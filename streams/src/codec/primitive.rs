//! Codecs of the types everybody uses, compatible with Kafka's serdes.

use std::sync::Arc;

use bytes::Bytes;

use super::{Codec, CodecError};

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], CodecError> {
    bytes.try_into().map_err(|_| CodecError::Length {
        expected: N,
        found: bytes.len(),
    })
}

/// Text in UTF-8, as Kafka's `StringSerializer`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Utf8;

impl Codec<String> for Utf8 {
    fn encode(&self, value: &String, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<String, CodecError> {
        Ok(std::str::from_utf8(bytes)?.to_owned())
    }
}

/// Eight bytes, big-endian, as Kafka's `LongSerializer`.
#[derive(Clone, Copy, Debug, Default)]
pub struct I64;

impl Codec<i64> for I64 {
    fn encode(&self, value: &i64, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend_from_slice(&value.to_be_bytes());
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<i64, CodecError> {
        Ok(i64::from_be_bytes(fixed(bytes)?))
    }
}

/// Four bytes, big-endian, as Kafka's `IntegerSerializer`.
#[derive(Clone, Copy, Debug, Default)]
pub struct I32;

impl Codec<i32> for I32 {
    fn encode(&self, value: &i32, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend_from_slice(&value.to_be_bytes());
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<i32, CodecError> {
        Ok(i32::from_be_bytes(fixed(bytes)?))
    }
}

/// Eight bytes, IEEE 754, big-endian, as Kafka's `DoubleSerializer`.
#[derive(Clone, Copy, Debug, Default)]
pub struct F64;

impl Codec<f64> for F64 {
    fn encode(&self, value: &f64, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend_from_slice(&value.to_be_bytes());
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<f64, CodecError> {
        Ok(f64::from_be_bytes(fixed(bytes)?))
    }
}

/// Bytes as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct BytesCodec;

impl Codec<Bytes> for BytesCodec {
    fn encode(&self, value: &Bytes, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend_from_slice(value);
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<Bytes, CodecError> {
        Ok(Bytes::copy_from_slice(bytes))
    }
}

/// Bytes as they are, as Kafka's `ByteArraySerializer`.
#[derive(Clone, Copy, Debug, Default)]
pub struct VecCodec;

impl Codec<Vec<u8>> for VecCodec {
    fn encode(&self, value: &Vec<u8>, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend_from_slice(value);
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<Vec<u8>, CodecError> {
        Ok(bytes.to_vec())
    }
}

/// For keys or values that nobody looks at: anything decodes, nothing is written (null), as Kafka's
/// `VoidSerializer`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unit;

impl Codec<()> for Unit {
    fn encode(&self, _value: &(), _out: &mut Vec<u8>) -> Result<(), CodecError> {
        Ok(())
    }

    fn decode(&self, _bytes: &[u8]) -> Result<(), CodecError> {
        Ok(())
    }

    fn null(&self) -> Option<()> {
        Some(())
    }

    fn is_null(&self, _value: &()) -> bool {
        true
    }
}

/// `None` is null; `Some` is what the inner codec makes of it.
pub struct Nullable<T>(pub Arc<dyn Codec<T>>);

impl<T> Codec<Option<T>> for Nullable<T> {
    fn encode(&self, value: &Option<T>, out: &mut Vec<u8>) -> Result<(), CodecError> {
        match value {
            Some(value) => self.0.encode(value, out),
            None => Ok(()),
        }
    }

    fn decode(&self, bytes: &[u8]) -> Result<Option<T>, CodecError> {
        self.0.decode(bytes).map(Some)
    }

    fn null(&self) -> Option<Option<T>> {
        Some(None)
    }

    fn is_null(&self, value: &Option<T>) -> bool {
        value.as_ref().is_none_or(|value| self.0.is_null(value))
    }
}
