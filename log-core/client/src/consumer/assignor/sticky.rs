//! A balanced division that moves as few partitions as it can.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;

use super::{Assignor, MemberAssignment, MemberSubscription, TopicPartitions, in_order};
use crate::TopicPartition;
use crate::error::ClientError;

/// Leaves partitions where they were as far as the counts stay balanced.
///
/// Its protocol is named `headwater-sticky`: it balances like Kafka's `sticky` but reads who owned
/// what from the subscription's owned partitions (KIP-429), not from user data, so the two must not
/// meet in one group under one name.
#[derive(Clone, Copy, Debug, Default)]
pub struct StickyAssignor;

#[async_trait]
impl Assignor for StickyAssignor {
    fn name(&self) -> &str {
        "headwater-sticky"
    }

    async fn assign(
        &self,
        topics: &TopicPartitions,
        members: &BTreeMap<String, MemberSubscription>,
    ) -> Result<BTreeMap<String, MemberAssignment>, ClientError> {
        Ok(assign(topics, members))
    }
}

fn assign(
    topics: &TopicPartitions,
    members: &BTreeMap<String, MemberSubscription>,
) -> BTreeMap<String, MemberAssignment> {
    let ordered = in_order(members);
    let mut unowned: BTreeSet<TopicPartition> = topics
        .iter()
        .flat_map(|(topic, &count)| {
            let name: Arc<str> = topic.as_str().into();
            (0..count).map(move |partition| TopicPartition::new(name.clone(), partition))
        })
        .filter(|partition| members.values().any(|member| wants(member, partition)))
        .collect();
    let mut shares = keep_owned(members, &mut unowned);
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
            (
                id,
                MemberAssignment {
                    partitions,
                    user_data: None,
                },
            )
        })
        .collect()
}

fn wants(member: &MemberSubscription, partition: &TopicPartition) -> bool {
    member.topics.contains(&*partition.topic)
}

/// Gives every member what it owned and still wants. Where two claim a partition, the later
/// generation is right: the other has missed a rebalance.
fn keep_owned(
    members: &BTreeMap<String, MemberSubscription>,
    unowned: &mut BTreeSet<TopicPartition>,
) -> BTreeMap<String, Vec<TopicPartition>> {
    let mut shares: BTreeMap<String, Vec<TopicPartition>> =
        members.keys().map(|id| (id.clone(), Vec::new())).collect();
    let mut claims: Vec<(&String, &MemberSubscription)> = members.iter().collect();
    claims.sort_by_key(|(_, member)| std::cmp::Reverse(member.generation_id.unwrap_or(-1)));
    for (id, member) in claims {
        for partition in &member.owned_partitions {
            if wants(member, partition)
                && unowned.remove(partition)
                && let Some(share) = shares.get_mut(id)
            {
                share.push(partition.clone());
            }
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
mod tests {
    use super::super::fixture::{listed, member, members, topics};
    use super::*;

    fn owning(mut member: MemberSubscription, generation: i32, of: &[i32]) -> MemberSubscription {
        member.generation_id = Some(generation);
        member.owned_partitions = of.iter().map(|p| TopicPartition::new("t", *p)).collect();
        member
    }

    #[test]
    fn a_fresh_group_is_balanced() {
        let members = members([
            ("a", member(["t"])),
            ("b", member(["t"])),
            ("c", member(["t"])),
        ]);
        let shares = assign(&topics([("t", 7)]), &members);
        let mut sizes: Vec<usize> = shares
            .values()
            .map(|share| share.partitions.len())
            .collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [2, 2, 3]);
    }

    #[test]
    fn a_new_member_takes_only_what_balance_needs() {
        let members = members([
            ("a", owning(member(["t"]), 4, &[0, 2, 4])),
            ("b", owning(member(["t"]), 4, &[1, 3, 5])),
            ("c", member(["t"])),
        ]);
        let shares = assign(&topics([("t", 6)]), &members);
        assert_eq!(listed(&shares, "a"), ["t-0", "t-2"]);
        assert_eq!(listed(&shares, "b"), ["t-1", "t-3"]);
        assert_eq!(listed(&shares, "c"), ["t-4", "t-5"]);
    }

    #[test]
    fn the_rest_of_a_lost_member_is_spread_and_nothing_else_moves() {
        let members = members([
            ("a", owning(member(["t"]), 4, &[0, 3])),
            ("b", owning(member(["t"]), 4, &[1, 4])),
        ]);
        let shares = assign(&topics([("t", 6)]), &members);
        assert_eq!(listed(&shares, "a"), ["t-0", "t-2", "t-3"]);
        assert_eq!(listed(&shares, "b"), ["t-1", "t-4", "t-5"]);
    }

    #[test]
    fn of_two_claims_the_later_generation_holds() {
        let members = members([
            ("a", owning(member(["t"]), 3, &[0, 1])),
            ("b", owning(member(["t"]), 4, &[0])),
        ]);
        let shares = assign(&topics([("t", 2)]), &members);
        assert_eq!(listed(&shares, "a"), ["t-1"]);
        assert_eq!(listed(&shares, "b"), ["t-0"]);
    }

    #[test]
    fn partitions_nobody_wants_any_more_are_given_to_nobody() {
        let members = members([("a", owning(member(["u"]), 3, &[0, 1]))]);
        let shares = assign(&topics([("t", 2), ("u", 1)]), &members);
        assert_eq!(listed(&shares, "a"), ["u-0"]);
    }
}
