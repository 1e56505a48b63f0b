//! Kafka's `sticky`: a balanced division that moves as few partitions as it can (KIP-54).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use headwater_wire::{DecodeError, Decoder, Encoder};

use super::{Assignor, MemberAssignment, MemberSubscription, TopicPartitions, in_order};
use crate::TopicPartition;
use crate::error::ClientError;

/// Leaves partitions where they were as far as the counts stay balanced; between two rebalances
/// everything stops all the same. Members tell what they had in their user data, in the form of
/// Kafka's own assignor, so that the two meet in one group.
#[derive(Clone, Copy, Debug, Default)]
pub struct StickyAssignor;

#[async_trait]
impl Assignor for StickyAssignor {
    fn name(&self) -> &str {
        "sticky"
    }

    fn user_data(&self, subscription: &MemberSubscription) -> Option<Bytes> {
        if subscription.owned_partitions.is_empty() {
            return None;
        }
        let generation = subscription.generation_id.unwrap_or(-1);
        encode(&subscription.owned_partitions, generation)
    }

    async fn assign(
        &self,
        topics: &TopicPartitions,
        members: &BTreeMap<String, MemberSubscription>,
    ) -> Result<BTreeMap<String, MemberAssignment>, ClientError> {
        let claims = members.iter().map(|(id, member)| {
            let claim = member.user_data.clone().and_then(|data| decode(data).ok());
            (id.as_str(), claim.unwrap_or_default())
        });
        Ok(divide(topics, members, &claims.collect()))
    }
}

/// What a member says it had, and in which generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) partitions: Vec<TopicPartition>,
    pub(super) generation: i32,
}

/// Kafka's user data of version 1: partitions by topic, then the generation.
fn encode(partitions: &[TopicPartition], generation: i32) -> Option<Bytes> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        let indexes = topics.entry(&partition.topic).or_default();
        indexes.push(partition.partition);
    }
    let mut out = Encoder::new();
    out.put_i32(i32::try_from(topics.len()).ok()?);
    for (topic, indexes) in topics {
        out.put_string(Some(topic)).ok()?;
        out.put_i32(i32::try_from(indexes.len()).ok()?);
        for index in indexes {
            out.put_i32(index);
        }
    }
    out.put_i32(generation);
    Some(out.into_bytes())
}

/// Reads version 1, or version 0, which has no generation.
fn decode(data: Bytes) -> Result<Claim, DecodeError> {
    let mut input = Decoder::new(data);
    let mut partitions = Vec::new();
    for _ in 0..input.take_i32()?.max(0) {
        let name: Arc<str> = input.take_string()?.unwrap_or_default().into();
        for _ in 0..input.take_i32()?.max(0) {
            partitions.push(TopicPartition::new(name.clone(), input.take_i32()?));
        }
    }
    let generation = input.take_i32().unwrap_or(-1);
    Ok(Claim {
        partitions,
        generation,
    })
}

/// Divides so that the counts are balanced, and moves as little as that allows.
pub(super) fn divide(
    topics: &TopicPartitions,
    members: &BTreeMap<String, MemberSubscription>,
    claims: &BTreeMap<&str, Claim>,
) -> BTreeMap<String, MemberAssignment> {
    let ordered = in_order(members);
    let wanted: BTreeSet<&String> = members.values().flat_map(|member| &member.topics).collect();
    let mut unowned: BTreeSet<TopicPartition> = topics
        .iter()
        .filter(|(topic, _)| wanted.contains(topic))
        .flat_map(|(topic, &count)| {
            let name: Arc<str> = topic.as_str().into();
            (0..count).map(move |partition| TopicPartition::new(name.clone(), partition))
        })
        .collect();
    let mut shares = keep_owned(members, claims, &mut unowned);
    for partition in unowned {
        let lightest = ordered
            .iter()
            .filter(|id| {
                members
                    .get(**id)
                    .is_some_and(|member| wants(member, &partition))
            })
            .min_by_key(|id| shares.get(**id).map_or(0, Vec::len));
        if let Some(share) = lightest.and_then(|id| shares.get_mut(*id)) {
            share.push(partition);
        }
    }
    balance(&ordered, members, &mut shares);
    shares
        .into_iter()
        .map(|(id, mut partitions)| {
            partitions.sort();
            let share = MemberAssignment {
                partitions,
                user_data: None,
            };
            (id, share)
        })
        .collect()
}

fn wants(member: &MemberSubscription, partition: &TopicPartition) -> bool {
    member.topics.contains(&*partition.topic)
}

/// Who owns what by the members' claims. Where two claim a partition, the later generation is
/// right: the other has missed a rebalance. In one generation both are in doubt, and neither has it.
pub(super) fn owners<'a>(
    claims: &'a BTreeMap<&'a str, Claim>,
) -> BTreeMap<&'a TopicPartition, Option<&'a str>> {
    let mut best: BTreeMap<&TopicPartition, (i32, Option<&str>)> = BTreeMap::new();
    for (id, claim) in claims {
        for partition in &claim.partitions {
            let own = (claim.generation, Some(*id));
            best.entry(partition)
                .and_modify(|known| match own.0.cmp(&known.0) {
                    std::cmp::Ordering::Greater => *known = own,
                    std::cmp::Ordering::Equal if known.1 != own.1 => known.1 = None,
                    _ => {}
                })
                .or_insert(own);
        }
    }
    let owners = best.into_iter();
    owners
        .map(|(partition, (_, owner))| (partition, owner))
        .collect()
}

/// Gives every member what it owned and still wants.
fn keep_owned(
    members: &BTreeMap<String, MemberSubscription>,
    claims: &BTreeMap<&str, Claim>,
    unowned: &mut BTreeSet<TopicPartition>,
) -> BTreeMap<String, Vec<TopicPartition>> {
    let mut shares: BTreeMap<String, Vec<TopicPartition>> =
        members.keys().map(|id| (id.clone(), Vec::new())).collect();
    for (partition, owner) in owners(claims) {
        let Some(id) = owner else { continue };
        let is_wanted = members
            .get(id)
            .is_some_and(|member| wants(member, partition));
        if let Some(share) = shares.get_mut(id).filter(|_| is_wanted)
            && unowned.remove(partition)
        {
            share.push(partition.clone());
        }
    }
    shares
}

/// Moves partitions one by one from a member to another that has at least two fewer, until no such
/// move is left. Each move narrows the spread, so it ends.
fn balance(
    ordered: &[&String],
    members: &BTreeMap<String, MemberSubscription>,
    shares: &mut BTreeMap<String, Vec<TopicPartition>>,
) {
    while let Some((giver, taker, position)) = find_move(ordered, members, shares) {
        let Some(share) = shares.get_mut(giver) else {
            return;
        };
        let partition = share.remove(position);
        let Some(share) = shares.get_mut(taker) else {
            return;
        };
        share.push(partition);
    }
}

fn find_move<'a>(
    ordered: &[&'a String],
    members: &BTreeMap<String, MemberSubscription>,
    shares: &BTreeMap<String, Vec<TopicPartition>>,
) -> Option<(&'a String, &'a String, usize)> {
    let size = |id: &String| shares.get(id).map_or(0, Vec::len);
    let mut givers: Vec<&String> = ordered.to_vec();
    givers.sort_by_key(|id| std::cmp::Reverse(size(id)));
    let mut takers: Vec<&String> = ordered.to_vec();
    takers.sort_by_key(|id| size(id));
    for giver in givers {
        for taker in takers
            .iter()
            .take_while(|taker| size(taker) + 2 <= size(giver))
        {
            let member = members.get(*taker)?;
            // The last come first: what a member has had longest stays.
            let position = shares.get(giver)?.iter().rposition(|p| wants(member, p));
            if let Some(position) = position {
                return Some((giver, taker, position));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;
