//! Committed offsets.

use headwater_wire::ApiKey::{OffsetCommit, OffsetFetch};
use headwater_wire::codec::Tree;
use uuid::Uuid;

use super::classic::Member;
use super::produce::Target;
use crate::object::{NULL, ask, object};
use crate::run::Run;

/// First versions that name topics by id.
const BY_ID: i16 = 10;

/// Commits as a member, or as somebody outside the group.
pub(crate) async fn commit(run: &mut Run, member: &Member, target: &Target) {
    let version = run.version_from(OffsetCommit, if member.instance == NULL { 0 } else { 7 });
    commit_in(run, version, member, target).await;
}

/// Commits in a version.
pub(crate) async fn commit_in(run: &mut Run, version: i16, member: &Member, target: &Target) {
    let long = "m".repeat(4097);
    let metadata = run.one(&[
        NULL,
        Tree::String(String::new()),
        Tree::String("note".into()),
    ]);
    let metadata = if run.once_in(8) {
        Tree::String(long)
    } else {
        metadata
    };
    let at = |run: &mut Run, index: i32| {
        object! {
            partition_index: index,
            committed_offset: run.one(&[0_i64, 5, 42, -1, i64::MAX]),
            committed_leader_epoch: run.one(&[-1, 0, 3]),
            committed_metadata: &metadata,
        }
    };
    let partitions: Vec<_> = run
        .one(&[vec![0], vec![0, 1], vec![2, 7], vec![-1]])
        .into_iter()
        .map(|index| at(run, index))
        .collect();
    let mut topics = vec![object! {
        name: &target.name,
        topic_id: &target.id,
        partitions: partitions,
    }];
    if run.once_in(4) {
        let partition = at(run, 0);
        topics.push(object! {
            name: run.name("nobody"),
            topic_id: Uuid::from_u128(0xfeed),
            partitions: [partition],
        });
    }
    let retention = if version <= 4 {
        run.one(&[-1_i64, 1000])
    } else {
        -1
    };
    let body = object! {
        group_id: &member.group,
        generation_id_or_member_epoch: member.generation,
        member_id: &member.id,
        group_instance_id: &member.instance,
        retention_time_ms: retention,
        topics: topics,
    };
    run.call_once(member.client, OffsetCommit, version, body)
        .await;
}

/// Fetches offsets of some partitions, also of ones without any.
pub(crate) async fn fetch_some(run: &mut Run, group: &str, target: &Target) {
    let version = run.version(OffsetFetch);
    let stable = version >= 7 && run.once_in(2);
    let mut topics = vec![object! {
        name: &target.name,
        topic_id: &target.id,
        partition_indexes: [0, 1, 9],
    }];
    if run.once_in(3) {
        topics.push(object! {
            name: run.name("nobody"),
            topic_id: Uuid::from_u128(0xfeed),
            partition_indexes: [0],
        });
    }
    let member = run.one(&[
        (NULL, -1),
        (NULL, -1),
        (Tree::String("who".into()), 3),
        (Tree::String(String::new()), 0),
        (NULL, 5),
    ]);
    let asked = object! {
        group_id: group,
        member_id: member.0,
        member_epoch: member.1,
        topics: &Tree::Array(topics.clone()),
    };
    let mut groups = vec![asked];
    if run.once_in(4) {
        groups.push(object! { group_id: run.name("nobody"), member_epoch: -1, topics: NULL });
    }
    let older = object! { name: &target.name, partition_indexes: [0, 1, 9] };
    ask! { run, OffsetFetch, version, {
        group_id: group,
        topics: [older],
        groups: groups,
        require_stable: stable,
    } };
}

/// Fetches every offset that a group has.
pub(crate) async fn fetch_all(run: &mut Run, group: &str, target: &Target) {
    let version = run.version_from(OffsetFetch, 2);
    let topics = if version < BY_ID && run.once_in(2) || version < 8 {
        NULL
    } else {
        Tree::Array(vec![object! {
            name: &target.name,
            topic_id: &target.id,
            partition_indexes: [0, 1, 2],
        }])
    };
    let asked = object! { group_id: group, member_epoch: -1, topics: &topics };
    let older = if version < 8 {
        NULL
    } else {
        Tree::Array(Vec::new())
    };
    ask! { run, OffsetFetch, version, {
        group_id: group,
        topics: older,
        groups: [asked],
        require_stable: false,
    } };
}

/// Commits and fetches for a group that has no members.
pub(crate) async fn outside(run: &mut Run) {
    let name = run.name("t");
    let id = super::topics::create(run, &name, 3, &[]).await;
    let target = Target { name, id };
    let group = run.name("o");
    for _ in 0..14 {
        match run.below(4) {
            0 | 1 => {
                let mut outsider = Member::new(0, &group, None);
                if run.once_in(5) {
                    outsider.generation = run.one(&[0, 3]);
                }
                if run.once_in(6) {
                    outsider.id = Tree::String("who".into());
                }
                if run.once_in(9) {
                    outsider.group = String::new();
                }
                commit(run, &outsider, &target).await;
            }
            2 => fetch_some(run, &group, &target).await,
            _ => fetch_all(run, &group, &target).await,
        }
    }
}
