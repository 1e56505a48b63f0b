use super::Compression;

/// Why a record batch cannot be read or built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Fewer bytes than the batch or its header needs.
    #[error("record batch is cut off: {available} bytes where {needed} are needed")]
    Truncated {
        /// Bytes that are there.
        available: usize,
        /// Bytes that should be there.
        needed: usize,
    },
    /// Only format 2 (magic 2, Kafka 0.11 and later) is supported.
    #[error("record batch has magic {0}, only 2 is supported")]
    Magic(i8),
    /// The length field is smaller than a batch header.
    #[error("record batch has the impossible length {0}")]
    Length(i32),
    /// A count, delta or offset of the header is negative or contradicts another.
    #[error("record batch at offset {base_offset} has an impossible {field}: {value}")]
    Field {
        /// Base offset that the batch claims.
        base_offset: i64,
        /// Name of the field.
        field: &'static str,
        /// What it holds.
        value: i64,
    },
    /// The checksum does not match the content.
    #[error(
        "record batch at offset {base_offset} is corrupt: checksum {computed:#010x}, \
         but its header says {stored:#010x}"
    )]
    Crc {
        /// Base offset that the batch claims.
        base_offset: i64,
        /// Checksum in the header.
        stored: u32,
        /// Checksum of the bytes.
        computed: u32,
    },
    /// The attributes name a compression that does not exist.
    #[error("record batch has unknown compression {0}")]
    UnknownCompression(i16),
    /// The compressed records cannot be decompressed.
    #[error("cannot decompress {codec} records: {reason}")]
    Decompress {
        /// The codec.
        codec: Compression,
        /// What the codec said.
        reason: String,
    },
    /// The records could not be compressed.
    #[error("cannot compress records with {codec}: {reason}")]
    Compress {
        /// The codec.
        codec: Compression,
        /// What the codec said.
        reason: String,
    },
    /// Decompressed records would be larger than the limit.
    #[error("records decompress to more than {limit} bytes")]
    DecompressedTooLarge {
        /// The limit that applied, in bytes.
        limit: usize,
    },
    /// A record's bytes contradict themselves.
    #[error("record {index} of the batch at offset {base_offset} is malformed: {reason}")]
    Record {
        /// Base offset of the batch.
        base_offset: i64,
        /// Position of the record in the batch, from 0.
        index: i32,
        /// What is wrong.
        reason: &'static str,
    },
    /// A record header's bytes contradict themselves.
    #[error("record header {index} is malformed")]
    RecordHeader {
        /// Position of the header in its record, from 0.
        index: u32,
    },
    /// A batch cannot hold more: lengths, counts and offset deltas are 32-bit.
    #[error("record batch is full: {0} does not fit into it")]
    Full(&'static str),
    /// A batch without records was to be built.
    #[error("record batch has no records")]
    Empty,
    /// The control record is not a transaction marker of a known version.
    #[error("control record is malformed: {0}")]
    Control(&'static str),
}
