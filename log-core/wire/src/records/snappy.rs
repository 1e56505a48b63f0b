//! Snappy in the framing of `snappy-java` (known as Xerial), which Java clients read and write.
//!
//! A 16-byte header (magic, version, lowest compatible version), then blocks, each a 32-bit length
//! and a raw snappy block. Other clients write one raw block without framing.

use super::{BatchError, Compression};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const VERSION: i32 = 1;
const FRAME_HEADER_LEN: usize = 16;

/// Uncompressed bytes in a block; what `snappy-java` writes.
const BLOCK_LEN: usize = 32 * 1024;

/// No snappy block grows by more: its densest element makes 64 bytes out of 3.
const BLOCK_RATIO_MAX: usize = 22;

/// Appends `input`, framed and compressed, to `out`.
pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) -> Result<(), snap::Error> {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&VERSION.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    let mut block = vec![0; snap::raw::max_compress_len(input.len().min(BLOCK_LEN))];
    for chunk in input.chunks(BLOCK_LEN) {
        let length = encoder.compress(chunk, &mut block)?;
        out.extend_from_slice(&(length as u32).to_be_bytes());
        out.extend_from_slice(block.get(..length).unwrap_or_default());
    }
    Ok(())
}

/// Decompresses framed or raw snappy to at most `cap` bytes.
pub(super) fn decompress(input: &[u8], cap: usize) -> Result<Vec<u8>, BatchError> {
    let mut out = Vec::new();
    if !input.starts_with(&MAGIC) {
        decompress_block(input, &mut out, cap)?;
        return Ok(out);
    }
    let Some(mut rest) = input.get(FRAME_HEADER_LEN..) else {
        return Err(malformed("its frame header is cut off"));
    };
    while !rest.is_empty() {
        let Some((length, behind)) = rest.split_first_chunk::<4>() else {
            return Err(malformed("a block length is cut off"));
        };
        let length = u32::from_be_bytes(*length) as usize;
        let Some((block, behind)) = behind.split_at_checked(length) else {
            return Err(malformed("a block is cut off"));
        };
        decompress_block(block, &mut out, cap)?;
        rest = behind;
    }
    Ok(out)
}

fn decompress_block(block: &[u8], out: &mut Vec<u8>, cap: usize) -> Result<(), BatchError> {
    let claimed =
        snap::raw::decompress_len(block).map_err(|error| malformed(&error.to_string()))?;
    if claimed > block.len().saturating_mul(BLOCK_RATIO_MAX) {
        return Err(malformed("a block claims to be larger than it can be"));
    }
    let start = out.len();
    let end = start.saturating_add(claimed);
    if end > cap {
        return Err(BatchError::DecompressedTooLarge { limit: cap });
    }
    out.resize(end, 0);
    let room = out.get_mut(start..).unwrap_or_default();
    let written = snap::raw::Decoder::new()
        .decompress(block, room)
        .map_err(|error| malformed(&error.to_string()))?;
    out.truncate(start + written);
    Ok(())
}

fn malformed(reason: &str) -> BatchError {
    BatchError::Decompress {
        codec: Compression::Snappy,
        reason: reason.to_owned(),
    }
}
