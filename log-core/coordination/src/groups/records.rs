//! Records of `__consumer_offsets`, in Kafka's own format.

use bytes::Bytes;
use headwater_wire::internal::consumer_offsets::{
    GroupMetadataKey, GroupMetadataValue, MemberMetadata, OffsetCommitKey, OffsetCommitValue,
};
use headwater_wire::internal::{self, OffsetsKey};
use headwater_wire::{DecodeError, EncodeError};

use super::consumer::change::Change;
use super::group::Group;
use super::offsets::CommittedOffset;
use crate::{AppendId, Record, Timestamp};

/// The last version that Kafka writes without a topic id.
const OFFSET_VALUE: i16 = 3;
/// The only version with an expiry of its own.
const OFFSET_VALUE_WITH_EXPIRY: i16 = 1;
const OFFSET_VALUE_WITH_TOPIC_ID: i16 = 4;
/// What Kafka 4 writes.
const GROUP_VALUE: i16 = 3;

const NONE: i64 = -1;

/// What a record of the topic says.
#[derive(Debug)]
pub(super) enum Decoded {
    Offset {
        group: String,
        topic: String,
        partition: i32,
        offset: Option<CommittedOffset>,
    },
    Group {
        group: String,
        value: Option<GroupMetadataValue>,
    },
    /// A group of the consumer protocol.
    Consumer { group: String, change: Change },
    /// A kind of record that groups here do not have.
    Other,
}

pub(super) fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Decoded, DecodeError> {
    let key = Bytes::copy_from_slice(key);
    let value = value.map(Bytes::copy_from_slice);
    match OffsetsKey::decode(key)? {
        OffsetsKey::OffsetCommit(key) => {
            let offset = value.map(decode_offset).transpose()?;
            Ok(Decoded::Offset {
                group: key.group,
                topic: key.topic,
                partition: key.partition,
                offset,
            })
        }
        OffsetsKey::GroupMetadata(key) => {
            let value = value.map(internal::decode).transpose()?;
            Ok(Decoded::Group {
                group: key.group,
                value,
            })
        }
        other => Ok(match Change::from_record(other, value)? {
            Some((group, change)) => Decoded::Consumer { group, change },
            None => Decoded::Other,
        }),
    }
}

fn decode_offset(value: Bytes) -> Result<CommittedOffset, DecodeError> {
    let value: OffsetCommitValue = internal::decode(value)?;
    Ok(CommittedOffset {
        offset: value.offset,
        leader_epoch: value.leader_epoch,
        metadata: value.metadata,
        committed_at: Timestamp::from_millis(value.commit_timestamp),
        expires_at: (value.expire_timestamp != NONE)
            .then(|| Timestamp::from_millis(value.expire_timestamp)),
        topic_id: value.topic_id,
        written: AppendId::default(),
    })
}

fn offset_key(group: &str, topic: &str, partition: i32) -> Result<Bytes, EncodeError> {
    let key = OffsetCommitKey {
        group: group.to_owned(),
        topic: topic.to_owned(),
        partition,
    };
    OffsetsKey::OffsetCommit(key).encode()
}

pub(super) fn offset_record(
    group: &str,
    topic: &str,
    partition: i32,
    offset: &CommittedOffset,
) -> Result<Record, EncodeError> {
    let version = if offset.expires_at.is_some() {
        OFFSET_VALUE_WITH_EXPIRY
    } else if offset.topic_id.is_nil() {
        OFFSET_VALUE
    } else {
        OFFSET_VALUE_WITH_TOPIC_ID
    };
    let value = OffsetCommitValue {
        offset: offset.offset,
        leader_epoch: offset.leader_epoch,
        metadata: offset.metadata.clone(),
        commit_timestamp: offset.committed_at.as_millis(),
        expire_timestamp: offset.expires_at.map_or(NONE, Timestamp::as_millis),
        topic_id: offset.topic_id,
    };
    Ok(Record {
        key: offset_key(group, topic, partition)?,
        value: Some(internal::encode(&value, version)?),
    })
}

pub(super) fn offset_tombstone(
    group: &str,
    topic: &str,
    partition: i32,
) -> Result<Record, EncodeError> {
    Ok(Record {
        key: offset_key(group, topic, partition)?,
        value: None,
    })
}

/// The group's members and assignments in its current generation.
pub(super) fn group_record(group: &Group) -> Result<Record, EncodeError> {
    let protocol = group.protocol_name.as_deref().unwrap_or_default();
    let millis = |span: std::time::Duration| i32::try_from(span.as_millis()).unwrap_or(i32::MAX);
    let members = group
        .members
        .values()
        .map(|member| MemberMetadata {
            member_id: member.id.to_string(),
            group_instance_id: member.instance_id.clone(),
            client_id: member.client.id.clone(),
            client_host: member.client.host.clone(),
            rebalance_timeout: millis(member.rebalance_timeout),
            session_timeout: millis(member.session_timeout),
            subscription: member.metadata(protocol),
            assignment: member.assignment.clone(),
        })
        .collect();
    let value = GroupMetadataValue {
        protocol_type: group.protocol_type.clone().unwrap_or_default(),
        generation: group.generation,
        protocol: group.protocol_name.clone(),
        leader: group.leader.as_deref().map(str::to_owned),
        current_state_timestamp: group.state_since.map_or(NONE, Timestamp::as_millis),
        members,
    };
    Ok(Record {
        key: group_key(&group.id)?,
        value: Some(internal::encode(&value, GROUP_VALUE)?),
    })
}

pub(super) fn group_tombstone(group: &str) -> Result<Record, EncodeError> {
    Ok(Record {
        key: group_key(group)?,
        value: None,
    })
}

fn group_key(group: &str) -> Result<Bytes, EncodeError> {
    OffsetsKey::GroupMetadata(GroupMetadataKey {
        group: group.to_owned(),
    })
    .encode()
}
