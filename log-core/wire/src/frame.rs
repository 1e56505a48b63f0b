//! Frames: a length in four bytes, then a header and a message.
//!
//! ```
//! use bytes::BytesMut;
//! use headwater_wire::messages::heartbeat::HeartbeatRequest;
//! use headwater_wire::{Decoder, Message, RequestHeader, frame};
//!
//! let request = HeartbeatRequest { group_id: "planes".into(), ..Default::default() };
//! let mut received = BytesMut::new();
//! for chunk in frame::encode_request(&request, 4, 17, Some("docs"))? {
//!     received.extend_from_slice(&chunk);
//! }
//!
//! let bytes = frame::split(&mut received, 1024 * 1024)?.ok_or("cut off")?;
//! let mut input = Decoder::new(bytes);
//! let header = RequestHeader::decode(&mut input)?;
//! assert_eq!((header.correlation_id, header.client_id.as_deref()), (17, Some("docs")));
//! assert_eq!(HeartbeatRequest::decode(&mut input, header.api_version)?, request);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use bytes::{Buf, Bytes, BytesMut};

use crate::codec::{EncodeError, Encoder, Message, Request};
use crate::header::encode_request_header;
use crate::{ApiKey, ResponseHeader};

/// Bytes of the length in front of a frame.
pub const PREFIX_LEN: usize = 4;

/// Why received bytes are not a frame; the connection is beyond repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length is negative.
    #[error("frame has the impossible length {0}")]
    NegativeLength(i32),
    /// The length exceeds the limit.
    #[error("frame of {length} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// Length of the frame in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

/// Length of the first frame in `buffer`, without its prefix. `None` until the prefix is there.
///
/// Whoever shares memory between connections sets it aside by this before the frame has come.
///
/// # Errors
/// If the length is negative or above `limit` bytes.
pub fn length(buffer: &[u8], limit: usize) -> Result<Option<usize>, FrameError> {
    let Some(&prefix) = buffer.first_chunk::<PREFIX_LEN>() else {
        return Ok(None);
    };
    let length = i32::from_be_bytes(prefix);
    let length = usize::try_from(length).map_err(|_| FrameError::NegativeLength(length))?;
    if length > limit {
        return Err(FrameError::TooLarge { length, limit });
    }
    Ok(Some(length))
}

/// Splits the first frame off `buffer`, without its length. `None` until it is there to its end.
///
/// Nothing is reserved for a frame that has not come yet, whatever its length says.
///
/// # Errors
/// If the length is negative or above `limit` bytes, as soon as the length itself is there.
pub fn split(buffer: &mut BytesMut, limit: usize) -> Result<Option<Bytes>, FrameError> {
    let Some(length) = length(buffer, limit)? else {
        return Ok(None);
    };
    if buffer.len() - PREFIX_LEN < length {
        return Ok(None);
    }
    buffer.advance(PREFIX_LEN);
    Ok(Some(buffer.split_to(length).freeze()))
}

/// A request as a frame, in slices for a vectored write.
///
/// # Errors
/// As [`Message::encode`].
pub fn encode_request<R: Request>(
    request: &R,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> Result<Vec<Bytes>, EncodeError> {
    request_frame(R::KEY, version, correlation_id, client_id, |out| {
        request.encode(out, version)
    })
}

/// The response to a request `R` as a frame, in slices for a vectored write.
///
/// # Errors
/// As [`Message::encode`].
pub fn encode_response<R: Request>(
    response: &R::Response,
    version: i16,
    correlation_id: i32,
) -> Result<Vec<Bytes>, EncodeError> {
    response_frame(R::KEY, version, correlation_id, |out| {
        response.encode(out, version)
    })
}

pub(crate) fn request_frame(
    key: ApiKey,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
    body: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
) -> Result<Vec<Bytes>, EncodeError> {
    let mut out = Encoder::framed();
    encode_request_header(&mut out, key.code(), version, correlation_id, client_id)?;
    body(&mut out)?;
    out.finish_frame()
}

pub(crate) fn response_frame(
    key: ApiKey,
    version: i16,
    correlation_id: i32,
    body: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
) -> Result<Vec<Bytes>, EncodeError> {
    let mut out = Encoder::framed();
    ResponseHeader { correlation_id }.encode(&mut out, key, version);
    body(&mut out)?;
    out.finish_frame()
}
