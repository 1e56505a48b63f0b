//! The `uniform` assignor for members that all subscribe to the same topics.
//!
//! Every member keeps what it has up to its quota; what is above, and what nobody has, fills up
//! those below.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::Spec;
use crate::groups::consumer::assignment::{Partitions, add};
use crate::groups::member::MemberId;

pub(super) fn assign(spec: &Spec<'_>) -> BTreeMap<MemberId, Partitions> {
    let Some(first) = spec.members.first() else {
        return BTreeMap::new();
    };
    if first.topics.is_empty() {
        return BTreeMap::new();
    }
    let mut free = nobodys(spec, &first.topics);
    let total: usize = first
        .topics
        .iter()
        .map(|topic| usize::try_from(spec.partition_count(*topic)).unwrap_or(0))
        .sum();
    let count = spec.members.len();
    let share = total / count;
    let mut with_extra = total % count;
    let mut targets = Vec::with_capacity(count);
    for (index, member) in spec.members.iter().enumerate() {
        let mut room = share + usize::from(with_extra > 0);
        let mut may_have_extra = with_extra > 0;
        let mut kept = Partitions::new();
        for (topic, partitions) in member.target {
            if !first.topics.contains(topic) {
                continue;
            }
            for partition in partitions {
                if room > 0 {
                    room -= 1;
                    add(&mut kept, *topic, *partition);
                } else {
                    free.push((*topic, *partition));
                }
            }
        }
        // The extra partition goes to somebody who has it already, as long as enough members are
        // left to take those that nobody has.
        if room > 0 && may_have_extra && count - index > with_extra {
            room -= 1;
            may_have_extra = false;
        }
        with_extra -= usize::from(may_have_extra);
        targets.push((member.id.clone(), kept, room));
    }
    let mut free = free.into_iter();
    targets
        .into_iter()
        .map(|(id, mut target, room)| {
            for (topic, partition) in free.by_ref().take(room) {
                add(&mut target, topic, partition);
            }
            (id, target)
        })
        .collect()
}

/// Partitions of these topics that are in nobody's target.
fn nobodys(spec: &Spec<'_>, topics: &BTreeSet<Uuid>) -> Vec<(Uuid, i32)> {
    let taken: BTreeSet<(Uuid, i32)> = spec
        .members
        .iter()
        .flat_map(|member| member.target)
        .flat_map(|(topic, partitions)| partitions.iter().map(|index| (*topic, *index)))
        .collect();
    topics
        .iter()
        .flat_map(|topic| (0..spec.partition_count(*topic)).map(|index| (*topic, index)))
        .filter(|partition| !taken.contains(partition))
        .collect()
}
