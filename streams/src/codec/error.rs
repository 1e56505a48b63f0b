//! Why a value could not be encoded or decoded.

/// A failed encoding or decoding.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// A null where the type has none.
    #[error("null, but the type has no null; use Option")]
    Null,
    /// Too many or too few bytes.
    #[error("expected {expected} bytes, got {found}")]
    Length {
        /// Bytes the type takes.
        expected: usize,
        /// Bytes there are.
        found: usize,
    },
    /// Not UTF-8.
    #[error("not UTF-8")]
    Utf8(#[from] std::str::Utf8Error),
    /// Not the JSON of the type.
    #[error("not the expected JSON")]
    Json(#[from] serde_json::Error),
    /// A failure of a codec from outside.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
}
