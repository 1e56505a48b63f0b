//! What a consumer tells the leader it subscribes to, and what it gets from it: the consumers' own
//! protocol inside the classic one.

use std::collections::BTreeSet;

use bytes::{BufMut, Bytes, BytesMut};
use headwater_wire::Message;
use headwater_wire::internal;
use headwater_wire::messages::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition,
};

use super::consumer::assignment::Partitions;
use super::topics::Topics;

/// The protocol type of consumers, as against Connect's workers and others.
pub(super) const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// The newest version of either message that is understood. Newer ones only add to the end.
const VERSION_MAX: i16 = 3;

/// The topics in a member's metadata under the protocol type `consumer`.
///
/// `None` if the metadata is not in Kafka's `ConsumerProtocolSubscription` format.
#[must_use]
pub fn subscribed_topics(metadata: &Bytes) -> Option<BTreeSet<String>> {
    Some(subscription(metadata)?.topics.into_iter().collect())
}

pub(super) fn subscription(metadata: &Bytes) -> Option<ConsumerProtocolSubscription> {
    decode(metadata)
}

pub(super) fn assignment(bytes: &Bytes) -> Option<ConsumerProtocolAssignment> {
    decode(bytes)
}

/// The version a member speaks; that of an answer to it.
pub(super) fn version(metadata: &Bytes) -> i16 {
    match **metadata {
        [high, low, ..] => i16::from_be_bytes([high, low]).clamp(0, VERSION_MAX),
        _ => 0,
    }
}

fn decode<M: Message>(bytes: &Bytes) -> Option<M> {
    let sent = bytes.get(..2)?;
    let sent = i16::from_be_bytes(sent.try_into().ok()?);
    if sent <= VERSION_MAX {
        return internal::decode(bytes.clone()).ok();
    }
    let mut known = BytesMut::with_capacity(bytes.len());
    known.put_i16(VERSION_MAX);
    known.put(bytes.slice(2..));
    internal::decode(known.freeze()).ok()
}

/// Partitions by the ids of their topics; those of topics that do not exist are left out.
pub(super) fn by_id(named: &[TopicPartition], topics: &Topics) -> Partitions {
    let mut partitions = Partitions::new();
    for topic in named {
        if let Some((id, _)) = topics.find(&topic.topic)
            && !topic.partitions.is_empty()
        {
            partitions
                .entry(id)
                .or_default()
                .extend(topic.partitions.iter().copied());
        }
    }
    partitions
}

/// An assignment as a consumer reads it; empty if it cannot be written.
pub(super) fn encode_assignment(partitions: &Partitions, topics: &Topics, version: i16) -> Bytes {
    let assigned_partitions = partitions
        .iter()
        .filter_map(|(id, of_topic)| {
            Some(TopicPartition {
                topic: topics.name_of(*id)?.to_owned(),
                partitions: of_topic.iter().copied().collect(),
            })
        })
        .collect();
    let assignment = ConsumerProtocolAssignment {
        assigned_partitions,
        user_data: None,
    };
    internal::encode(&assignment, version).unwrap_or_default()
}
