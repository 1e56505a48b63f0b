use bytes::Bytes;
use uuid::Uuid;

use super::DecodeError;
use crate::varint;

/// Unknown tagged fields that a structure may have. Kafka's largest structure has eight in all.
const UNKNOWN_TAGS_MAX: usize = 64;

/// Bytes that a string may have: what fits in the length of the plain encoding.
const STRING_MAX: i64 = 0x7fff;

/// Elements that are given room before the first of them is read.
const RESERVED_MAX: usize = 1024;

/// Memory that a decoded message may take, as a multiple of its bytes.
///
/// Real messages stay well below: partitions of metadata with one replica take about five times
/// their bytes, a metadata request for topics with names of three letters nine times.
const MEMORY_FACTOR: usize = 16;

/// Memory in bytes that any message may take, however short.
const MEMORY_FLOOR: usize = 64 * 1024;

/// Reads the values of a message from its bytes.
///
/// Trusts nothing: lengths and counts are checked against the bytes that are left, and the memory
/// of arrays is bounded by a multiple of the input.
#[derive(Debug)]
pub struct Decoder {
    bytes: Bytes,
    at: usize,
    /// Where the part that may be read ends: the input, or the tagged field at hand.
    end: usize,
    flexible: bool,
    memory_left: usize,
}

impl Decoder {
    /// Reads from the front of `bytes`. Byte strings of the message will be slices of it.
    pub fn new(bytes: Bytes) -> Self {
        let end = bytes.len();
        let memory_left = memory_limit(end);
        Self {
            bytes,
            at: 0,
            end,
            flexible: false,
            memory_left,
        }
    }

    /// Bytes not yet read.
    pub fn remaining(&self) -> usize {
        self.end - self.at
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The bytes not yet read, as a slice of the input.
    pub fn rest(&self) -> Bytes {
        self.bytes.slice(self.at..self.end)
    }

    /// Whether lengths and structures are read in the flexible encoding.
    pub fn is_flexible(&self) -> bool {
        self.flexible
    }

    /// Switches between the plain and the flexible encoding; messages do so by their version.
    pub fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    fn unread(&self) -> &[u8] {
        self.bytes.get(self.at..self.end).unwrap_or_default()
    }

    fn take_array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let unread = self.unread();
        let Some(&array) = unread.first_chunk::<N>() else {
            return Err(DecodeError::UnexpectedEnd {
                at: self.at,
                missing: N - unread.len(),
            });
        };
        self.at += N;
        Ok(array)
    }

    /// Reads one byte; anything but 0 is true.
    ///
    /// # Errors
    /// [`DecodeError::UnexpectedEnd`], as for the other numbers.
    pub fn take_bool(&mut self) -> Result<bool, DecodeError> {
        self.take_i8().map(|byte| byte != 0)
    }

    /// Reads one byte.
    pub fn take_i8(&mut self) -> Result<i8, DecodeError> {
        self.take_array().map(i8::from_be_bytes)
    }

    /// Reads two bytes, big-endian as all integers.
    pub fn take_i16(&mut self) -> Result<i16, DecodeError> {
        self.take_array().map(i16::from_be_bytes)
    }

    /// Reads two bytes.
    pub fn take_u16(&mut self) -> Result<u16, DecodeError> {
        self.take_array().map(u16::from_be_bytes)
    }

    /// Reads four bytes.
    pub fn take_i32(&mut self) -> Result<i32, DecodeError> {
        self.take_array().map(i32::from_be_bytes)
    }

    /// Reads four bytes.
    pub fn take_u32(&mut self) -> Result<u32, DecodeError> {
        self.take_array().map(u32::from_be_bytes)
    }

    /// Reads eight bytes.
    pub fn take_i64(&mut self) -> Result<i64, DecodeError> {
        self.take_array().map(i64::from_be_bytes)
    }

    /// Reads an IEEE 754 double.
    pub fn take_f64(&mut self) -> Result<f64, DecodeError> {
        self.take_array().map(f64::from_be_bytes)
    }

    /// Reads the 16 bytes of a UUID.
    pub fn take_uuid(&mut self) -> Result<Uuid, DecodeError> {
        self.take_array().map(Uuid::from_bytes)
    }

    /// Reads an unsigned variable-length integer.
    ///
    /// # Errors
    /// [`DecodeError::InvalidVarint`] if it is cut off or longer than 32 bits.
    pub fn take_varint(&mut self) -> Result<u32, DecodeError> {
        let mut unread = self.unread();
        let before = unread.len();
        let Some(value) = varint::read_u32(&mut unread) else {
            return Err(DecodeError::InvalidVarint { at: self.at });
        };
        self.at += before - unread.len();
        Ok(value)
    }

    /// Reads a string or null.
    ///
    /// # Errors
    /// If its length is impossible or it is not UTF-8. More than 32,767 bytes are impossible in
    /// either encoding, as they are in Kafka: names are kept, and must not be as long as a request.
    pub fn take_string(&mut self) -> Result<Option<String>, DecodeError> {
        let length = if self.flexible {
            self.take_compact_len()?
        } else {
            self.take_i16()?.into()
        };
        if length > STRING_MAX {
            let at = self.at;
            return Err(DecodeError::InvalidLength { at, length });
        }
        let Some(range) = self.take_range(length)? else {
            return Ok(None);
        };
        let bytes = self.bytes.get(range).unwrap_or_default();
        match std::str::from_utf8(bytes) {
            Ok(string) => Ok(Some(string.to_owned())),
            Err(_) => Err(DecodeError::InvalidUtf8 { at: self.at }),
        }
    }

    /// Reads a byte string or null, as a slice of the input.
    ///
    /// # Errors
    /// If its length is impossible.
    pub fn take_bytes(&mut self) -> Result<Option<Bytes>, DecodeError> {
        let length = self.take_len()?;
        Ok(self
            .take_range(length)?
            .map(|range| self.bytes.slice(range)))
    }

    /// Reads the count of an array and gives it room; `None` for a null array.
    ///
    /// # Errors
    /// If the count is impossible, or if the elements would take too much memory.
    pub fn take_array_len<T>(&mut self) -> Result<Option<(usize, Vec<T>)>, DecodeError> {
        let Some(count) = present(self.take_len()?) else {
            return Ok(None);
        };
        let remaining = self.remaining();
        if count > remaining {
            return Err(DecodeError::InvalidCount {
                at: self.at,
                count,
                remaining,
            });
        }
        self.memory_left = count
            .checked_mul(size_of::<T>())
            .and_then(|needed| self.memory_left.checked_sub(needed))
            .ok_or(DecodeError::TooMuchMemory {
                limit: memory_limit(self.bytes.len()),
            })?;
        Ok(Some((count, Vec::with_capacity(count.min(RESERVED_MAX)))))
    }

    fn take_len(&mut self) -> Result<i64, DecodeError> {
        if self.flexible {
            self.take_compact_len()
        } else {
            self.take_i32().map(i64::from)
        }
    }

    fn take_compact_len(&mut self) -> Result<i64, DecodeError> {
        // Kafka's integers have a sign: a length of 2^31 and more is below zero there.
        self.take_varint()
            .map(|length| i64::from(length.cast_signed().wrapping_sub(1)))
    }

    fn take_range(&mut self, length: i64) -> Result<Option<std::ops::Range<usize>>, DecodeError> {
        let Some(length) = present(length) else {
            return Ok(None);
        };
        let start = self.at;
        if length > self.remaining() {
            let missing = length - self.remaining();
            return Err(DecodeError::UnexpectedEnd { at: start, missing });
        }
        self.at += length;
        Ok(Some(start..self.at))
    }

    /// Skips the tagged fields behind a structure that knows none.
    ///
    /// # Errors
    /// As [`take_tagged`](Self::take_tagged).
    pub fn skip_tagged(&mut self) -> Result<(), DecodeError> {
        self.take_tagged(|_tag, _input| Ok(false))
    }

    /// Reads the tagged fields behind a structure. `known` reads the value of a tag it knows and
    /// says whether it did; the others are skipped.
    ///
    /// # Errors
    /// Those of `known`, impossible lengths, and an absurd number of unknown tags.
    pub fn take_tagged(
        &mut self,
        mut known: impl FnMut(u32, &mut Self) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        let count = self.take_varint()?;
        let mut unknown = 0;
        for _ in 0..count {
            let tag = self.take_varint()?;
            let length = self.take_varint()?;
            let outer_end = self.end;
            let Some(range) = self.take_range(length.into())? else {
                continue;
            };
            (self.at, self.end) = (range.start, range.end);
            let is_known = known(tag, self);
            (self.at, self.end) = (range.end, outer_end);
            if !is_known? {
                unknown += 1;
                if unknown > UNKNOWN_TAGS_MAX {
                    return Err(DecodeError::TooManyTags { at: range.start });
                }
            }
        }
        Ok(())
    }
}

fn memory_limit(input_len: usize) -> usize {
    input_len
        .saturating_mul(MEMORY_FACTOR)
        .saturating_add(MEMORY_FLOOR)
}

/// A length, if there is one: any below zero says that there is none, as Kafka reads it.
fn present(length: i64) -> Option<usize> {
    usize::try_from(length).ok()
}
