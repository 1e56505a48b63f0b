//! Offsets that nobody has used for the retention time are dropped (KIP-211).

use super::consumer::edit::end as end_consumer_group;
use super::coordinator::{Cx, GroupCoordinator, TimerKey};
use super::effect::Effect;
use super::group::{Group, State};
use super::offsets::CommittedOffset;
use super::records;
use crate::{Time, Timestamp};

impl GroupCoordinator {
    pub(super) fn expire(&mut self, time: Time, out: &mut Vec<Effect>) {
        let (groups, mut cx) = self.split(time, out);
        cx.timers.set(
            TimerKey::Expiry,
            time.now.after(cx.config.offsets_retention_check_interval),
        );
        for group in groups.values_mut() {
            expire_offsets(&mut cx, group);
        }
        groups.retain(|_, group| !group.is_forgettable());
        let retention = cx.config.producer_retention;
        cx.producers.retain(|_, producer| {
            !producer.groups.is_empty() || time.wall.since(producer.last_seen) < retention
        });
        self.passing.clear();
    }
}

fn expire_offsets(cx: &mut Cx<'_>, group: &mut Group) {
    let expired: Vec<(String, i32)> = group
        .offsets
        .iter()
        .filter(|(topic, partition, offset)| {
            is_expired(cx, group, topic, offset) && !group.has_pending_offset(topic, *partition)
        })
        .map(|(topic, partition, _)| (topic.to_owned(), partition))
        .collect();
    let mut tombstones = Vec::with_capacity(expired.len());
    for (topic, partition) in expired {
        tombstones.extend(records::offset_tombstone(&group.id, &topic, partition));
        group.drop_offset(&topic, partition);
    }
    if group.is_forgettable() {
        if group.consumer.is_some() {
            tombstones.extend(end_consumer_group(cx, group));
        } else {
            tombstones.extend(records::group_tombstone(&group.id));
        }
    }
    cx.append_in_batches(group, tombstones);
}

fn is_expired(cx: &Cx<'_>, group: &Group, topic: &str, offset: &CommittedOffset) -> bool {
    let Some(unused_since) = unused_since(group, topic, offset) else {
        return false;
    };
    match offset.expires_at {
        Some(at) => cx.time.wall >= at,
        None => cx.time.wall.since(unused_since) >= cx.config.offsets_retention,
    }
}

/// Since when nobody can have needed the offset, or `None` while somebody may.
fn unused_since(group: &Group, topic: &str, offset: &CommittedOffset) -> Option<Timestamp> {
    if group.consumer.is_some() {
        return (!group.is_subscribed_to(topic)).then_some(offset.committed_at);
    }
    if group.protocol_type.is_none() {
        // A consumer that assigns partitions to itself shows that it lives only by committing.
        return Some(offset.committed_at);
    }
    match group.state {
        // Kept from the moment the last member left, however old the commit is.
        State::Empty => Some(group.state_since.unwrap_or(offset.committed_at)),
        State::Stable if group.knows_subscriptions() && !group.is_subscribed_to(topic) => {
            Some(offset.committed_at)
        }
        _ => None,
    }
}
