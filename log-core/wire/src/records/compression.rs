use std::fmt;
use std::io::{self, Read, Write};

use super::{BatchError, lz4, snappy, zstandard};

/// Compression of a batch's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// Stored as they are.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// Snappy in the block framing of Java clients; plain snappy is read too.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard (KIP-110).
    Zstd,
}

/// How far records may grow when they are decompressed.
///
/// The cap is `max_bytes`, and below it `max_ratio` times the compressed size but at least
/// `ratio_floor`, so that small batches of very repetitive records still pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecompressionLimits {
    /// Largest decompressed size in bytes.
    pub max_bytes: usize,
    /// Largest decompressed size as a multiple of the compressed size.
    pub max_ratio: usize,
    /// Decompressed size in bytes up to which the ratio does not matter.
    pub ratio_floor: usize,
}

impl Default for DecompressionLimits {
    /// 256 MiB, a ratio of 1,000, and no ratio up to 32 MiB.
    fn default() -> Self {
        Self {
            max_bytes: 256 << 20,
            max_ratio: 1_000,
            ratio_floor: 32 << 20,
        }
    }
}

impl DecompressionLimits {
    fn cap_for(self, compressed: usize) -> usize {
        compressed
            .saturating_mul(self.max_ratio)
            .max(self.ratio_floor)
            .min(self.max_bytes)
    }
}

impl Compression {
    /// Every codec, in the order of their codes.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec's number in the batch attributes.
    pub fn code(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The codec with this number.
    ///
    /// # Errors
    /// [`BatchError::UnknownCompression`] if there is none.
    pub fn from_code(code: i16) -> Result<Self, BatchError> {
        match code {
            0 => Ok(Self::None),
            1 => Ok(Self::Gzip),
            2 => Ok(Self::Snappy),
            3 => Ok(Self::Lz4),
            4 => Ok(Self::Zstd),
            _ => Err(BatchError::UnknownCompression(code)),
        }
    }

    /// The name that `compression.type` uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The codec with this `compression.type`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }

    /// Appends `input`, compressed, to `out`.
    ///
    /// # Errors
    /// [`BatchError::Compress`] if the codec refuses, say because of an impossible level.
    pub fn compress(
        self,
        input: &[u8],
        level: Option<i32>,
        mut out: Vec<u8>,
    ) -> Result<Vec<u8>, BatchError> {
        let failed = |error: &dyn fmt::Display| BatchError::Compress {
            codec: self,
            reason: error.to_string(),
        };
        match self {
            Self::None => {
                out.extend_from_slice(input);
                Ok(out)
            }
            Self::Gzip => {
                let level = match level {
                    None | Some(-1) => flate2::Compression::default(),
                    Some(level @ 1..=9) => flate2::Compression::new(level.unsigned_abs()),
                    Some(_) => return Err(failed(&"gzip levels are 1 to 9, and -1")),
                };
                let mut encoder = flate2::write::GzEncoder::new(out, level);
                encoder.write_all(input).map_err(|error| failed(&error))?;
                encoder.finish().map_err(|error| failed(&error))
            }
            Self::Snappy => {
                snappy::compress(input, &mut out).map_err(|error| failed(&error))?;
                Ok(out)
            }
            Self::Lz4 => lz4::compress(input, level, out).map_err(|error| failed(&error)),
            Self::Zstd => zstandard::compress(input, level, out).map_err(|error| failed(&error)),
        }
    }

    /// Decompresses `input`, growing the output as it comes and never beyond `limits`.
    ///
    /// # Errors
    /// [`BatchError::Decompress`] on malformed input, [`BatchError::DecompressedTooLarge`] beyond
    /// the limits.
    pub fn decompress(
        self,
        input: &[u8],
        limits: DecompressionLimits,
    ) -> Result<Vec<u8>, BatchError> {
        let cap = limits.cap_for(input.len());
        let drained = match self {
            Self::None => return Ok(input.to_vec()),
            Self::Gzip => drain(flate2::read::MultiGzDecoder::new(input), input.len(), cap),
            Self::Snappy => return snappy::decompress(input, cap),
            Self::Lz4 => drain(lz4::decoder(input), input.len(), cap),
            Self::Zstd => zstandard::decompress(input, |reader| drain(reader, input.len(), cap)),
        };
        let out = drained.map_err(|error| self.malformed(&error))?;
        if out.len() > cap {
            return Err(BatchError::DecompressedTooLarge { limit: cap });
        }
        Ok(out)
    }

    fn malformed(self, error: &dyn fmt::Display) -> BatchError {
        BatchError::Decompress {
            codec: self,
            reason: error.to_string(),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Reads until the end or one byte beyond `cap`, which tells "exactly at the limit" from "above".
fn drain(decoder: impl Read, compressed: usize, cap: usize) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(compressed.saturating_mul(3).min(cap));
    decoder
        .take((cap as u64).saturating_add(1))
        .read_to_end(&mut out)?;
    Ok(out)
}
