//! What is written down of a group of the consumer protocol, and read back.

use std::collections::BTreeSet;

use bytes::Bytes;
use headwater_wire::internal::consumer_group::{
    ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataKey, ConsumerGroupMetadataKey, ConsumerGroupMetadataValue,
    ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue,
    ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue,
    CurrentTopicPartitions, TargetTopicPartition,
};
use headwater_wire::internal::{self, OffsetsKey};
use headwater_wire::{DecodeError, EncodeError, Message};

use super::assignment::{Held, Partitions};
use super::member::{Current, MemberState, Metadata};
use super::regex::Resolved;
use crate::groups::member::MemberId;
use crate::{Record, Timestamp};

/// The only version of the values.
const VERSION: i16 = 0;

/// A change of a group: one record. Changes are applied in the order in which they are written,
/// while the group lives as well as when it is loaded, so that both lead to the same group.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::groups) enum Change {
    /// The group's epoch and the hash over its topics; `None` ends the group.
    Epoch(Option<GroupEpoch>),
    Member(MemberId, Option<Metadata>),
    /// `None` ends the target assignment.
    TargetEpoch(Option<TargetEpoch>),
    Target(MemberId, Option<Partitions>),
    Current(MemberId, Option<Current>),
    Regex(String, Option<Resolved>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::groups) struct GroupEpoch {
    pub(in crate::groups) epoch: i32,
    pub(in crate::groups) metadata_hash: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::groups) struct TargetEpoch {
    pub(in crate::groups) epoch: i32,
    /// When it was computed; unknown for one that was taken over from a classic group.
    pub(in crate::groups) computed_at: Option<Timestamp>,
}

impl Change {
    /// Whether the record has no value.
    pub(in crate::groups) fn is_end_of_something(&self) -> bool {
        matches!(
            self,
            Self::Epoch(None)
                | Self::Member(_, None)
                | Self::TargetEpoch(None)
                | Self::Target(_, None)
                | Self::Current(_, None)
                | Self::Regex(_, None)
        )
    }

    pub(in crate::groups) fn to_record(&self, group: &str) -> Result<Record, EncodeError> {
        let value = match self {
            Self::Epoch(value) => encode(value.map(|value| ConsumerGroupMetadataValue {
                epoch: value.epoch,
                metadata_hash: value.metadata_hash,
            }))?,
            Self::Member(_, value) => encode(value.as_ref().map(Metadata::to_value))?,
            Self::TargetEpoch(value) => {
                encode(
                    value.map(|value| ConsumerGroupTargetAssignmentMetadataValue {
                        assignment_epoch: value.epoch,
                        assignment_timestamp: value.computed_at.map_or(0, Timestamp::as_millis),
                    }),
                )?
            }
            Self::Target(_, value) => encode(value.as_ref().map(target_value))?,
            Self::Current(_, value) => encode(value.as_ref().map(current_value))?,
            Self::Regex(_, value) => {
                encode(
                    value
                        .as_ref()
                        .map(|resolved| ConsumerGroupRegularExpressionValue {
                            topics: resolved.topics.iter().cloned().collect(),
                            version: i64::try_from(resolved.version).unwrap_or(i64::MAX),
                            timestamp: resolved.at.as_millis(),
                        }),
                )?
            }
        };
        let key = self.key(group.to_owned()).encode()?;
        Ok(Record { key, value })
    }

    fn key(&self, group_id: String) -> OffsetsKey {
        match self {
            Self::Epoch(_) => {
                OffsetsKey::ConsumerGroupMetadata(ConsumerGroupMetadataKey { group_id })
            }
            Self::Member(id, _) => {
                OffsetsKey::ConsumerGroupMemberMetadata(ConsumerGroupMemberMetadataKey {
                    group_id,
                    member_id: id.to_string(),
                })
            }
            Self::TargetEpoch(_) => OffsetsKey::ConsumerGroupTargetAssignmentMetadata(
                ConsumerGroupTargetAssignmentMetadataKey { group_id },
            ),
            Self::Target(id, _) => OffsetsKey::ConsumerGroupTargetAssignmentMember(
                ConsumerGroupTargetAssignmentMemberKey {
                    group_id,
                    member_id: id.to_string(),
                },
            ),
            Self::Current(id, _) => OffsetsKey::ConsumerGroupCurrentMemberAssignment(
                ConsumerGroupCurrentMemberAssignmentKey {
                    group_id,
                    member_id: id.to_string(),
                },
            ),
            Self::Regex(pattern, _) => {
                OffsetsKey::ConsumerGroupRegularExpression(ConsumerGroupRegularExpressionKey {
                    group_id,
                    regular_expression: pattern.clone(),
                })
            }
        }
    }

    /// The change that a record stands for, and the group it is of; `None` for records that are
    /// of no such group.
    pub(in crate::groups) fn from_record(
        key: OffsetsKey,
        value: Option<Bytes>,
    ) -> Result<Option<(String, Self)>, DecodeError> {
        let found = match key {
            OffsetsKey::ConsumerGroupMetadata(key) => {
                let value: Option<ConsumerGroupMetadataValue> = decode(value)?;
                let epoch = value.map(|value| GroupEpoch {
                    epoch: value.epoch,
                    metadata_hash: value.metadata_hash,
                });
                (key.group_id, Self::Epoch(epoch))
            }
            OffsetsKey::ConsumerGroupMemberMetadata(key) => {
                let metadata = decode(value)?.map(Metadata::from_value);
                (
                    key.group_id,
                    Self::Member(MemberId::from(key.member_id), metadata),
                )
            }
            OffsetsKey::ConsumerGroupTargetAssignmentMetadata(key) => {
                let value: Option<ConsumerGroupTargetAssignmentMetadataValue> = decode(value)?;
                let epoch = value.map(|value| TargetEpoch {
                    epoch: value.assignment_epoch,
                    computed_at: (value.assignment_timestamp > 0)
                        .then(|| Timestamp::from_millis(value.assignment_timestamp)),
                });
                (key.group_id, Self::TargetEpoch(epoch))
            }
            OffsetsKey::ConsumerGroupTargetAssignmentMember(key) => {
                let target = decode(value)?.map(target_from);
                (
                    key.group_id,
                    Self::Target(MemberId::from(key.member_id), target),
                )
            }
            OffsetsKey::ConsumerGroupCurrentMemberAssignment(key) => {
                let current = decode(value)?.map(current_from);
                (
                    key.group_id,
                    Self::Current(MemberId::from(key.member_id), current),
                )
            }
            OffsetsKey::ConsumerGroupRegularExpression(key) => {
                let resolved = decode(value)?.map(resolved_from);
                (key.group_id, Self::Regex(key.regular_expression, resolved))
            }
            OffsetsKey::OffsetCommit(_) | OffsetsKey::GroupMetadata(_) | OffsetsKey::Other(_) => {
                return Ok(None);
            }
        };
        Ok(Some(found))
    }
}

fn encode(value: Option<impl Message>) -> Result<Option<Bytes>, EncodeError> {
    value
        .map(|value| internal::encode(&value, VERSION))
        .transpose()
}

fn decode<M: Message>(value: Option<Bytes>) -> Result<Option<M>, DecodeError> {
    value.map(internal::decode).transpose()
}

fn target_value(target: &Partitions) -> ConsumerGroupTargetAssignmentMemberValue {
    let topic_partitions = target
        .iter()
        .map(|(topic_id, partitions)| TargetTopicPartition {
            topic_id: *topic_id,
            partitions: partitions.iter().copied().collect(),
        })
        .collect();
    ConsumerGroupTargetAssignmentMemberValue { topic_partitions }
}

fn target_from(value: ConsumerGroupTargetAssignmentMemberValue) -> Partitions {
    value
        .topic_partitions
        .into_iter()
        .map(|topic| (topic.topic_id, topic.partitions.into_iter().collect()))
        .collect()
}

fn current_value(current: &Current) -> ConsumerGroupCurrentMemberAssignmentValue {
    ConsumerGroupCurrentMemberAssignmentValue {
        member_epoch: current.epoch,
        previous_member_epoch: current.previous_epoch,
        state: current.state.code(),
        assigned_partitions: held_value(&current.assigned),
        partitions_pending_revocation: held_value(&current.revoking),
    }
}

fn held_value(held: &Held) -> Vec<CurrentTopicPartitions> {
    held.iter()
        .map(|(topic_id, partitions)| CurrentTopicPartitions {
            topic_id: *topic_id,
            partitions: partitions.keys().copied().collect(),
            assignment_epochs: Some(partitions.values().copied().collect()),
        })
        .collect()
}

fn current_from(value: ConsumerGroupCurrentMemberAssignmentValue) -> Current {
    let epoch = value.member_epoch;
    Current {
        epoch,
        previous_epoch: value.previous_member_epoch,
        state: MemberState::from_code(value.state),
        assigned: held_from(value.assigned_partitions, epoch),
        revoking: held_from(value.partitions_pending_revocation, epoch),
    }
}

/// Records of older brokers lack the epochs; then everything counts as assigned in the member's.
fn held_from(topics: Vec<CurrentTopicPartitions>, member_epoch: i32) -> Held {
    topics
        .into_iter()
        .map(|topic| {
            let epochs = topic
                .assignment_epochs
                .filter(|epochs| epochs.len() == topic.partitions.len())
                .unwrap_or_else(|| vec![member_epoch.max(0); topic.partitions.len()]);
            let partitions = topic.partitions.into_iter().zip(epochs).collect();
            (topic.topic_id, partitions)
        })
        .collect()
}

fn resolved_from(value: ConsumerGroupRegularExpressionValue) -> Resolved {
    Resolved {
        topics: value.topics.into_iter().collect::<BTreeSet<_>>(),
        version: u64::try_from(value.version).unwrap_or(0),
        at: Timestamp::from_millis(value.timestamp),
    }
}
