use bytes::Bytes;

use crate::catalog::each_api;
use crate::codec::{DecodeError, Decoder, EncodeError, Encoder, Message};
use crate::{ApiKey, ErrorCode, frame, messages};

/// A request or response is not the one that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, got one of api key {got}")]
pub struct UnexpectedKind {
    /// The message that was expected.
    pub expected: &'static str,
    /// The API of the message that is there.
    pub got: ApiKey,
}

macro_rules! kinds {
    ($($name:ident: $module:ident, $request:ident, $response:ident;)+) => {
        /// Any request of the [`catalog`](crate::catalog).
        #[derive(Debug, Clone, PartialEq)]
        pub enum RequestKind {
            $(
                #[doc = concat!("[`", stringify!($request), "`](messages::", stringify!($module), ")")]
                $name(messages::$module::$request),
            )+
        }

        impl RequestKind {
            /// The API it asks for.
            pub fn key(&self) -> ApiKey {
                match self {
                    $(Self::$name(_) => ApiKey::$name,)+
                }
            }

            /// Reads the body of a request of `key` in `version`.
            ///
            /// # Errors
            /// [`DecodeError::UnknownApiKey`] if the API is not in the catalog, and those of
            /// [`Message::decode`].
            pub fn decode(
                key: ApiKey,
                version: i16,
                input: &mut Decoder,
            ) -> Result<Self, DecodeError> {
                match key {
                    $(ApiKey::$name => Message::decode(input, version).map(Self::$name),)+
                    other => Err(DecodeError::UnknownApiKey(other.code())),
                }
            }

            /// Appends the body in `version`.
            ///
            /// # Errors
            /// Those of [`Message::encode`].
            pub fn encode(&self, out: &mut Encoder, version: i16) -> Result<(), EncodeError> {
                match self {
                    $(Self::$name(request) => request.encode(out, version),)+
                }
            }
        }

        /// Any response of the [`catalog`](crate::catalog).
        #[derive(Debug, Clone, PartialEq)]
        pub enum ResponseKind {
            $(
                #[doc = concat!("[`", stringify!($response), "`](messages::", stringify!($module), ")")]
                $name(messages::$module::$response),
            )+
        }

        impl ResponseKind {
            /// The API it answers.
            pub fn key(&self) -> ApiKey {
                match self {
                    $(Self::$name(_) => ApiKey::$name,)+
                }
            }

            /// The response of `key` that says nothing but this error, if it has a place for one
            /// at its top in `version`.
            pub fn refusal(key: ApiKey, error: ErrorCode, version: i16) -> Option<Self> {
                match key {
                    $(ApiKey::$name => Message::refusal(error.code(), version).map(Self::$name),)+
                    _ => None,
                }
            }

            /// Reads the body of a response to a request of `key` in `version`.
            ///
            /// # Errors
            /// [`DecodeError::UnknownApiKey`] if the API is not in the catalog, and those of
            /// [`Message::decode`].
            pub fn decode(
                key: ApiKey,
                version: i16,
                input: &mut Decoder,
            ) -> Result<Self, DecodeError> {
                match key {
                    $(ApiKey::$name => Message::decode(input, version).map(Self::$name),)+
                    other => Err(DecodeError::UnknownApiKey(other.code())),
                }
            }

            /// Appends the body in `version`.
            ///
            /// # Errors
            /// Those of [`Message::encode`].
            pub fn encode(&self, out: &mut Encoder, version: i16) -> Result<(), EncodeError> {
                match self {
                    $(Self::$name(response) => response.encode(out, version),)+
                }
            }
        }

        $(
            conversions!(RequestKind, $name, messages::$module::$request);
            conversions!(ResponseKind, $name, messages::$module::$response);
        )+
    };
}

macro_rules! conversions {
    ($kind:ident, $name:ident, $message:ty) => {
        impl From<$message> for $kind {
            fn from(message: $message) -> Self {
                Self::$name(message)
            }
        }

        impl TryFrom<$kind> for $message {
            type Error = UnexpectedKind;

            fn try_from(kind: $kind) -> Result<Self, UnexpectedKind> {
                match kind {
                    $kind::$name(message) => Ok(message),
                    other => Err(UnexpectedKind {
                        expected: <$message>::NAME,
                        got: other.key(),
                    }),
                }
            }
        }
    };
}

each_api!(kinds);

impl RequestKind {
    /// The request as a frame, in slices for a vectored write.
    ///
    /// # Errors
    /// Those of [`Message::encode`].
    pub fn to_frame(
        &self,
        version: i16,
        correlation_id: i32,
        client_id: Option<&str>,
    ) -> Result<Vec<Bytes>, EncodeError> {
        frame::request_frame(self.key(), version, correlation_id, client_id, |out| {
            self.encode(out, version)
        })
    }
}

impl ResponseKind {
    /// The response as a frame, in slices for a vectored write.
    ///
    /// # Errors
    /// Those of [`Message::encode`].
    pub fn to_frame(&self, version: i16, correlation_id: i32) -> Result<Vec<Bytes>, EncodeError> {
        frame::response_frame(self.key(), version, correlation_id, |out| {
            self.encode(out, version)
        })
    }
}
