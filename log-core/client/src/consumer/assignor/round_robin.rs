//! Kafka's `roundrobin`: all partitions of all topics dealt out in turn.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Assignor, MemberAssignment, MemberSubscription, TopicPartitions, empty_shares, in_order,
};
use crate::TopicPartition;
use crate::error::ClientError;

/// Deals partitions out one by one, passing over members that do not subscribe to their topic.
#[derive(Clone, Copy, Debug, Default)]
pub struct RoundRobinAssignor;

#[async_trait]
impl Assignor for RoundRobinAssignor {
    fn name(&self) -> &str {
        "roundrobin"
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
    let mut turn = 0;
    for (topic, &count) in topics {
        let wants = |id: &String| {
            members
                .get(id)
                .is_some_and(|member| member.topics.contains(topic))
        };
        if !ordered.iter().any(|id| wants(id)) {
            continue;
        }
        let name: Arc<str> = topic.as_str().into();
        for partition in 0..count {
            // Ends: somebody wants the topic.
            let taker = loop {
                let Some(id) = ordered.get(turn % ordered.len()) else {
                    break None;
                };
                turn += 1;
                if wants(id) {
                    break Some(*id);
                }
            };
            if let Some(share) = taker.and_then(|id| shares.get_mut(id)) {
                share
                    .partitions
                    .push(TopicPartition::new(name.clone(), partition));
            }
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{listed, member, members, topics};
    use super::*;

    #[test]
    fn partitions_are_dealt_across_topics() {
        let members = members([("a", member(["t", "u"])), ("b", member(["t", "u"]))]);
        let shares = assign(&topics([("t", 3), ("u", 3)]), &members);
        assert_eq!(listed(&shares, "a"), ["t-0", "t-2", "u-1"]);
        assert_eq!(listed(&shares, "b"), ["t-1", "u-0", "u-2"]);
    }

    #[test]
    fn members_that_do_not_want_a_topic_are_passed_over() {
        let members = members([
            ("a", member(["t"])),
            ("b", member(["t", "u"])),
            ("c", member(["u"])),
        ]);
        let shares = assign(&topics([("t", 2), ("u", 2), ("v", 9)]), &members);
        assert_eq!(listed(&shares, "a"), ["t-0"]);
        assert_eq!(listed(&shares, "b"), ["t-1", "u-1"]);
        assert_eq!(listed(&shares, "c"), ["u-0"]);
    }
}
