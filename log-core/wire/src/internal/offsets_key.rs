use bytes::Bytes;

use super::consumer_group::{
    ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupMemberMetadataKey,
    ConsumerGroupMetadataKey, ConsumerGroupRegularExpressionKey,
    ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMetadataKey,
};
use super::consumer_offsets::{GroupMetadataKey, OffsetCommitKey};
use crate::codec::{DecodeError, Decoder, EncodeError, Encoder, Message};

/// Version in front of the key of a committed offset; 0, of old brokers, is the same.
const OFFSET_COMMIT: i16 = 1;
const OFFSET_COMMIT_OLD: i16 = 0;
/// Version in front of the key of a classic group.
const GROUP_METADATA: i16 = 2;
/// Versions in front of the keys of groups of the consumer protocol.
const CONSUMER_GROUP_METADATA: i16 = 3;
const MEMBER_METADATA: i16 = 5;
const TARGET_ASSIGNMENT_METADATA: i16 = 6;
const TARGET_ASSIGNMENT_MEMBER: i16 = 7;
const CURRENT_MEMBER_ASSIGNMENT: i16 = 8;
const REGULAR_EXPRESSION: i16 = 16;

/// Key of a record in `__consumer_offsets`.
#[derive(Debug, Clone, PartialEq)]
pub enum OffsetsKey {
    /// The record is a committed offset: its value an
    /// [`OffsetCommitValue`](super::consumer_offsets::OffsetCommitValue).
    OffsetCommit(OffsetCommitKey),
    /// The record is a classic group: its value a
    /// [`GroupMetadataValue`](super::consumer_offsets::GroupMetadataValue).
    GroupMetadata(GroupMetadataKey),
    /// The record is a group of the consumer protocol.
    ConsumerGroupMetadata(ConsumerGroupMetadataKey),
    /// The record is what a member of such a group says about itself.
    ConsumerGroupMemberMetadata(ConsumerGroupMemberMetadataKey),
    /// The record is the epoch of such a group's target assignment.
    ConsumerGroupTargetAssignmentMetadata(ConsumerGroupTargetAssignmentMetadataKey),
    /// The record is a member's part of the target assignment.
    ConsumerGroupTargetAssignmentMember(ConsumerGroupTargetAssignmentMemberKey),
    /// The record is what a member has.
    ConsumerGroupCurrentMemberAssignment(ConsumerGroupCurrentMemberAssignmentKey),
    /// The record is a pattern and the topics it matched.
    ConsumerGroupRegularExpression(ConsumerGroupRegularExpressionKey),
    /// The record is of another kind, such as those of share groups, with this key version.
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
            Self::OffsetCommit(key) => put(&mut out, OFFSET_COMMIT, key)?,
            Self::GroupMetadata(key) => put(&mut out, GROUP_METADATA, key)?,
            Self::ConsumerGroupMetadata(key) => put(&mut out, CONSUMER_GROUP_METADATA, key)?,
            Self::ConsumerGroupMemberMetadata(key) => put(&mut out, MEMBER_METADATA, key)?,
            Self::ConsumerGroupTargetAssignmentMetadata(key) => {
                put(&mut out, TARGET_ASSIGNMENT_METADATA, key)?;
            }
            Self::ConsumerGroupTargetAssignmentMember(key) => {
                put(&mut out, TARGET_ASSIGNMENT_MEMBER, key)?;
            }
            Self::ConsumerGroupCurrentMemberAssignment(key) => {
                put(&mut out, CURRENT_MEMBER_ASSIGNMENT, key)?;
            }
            Self::ConsumerGroupRegularExpression(key) => put(&mut out, REGULAR_EXPRESSION, key)?,
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
        let version = input.take_i16()?;
        let input = &mut input;
        Ok(match version {
            OFFSET_COMMIT | OFFSET_COMMIT_OLD => Self::OffsetCommit(Message::decode(input, 0)?),
            GROUP_METADATA => Self::GroupMetadata(Message::decode(input, 0)?),
            CONSUMER_GROUP_METADATA => Self::ConsumerGroupMetadata(Message::decode(input, 0)?),
            MEMBER_METADATA => Self::ConsumerGroupMemberMetadata(Message::decode(input, 0)?),
            TARGET_ASSIGNMENT_METADATA => {
                Self::ConsumerGroupTargetAssignmentMetadata(Message::decode(input, 0)?)
            }
            TARGET_ASSIGNMENT_MEMBER => {
                Self::ConsumerGroupTargetAssignmentMember(Message::decode(input, 0)?)
            }
            CURRENT_MEMBER_ASSIGNMENT => {
                Self::ConsumerGroupCurrentMemberAssignment(Message::decode(input, 0)?)
            }
            REGULAR_EXPRESSION => Self::ConsumerGroupRegularExpression(Message::decode(input, 0)?),
            other => Self::Other(other),
        })
    }
}

fn put(out: &mut Encoder, version: i16, key: &impl Message) -> Result<(), EncodeError> {
    out.put_i16(version);
    key.encode(out, 0)
}
