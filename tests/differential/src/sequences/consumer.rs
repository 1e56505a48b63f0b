//! Groups of the consumer protocol (KIP-848).

use bytes::Bytes;
use headwater_wire::ApiKey::{
    ConsumerGroupDescribe, ConsumerGroupHeartbeat, DeleteGroups, Heartbeat, LeaveGroup, ListGroups,
};
use headwater_wire::codec::Tree;

use super::classic::{self, Member};
use super::commit;
use super::produce::Target;
use super::topics::create;
use crate::object::{Look, NULL, ask, object};
use crate::run::Run;

/// A number that the usual numbers of partitions of `__consumer_offsets` divide.
const PARTITIONS: u32 = 1600;

/// A member of the consumer protocol.
#[derive(Debug, Clone)]
struct Consumer {
    group: String,
    id: Tree,
    epoch: i32,
    instance: Tree,
    owned: Tree,
}

impl Consumer {
    fn new(group: &str, id: &str) -> Self {
        Self {
            group: group.to_owned(),
            id: Tree::String(id.to_owned()),
            epoch: 0,
            instance: NULL,
            owned: Tree::Array(Vec::new()),
        }
    }

    /// The first heartbeat, that joins.
    fn join(&self, topics: &[&str]) -> Tree {
        object! {
            group_id: &self.group,
            member_id: &self.id,
            member_epoch: 0,
            instance_id: &self.instance,
            rack_id: NULL,
            rebalance_timeout_ms: 30_000,
            subscribed_topic_names: topics.to_vec(),
            server_assignor: NULL,
            topic_partitions: Vec::<Tree>::new(),
        }
    }

    /// A heartbeat that changes nothing but what it owns.
    fn beat(&self, owned: bool) -> Tree {
        object! {
            group_id: &self.group,
            member_id: &self.id,
            member_epoch: self.epoch,
            instance_id: &self.instance,
            rebalance_timeout_ms: -1,
            topic_partitions: if owned { self.owned.clone() } else { NULL },
        }
    }

    fn learn(&mut self, answer: &Tree) {
        if answer.int("error_code") != 0 {
            return;
        }
        if let Tree::String(_) = answer.look("member_id") {
            self.id = answer.look("member_id").clone();
        }
        self.epoch = i32::try_from(answer.int("member_epoch")).unwrap_or(0);
        if let Tree::Structure(_) = answer.look("assignment") {
            self.owned = answer.look("assignment.topic_partitions").clone();
        }
    }
}

async fn beat(run: &mut Run, member: &mut Consumer, body: Tree) {
    let version = run.version(ConsumerGroupHeartbeat);
    let answer = run
        .call_once(1, ConsumerGroupHeartbeat, version, body)
        .await;
    member.learn(&answer);
}

/// Creates a topic, and waits until the coordinators of the group know it as well: they learn of it
/// behind all others, and a member that joins before is assigned nothing yet.
async fn create_for(run: &mut Run, group: &str, topic: &str, partitions: i32) -> Tree {
    let id = create(run, topic, partitions, &[]).await;
    let probe = Consumer::new(&neighbour(group), "0f4b7c0e-5f5e-4c1c-9a4e-6a2f0f7a9d11");
    let body = probe.join(&[topic]);
    run.settle(ConsumerGroupHeartbeat, 1, body, |answer| {
        !answer.elements("assignment.topic_partitions").is_empty()
    })
    .await;
    let gone = Consumer { epoch: -1, ..probe };
    run.settle(ConsumerGroupHeartbeat, 1, gone.beat(false), |_| true)
        .await;
    id
}

/// A group, of no sequence, that is in the same partition of `__consumer_offsets`.
fn neighbour(group: &str) -> String {
    let partition = hash(group) % PARTITIONS;
    (0_u32..)
        .map(|nth| format!("beside-{group}-{nth}"))
        .find(|name| hash(name) % PARTITIONS == partition)
        .unwrap_or_default()
}

/// What Kafka takes a group's partition from.
fn hash(group: &str) -> u32 {
    let hash = group.bytes().fold(0_i32, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(i32::from(byte))
    });
    hash.checked_abs().map_or(0, i32::unsigned_abs)
}

/// Members come, share partitions, commit and go.
pub(crate) async fn life(run: &mut Run) {
    let name = run.name("t");
    let partitions = run.one(&[1, 2, 4]);
    let group = run.name("c");
    let id = create_for(run, &group, &name, partitions).await;
    let target = Target {
        name: name.clone(),
        id,
    };
    let mut a = Consumer::new(&group, "3c1a0d53-8b34-4a6d-a0b6-6f1a58c1f0a1");
    let mut b = Consumer::new(&group, "9e5c9a35-0d0f-4a6e-8f4e-d2ad53e1c0b2");
    if run.once_in(3) {
        b.instance = Tree::String("here".into());
    }
    let body = a.join(&[&name]);
    beat(run, &mut a, body).await;
    for _ in 0..2 {
        let body = a.beat(true);
        beat(run, &mut a, body).await;
    }
    describe(run, &group).await;
    if run.once_in(2) {
        let body = b.join(&[&name]);
        beat(run, &mut b, body).await;
        // In turns, until what moves has moved.
        for _ in 0..3 {
            let body = a.beat(true);
            beat(run, &mut a, body).await;
            let body = b.beat(true);
            beat(run, &mut b, body).await;
        }
        describe(run, &group).await;
    }
    for _ in 0..6 {
        wrong(run, &mut a, &target).await;
    }
    for member in [&mut b, &mut a] {
        if member.epoch == 0 {
            continue;
        }
        let mut gone = member.clone();
        gone.epoch = if gone.instance == NULL || run.once_in(2) {
            -1
        } else {
            -2
        };
        let body = gone.beat(false);
        beat(run, member, body).await;
        describe(run, &group).await;
    }
    let version = run.version(DeleteGroups);
    ask! { run, DeleteGroups, version, { groups_names: [&group] } };
    describe(run, &group).await;
}

async fn describe(run: &mut Run, group: &str) {
    let version = run.version(ConsumerGroupDescribe);
    let operations = run.once_in(2);
    ask! { run, ConsumerGroupDescribe, version, {
        group_ids: [group.to_owned(), run.name("nobody")],
        include_authorized_operations: operations,
    } };
    let version = run.version(ListGroups);
    ask! { run, ListGroups, version, {} };
}

/// Heartbeats and commits, most of them wrong.
async fn wrong(run: &mut Run, member: &mut Consumer, target: &Target) {
    let mut used = member.clone();
    match run.below(11) {
        0 => used.epoch += 1,
        1 => used.epoch -= 1,
        2 => used.id = Tree::String("5a0f9e0c-1f0a-47c7-9d4b-3f4f3d0e9fff".into()),
        3 => used.id = Tree::String(String::new()),
        4 => used.group = String::new(),
        5 => used.epoch = -3,
        6 => {
            let mut commits = Member::new(0, &used.group, None);
            commits.id = used.id.clone();
            commits.generation = used.epoch + run.one(&[0, 0, 1, -1]);
            let version = run.version(headwater_wire::ApiKey::OffsetCommit);
            commit::commit_in(run, version, &commits, target).await;
            return;
        }
        7 => {
            commit::fetch_some(run, &used.group, target).await;
            return;
        }
        _ => {}
    }
    let mut body = used.beat(run.once_in(2));
    let change = run.below(8);
    if let Tree::Structure(fields) = &mut body {
        let set = match change {
            0 => ("server_assignor", Tree::String("no-such".into())),
            1 => ("subscribed_topic_names", Tree::Array(Vec::new())),
            2 => ("rebalance_timeout_ms", Tree::Int(0)),
            3 => ("rack_id", Tree::String(String::new())),
            4 => ("instance_id", Tree::String("late".into())),
            _ => ("rack_id", NULL),
        };
        fields.retain(|(name, _)| *name != set.0);
        fields.push(set);
    }
    beat(run, member, body).await;
}

/// A static member that goes for a moment and comes back, and another that wants its place.
pub(crate) async fn static_member(run: &mut Run) {
    let group = run.name("c");
    let topic = run.name("t");
    create_for(run, &group, &topic, 2).await;
    let mut a = Consumer::new(&group, "3c1a0d53-8b34-4a6d-a0b6-6f1a58c1f0a1");
    a.instance = Tree::String("here".into());
    let body = a.join(&[&topic]);
    beat(run, &mut a, body).await;
    let body = a.beat(true);
    beat(run, &mut a, body).await;
    let mut other = Consumer::new(&group, "9e5c9a35-0d0f-4a6e-8f4e-d2ad53e1c0b2");
    other.instance = a.instance.clone();
    let body = other.join(&[&topic]);
    beat(run, &mut other, body).await;
    describe(run, &group).await;
    let mut away = a.clone();
    away.epoch = -2;
    let body = away.beat(false);
    run.call_once(1, ConsumerGroupHeartbeat, 1, body).await;
    describe(run, &group).await;
    let mut back = Consumer::new(&group, "5d2b1e64-9c45-4b7e-b1c7-701b69d201b2");
    back.instance = a.instance.clone();
    let body = back.join(&[&topic]);
    beat(run, &mut back, body).await;
    let body = back.beat(true);
    beat(run, &mut back, body).await;
    // The one it was is fenced.
    let body = a.beat(false);
    run.call_once(1, ConsumerGroupHeartbeat, 1, body).await;
    describe(run, &group).await;
}

/// Members of the one protocol in a group of the other.
pub(crate) async fn migration(run: &mut Run) {
    let topic = run.name("t");
    let group = run.name("m");
    create_for(run, &group, &topic, 2).await;
    let mut consumer = Consumer::new(&group, "3c1a0d53-8b34-4a6d-a0b6-6f1a58c1f0a1");
    let mut classic = Member::new(2, &group, None);
    let subscription = subscription(&topic);
    let classic_first = run.once_in(2);
    if classic_first {
        classic::join_as(run, &mut classic, "range", &subscription).await;
        let body = consumer.join(&[&topic]);
        beat(run, &mut consumer, body).await;
    } else {
        let body = consumer.join(&[&topic]);
        beat(run, &mut consumer, body).await;
        classic::join_as(run, &mut classic, "range", &subscription).await;
    }
    describe(run, &group).await;
    for _ in 0..4 {
        if run.once_in(2) {
            let body = consumer.beat(true);
            beat(run, &mut consumer, body).await;
        } else {
            let version = run.version(Heartbeat);
            ask! { run, Heartbeat, version, {
                group_id: &group,
                generation_id: classic.generation,
                member_id: &classic.id,
            } };
        }
    }
    let mut gone = consumer.clone();
    gone.epoch = -1;
    let body = gone.beat(false);
    beat(run, &mut consumer, body).await;
    describe(run, &group).await;
    let version = run.version(LeaveGroup);
    let left = object! { member_id: &classic.id };
    ask! { run, LeaveGroup, version, {
        group_id: &group,
        member_id: &classic.id,
        members: [left],
    } };
    describe(run, &group).await;
}

/// What a member of the classic protocol says that it subscribes to, in version 1.
fn subscription(topic: &str) -> Bytes {
    let length = i16::try_from(topic.len()).unwrap_or(0);
    let mut bytes = vec![0, 1, 0, 0, 0, 1];
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(topic.as_bytes());
    // No user data, and nothing owned.
    bytes.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    bytes.into()
}

/// First heartbeats that must be refused.
pub(crate) async fn refused(run: &mut Run) {
    let group = run.name("c");
    let topic = run.name("t");
    create_for(run, &group, &topic, 1).await;
    for _ in 0..10 {
        let version = run.version(ConsumerGroupHeartbeat);
        let member = Consumer::new(&group, "3c1a0d53-8b34-4a6d-a0b6-6f1a58c1f0a1");
        let Tree::Structure(mut fields) = member.join(&[&topic]) else {
            return;
        };
        let text = |text: &str| Tree::String(text.to_owned());
        let (name, value) = match run.below(12) {
            0 => ("group_id", text("")),
            1 => ("member_epoch", Tree::Int(run.one(&[5, -1, -2, -3]))),
            2 => ("rebalance_timeout_ms", Tree::Int(run.one(&[-1, 0]))),
            3 => ("subscribed_topic_names", NULL),
            4 => ("topic_partitions", NULL),
            5 => ("server_assignor", text(run.one(&["no-such", ""]))),
            6 => ("instance_id", text("")),
            7 if version >= 1 => ("subscribed_topic_regex", text(run.one(&["(", "[a", ""]))),
            8 => ("rack_id", text("")),
            9 if version >= 1 => ("member_id", text("")),
            10 => ("member_id", text(" ")),
            _ => ("group_id", text("  ")),
        };
        fields.retain(|(field, _)| *field != name);
        fields.push((name, value));
        if name == "subscribed_topic_regex" && run.once_in(2) {
            fields.retain(|(field, _)| *field != "subscribed_topic_names");
            fields.push(("subscribed_topic_names", NULL));
        }
        run.call_once(1, ConsumerGroupHeartbeat, version, Tree::Structure(fields))
            .await;
    }
    describe(run, &group).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_is_another_group_of_the_same_partition() {
        // "polygenelubricants" hashes to the smallest integer of Java.
        assert_eq!(hash("polygenelubricants"), 0);
        assert_eq!(hash("Aa"), 2112);
        for group in ["d5af-1-c", "m"] {
            let other = neighbour(group);
            assert_ne!(other, group);
            for partitions in [1, 4, 50] {
                assert_eq!(hash(&other) % partitions, hash(group) % partitions);
            }
        }
    }
}
