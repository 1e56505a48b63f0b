//! Subscriptions and assignments inside JoinGroup and SyncGroup, as all Kafka consumers have them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use headwater_wire::messages::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition as TopicPartitions,
};
use headwater_wire::{DecodeError, Decoder, EncodeError, Encoder, Message};

use super::super::assignor::{MemberAssignment, MemberSubscription};
use crate::TopicPartition;

/// The protocol type of consumer groups.
pub(crate) const PROTOCOL_TYPE: &str = "consumer";

pub(crate) fn encode_subscription(subscription: &MemberSubscription) -> Result<Bytes, EncodeError> {
    let message = ConsumerProtocolSubscription {
        topics: subscription.topics.iter().cloned().collect(),
        user_data: subscription.user_data.clone(),
        owned_partitions: group(&subscription.owned_partitions),
        generation_id: subscription.generation_id.unwrap_or(-1),
        rack_id: subscription.rack_id.clone(),
    };
    encode(&message)
}

/// `group_instance_id` travels beside the subscription, not in it.
pub(crate) fn decode_subscription(
    bytes: Bytes,
    group_instance_id: Option<String>,
) -> Result<MemberSubscription, DecodeError> {
    let message: ConsumerProtocolSubscription = decode(bytes)?;
    Ok(MemberSubscription {
        topics: message.topics.into_iter().collect::<BTreeSet<String>>(),
        user_data: message.user_data,
        owned_partitions: ungroup(message.owned_partitions),
        generation_id: Some(message.generation_id).filter(|generation| *generation >= 0),
        group_instance_id,
        rack_id: message.rack_id,
    })
}

pub(crate) fn encode_assignment(assignment: &MemberAssignment) -> Result<Bytes, EncodeError> {
    encode(&ConsumerProtocolAssignment {
        assigned_partitions: group(&assignment.partitions),
        user_data: assignment.user_data.clone(),
    })
}

/// No bytes at all are no partitions: what a member gets that the leader did not name.
pub(crate) fn decode_assignment(bytes: Bytes) -> Result<MemberAssignment, DecodeError> {
    if bytes.is_empty() {
        return Ok(MemberAssignment::default());
    }
    let message: ConsumerProtocolAssignment = decode(bytes)?;
    Ok(MemberAssignment {
        partitions: ungroup(message.assigned_partitions),
        user_data: message.user_data,
    })
}

fn encode<M: Message>(message: &M) -> Result<Bytes, EncodeError> {
    let mut out = Encoder::new();
    out.put_i16(M::MAX_VERSION);
    message.encode(&mut out, M::MAX_VERSION)?;
    Ok(out.into_bytes())
}

/// Later versions only add at the end, so a newer one is read as the newest known.
fn decode<M: Message>(bytes: Bytes) -> Result<M, DecodeError> {
    let mut input = Decoder::new(bytes);
    let version = input.take_i16()?.min(M::MAX_VERSION);
    M::decode(&mut input, version)
}

fn group(partitions: &[TopicPartition]) -> Vec<TopicPartitions> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        topics
            .entry(&partition.topic)
            .or_default()
            .push(partition.partition);
    }
    topics
        .into_iter()
        .map(|(topic, partitions)| TopicPartitions {
            topic: topic.to_owned(),
            partitions,
        })
        .collect()
}

fn ungroup(topics: Vec<TopicPartitions>) -> Vec<TopicPartition> {
    let mut partitions = Vec::new();
    for topic in topics {
        let name: Arc<str> = topic.topic.into();
        partitions.extend(
            topic
                .partitions
                .iter()
                .map(|p| TopicPartition::new(name.clone(), *p)),
        );
    }
    partitions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_and_assignments_survive_the_trip() {
        let subscription = MemberSubscription {
            topics: ["t".to_owned(), "u".to_owned()].into(),
            user_data: Some(Bytes::from_static(b"tasks")),
            owned_partitions: vec![TopicPartition::new("t", 0), TopicPartition::new("t", 2)],
            generation_id: Some(4),
            group_instance_id: Some("one".to_owned()),
            rack_id: Some("b".to_owned()),
        };
        let bytes = encode_subscription(&subscription).expect("encodes");
        let read = decode_subscription(bytes, Some("one".to_owned())).expect("decodes");
        assert_eq!(read, subscription);

        let assignment = MemberAssignment {
            partitions: subscription.owned_partitions,
            user_data: None,
        };
        let bytes = encode_assignment(&assignment).expect("encodes");
        assert_eq!(decode_assignment(bytes).expect("decodes"), assignment);
        assert_eq!(
            decode_assignment(Bytes::new()),
            Ok(MemberAssignment::default())
        );
    }

    #[test]
    fn old_newer_and_damaged_bytes_are_told_apart() {
        // Version 0: one topic and null user data, nothing else.
        let old = b"\x00\x00\x00\x00\x00\x01\x00\x01t\xff\xff\xff\xff";
        let read = decode_subscription(Bytes::from_static(old), None).expect("decodes");
        assert_eq!(read.topics, ["t".to_owned()].into());
        assert_eq!(read.generation_id, None);

        let bytes = encode_subscription(&read).expect("encodes");
        let mut newer = bytes.to_vec();
        newer[1] = 9;
        newer.extend_from_slice(b"whatever comes");
        assert_eq!(
            decode_subscription(newer.into(), None).expect("decodes"),
            read
        );
        assert!(decode_subscription(bytes.slice(..bytes.len() - 3), None).is_err());
        assert!(decode_subscription(Bytes::new(), None).is_err());
    }
}
