use bytes::Bytes;

use super::consumer_offsets::{GroupMetadataKey, OffsetCommitKey};
use crate::codec::{DecodeError, Decoder, EncodeError, Encoder, Message};

/// Version in front of the key of a committed offset; 0, of old brokers, is the same.
const OFFSET_COMMIT: i16 = 1;
const OFFSET_COMMIT_OLD: i16 = 0;
/// Version in front of the key of a classic group.
const GROUP_METADATA: i16 = 2;

/// Key of a record in `__consumer_offsets`.
#[derive(Debug, Clone, PartialEq)]
pub enum OffsetsKey {
    /// The record is a committed offset: its value an
    /// [`OffsetCommitValue`](super::consumer_offsets::OffsetCommitValue).
    OffsetCommit(OffsetCommitKey),
    /// The record is a classic group: its value a
    /// [`GroupMetadataValue`](super::consumer_offsets::GroupMetadataValue).
    GroupMetadata(GroupMetadataKey),
    /// The record is of another kind, such as those of the new groups, with this key version.
    Other(i16),
}

impl OffsetsKey {
    /// The key as it stands in the record.
    ///
    /// # Errors
    /// Those of [`Message::encode`]; and [`EncodeError::UnsupportedVersion`] for
    /// [`Other`](Self::Other), whose content is not known.
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        let mut out = Encoder::new();
        match self {
            Self::OffsetCommit(key) => {
                out.put_i16(OFFSET_COMMIT);
                key.encode(&mut out, 0)?;
            }
            Self::GroupMetadata(key) => {
                out.put_i16(GROUP_METADATA);
                key.encode(&mut out, 0)?;
            }
            &Self::Other(version) => {
                return Err(EncodeError::UnsupportedVersion {
                    message: "OffsetsKey",
                    version,
                });
            }
        }
        Ok(out.into_bytes())
    }

    /// Reads the key of a record.
    ///
    /// # Errors
    /// Those of [`Message::decode`].
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut input = Decoder::new(bytes);
        Ok(match input.take_i16()? {
            OFFSET_COMMIT | OFFSET_COMMIT_OLD => {
                Self::OffsetCommit(Message::decode(&mut input, 0)?)
            }
            GROUP_METADATA => Self::GroupMetadata(Message::decode(&mut input, 0)?),
            other => Self::Other(other),
        })
    }
}
