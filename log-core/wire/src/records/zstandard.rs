//! Zstandard with one context a thread: setting one up costs more than compressing a small batch.

use std::cell::RefCell;
use std::io::{self, Read, Write};

use zstd::stream::raw::{CParameter, DParameter};
use zstd::zstd_safe::{CCtx, DCtx};

/// Largest window that a frame may ask for, as a power of two: what Kafka's own clients allow.
const WINDOW_LOG_MAX: u32 = 27;

thread_local! {
    static COMPRESSION: RefCell<Option<CCtx<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSION: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

/// Appends `input`, compressed, to `out`.
pub(super) fn compress(input: &[u8], level: Option<i32>, out: Vec<u8>) -> io::Result<Vec<u8>> {
    COMPRESSION.with_borrow_mut(|slot| {
        let context = present(slot, CCtx::try_create)?;
        let mut encoder = zstd::Encoder::with_context(out, context);
        let level = level.unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL);
        encoder.set_parameter(CParameter::CompressionLevel(level))?;
        // Knowing the size, zstd takes tables that fit it.
        encoder.set_pledged_src_size(Some(input.len() as u64))?;
        encoder.write_all(input)?;
        encoder.finish()
    })
}

/// Hands a reader of the decompressed bytes to `drain`.
pub(super) fn decompress<T>(
    input: &[u8],
    drain: impl FnOnce(&mut dyn Read) -> io::Result<T>,
) -> io::Result<T> {
    DECOMPRESSION.with_borrow_mut(|slot| {
        let context = present(slot, DCtx::try_create)?;
        let mut decoder = zstd::Decoder::with_context(input, context);
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
        drain(&mut decoder)
    })
}

fn present<C>(slot: &mut Option<C>, create: impl FnOnce() -> Option<C>) -> io::Result<&mut C> {
    if slot.is_none() {
        *slot = create();
    }
    slot.as_mut()
        .ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}
