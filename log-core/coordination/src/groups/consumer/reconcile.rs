//! The next step of a member towards its target: give up, then get.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::assignment::{Held, Partitions};
use super::member::{Current, MemberState};

/// What the step is decided from.
pub(in crate::groups) struct Step<'a> {
    pub(in crate::groups) current: &'a Current,
    pub(in crate::groups) target_epoch: i32,
    pub(in crate::groups) target: &'a Partitions,
    /// Topics that the member subscribes to and that exist.
    pub(in crate::groups) subscribed: &'a BTreeSet<Uuid>,
    pub(in crate::groups) has_subscription_changed: bool,
    /// What the member says it has; `None` if it did not say.
    pub(in crate::groups) owned: Option<&'a Partitions>,
}

impl Step<'_> {
    /// What the member has next. `is_taken` tells whether anybody has a partition, this member
    /// included.
    pub(in crate::groups) fn next(&self, is_taken: impl Fn(Uuid, i32) -> bool) -> Current {
        let current = self.current;
        match current.state {
            MemberState::Stable if current.epoch == self.target_epoch => self.at_most_subscribed(),
            MemberState::UnrevokedPartitions if self.still_has(&current.revoking) => {
                self.at_most_subscribed()
            }
            // A member in a state of a later version has been made to give up everything.
            MemberState::Stable
            | MemberState::UnrevokedPartitions
            | MemberState::UnreleasedPartitions
            | MemberState::Unknown => self.towards_target(is_taken),
        }
    }

    /// Takes away what the member no longer subscribes to, without waiting for a new target.
    fn at_most_subscribed(&self) -> Current {
        let current = self.current;
        let is_excess = |topic: &Uuid| !self.subscribed.contains(topic);
        if !self.has_subscription_changed || !current.assigned.keys().any(is_excess) {
            return current.clone();
        }
        let (excess, assigned): (Held, Held) = current
            .assigned
            .clone()
            .into_iter()
            .partition(|(topic, _)| is_excess(topic));
        let mut revoking = current.revoking.clone();
        for (topic, partitions) in excess {
            revoking.entry(topic).or_default().extend(partitions);
        }
        if self.still_has(&revoking) {
            Current {
                epoch: current.epoch,
                previous_epoch: current.epoch,
                state: MemberState::UnrevokedPartitions,
                assigned,
                revoking,
            }
        } else {
            Current {
                previous_epoch: current.epoch,
                assigned,
                ..current.clone()
            }
        }
    }

    fn towards_target(&self, is_taken: impl Fn(Uuid, i32) -> bool) -> Current {
        let current = self.current;
        let none = BTreeSet::new();
        let mut kept = Held::new();
        let mut revoking = Held::new();
        let mut gained: Vec<(Uuid, i32)> = Vec::new();
        let mut waits = false;
        let topics: BTreeSet<&Uuid> = self.target.keys().chain(current.assigned.keys()).collect();
        for topic in topics {
            let target = self
                .target
                .get(topic)
                .filter(|_| self.subscribed.contains(topic))
                .unwrap_or(&none);
            let has = current.assigned.get(topic);
            for (partition, epoch) in has.into_iter().flatten() {
                let to = if target.contains(partition) {
                    &mut kept
                } else {
                    &mut revoking
                };
                to.entry(*topic).or_default().insert(*partition, *epoch);
            }
            let was_revoking = current.revoking.get(topic);
            let lacks = |partition: &&i32| !has.is_some_and(|has| has.contains_key(partition));
            for partition in target.iter().filter(lacks) {
                // What it was to give up itself stands in nobody's way.
                let was_own = was_revoking.is_some_and(|of| of.contains_key(partition));
                if is_taken(*topic, *partition) && !was_own {
                    waits = true;
                } else {
                    gained.push((*topic, *partition));
                }
            }
        }
        if self.still_has(&revoking) {
            return Current {
                epoch: current.epoch,
                previous_epoch: current.epoch,
                state: MemberState::UnrevokedPartitions,
                assigned: kept,
                revoking,
            };
        }
        for (topic, partition) in gained {
            kept.entry(topic)
                .or_default()
                .insert(partition, self.target_epoch);
        }
        Current {
            epoch: self.target_epoch,
            previous_epoch: current.epoch,
            state: if waits {
                MemberState::UnreleasedPartitions
            } else {
                MemberState::Stable
            },
            assigned: kept,
            revoking: Held::new(),
        }
    }

    /// Whether any of `revoking` may still be with the member.
    fn still_has(&self, revoking: &Held) -> bool {
        if revoking.is_empty() {
            return false;
        }
        let Some(owned) = self.owned else {
            return true;
        };
        owned.iter().any(|(topic, partitions)| {
            revoking.get(topic).is_some_and(|of: &BTreeMap<i32, i32>| {
                partitions
                    .iter()
                    .any(|partition| of.contains_key(partition))
            })
        })
    }
}
