use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

use super::EncodeError;
use crate::varint;

/// Byte strings at least this long are kept as they are and not copied into the output.
///
/// A vectored write pays about as much for one more slice as for copying this many bytes.
pub const SHARED_LEN_MIN: usize = 1024;

/// Bytes of the length in front of a frame.
const FRAME_PREFIX_LEN: usize = 4;

/// Gathers the bytes of a message for a vectored write.
///
/// Small values go into one buffer; long byte strings (records) stay the shared slices they are.
#[derive(Debug, Default)]
pub struct Encoder {
    buffer: BytesMut,
    /// Shared slices, each with the position in `buffer` that it stands before.
    shared: Vec<(usize, Bytes)>,
    shared_len: usize,
    flexible: bool,
    framed: bool,
}

impl Encoder {
    /// An encoder for a message on its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// An encoder that leaves room for a frame's length; end it with
    /// [`finish_frame`](Self::finish_frame).
    pub fn framed() -> Self {
        let mut buffer = BytesMut::with_capacity(256);
        buffer.put_i32(0);
        Self {
            buffer,
            framed: true,
            ..Self::default()
        }
    }

    /// Bytes written so far, shared slices and the room for a frame's length included.
    pub fn len(&self) -> usize {
        self.buffer.len() + self.shared_len
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether lengths and structures are written in the flexible encoding.
    pub fn is_flexible(&self) -> bool {
        self.flexible
    }

    /// Switches between the plain and the flexible encoding; messages do so by their version.
    pub fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    /// Writes one byte, 1 for true.
    pub fn put_bool(&mut self, value: bool) {
        self.buffer.put_u8(value.into());
    }

    /// Writes one byte.
    pub fn put_i8(&mut self, value: i8) {
        self.buffer.put_i8(value);
    }

    /// Writes two bytes, big-endian as all integers.
    pub fn put_i16(&mut self, value: i16) {
        self.buffer.put_i16(value);
    }

    /// Writes two bytes.
    pub fn put_u16(&mut self, value: u16) {
        self.buffer.put_u16(value);
    }

    /// Writes four bytes.
    pub fn put_i32(&mut self, value: i32) {
        self.buffer.put_i32(value);
    }

    /// Writes four bytes.
    pub fn put_u32(&mut self, value: u32) {
        self.buffer.put_u32(value);
    }

    /// Writes eight bytes.
    pub fn put_i64(&mut self, value: i64) {
        self.buffer.put_i64(value);
    }

    /// Writes an IEEE 754 double.
    pub fn put_f64(&mut self, value: f64) {
        self.buffer.put_f64(value);
    }

    /// Writes the 16 bytes of a UUID.
    pub fn put_uuid(&mut self, value: Uuid) {
        self.buffer.put_slice(value.as_bytes());
    }

    /// Writes an unsigned variable-length integer.
    pub fn put_varint(&mut self, value: u32) {
        self.buffer
            .put_slice(varint::encode_u64(value.into()).as_slice());
    }

    /// Writes bytes without a length.
    pub fn put_slice(&mut self, bytes: &[u8]) {
        self.buffer.put_slice(bytes);
    }

    /// Writes a string or null with its length.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] above 32,767 bytes, the limit of the plain encoding, which the
    /// flexible one keeps.
    pub fn put_string(&mut self, value: Option<&str>) -> Result<(), EncodeError> {
        let length = value.map(str::len);
        let Some(plain) = length.map_or(Some(-1), |length| i16::try_from(length).ok()) else {
            return Err(EncodeError::TooLong {
                what: "string",
                length: length.unwrap_or(0),
            });
        };
        if self.flexible {
            self.put_varint((i32::from(plain) + 1).unsigned_abs());
        } else {
            self.put_i16(plain);
        }
        self.put_slice(value.unwrap_or_default().as_bytes());
        Ok(())
    }

    /// Writes a byte string or null with its length; a long one is shared, not copied.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] from 2 GiB on.
    pub fn put_bytes(&mut self, value: Option<&Bytes>) -> Result<(), EncodeError> {
        self.put_count("byte string", value.map(Bytes::len))?;
        let Some(bytes) = value else { return Ok(()) };
        if bytes.len() < SHARED_LEN_MIN {
            self.put_slice(bytes);
        } else {
            self.shared_len += bytes.len();
            self.shared.push((self.buffer.len(), bytes.clone()));
        }
        Ok(())
    }

    /// Writes the count of an array's elements, `None` for a null array.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] from 2^31 - 1 elements on.
    pub fn put_array_len(&mut self, count: Option<usize>) -> Result<(), EncodeError> {
        self.put_count("array", count)
    }

    fn put_count(&mut self, what: &'static str, count: Option<usize>) -> Result<(), EncodeError> {
        let Some(plain) = count.map_or(Some(-1), |count| i32::try_from(count).ok()) else {
            return Err(EncodeError::TooLong {
                what,
                length: count.unwrap_or(0),
            });
        };
        if self.flexible {
            self.put_varint(plain.wrapping_add(1) as u32);
        } else {
            self.put_i32(plain);
        }
        Ok(())
    }

    /// Writes a tagged field: its tag, the length of what `value` writes, and that.
    ///
    /// # Errors
    /// Those of `value`.
    pub fn put_tagged(
        &mut self,
        tag: u32,
        value: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let mut inner = Self {
            flexible: self.flexible,
            ..Self::default()
        };
        value(&mut inner)?;
        let length = inner.len();
        self.put_varint(tag);
        self.put_varint(u32::try_from(length).map_err(|_| EncodeError::TooLong {
            what: "tagged field",
            length,
        })?);
        let start = self.buffer.len();
        self.buffer.unsplit(inner.buffer);
        self.shared_len += inner.shared_len;
        self.shared.extend(
            inner
                .shared
                .into_iter()
                .map(|(at, bytes)| (start + at, bytes)),
        );
        Ok(())
    }

    /// The gathered bytes as slices for a vectored write, in order.
    pub fn into_chunks(self) -> Vec<Bytes> {
        let Self { buffer, shared, .. } = self;
        let mut rest = buffer.freeze();
        let mut chunks = Vec::with_capacity(shared.len() * 2 + 1);
        let mut done = 0;
        for (at, bytes) in shared {
            if at > done {
                chunks.push(rest.split_to(at - done));
                done = at;
            }
            chunks.push(bytes);
        }
        if !rest.is_empty() {
            chunks.push(rest);
        }
        chunks
    }

    /// The gathered bytes in one piece, copying shared slices if there are any.
    pub fn into_bytes(self) -> Bytes {
        if self.shared.is_empty() {
            return self.buffer.freeze();
        }
        let mut whole = BytesMut::with_capacity(self.len());
        for chunk in self.into_chunks() {
            whole.put_slice(&chunk);
        }
        whole.freeze()
    }

    /// Writes the frame's length and returns the frame's slices, in order.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] for a frame of 2 GiB or more.
    pub fn finish_frame(mut self) -> Result<Vec<Bytes>, EncodeError> {
        debug_assert!(self.framed, "only a framed encoder has room for the length");
        let length = self.len().saturating_sub(FRAME_PREFIX_LEN);
        let prefix = i32::try_from(length)
            .map_err(|_| EncodeError::TooLong {
                what: "frame",
                length,
            })?
            .to_be_bytes();
        if let Some(room) = self.buffer.first_chunk_mut() {
            *room = prefix;
        }
        Ok(self.into_chunks())
    }
}
