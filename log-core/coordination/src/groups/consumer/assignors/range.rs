//! The `range` assignor.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use uuid::Uuid;

use super::{MemberSpec, Spec};
use crate::groups::consumer::assignment::Partitions;
use crate::groups::member::MemberId;

/// One topic while it is handed out, from its first partition to its last.
struct Topic {
    next: i32,
    end: i32,
    share: i32,
    /// Members that get one partition more than their share.
    with_extra: i32,
}

pub(super) fn assign(spec: &Spec<'_>) -> BTreeMap<MemberId, Partitions> {
    let mut members: Vec<&MemberSpec<'_>> = spec.members.iter().collect();
    members.sort_by(|a, b| by_instance_then_id(a, b));
    let mut topics = topics(spec);
    let shares = members.into_iter().map(|member| {
        let mut target = Partitions::new();
        for id in &*member.topics {
            if let Some(topic) = topics.get_mut(id) {
                let extra = i32::from(topic.with_extra > 0);
                topic.with_extra -= extra;
                let start = topic.next;
                topic.next = topic.end.min(start + topic.share + extra);
                if start < topic.next {
                    target.insert(*id, (start..topic.next).collect());
                }
            }
        }
        (member.id.clone(), target)
    });
    shares.collect()
}

fn topics(spec: &Spec<'_>) -> BTreeMap<Uuid, Topic> {
    let mut subscribers: BTreeMap<Uuid, i32> = BTreeMap::new();
    for topic in spec.members.iter().flat_map(|member| &*member.topics) {
        *subscribers.entry(*topic).or_default() += 1;
    }
    subscribers
        .into_iter()
        .map(|(id, subscribers)| {
            let end = spec.partition_count(id);
            let topic = Topic {
                next: 0,
                end,
                share: end / subscribers.max(1),
                with_extra: end % subscribers.max(1),
            };
            (id, topic)
        })
        .collect()
}

/// Static members first, by their instances, so that they keep their ranges over restarts.
fn by_instance_then_id(a: &MemberSpec<'_>, b: &MemberSpec<'_>) -> Ordering {
    match (a.instance_id, b.instance_id) {
        (Some(a), Some(b)) => a.cmp(b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.id.cmp(b.id),
    }
}
