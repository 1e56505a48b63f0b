//! The `uniform` assignor for members that subscribe to different topics.
//!
//! Members keep what they have and still subscribe to; what nobody has goes to the least loaded
//! subscribers, topics with the most partitions per subscriber first; then partitions move, topic
//! by topic, from the most to the least loaded subscribers until no topic improves any more.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use uuid::Uuid;

use super::Spec;
use super::balancer::Balancer;
use crate::groups::consumer::assignment::{Partitions, add, remove};
use crate::groups::member::MemberId;

/// Rounds over all topics at most: each can undo a little of another's balance.
const ROUNDS_MAX: usize = 16;

struct Topic {
    id: Uuid,
    /// Indexes of the members that subscribe to it.
    subscribers: Vec<usize>,
    /// Index of the member that has each partition.
    owners: Vec<Option<usize>>,
}

struct State {
    /// In the order in which they are worked on.
    topics: Vec<Topic>,
    /// By member.
    targets: Vec<Partitions>,
    /// Number of partitions by member.
    loads: Vec<i64>,
}

pub(super) fn assign(spec: &Spec<'_>) -> BTreeMap<MemberId, Partitions> {
    let mut state = keep_what_fits(spec);
    if state.topics.is_empty() {
        return BTreeMap::new();
    }
    state.topics.sort_by(most_partitions_per_subscriber);
    for topic in &mut state.topics {
        give_out(topic, &mut state.targets, &mut state.loads);
    }
    balance(&mut state);
    let ids = spec.members.iter().map(|member| member.id.clone());
    ids.zip(state.targets).collect()
}

fn keep_what_fits(spec: &Spec<'_>) -> State {
    let mut topics: BTreeMap<Uuid, Topic> = BTreeMap::new();
    for (index, member) in spec.members.iter().enumerate() {
        for id in &*member.topics {
            let count = usize::try_from(spec.partition_count(*id)).unwrap_or(0);
            let topic = topics.entry(*id).or_insert_with(|| Topic {
                id: *id,
                subscribers: Vec::new(),
                owners: vec![None; count],
            });
            topic.subscribers.push(index);
        }
    }
    let mut targets = vec![Partitions::new(); spec.members.len()];
    let mut loads = vec![0; spec.members.len()];
    let each = spec.members.iter().zip(&mut targets).zip(&mut loads);
    for (index, ((member, target), load)) in each.enumerate() {
        for (id, partitions) in member.target {
            let Some(topic) = topics.get_mut(id).filter(|_| member.topics.contains(id)) else {
                continue;
            };
            for partition in partitions {
                let owner = usize::try_from(*partition)
                    .ok()
                    .and_then(|at| topic.owners.get_mut(at));
                if let Some(owner @ None) = owner {
                    *owner = Some(index);
                    *load += 1;
                    add(target, *id, *partition);
                }
            }
        }
    }
    State {
        topics: topics.into_values().collect(),
        targets,
        loads,
    }
}

fn most_partitions_per_subscriber(a: &Topic, b: &Topic) -> Ordering {
    // Fractions compare by cross-multiplication.
    let (left, right) = (
        b.owners.len() * a.subscribers.len(),
        a.owners.len() * b.subscribers.len(),
    );
    left.cmp(&right)
        .then(a.subscribers.len().cmp(&b.subscribers.len()))
        .then(as_java_orders(a.id).cmp(&as_java_orders(b.id)))
}

/// Kafka compares ids by their halves, as signed numbers.
fn as_java_orders(id: Uuid) -> (i64, i64) {
    let (high, low) = id.as_u64_pair();
    (high.cast_signed(), low.cast_signed())
}

fn give_out(topic: &mut Topic, targets: &mut [Partitions], loads: &mut [i64]) {
    let mut balancer = Balancer::new(&topic.subscribers, loads);
    for partition in 0..topic.owners.len() {
        if topic.owners.get(partition) == Some(&None)
            && let Some(member) = balancer.next_to_fill(loads)
        {
            put(topic, partition, member, targets, loads);
        }
    }
}

/// Hands a partition to `member`, away from whoever has it.
fn put(
    topic: &mut Topic,
    partition: usize,
    member: usize,
    targets: &mut [Partitions],
    loads: &mut [i64],
) {
    let Some(owner) = topic.owners.get_mut(partition) else {
        return;
    };
    let before = owner.replace(member);
    let index = i32::try_from(partition).unwrap_or(i32::MAX);
    if let Some(before) = before {
        if let Some(target) = targets.get_mut(before) {
            remove(target, topic.id, index);
        }
        if let Some(load) = loads.get_mut(before) {
            *load -= 1;
        }
    }
    if let Some(target) = targets.get_mut(member) {
        add(target, topic.id, index);
    }
    if let Some(load) = loads.get_mut(member) {
        *load += 1;
    }
}

fn balance(state: &mut State) {
    let State {
        topics,
        targets,
        loads,
    } = state;
    let mut last_changed: Option<usize> = None;
    for _ in 0..ROUNDS_MAX {
        let shared = topics
            .iter_mut()
            .filter(|topic| topic.subscribers.len() > 1)
            .enumerate();
        for (index, topic) in shared {
            if last_changed == Some(index) {
                // Once around without a change.
                return;
            }
            let moved = balance_topic(topic, targets, loads);
            if moved > 0 || last_changed.is_none() {
                last_changed = Some(index);
            }
        }
    }
}

/// Moves partitions of one topic; returns how many.
fn balance_topic(topic: &mut Topic, targets: &mut [Partitions], loads: &mut [i64]) -> usize {
    let mut balancer = Balancer::new(&topic.subscribers, loads);
    if balancer.imbalance(loads) <= 1 {
        return 0;
    }
    // What each member had to begin with, to be given away from the last on.
    let mut owned: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (partition, owner) in topic.owners.iter().enumerate() {
        if let Some(owner) = owner {
            owned.entry(*owner).or_default().push(partition);
        }
    }
    let mut moved = 0;
    while !balancer.is_balanced() {
        let partition = loop {
            let Some(most_loaded) = balancer.next_to_drain(loads) else {
                break None;
            };
            match owned.get_mut(&most_loaded).and_then(Vec::pop) {
                Some(partition) => break Some(partition),
                None => balancer.exclude_drained(),
            }
        };
        let (Some(partition), Some(least_loaded)) = (partition, balancer.next_to_fill(loads))
        else {
            break;
        };
        if balancer.is_balanced() {
            break;
        }
        put(topic, partition, least_loaded, targets, loads);
        moved += 1;
    }
    moved
}
