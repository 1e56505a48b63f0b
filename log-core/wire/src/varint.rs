//! Base-128 variable-length integers, plain and zig-zag, as Kafka writes them.
//!
//! Readers return `None` on a cut-off value and on one that does not fit its type (more than 5
//! bytes for 32 bits, more than 10 for 64).

/// Reads an unsigned 32-bit value and moves `input` past it.
#[inline]
pub(crate) fn read_u32(input: &mut &[u8]) -> Option<u32> {
    // Lengths and deltas of records mostly take one or two bytes.
    match **input {
        [first @ 0..0x80, ref rest @ ..] => {
            *input = rest;
            Some(u32::from(first))
        }
        [first, second @ 0..0x80, ref rest @ ..] => {
            *input = rest;
            Some(u32::from(first & 0x7f) | u32::from(second) << 7)
        }
        _ => read_u32_long(input),
    }
}

fn read_u32_long(input: &mut &[u8]) -> Option<u32> {
    let mut value = 0u32;
    for (index, &byte) in input.iter().take(5).enumerate() {
        if index == 4 && byte > 0x0f {
            return None;
        }
        value |= u32::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            *input = input.get(index + 1..)?;
            return Some(value);
        }
    }
    None
}

/// Reads an unsigned 64-bit value and moves `input` past it.
#[inline]
pub(crate) fn read_u64(input: &mut &[u8]) -> Option<u64> {
    // Lengths and deltas of records mostly take one or two bytes.
    match **input {
        [first @ 0..0x80, ref rest @ ..] => {
            *input = rest;
            Some(u64::from(first))
        }
        [first, second @ 0..0x80, ref rest @ ..] => {
            *input = rest;
            Some(u64::from(first & 0x7f) | u64::from(second) << 7)
        }
        _ => read_u64_long(input),
    }
}

fn read_u64_long(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for (index, &byte) in input.iter().take(10).enumerate() {
        if index == 9 && byte > 0x01 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            *input = input.get(index + 1..)?;
            return Some(value);
        }
    }
    None
}

/// Reads a zig-zag 32-bit value.
#[inline]
pub(crate) fn read_i32(input: &mut &[u8]) -> Option<i32> {
    read_u32(input).map(|raw| (raw >> 1) as i32 ^ -((raw & 1) as i32))
}

/// Reads a zig-zag 64-bit value.
#[inline]
pub(crate) fn read_i64(input: &mut &[u8]) -> Option<i64> {
    read_u64(input).map(|raw| (raw >> 1) as i64 ^ -((raw & 1) as i64))
}

/// The eight bytes at the start of an input, to read short values from one after the other without
/// looking each time where the input ends.
pub(crate) struct Window {
    bits: u64,
    used: usize,
}

impl Window {
    const LEN: usize = 8;

    /// `None` if the input is shorter.
    #[inline]
    pub(crate) fn open(input: &[u8]) -> Option<Self> {
        let raw = input.first_chunk::<{ Self::LEN }>()?;
        Some(Self {
            bits: u64::from_le_bytes(*raw),
            used: 0,
        })
    }

    /// Bytes read.
    #[inline]
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Whether all that was read was there. Behind the end everything reads as zero.
    #[inline]
    pub(crate) fn is_within(&self) -> bool {
        self.used <= Self::LEN
    }

    /// Moves past a byte.
    #[inline]
    pub(crate) fn skip_byte(&mut self) {
        self.bits >>= 8;
        self.used += 1;
    }

    /// Reads a zig-zag 32-bit value. `None` if it takes more than two bytes.
    #[inline]
    pub(crate) fn read_i32(&mut self) -> Option<i32> {
        let bits = self.bits;
        let raw = if bits & 0x80 == 0 {
            self.bits >>= 8;
            self.used += 1;
            (bits & 0x7f) as u32
        } else if bits & 0x8000 == 0 {
            self.bits >>= 16;
            self.used += 2;
            (bits & 0x7f) as u32 | ((bits >> 1) & 0x3f80) as u32
        } else {
            return None;
        };
        Some((raw >> 1) as i32 ^ -((raw & 1) as i32))
    }
}

/// Encoded bytes of a value and how many of them count.
pub(crate) struct Encoded {
    bytes: [u8; 10],
    len: usize,
}

impl Encoded {
    /// The encoded bytes.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// Encodes an unsigned value of up to 64 bits.
#[inline]
pub(crate) fn encode_u64(mut value: u64) -> Encoded {
    let mut bytes = [0u8; 10];
    let mut len = 0;
    for byte in &mut bytes {
        len += 1;
        if value < 0x80 {
            *byte = value as u8;
            break;
        }
        *byte = value as u8 | 0x80;
        value >>= 7;
    }
    Encoded { bytes, len }
}

/// Appends a zig-zag 32-bit value.
#[inline]
pub(crate) fn put_i32(out: &mut Vec<u8>, value: i32) {
    put_u64(out, u64::from(zigzag_32(value)));
}

/// Appends a zig-zag 64-bit value.
#[inline]
pub(crate) fn put_i64(out: &mut Vec<u8>, value: i64) {
    put_u64(out, zigzag_64(value));
}

#[inline]
fn put_u64(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        out.push(value as u8);
    } else if value < 0x4000 {
        out.extend_from_slice(&[value as u8 | 0x80, (value >> 7) as u8]);
    } else {
        out.extend_from_slice(encode_u64(value).as_slice());
    }
}

/// Bytes that an unsigned value takes.
#[inline]
pub(crate) fn len_u64(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Bytes that a zig-zag 32-bit value takes.
#[inline]
pub(crate) fn len_i32(value: i32) -> usize {
    len_u64(u64::from(zigzag_32(value)))
}

/// Bytes that a zig-zag 64-bit value takes.
#[inline]
pub(crate) fn len_i64(value: i64) -> usize {
    len_u64(zigzag_64(value))
}

#[inline]
fn zigzag_32(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
}

#[inline]
fn zigzag_64(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_length_come_back() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, u64::MAX >> shift] {
                let encoded = encode_u64(value);
                assert_eq!(encoded.as_slice().len(), len_u64(value));
                let mut input = encoded.as_slice();
                assert_eq!(read_u64(&mut input), Some(value));
                assert!(input.is_empty());
                let mut input = encoded.as_slice();
                assert_eq!(read_u32(&mut input), u32::try_from(value).ok());
                let mut out = Vec::new();
                put_i64(&mut out, value as i64);
                assert_eq!(out.len(), len_i64(value as i64));
                assert_eq!(read_i64(&mut out.as_slice()), Some(value as i64));
                let mut out = Vec::new();
                put_i32(&mut out, value as i32);
                assert_eq!(out.len(), len_i32(value as i32));
                assert_eq!(read_i32(&mut out.as_slice()), Some(value as i32));
            }
        }
    }

    #[test]
    fn a_window_reads_what_is_read_one_by_one() {
        for value in (-8192..8192).step_by(7) {
            let mut bytes = Vec::new();
            put_i32(&mut bytes, value);
            bytes.push(0xff);
            put_i32(&mut bytes, -value - 1);
            put_i32(&mut bytes, 9_000);
            bytes.resize(8, 0x80);
            let mut window = Window::open(&bytes).expect("eight bytes");
            assert_eq!(window.read_i32(), Some(value));
            window.skip_byte();
            assert_eq!(window.read_i32(), Some(-value - 1));
            assert_eq!(window.used(), 1 + len_i32(value) + len_i32(-value - 1));
            assert_eq!(window.read_i32(), None, "it takes three bytes");
            assert!(window.is_within());
        }
        assert!(Window::open(&[0; 7]).is_none());
        let mut window = Window::open(&[0x80; 8]).expect("eight bytes");
        (0..7).for_each(|_| window.skip_byte());
        assert_eq!(window.read_i32(), Some(0), "its second byte is not there");
        assert!(!window.is_within());
    }

    #[test]
    fn cut_off_and_overlong_values_are_refused() {
        assert_eq!(read_u32(&mut [].as_slice()), None);
        assert_eq!(read_u32(&mut [0x80].as_slice()), None);
        assert_eq!(
            read_u32(&mut [0xff, 0xff, 0xff, 0xff, 0x10].as_slice()),
            None
        );
        assert_eq!(read_u32(&mut [0x80; 6].as_slice()), None);
        assert_eq!(read_u64(&mut [0xff; 9].as_slice()), None);
        assert_eq!(read_u64(&mut [0xff; 11].as_slice()), None);
        let mut most = [0xff; 10];
        most[9] = 0x01;
        assert_eq!(read_u64(&mut most.as_slice()), Some(u64::MAX));
    }
}
