//! The target: what every member is to have in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use uuid::Uuid;

use super::assignment::Partitions;
use super::assignors::{MemberSpec, Spec, in_kafkas_order};
use super::change::{Change, TargetEpoch};
use super::edit::Edit;
use super::group::ConsumerGroup;
use super::regex::{self, TopicPattern};
use crate::groups::coordinator::Cx;
use crate::groups::topics::Topics;

/// Brings the group's view of its topics up to date. The epoch moves on if `must_bump`, and if
/// anything about the topics that members subscribe to has changed. `pattern` is one of theirs that
/// is compiled already.
pub(in crate::groups) fn follow_topics(
    cx: &Cx<'_>,
    edit: &mut Edit<'_>,
    must_bump: bool,
    pattern: Option<&TopicPattern>,
) {
    let version = Some(cx.topics.version());
    if !must_bump && edit.group.seen_version == version {
        return;
    }
    let has_matched_others = resolve_patterns(cx, edit, pattern);
    let has_changed = || edit.group.hash_topics(cx.topics) != edit.group.metadata_hash;
    if must_bump || has_matched_others || has_changed() {
        edit.bump_epoch(cx.topics);
    }
    edit.group.seen_version = version;
}

/// Looks for topics that match, unless that was done with the same topics. Returns whether any
/// pattern matches others than before.
fn resolve_patterns(cx: &Cx<'_>, edit: &mut Edit<'_>, at_hand: Option<&TopicPattern>) -> bool {
    let is_current = edit.group.seen_version == Some(cx.topics.version());
    let outdated = edit
        .group
        .patterns()
        .filter(|pattern| !is_current || !edit.group.regexes.contains_key(*pattern));
    let resolved = regex::resolve(outdated, at_hand, cx.topics, cx.time.wall);
    let mut has_changed = false;
    for (pattern, resolved) in resolved {
        let before = edit.group.regexes.get(&pattern);
        if before.is_none_or(|before| before.topics != resolved.topics) {
            has_changed = true;
            edit.make(Change::Regex(pattern, Some(resolved)));
        }
    }
    has_changed
}

/// Computes a new target if one is called for, but not too soon after the last (KIP-1263).
pub(in crate::groups) fn update(cx: &Cx<'_>, edit: &mut Edit<'_>) {
    if edit.group.target_epoch >= edit.group.epoch {
        return;
    }
    let interval = cx
        .topics
        .group_settings(&edit.id)
        .assignment_interval
        .unwrap_or(cx.config.consumer_assignment_interval);
    if let Some(computed_at) = edit.group.target_computed_at
        && cx.time.wall < computed_at.after(interval)
    {
        return;
    }
    let assignor = edit.group.assignor(cx.config.default_assignor());
    let mut targets = compute(edit.group, cx.topics, |spec| assignor.assign(spec));
    let ids: Vec<_> = edit.group.members.keys().cloned().collect();
    for id in ids {
        let target = targets.remove(&id).unwrap_or_default();
        if edit.group.target.get(&id) != Some(&target) {
            edit.make(Change::Target(id, Some(target)));
        }
    }
    edit.make(Change::TargetEpoch(Some(TargetEpoch {
        epoch: edit.group.epoch,
        computed_at: Some(cx.time.wall),
    })));
}

fn compute<R>(group: &ConsumerGroup, topics: &Topics, assign: impl FnOnce(&Spec<'_>) -> R) -> R {
    // Most members subscribe alike: each subscription is looked up once.
    let mut subscriptions: BTreeMap<(&BTreeSet<String>, &str), Rc<BTreeSet<Uuid>>> =
        BTreeMap::new();
    let none = Partitions::new();
    let mut members: Vec<MemberSpec<'_>> = group
        .members
        .values()
        .map(|member| {
            let metadata = &member.metadata;
            let subscription = subscriptions
                .entry((&metadata.topics, &metadata.regex))
                .or_insert_with(|| Rc::new(topics.ids(group.topics_of(member))));
            MemberSpec {
                id: &member.id,
                instance_id: metadata.instance_id.as_deref(),
                topics: Rc::clone(subscription),
                target: group.target.get(&member.id).unwrap_or(&none),
            }
        })
        .collect();
    in_kafkas_order(&mut members, |member| member.id);
    let mut all = subscriptions.values();
    let first = all.next();
    let is_homogeneous = all.all(|other| Some(other) == first);
    let partition_counts = group
        .subscribed_topics()
        .into_iter()
        .filter_map(|name| topics.find(name))
        .collect();
    assign(&Spec {
        members,
        partition_counts: &partition_counts,
        is_homogeneous,
    })
}
