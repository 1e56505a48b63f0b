//! Sets of partitions.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

/// Partitions by topic. A topic without partitions is left out.
pub(in crate::groups) type Partitions = BTreeMap<Uuid, BTreeSet<i32>>;

/// Partitions that a member has, by topic, each with the epoch in which it was assigned: a commit
/// made in an earlier epoch is of somebody who had the partition before (KIP-1251).
pub(in crate::groups) type Held = BTreeMap<Uuid, BTreeMap<i32, i32>>;

pub(in crate::groups) fn add(partitions: &mut Partitions, topic: Uuid, partition: i32) {
    partitions.entry(topic).or_default().insert(partition);
}

pub(in crate::groups) fn remove(partitions: &mut Partitions, topic: Uuid, partition: i32) {
    if let Some(of_topic) = partitions.get_mut(&topic) {
        of_topic.remove(&partition);
        if of_topic.is_empty() {
            partitions.remove(&topic);
        }
    }
}

/// Every single partition.
pub(in crate::groups) fn each(held: &Held) -> impl Iterator<Item = (Uuid, i32)> {
    held.iter()
        .flat_map(|(topic, partitions)| partitions.keys().map(|partition| (*topic, *partition)))
}

pub(in crate::groups) fn without_epochs(held: &Held) -> Partitions {
    held.iter()
        .map(|(topic, partitions)| (*topic, partitions.keys().copied().collect()))
        .collect()
}

pub(in crate::groups) fn with_epoch(partitions: &Partitions, epoch: i32) -> Held {
    partitions
        .iter()
        .map(|(topic, of_topic)| {
            (
                *topic,
                of_topic.iter().map(|index| (*index, epoch)).collect(),
            )
        })
        .collect()
}

pub(in crate::groups) fn epoch_of(held: &Held, topic: Uuid, partition: i32) -> Option<i32> {
    held.get(&topic)?.get(&partition).copied()
}
