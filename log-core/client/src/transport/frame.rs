//! Requests to frames, frames to responses.

use bytes::Bytes;
use headwater_wire::{Decoder, Message, Request, ResponseHeader, frame};

use super::connection::Frame;
use crate::error::ClientError;

/// Encodes a request with its header and length.
pub(super) fn encode<R: Request>(
    request: &R,
    version: i16,
    correlation_id: i32,
    client_id: &str,
) -> Result<Frame, ClientError> {
    frame::encode_request(request, version, correlation_id, Some(client_id)).map_err(|error| {
        ClientError::Protocol {
            operation: format!("encoding {}", R::NAME),
            reason: error.to_string(),
        }
    })
}

/// Decodes a response frame of a request of type `R` at `version`.
pub(super) fn decode<R: Request>(frame: Bytes, version: i16) -> Result<R::Response, ClientError> {
    let mut input = Decoder::new(frame);
    ResponseHeader::decode(&mut input, R::KEY, version)
        .and_then(|_| R::Response::decode(&mut input, version))
        .map_err(|error| ClientError::Protocol {
            operation: format!("decoding {}", R::Response::NAME),
            reason: error.to_string(),
        })
}
