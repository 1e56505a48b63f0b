//! Keys of windowed tables.

use std::sync::Arc;

use super::{Codec, CodecError};

/// A span of event time in ms since the epoch: from `start`, up to but not including `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// First instant inside.
    pub start: i64,
    /// First instant after.
    pub end: i64,
}

/// A key within a window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Windowed<K> {
    /// The key that was grouped by.
    pub key: K,
    /// The window.
    pub window: Window,
}

/// Kafka's `TimeWindowedSerializer`: the key's bytes, then the start of the window as eight bytes,
/// big-endian. The end is not written: it follows from the window size.
pub struct WindowedCodec<K> {
    inner: Arc<dyn Codec<K>>,
    size_ms: i64,
}

impl<K> WindowedCodec<K> {
    /// A codec of windows of `size_ms` over keys of `inner`.
    pub fn new(inner: Arc<dyn Codec<K>>, size_ms: i64) -> Self {
        Self { inner, size_ms }
    }
}

impl<K> Codec<Windowed<K>> for WindowedCodec<K> {
    fn encode(&self, value: &Windowed<K>, out: &mut Vec<u8>) -> Result<(), CodecError> {
        self.inner.encode(&value.key, out)?;
        out.extend_from_slice(&value.window.start.to_be_bytes());
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<Windowed<K>, CodecError> {
        let short = || CodecError::Length {
            expected: 8,
            found: bytes.len(),
        };
        let (key, start) = bytes.split_last_chunk::<8>().ok_or_else(short)?;
        let start = i64::from_be_bytes(*start);
        let window = Window {
            start,
            end: start.saturating_add(self.size_ms),
        };
        Ok(Windowed {
            key: self.inner.decode(key)?,
            window,
        })
    }
}
