/// Why a value cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The message does not exist in this version.
    #[error("{message} has no version {version}")]
    UnsupportedVersion {
        /// The message.
        message: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A field has a value, but the version cannot carry it and the receiver must not miss it.
    #[error("{message} version {version} has no field {field}, which is set")]
    FieldNotInVersion {
        /// The structure.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A field is null, but may not be in this version.
    #[error("{message}.{field} must not be null in version {version}")]
    NullNotAllowed {
        /// The structure.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A length or count does not fit into its field.
    #[error("{what} of {length} is too long for its length field")]
    TooLong {
        /// What it is.
        what: &'static str,
        /// Its length in bytes or elements.
        length: usize,
    },
    /// A value in a [`Tree`](super::Tree) is not what its field holds.
    #[error("the value of {field} is not of the field's type")]
    NotOfType {
        /// The field.
        field: &'static str,
    },
}

/// Why bytes cannot be read as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The message does not exist in this version.
    #[error("{message} has no version {version}")]
    UnsupportedVersion {
        /// The message.
        message: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// No request with this number is known.
    #[error("api key {0} is not known")]
    UnknownApiKey(i16),
    /// The input ends inside a value.
    #[error("input ends {missing} bytes early, at byte {at}")]
    UnexpectedEnd {
        /// Position of the value.
        at: usize,
        /// Bytes that are missing.
        missing: usize,
    },
    /// A length is beyond what it may be.
    #[error("impossible length {length} at byte {at}")]
    InvalidLength {
        /// Position behind the length.
        at: usize,
        /// The length.
        length: i64,
    },
    /// A count is larger than the bytes behind it can hold.
    #[error("{count} elements cannot stand in the {remaining} bytes behind byte {at}")]
    InvalidCount {
        /// Position behind the count.
        at: usize,
        /// The count.
        count: usize,
        /// Bytes that are left.
        remaining: usize,
    },
    /// Something is null that may not be.
    #[error("null where it is not allowed, before byte {at}")]
    UnexpectedNull {
        /// Position behind the null.
        at: usize,
    },
    /// A variable-length integer is longer than its type.
    #[error("overlong integer at byte {at}")]
    InvalidVarint {
        /// Position of the integer.
        at: usize,
    },
    /// A string is not UTF-8.
    #[error("string before byte {at} is not valid UTF-8")]
    InvalidUtf8 {
        /// Position behind the string.
        at: usize,
    },
    /// A structure has more unknown tagged fields than any version of Kafka could send.
    #[error("too many unknown tagged fields, at byte {at}")]
    TooManyTags {
        /// Position of the first tag too many.
        at: usize,
    },
    /// The decoded message would take many times the memory of its bytes.
    #[error("message would take more than {limit} bytes of memory")]
    TooMuchMemory {
        /// The limit in bytes.
        limit: usize,
    },
}
