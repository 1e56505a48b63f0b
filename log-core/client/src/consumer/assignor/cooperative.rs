//! Kafka's `cooperative-sticky`: as sticky, and without a stop for everybody (KIP-429).

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use bytes::Bytes;
use headwater_wire::{Decoder, Encoder};

use super::sticky::{Claim, divide, owners};
use super::{Assignor, MemberAssignment, MemberSubscription, RebalanceProtocol, TopicPartitions};
use crate::TopicPartition;
use crate::error::ClientError;

/// Divides as [`StickyAssignor`](super::StickyAssignor) does, but gives nobody a partition that
/// another member still has: that one gives it up first, and a second rebalance, which its joining
/// again brings about, hands it over. Everything else is read on throughout.
#[derive(Clone, Copy, Debug, Default)]
pub struct CooperativeStickyAssignor;

#[async_trait]
impl Assignor for CooperativeStickyAssignor {
    fn name(&self) -> &str {
        "cooperative-sticky"
    }

    fn rebalance_protocol(&self) -> RebalanceProtocol {
        RebalanceProtocol::Cooperative
    }

    /// The generation, for members that do not read it in the subscription itself (KIP-792).
    fn user_data(&self, subscription: &MemberSubscription) -> Option<Bytes> {
        let mut out = Encoder::new();
        out.put_i32(subscription.generation_id.unwrap_or(-1));
        Some(out.into_bytes())
    }

    async fn assign(
        &self,
        topics: &TopicPartitions,
        members: &BTreeMap<String, MemberSubscription>,
    ) -> Result<BTreeMap<String, MemberAssignment>, ClientError> {
        let claims = members
            .iter()
            .map(|(id, member)| (id.as_str(), claim(member)));
        let claims: BTreeMap<&str, Claim> = claims.collect();
        let mut shares = divide(topics, members, &claims);
        withhold(&claims, &mut shares);
        Ok(shares)
    }
}

fn claim(member: &MemberSubscription) -> Claim {
    let in_data = || {
        let data = member.user_data.clone()?;
        Decoder::new(data).take_i32().ok()
    };
    Claim {
        partitions: member.owned_partitions.clone(),
        generation: member.generation_id.or_else(in_data).unwrap_or(-1),
    }
}

/// Takes out of the shares what another member says it has, right or wrong, and has to give up
/// first.
fn withhold(claims: &BTreeMap<&str, Claim>, shares: &mut BTreeMap<String, MemberAssignment>) {
    let owners = owners(claims);
    let mut given_up: BTreeSet<&TopicPartition> = BTreeSet::new();
    for (id, claim) in claims {
        let share = shares.get(*id).map(|share| share.partitions.as_slice());
        let share: BTreeSet<&TopicPartition> = share.unwrap_or_default().iter().collect();
        given_up.extend(claim.partitions.iter().filter(|p| !share.contains(p)));
    }
    for (id, share) in shares {
        let owns = |p: &TopicPartition| owners.get(p).is_some_and(|o| *o == Some(id.as_str()));
        share
            .partitions
            .retain(|p| !given_up.contains(p) || owns(p));
    }
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

    fn assign(
        topics: &TopicPartitions,
        members: &BTreeMap<String, MemberSubscription>,
    ) -> BTreeMap<String, MemberAssignment> {
        let assigned =
            futures::executor::block_on(CooperativeStickyAssignor.assign(topics, members));
        assigned.expect("an assignment")
    }

    #[test]
    fn what_is_to_move_is_given_to_nobody_until_it_is_given_up() {
        let topics = topics([("t", 4)]);
        let first = members([
            ("a", owning(member(["t"]), 1, &[0, 1, 2, 3])),
            ("b", member(["t"])),
        ]);
        let shares = assign(&topics, &first);
        let kept = listed(&shares, "a");
        assert_eq!(kept.len(), 2);
        assert!(listed(&shares, "b").is_empty());

        let kept: Vec<i32> = shares["a"].partitions.iter().map(|p| p.partition).collect();
        let second = members([
            ("a", owning(member(["t"]), 2, &kept)),
            ("b", owning(member(["t"]), 2, &[])),
        ]);
        let shares = assign(&topics, &second);
        assert_eq!(shares["a"].partitions.len(), 2);
        assert_eq!(listed(&shares, "b").len(), 2);
        assert!(
            shares["b"]
                .partitions
                .iter()
                .all(|p| !kept.contains(&p.partition))
        );
    }

    #[test]
    fn a_late_claim_of_an_old_generation_takes_nothing_from_the_owner() {
        let members = members([
            ("a", owning(member(["t"]), 5, &[0, 1])),
            ("b", owning(member(["t"]), 3, &[0, 1])),
        ]);
        let shares = assign(&topics([("t", 2)]), &members);
        assert_eq!(listed(&shares, "a").len(), 1);
        assert!(
            listed(&shares, "b").is_empty(),
            "the other has to give it up first"
        );
    }
}
