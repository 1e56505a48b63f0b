//! LZ4 frames as Java clients read them: independent blocks of at most 64 KiB.

use std::io::{self, Read, Write};

/// The level that is not of the high-compression kind: Kafka's default has the fast compressor,
/// every other level the slow one (KIP-390).
const FAST: i32 = 9;

/// Appends `input`, compressed, to `out`.
pub(super) fn compress(input: &[u8], level: Option<i32>, out: Vec<u8>) -> io::Result<Vec<u8>> {
    match level.unwrap_or(FAST) {
        FAST => fast(input, out),
        level @ 1..=17 => high(input, level.unsigned_abs(), out),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "lz4 levels are 1 to 17",
        )),
    }
}

/// A reader of the decompressed bytes.
pub(super) fn decoder(input: &[u8]) -> impl Read {
    lz4_flex::frame::FrameDecoder::new(input)
}

fn fast(input: &[u8], out: Vec<u8>) -> io::Result<Vec<u8>> {
    let frame = lz4_flex::frame::FrameInfo::new()
        .block_size(lz4_flex::frame::BlockSize::Max64KB)
        .block_mode(lz4_flex::frame::BlockMode::Independent);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(frame, out);
    encoder.write_all(input)?;
    Ok(encoder.finish()?)
}

fn high(input: &[u8], level: u32, out: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut encoder = lz4::EncoderBuilder::new()
        .block_size(lz4::BlockSize::Max64KB)
        .block_mode(lz4::BlockMode::Independent)
        .checksum(lz4::ContentChecksum::NoChecksum)
        .level(level)
        .build(out)?;
    encoder.write_all(input)?;
    let (out, finished) = encoder.finish();
    finished.map(|()| out)
}
