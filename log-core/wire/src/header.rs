use crate::codec::{DecodeError, Decoder, EncodeError, Encoder};
use crate::{ApiKey, catalog};

/// What stands in front of every request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestHeader {
    /// Number of the API; perhaps one that nobody knows.
    pub api_key: i16,
    /// Version of the request; perhaps one that nobody knows.
    pub api_version: i16,
    /// Chosen by the client, repeated in the response.
    pub correlation_id: i32,
    /// Name the client gives itself; for logs and quotas.
    pub client_id: Option<String>,
}

impl RequestHeader {
    /// A header for a request of a known API.
    pub fn new(
        key: ApiKey,
        api_version: i16,
        correlation_id: i32,
        client_id: Option<String>,
    ) -> Self {
        Self {
            api_key: key.code(),
            api_version,
            correlation_id,
            client_id,
        }
    }

    /// The API, if it is known.
    pub fn key(&self) -> Option<ApiKey> {
        ApiKey::from_code(self.api_key)
    }

    /// Appends the header, in the version that belongs to its API and version.
    ///
    /// # Errors
    /// If the client id is too long.
    pub fn encode(&self, out: &mut Encoder) -> Result<(), EncodeError> {
        encode_request_header(
            out,
            self.api_key,
            self.api_version,
            self.correlation_id,
            self.client_id.as_deref(),
        )
    }

    /// Reads the header at the front of a request.
    ///
    /// Of an API that is not in the [`catalog`] only the numbers are read, since the rest of its
    /// header may have any form.
    ///
    /// # Errors
    /// If the bytes are cut off or the client id is malformed.
    pub fn decode(input: &mut Decoder) -> Result<Self, DecodeError> {
        let api_key = input.take_i16()?;
        let api_version = input.take_i16()?;
        let correlation_id = input.take_i32()?;
        let mut header = Self {
            api_key,
            api_version,
            correlation_id,
            client_id: None,
        };
        if let Some(version) = header
            .key()
            .and_then(|key| header_version(key, api_version))
        {
            // The client id keeps its plain length even in the flexible header.
            input.set_flexible(false);
            header.client_id = input.take_string()?;
            if version >= 2 {
                input.skip_tagged()?;
            }
        }
        Ok(header)
    }
}

/// Appends a request header without owning its parts.
pub(crate) fn encode_request_header(
    out: &mut Encoder,
    api_key: i16,
    api_version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> Result<(), EncodeError> {
    out.put_i16(api_key);
    out.put_i16(api_version);
    out.put_i32(correlation_id);
    out.set_flexible(false);
    out.put_string(client_id)?;
    let version = ApiKey::from_code(api_key).and_then(|key| header_version(key, api_version));
    if version.is_some_and(|version| version >= 2) {
        out.put_varint(0);
    }
    Ok(())
}

/// What stands in front of every response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResponseHeader {
    /// That of the request.
    pub correlation_id: i32,
}

impl ResponseHeader {
    /// Appends the header, in the version that belongs to the API and version of its request.
    pub fn encode(&self, out: &mut Encoder, key: ApiKey, api_version: i16) {
        out.put_i32(self.correlation_id);
        if response_header_version(key, api_version) == Some(1) {
            out.put_varint(0);
        }
    }

    /// Reads the header at the front of a response to a request of `key` in `api_version`.
    ///
    /// # Errors
    /// If the bytes are cut off.
    pub fn decode(input: &mut Decoder, key: ApiKey, api_version: i16) -> Result<Self, DecodeError> {
        let correlation_id = input.take_i32()?;
        if response_header_version(key, api_version) == Some(1) {
            input.skip_tagged()?;
        }
        Ok(Self { correlation_id })
    }
}

/// Version of the header in front of a request: 2 once the API is flexible, else 1.
///
/// `None` for an API that is not in the [`catalog`]. Versions that the API does not have count as
/// well, so that a request of a newer client can be refused properly.
pub fn header_version(key: ApiKey, api_version: i16) -> Option<i16> {
    let api = catalog::find(key)?;
    Some(if api_version >= api.flexible_from {
        2
    } else {
        1
    })
}

/// Version of the header in front of a response: 1 once the API is flexible, else 0.
///
/// ApiVersions always has 0, because its client cannot know yet what the broker speaks (KIP-511).
pub fn response_header_version(key: ApiKey, api_version: i16) -> Option<i16> {
    let version = header_version(key, api_version)?;
    Some(if key == ApiKey::ApiVersions {
        0
    } else {
        version - 1
    })
}
