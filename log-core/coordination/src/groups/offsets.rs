//! Committed offsets of a group, and those that open transactions have pending.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::{AppendId, Timestamp};

/// A committed position in a partition, with what the client stored beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommittedOffset {
    pub(super) offset: i64,
    /// Epoch of the last consumed record (KIP-320), or -1.
    pub(super) leader_epoch: i32,
    pub(super) metadata: String,
    pub(super) committed_at: Timestamp,
    /// Set by clients of OffsetCommit 2 to 4 that choose their own retention.
    pub(super) expires_at: Option<Timestamp>,
    /// Nil if the client named the topic only by name.
    pub(super) topic_id: Uuid,
    /// The append that wrote it. Of two commits the later append wins, also when the earlier one
    /// became visible later, with the end of its transaction.
    pub(super) written: AppendId,
}

impl CommittedOffset {
    /// Whether it can be of the topic with this id.
    pub(super) fn is_of(&self, topic_id: Uuid) -> bool {
        self.topic_id.is_nil() || self.topic_id == topic_id
    }
}

/// Offsets by topic, then partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OffsetMap(BTreeMap<String, BTreeMap<i32, CommittedOffset>>);

impl OffsetMap {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.0.get(topic)?.get(&partition)
    }

    pub(super) fn topics(
        &self,
    ) -> impl Iterator<Item = (&String, &BTreeMap<i32, CommittedOffset>)> {
        self.0.iter()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, i32, &CommittedOffset)> {
        self.0.iter().flat_map(|(topic, partitions)| {
            partitions
                .iter()
                .map(move |(partition, offset)| (topic.as_str(), *partition, offset))
        })
    }

    /// Stores `offset` unless a later commit is already there.
    pub(super) fn put(&mut self, topic: &str, partition: i32, offset: CommittedOffset) {
        let partitions = match self.0.get_mut(topic) {
            Some(partitions) => partitions,
            None => self.0.entry(topic.to_owned()).or_default(),
        };
        match partitions.get(&partition) {
            Some(present) if present.written > offset.written => {}
            _ => {
                partitions.insert(partition, offset);
            }
        }
    }

    pub(super) fn remove(&mut self, topic: &str, partition: i32) {
        if let Some(partitions) = self.0.get_mut(topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                self.0.remove(topic);
            }
        }
    }

    pub(super) fn merge(&mut self, later: Self) {
        for (topic, partitions) in later.0 {
            for (partition, offset) in partitions {
                self.put(&topic, partition, offset);
            }
        }
    }
}
