//! Kafka's `range`: each topic's partitions in consecutive ranges.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{
    Assignor, MemberAssignment, MemberSubscription, TopicPartitions, empty_shares, in_order,
};
use crate::TopicPartition;
use crate::error::ClientError;

/// Divides each topic on its own into ranges, so that equal partitions of topics with equal
/// partition counts meet at one member.
#[derive(Clone, Copy, Debug, Default)]
pub struct RangeAssignor;

#[async_trait]
impl Assignor for RangeAssignor {
    fn name(&self) -> &str {
        "range"
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
    let mut shares = empty_shares(members);
    let ordered = in_order(members);
    for (topic, &count) in topics {
        let takers: Vec<&String> = ordered
            .iter()
            .copied()
            .filter(|id| {
                members
                    .get(*id)
                    .is_some_and(|member| member.topics.contains(topic))
            })
            .collect();
        let number = i32::try_from(takers.len()).unwrap_or(i32::MAX);
        if number == 0 {
            continue;
        }
        // The first `count % number` members take one more.
        let (each, more) = (count / number, count % number);
        let mut next = 0;
        for (position, id) in takers.into_iter().enumerate() {
            let extra = i32::from(i32::try_from(position).is_ok_and(|position| position < more));
            let end = next + each + extra;
            if let Some(share) = shares.get_mut(id) {
                let name: std::sync::Arc<str> = topic.as_str().into();
                share
                    .partitions
                    .extend((next..end).map(|p| TopicPartition::new(name.clone(), p)));
            }
            next = end;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{listed, member, members, static_member, topics};
    use super::*;

    #[test]
    fn topics_are_divided_each_on_its_own() {
        let members = members([("a", member(["t", "u"])), ("b", member(["t", "u"]))]);
        let shares = assign(&topics([("t", 3), ("u", 3)]), &members);
        assert_eq!(listed(&shares, "a"), ["t-0", "t-1", "u-0", "u-1"]);
        assert_eq!(listed(&shares, "b"), ["t-2", "u-2"]);
    }

    #[test]
    fn only_subscribers_take_part() {
        let members = members([("a", member(["t"])), ("b", member(["t", "u"]))]);
        let shares = assign(&topics([("t", 1), ("u", 2)]), &members);
        assert_eq!(listed(&shares, "a"), ["t-0"]);
        assert_eq!(listed(&shares, "b"), ["u-0", "u-1"]);
    }

    #[test]
    fn static_members_come_first_in_the_order_of_their_instances() {
        let members = members([
            ("a", member(["t"])),
            ("x", static_member("1", ["t"])),
            ("c", static_member("2", ["t"])),
        ]);
        let shares = assign(&topics([("t", 3)]), &members);
        assert_eq!(listed(&shares, "x"), ["t-0"]);
        assert_eq!(listed(&shares, "c"), ["t-1"]);
        assert_eq!(listed(&shares, "a"), ["t-2"]);
    }

    #[test]
    fn members_without_a_share_are_named_all_the_same() {
        let members = members([("a", member(["t"])), ("b", member(["t"]))]);
        let shares = assign(&topics([("t", 1)]), &members);
        assert!(listed(&shares, "b").is_empty());
        assert_eq!(shares.len(), 2);
    }
}
