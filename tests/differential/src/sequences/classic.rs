//! Classic groups: members that join, sync, beat, commit and leave, rightly and wrongly.

use bytes::Bytes;
use headwater_wire::ApiKey::{
    DeleteGroups, DescribeGroups, FindCoordinator, Heartbeat, JoinGroup, LeaveGroup, ListGroups,
    OffsetDelete, SyncGroup,
};
use headwater_wire::codec::Tree;

use super::commit;
use super::produce::Target;
use super::topics::create;
use crate::object::{Look, NULL, ask, object};
use crate::run::Run;

/// A member as its server knows it; ids are Kafka's.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) client: u32,
    pub(crate) group: String,
    pub(crate) id: Tree,
    pub(crate) instance: Tree,
    pub(crate) generation: i32,
}

impl Member {
    pub(crate) fn new(client: u32, group: &str, instance: Option<&str>) -> Self {
        Self {
            client,
            group: group.to_owned(),
            id: Tree::String(String::new()),
            instance: instance.map_or(NULL, |instance| Tree::String(instance.to_owned())),
            generation: -1,
        }
    }

    fn join(&self, protocols: &[&str]) -> Tree {
        let protocols: Vec<_> = protocols
            .iter()
            .map(|name| object! { name: *name, metadata: Bytes::from_static(b"\0\0\0\0\0\0\0\0\0\0") })
            .collect();
        object! {
            group_id: &self.group,
            session_timeout_ms: 30_000,
            rebalance_timeout_ms: 30_000,
            member_id: &self.id,
            group_instance_id: &self.instance,
            protocol_type: "consumer",
            protocols: protocols,
        }
    }

    fn learn(&mut self, joined: &Tree) {
        if let Tree::String(_) = joined.look("member_id") {
            self.id = joined.look("member_id").clone();
        }
        if joined.int("error_code") == 0 {
            self.generation = i32::try_from(joined.int("generation_id")).unwrap_or(-1);
        }
    }

    /// The lowest version in which the member's fields are.
    fn min(&self) -> i16 {
        if self.instance == NULL { 0 } else { 5 }
    }
}

/// Joins, and joins again with the id that was given, if that is asked for.
async fn join(run: &mut Run, member: &mut Member, protocols: &[&str]) {
    let version = run.version_from(JoinGroup, member.min());
    for _ in 0..2 {
        let body = member.join(protocols);
        let joined = run.call_once(member.client, JoinGroup, version, body).await;
        member.learn(&joined);
        // The id is required.
        if joined.int("error_code") != 79 {
            return;
        }
    }
}

/// Joins with a subscription that says something, and syncs, whatever comes of it.
pub(crate) async fn join_as(
    run: &mut Run,
    member: &mut Member,
    protocol: &'static str,
    subscription: &Bytes,
) {
    let version = run.version(JoinGroup);
    for _ in 0..2 {
        let Tree::Structure(mut fields) = member.join(&[]) else {
            return;
        };
        for (name, value) in &mut fields {
            if *name == "protocols" {
                let metadata = subscription.clone();
                *value = Tree::Array(vec![object! { name: protocol, metadata: metadata }]);
            }
        }
        let body = Tree::Structure(fields);
        let joined = run.call_once(member.client, JoinGroup, version, body).await;
        member.learn(&joined);
        if joined.int("error_code") != 79 {
            break;
        }
    }
    if member.generation < 0 {
        return;
    }
    let version = run.version(SyncGroup);
    let body = sync_body(member, &[member]);
    run.call_once(member.client, SyncGroup, version, body).await;
}

fn sync_body(member: &Member, of: &[&Member]) -> Tree {
    let assignments: Vec<_> = of
        .iter()
        .map(|member| object! { member_id: &member.id, assignment: Bytes::from_static(b"mine") })
        .collect();
    object! {
        group_id: &member.group,
        generation_id: member.generation,
        member_id: &member.id,
        group_instance_id: &member.instance,
        protocol_type: "consumer",
        protocol_name: "range",
        assignments: assignments,
    }
}

fn min_sync(member: &Member) -> i16 {
    if member.instance == NULL { 0 } else { 3 }
}

/// Lets a second member into a group of one, and both sync.
async fn second(run: &mut Run, first: &mut Member, other: &mut Member) {
    let version = run.version_from(JoinGroup, other.min());
    if version >= 4 && other.instance == NULL {
        let body = other.join(&["range"]);
        let asked = run.call_once(other.client, JoinGroup, version, body).await;
        other.learn(&asked);
    }
    let waiting = run.begin(other.client, JoinGroup, version, other.join(&["range"]));
    let beat = object! {
        group_id: &first.group,
        generation_id: first.generation,
        member_id: &first.id,
        group_instance_id: &first.instance,
    };
    run.settle(Heartbeat, 4, beat, |answer| answer.int("error_code") != 0)
        .await;
    let version = run.version_from(JoinGroup, first.min());
    let body = first.join(&["range"]);
    let joined = run.call_once(first.client, JoinGroup, version, body).await;
    first.learn(&joined);
    let joined = run.finish(waiting).await;
    other.learn(&joined);

    let version = run.version_from(SyncGroup, min_sync(other));
    let waiting = run.begin(other.client, SyncGroup, version, sync_body(other, &[]));
    let version = run.version_from(SyncGroup, min_sync(first));
    let body = sync_body(first, &[first, other]);
    run.call_once(first.client, SyncGroup, version, body).await;
    run.finish(waiting).await;
}

/// A group from its first member to its deletion.
pub(crate) async fn life(run: &mut Run) {
    let group = run.name("g");
    let topic = run.name("t");
    let id = create(run, &topic, 3, &[]).await;
    let target = Target { name: topic, id };
    find(run, &group).await;
    let instance = run.once_in(3).then_some("here");
    let mut a = Member::new(1, &group, instance);
    join(run, &mut a, &["range", "roundrobin"]).await;
    let version = run.version_from(SyncGroup, min_sync(&a));
    let body = sync_body(&a, &[&a]);
    run.call_once(1, SyncGroup, version, body).await;
    let mut b = Member::new(2, &group, None);
    if run.once_in(2) {
        second(run, &mut a, &mut b).await;
    }
    for _ in 0..9 {
        let member = if b.generation >= 0 && run.once_in(2) {
            &b
        } else {
            &a
        };
        any_step(run, member, &target).await;
    }
    describe(run, &group).await;
    // Out, one after the other, and away with it.
    for member in [&b, &a] {
        if member.generation < 0 {
            continue;
        }
        let version = run.version_from(LeaveGroup, min_sync(member));
        let left = object! {
            member_id: &member.id,
            group_instance_id: &member.instance,
            reason: run.one(&[NULL, Tree::String("bye".into())]),
        };
        let body = object! { group_id: &group, member_id: &member.id, members: [left] };
        run.call_once(0, LeaveGroup, version, body).await;
        describe(run, &group).await;
    }
    commit::fetch_all(run, &group, &target).await;
    let version = run.version(DeleteGroups);
    let names = [group.clone(), run.name("nobody")];
    ask! { run, DeleteGroups, version, { groups_names: names } };
    describe(run, &group).await;
}

pub(crate) async fn find(run: &mut Run, group: &str) {
    let version = run.version(FindCoordinator);
    let key_type = if version == 0 {
        0
    } else {
        run.one(&[0, 0, 1, 3])
    };
    ask! { run, FindCoordinator, version, {
        key: group,
        key_type: key_type,
        coordinator_keys: [group],
    } };
}

/// What the descriptions say of a group.
async fn describe(run: &mut Run, group: &str) {
    let version = run.version(DescribeGroups);
    let operations = version >= 3 && run.once_in(2);
    ask! { run, DescribeGroups, version, {
        groups: [group.to_owned(), run.name("nobody")],
        include_authorized_operations: operations,
    } };
    let version = run.version(ListGroups);
    let states = run.one(&[
        vec![],
        vec![],
        vec!["Stable"],
        vec!["stable", "EMPTY"],
        vec!["PreparingRebalance", "CompletingRebalance"],
        vec!["Dead"],
        vec!["NoSuchState"],
    ]);
    let types = run.one(&[
        vec![],
        vec!["classic"],
        vec!["Consumer"],
        vec!["CLASSIC", "consumer"],
        vec!["share"],
        vec!["nonsense"],
    ]);
    ask! { run, ListGroups, version, { states_filter: states, types_filter: types } };
}

/// Something that a member does, or somebody who is none.
async fn any_step(run: &mut Run, member: &Member, target: &Target) {
    let mut used = member.clone();
    match run.below(8) {
        0 => used.generation += 1,
        1 => used.generation = run.one(&[0, -1, -2]),
        2 => used.id = Tree::String("who".into()),
        3 => used.id = Tree::String(String::new()),
        4 => used.instance = Tree::String("elsewhere".into()),
        5 => used.group = run.one(&[run.name("nobody"), String::new()]),
        _ => {}
    }
    match run.below(7) {
        0 | 1 => {
            let version = run.version_from(Heartbeat, min_sync(&used));
            ask! { run, Heartbeat, version, {
                group_id: &used.group,
                generation_id: used.generation,
                member_id: &used.id,
                group_instance_id: &used.instance,
            } };
        }
        2 => commit::commit(run, &used, target).await,
        3 => commit::fetch_some(run, &used.group, target).await,
        4 => {
            let topic = object! {
                name: run.one(&[target.name.clone(), run.name("nobody")]),
                partitions: [object! { partition_index: 0 }, object! { partition_index: 8 }],
            };
            ask! { run, OffsetDelete, 0, { group_id: &used.group, topics: [topic] } };
        }
        5 => {
            let version = run.version(DeleteGroups);
            ask! { run, DeleteGroups, version, { groups_names: [&used.group] } };
        }
        _ => {
            // A sync out of turn, which answers what was assigned or refuses.
            let version = run.version_from(SyncGroup, min_sync(&used));
            let mut body = sync_body(&used, &[]);
            if run.once_in(3) {
                let Tree::Structure(fields) = &mut body else {
                    return;
                };
                for (name, value) in fields {
                    if *name == "protocol_name" || *name == "protocol_type" {
                        *value = run.one(&[Tree::String("other".into()), NULL]);
                    }
                }
            }
            run.call_once(used.client, SyncGroup, version, body).await;
        }
    }
}

/// Joins that must be refused.
pub(crate) async fn refused(run: &mut Run) {
    let group = run.name("g");
    let mut a = Member::new(1, &group, None);
    if run.once_in(2) {
        join(run, &mut a, &["range"]).await;
        let version = run.version(SyncGroup);
        let body = sync_body(&a, &[&a]);
        run.call_once(1, SyncGroup, version, body).await;
    }
    for client in 3..13 {
        let mut b = Member::new(client, &group, None);
        let mut protocols = vec!["roundrobin"];
        match run.below(7) {
            0 => b.group = String::new(),
            1 => b.id = Tree::String("unknown".into()),
            2 => protocols = vec![],
            3 => {
                b.instance = run.one(&[
                    Tree::String(String::new()),
                    Tree::String("bad name!".into()),
                    Tree::String("x".repeat(260)),
                ])
            }
            _ => {}
        }
        let Tree::Structure(mut fields) = b.join(&protocols) else {
            return;
        };
        let change = run.below(4);
        for (name, value) in &mut fields {
            match (change, *name) {
                (0, "session_timeout_ms") => {
                    *value = Tree::Int(run.one(&[0, 1, -1, 10_000_000, i64::from(i32::MAX)]));
                }
                (1, "protocol_type") => {
                    *value = Tree::String(run.one(&["", "connect"]).to_owned());
                }
                // Names no id, so that it waits for nobody.
                (_, "protocols") if a.generation < 0 && b.id == Tree::String(String::new()) => {
                    *value = Tree::Array(Vec::new());
                }
                _ => {}
            }
        }
        let version = run.version_from(JoinGroup, 5);
        run.call_once(client, JoinGroup, version, Tree::Structure(fields))
            .await;
    }
    describe(run, &group).await;
    for key_type in [-1, 0, 1, 2, 3, 9] {
        let version = run.version_from(FindCoordinator, 1);
        let key = run.one(&[group.clone(), String::new(), "a:b:c".to_owned()]);
        ask! { run, FindCoordinator, version, {
            key: &key,
            key_type: key_type,
            coordinator_keys: [key.clone(), "other".to_owned()],
        } };
    }
}
