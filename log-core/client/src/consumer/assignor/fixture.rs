//! Members and topics for the tests of the assignors.

use std::collections::BTreeMap;

use super::{MemberAssignment, MemberSubscription, TopicPartitions};

pub(super) fn topics<const N: usize>(topics: [(&str, i32); N]) -> TopicPartitions {
    topics
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count))
        .collect()
}

pub(super) fn member<const N: usize>(topics: [&str; N]) -> MemberSubscription {
    let topics = topics.into_iter().map(str::to_owned).collect();
    MemberSubscription {
        topics,
        ..MemberSubscription::default()
    }
}

pub(super) fn static_member<const N: usize>(
    instance: &str,
    topics: [&str; N],
) -> MemberSubscription {
    MemberSubscription {
        group_instance_id: Some(instance.to_owned()),
        ..member(topics)
    }
}

pub(super) fn members<const N: usize>(
    members: [(&str, MemberSubscription); N],
) -> BTreeMap<String, MemberSubscription> {
    members
        .into_iter()
        .map(|(id, member)| (id.to_owned(), member))
        .collect()
}

pub(super) fn listed(shares: &BTreeMap<String, MemberAssignment>, id: &str) -> Vec<String> {
    let share = shares.get(id).map(|share| share.partitions.as_slice());
    share
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .collect()
}
