//! Replaying `__consumer_offsets`.

use std::collections::BTreeSet;

use headwater_wire::DecodeError;
use headwater_wire::internal::consumer_offsets::GroupMetadataValue;

use super::consumer::change::Change;
use super::consumer::group::ConsumerGroup;
use super::consumer::sessions;
use super::coordinator::{GroupCoordinator, Phase, Producer, TimerKey, get_or_create};
use super::effect::Effect;
use super::group::{Group, GroupId, State};
use super::input::Client;
use super::member::{Member, MemberId, Protocol, millis};
use super::rebalance;
use super::records::{self, Decoded};
use crate::{AppendId, LogEntry, ProducerIdentity, Time, Timestamp};

/// A record of the topic cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("a record of __consumer_offsets cannot be read")]
pub struct LoadError {
    #[from]
    source: DecodeError,
}

impl GroupCoordinator {
    /// Replays one entry of the partition; to be called for every entry in order, before
    /// [`finish_loading`](Self::finish_loading).
    ///
    /// # Errors
    /// [`LoadError`] if the record is not in one of Kafka's formats. Records of group types not
    /// served here are skipped.
    pub fn load(&mut self, entry: LogEntry<'_>) -> Result<(), LoadError> {
        let written = self.outbox.next_loaded();
        match entry {
            LogEntry::Marker(marker) => self.apply_marker(marker, Time::default(), written),
            LogEntry::Record {
                key,
                value,
                producer,
            } => match records::decode(key, value)? {
                Decoded::Other => {}
                Decoded::Consumer { group, change } => self.load_change(&group, change, written),
                Decoded::Group { group, value } => self.load_group(&group, value, written),
                Decoded::Offset {
                    group,
                    topic,
                    partition,
                    offset,
                } => {
                    let mut out = Vec::new();
                    let (groups, cx) = self.split(Time::default(), &mut out);
                    let group = get_or_create(groups, &group, &cx);
                    match (offset, producer) {
                        (None, _) => group.drop_offset(&topic, partition),
                        (Some(mut offset), None) => {
                            offset.written = written;
                            group.offsets.put(&topic, partition, offset);
                        }
                        (Some(mut offset), Some(producer)) => {
                            offset.written = written;
                            group.put_pending(producer.id, &topic, partition, offset);
                            let id = group.id.clone();
                            self.load_open(producer, id);
                        }
                    }
                }
            },
        }
        Ok(())
    }

    /// Opens the coordinator: members get their session timeout to come back, and requests are
    /// answered from here on.
    pub fn finish_loading(&mut self, time: Time, out: &mut Vec<Effect>) {
        self.phase = Phase::Active;
        self.groups.retain(|_, group| {
            !group.is_forgettable() || group.protocol_type.is_some() || group.consumer.is_some()
        });
        for producer in self.producers.values_mut() {
            producer.last_seen = time.wall;
        }
        let (groups, mut cx) = self.split(time, out);
        for group in groups.values_mut() {
            for member in group.members.values() {
                cx.restart_session(&group.id, member);
            }
            let consumers = group
                .consumer
                .iter()
                .flat_map(|consumer| consumer.members.values());
            for member in consumers {
                sessions::restart(&mut cx, &group.id, member);
                sessions::watch_revocation(&mut cx, &group.id, member);
            }
            if group.members.len() > cx.config.max_size {
                rebalance::prepare(&mut cx, group);
            }
        }
        cx.timers.set(
            TimerKey::Expiry,
            time.now.after(cx.config.offsets_retention_check_interval),
        );
        self.ask_for_wake(out);
    }

    fn load_open(&mut self, identity: ProducerIdentity, group: GroupId) {
        let producer = self
            .producers
            .entry(identity.id)
            .or_insert_with(|| Producer {
                epoch: identity.epoch,
                last_seen: Timestamp::default(),
                groups: BTreeSet::new(),
            });
        producer.epoch = identity.epoch;
        producer.groups.insert(group);
    }

    fn load_change(&mut self, id: &str, change: Change, written: AppendId) {
        let is_end = matches!(change, Change::Epoch(None));
        let mut out = Vec::new();
        let (groups, cx) = self.split(Time::default(), &mut out);
        let group = get_or_create(groups, id, &cx);
        group.written = written;
        if is_end {
            group.consumer = None;
        } else if change.is_end_of_something() {
            if let Some(consumer) = &mut group.consumer {
                consumer.apply(change);
            }
        } else {
            if group.consumer.is_none() {
                // What comes later in the log says what the group is.
                group.reset_classic();
            }
            group
                .consumer
                .get_or_insert_with(|| Box::new(ConsumerGroup::new()))
                .apply(change);
        }
    }

    fn load_group(&mut self, id: &str, value: Option<GroupMetadataValue>, written: AppendId) {
        let before = self.groups.remove(id);
        let Some(value) = value else {
            // Offsets outlive the record of their group; a deletion has a tombstone for each.
            if let Some(before) = before {
                let mut group = Group::new(before.id, written);
                group.consumer = before.consumer;
                group.offsets = before.offsets;
                group.pending_offsets = before.pending_offsets;
                self.groups.insert(group.id.clone(), group);
            }
            return;
        };
        let mut group = restore(id, value, written);
        if let Some(before) = before {
            group.offsets = before.offsets;
            group.pending_offsets = before.pending_offsets;
        }
        self.groups.insert(group.id.clone(), group);
    }
}

fn restore(id: &str, value: GroupMetadataValue, written: AppendId) -> Group {
    let mut group = Group::new(GroupId::from(id), written);
    let protocol_name = value.protocol.unwrap_or_default();
    for stored in value.members {
        let session_timeout = millis(stored.session_timeout);
        let member = Member {
            id: MemberId::from(stored.member_id),
            instance_id: stored.group_instance_id,
            client: Client {
                id: stored.client_id,
                host: stored.client_host,
            },
            rebalance_timeout: if stored.rebalance_timeout < 0 {
                session_timeout
            } else {
                millis(stored.rebalance_timeout)
            },
            session_timeout,
            // Only the protocol that was chosen is written down. The others come back with the
            // member's next join.
            protocols: vec![Protocol {
                name: protocol_name.clone(),
                metadata: stored.subscription,
            }],
            assignment: stored.assignment,
            joining: None,
            syncing: None,
            is_new: false,
        };
        group.add_member(member, &value.protocol_type);
    }
    group.generation = value.generation;
    group.protocol_type = (!value.protocol_type.is_empty()).then_some(value.protocol_type);
    if !group.members.is_empty() {
        group.state = State::Stable;
        group.protocol_name = Some(protocol_name);
        group.leader = value.leader.map(MemberId::from);
    }
    group.state_since = (value.current_state_timestamp >= 0)
        .then(|| Timestamp::from_millis(value.current_state_timestamp));
    group.update_subscribed();
    group
}
