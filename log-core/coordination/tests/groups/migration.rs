//! Members of both protocols in one group, and groups that go from one to the other.

use std::time::Duration;

use bytes::Bytes;
use headwater_coordination::groups::{GroupConfig, MigrationPolicy};
use headwater_wire::ErrorCode;
use headwater_wire::internal;
use headwater_wire::messages::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition,
};
use headwater_wire::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use headwater_wire::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};

use crate::consumers::{Consumer, settle};
use crate::world::{GROUP, World, committing, error, joining, leaving, syncing};

/// A member of the classic protocol that owns these partitions of `t`.
fn classic(id: &str, owned: &[i32]) -> JoinGroupRequest {
    let subscription = ConsumerProtocolSubscription {
        topics: vec!["t".to_owned()],
        owned_partitions: vec![TopicPartition {
            topic: "t".to_owned(),
            partitions: owned.to_vec(),
        }],
        user_data: None,
        ..Default::default()
    };
    JoinGroupRequest {
        protocols: vec![JoinGroupRequestProtocol {
            name: "cooperative-sticky".to_owned(),
            metadata: internal::encode(&subscription, 3).expect("it can be encoded"),
        }],
        ..joining(id)
    }
}

fn assignment(partitions: &[i32]) -> Bytes {
    let assignment = ConsumerProtocolAssignment {
        assigned_partitions: vec![TopicPartition {
            topic: "t".to_owned(),
            partitions: partitions.to_vec(),
        }],
        user_data: None,
    };
    internal::encode(&assignment, 3).expect("it can be encoded")
}

fn assigned(bytes: Bytes) -> Vec<i32> {
    let assignment: ConsumerProtocolAssignment =
        internal::decode(bytes).expect("it can be decoded");
    assignment
        .assigned_partitions
        .into_iter()
        .flat_map(|topic| topic.partitions)
        .collect()
}

fn world(policy: MigrationPolicy) -> World {
    let mut world = World::with(GroupConfig {
        initial_rebalance_delay: Duration::ZERO,
        consumer_assignment_interval: Duration::ZERO,
        migration_policy: policy,
        ..GroupConfig::default()
    });
    world.topics.set("t", 4);
    world
}

/// A classic group of one member with all four partitions, in generation 1.
fn classic_group(world: &mut World) -> String {
    let asked = world.join(9, classic("", &[]));
    assert_eq!(error(asked.error_code), ErrorCode::MemberIdRequired);
    let id = asked.member_id;
    let joined = world.join(9, classic(&id, &[]));
    assert_eq!((joined.generation_id, &joined.leader), (1, &id));
    let synced = world.sync(SyncGroupRequest {
        assignments: vec![SyncGroupRequestAssignment {
            member_id: id.clone(),
            assignment: assignment(&[0, 1, 2, 3]),
        }],
        ..syncing(&id, 1, &[])
    });
    assert_eq!(error(synced.error_code), ErrorCode::None);
    id
}

fn rejoin(world: &mut World, id: &str, owned: &[i32]) -> (JoinGroupResponse, Vec<i32>) {
    let joined = world.join(9, classic(id, owned));
    assert_eq!(error(joined.error_code), ErrorCode::None);
    let synced = world.sync(syncing(id, joined.generation_id, &[]));
    assert_eq!(error(synced.error_code), ErrorCode::None);
    (joined, assigned(synced.assignment))
}

#[test]
fn a_classic_group_is_upgraded_with_its_members() {
    let mut world = world(MigrationPolicy::Bidirectional);
    let old = classic_group(&mut world);
    assert_eq!(world.commit(committing(&old, 1, 0, 7)), ErrorCode::None);
    let mut new = Consumer::new("new", &["t"]);
    assert_eq!(new.beat(&mut world), ErrorCode::None);
    assert_eq!((new.epoch, new.load()), (2, 0), "the other has everything");
    assert_eq!(world.fetched(0), 7, "offsets stay");
    let described = world.described();
    let types: Vec<i8> = described
        .members
        .iter()
        .map(|member| member.member_type)
        .collect();
    assert_eq!(described.group_state, "Reconciling");
    assert!(types.contains(&0) && types.contains(&1));

    assert_eq!(world.heartbeat(&old, 1), ErrorCode::RebalanceInProgress);
    let (joined, kept) = rejoin(&mut world, &old, &[0, 1, 2, 3]);
    assert_eq!(
        (joined.generation_id, kept.len()),
        (1, 2),
        "first it gives up two"
    );
    assert_eq!(
        (&*joined.leader, joined.protocol_name.as_deref()),
        ("", Some("cooperative-sticky"))
    );
    new.beat(&mut world);
    assert_eq!(new.load(), 0);
    assert_eq!(world.heartbeat(&old, 1), ErrorCode::RebalanceInProgress);
    let (joined, kept_still) = rejoin(&mut world, &old, &kept);
    assert_eq!((joined.generation_id, kept_still), (2, kept));
    new.beat(&mut world);
    assert_eq!(new.load(), 2);
    assert_eq!(world.heartbeat(&old, 2), ErrorCode::None);
    assert_eq!(world.commit(committing(&old, 2, 0, 8)), ErrorCode::None);
    assert_eq!(
        world.commit(committing(&old, 3, 0, 8)),
        ErrorCode::IllegalGeneration
    );

    let before = world.described();
    assert_eq!(before.group_state, "Stable");
    world.restart();
    assert_eq!(world.described(), before);
    assert_eq!(world.heartbeat(&old, 2), ErrorCode::None);
}

#[test]
fn a_group_goes_back_to_classic_with_its_last_consumer() {
    let mut world = world(MigrationPolicy::Bidirectional);
    let old = classic_group(&mut world);
    let mut new = Consumer::new("new", &["t"]);
    new.beat(&mut world);
    let (_, kept) = rejoin(&mut world, &old, &[0, 1, 2, 3]);
    let (_, kept) = rejoin(&mut world, &old, &kept);
    new.beat(&mut world);
    assert_eq!(new.leave(&mut world, -1), ErrorCode::None);
    assert_eq!(
        error(world.described().error_code),
        ErrorCode::GroupIdNotFound
    );
    assert_eq!(world.heartbeat(&old, 2), ErrorCode::RebalanceInProgress);
    let joined = world.join(9, classic(&old, &kept));
    assert_eq!((joined.generation_id, &joined.leader), (3, &old));
    world.restart();
    assert_eq!(
        world.heartbeat(&old, 2),
        ErrorCode::None,
        "the last that was written"
    );
}

#[test]
fn a_classic_member_joins_a_group_of_the_other_protocol() {
    let mut world = world(MigrationPolicy::Bidirectional);
    let mut new = Consumer::new("new", &["t"]);
    new.beat(&mut world);
    let asked = world.join(9, classic("", &[]));
    assert_eq!(error(asked.error_code), ErrorCode::MemberIdRequired);
    let old = asked.member_id;
    let (joined, mine) = rejoin(&mut world, &old, &[]);
    assert_eq!((joined.generation_id, mine), (3, vec![]));
    new.beat(&mut world);
    new.beat(&mut world);
    assert_eq!(new.load(), 2);
    assert_eq!(
        world.heartbeat(&old, 3),
        ErrorCode::RebalanceInProgress,
        "there is more"
    );
    let (_, mine) = rejoin(&mut world, &old, &[]);
    assert_eq!(mine.len(), 2);
    let left = world.leave(5, leaving(&[(&old, None), ("nobody", None)]));
    assert_eq!(error(left.members[0].error_code), ErrorCode::None);
    assert_eq!(
        error(left.members[1].error_code),
        ErrorCode::UnknownMemberId
    );
    settle(&mut world, &mut [&mut new]);
    assert_eq!(new.load(), 4);
}

#[test]
fn classic_members_that_do_not_come_when_called_are_fenced() {
    let mut world = world(MigrationPolicy::Bidirectional);
    let mut new = Consumer::new("new", &["t"]);
    new.beat(&mut world);
    let old = world.join(9, classic("", &[])).member_id;
    let joined = world.join(9, classic(&old, &[]));
    assert_eq!(joined.generation_id, 3);
    for _ in 0..7 {
        // Its heartbeats go on, but it never asks for its assignment.
        world.heartbeat(&old, 3);
        new.beat(&mut world);
        world.pass(Duration::from_secs(9));
    }
    assert_eq!(world.heartbeat(&old, 3), ErrorCode::UnknownMemberId);
}

#[test]
fn the_policy_decides() {
    let mut disabled = world(MigrationPolicy::Disabled);
    classic_group(&mut disabled);
    let mut new = Consumer::new("new", &["t"]);
    assert_eq!(new.beat(&mut disabled), ErrorCode::GroupIdNotFound);
    let mut other = world(MigrationPolicy::Disabled);
    new.beat(&mut other);
    let refused = other.join(9, classic("", &[]));
    assert_eq!(
        error(refused.error_code),
        ErrorCode::InconsistentGroupProtocol
    );
    let mut upgrade = world(MigrationPolicy::Upgrade);
    let old = classic_group(&mut upgrade);
    new.forget();
    assert_eq!(new.beat(&mut upgrade), ErrorCode::None);
    assert_eq!(new.leave(&mut upgrade, -1), ErrorCode::None);
    assert_eq!(
        upgrade.described().members[0].member_id,
        old,
        "it stays what it is"
    );
}

#[test]
fn groups_without_members_change_freely() {
    let mut world = world(MigrationPolicy::Disabled);
    let old = classic_group(&mut world);
    assert_eq!(world.commit(committing(&old, 1, 0, 7)), ErrorCode::None);
    world.leave(5, leaving(&[(&old, None)]));
    let mut new = Consumer::new("new", &["t"]);
    assert_eq!(new.beat(&mut world), ErrorCode::None);
    assert_eq!(new.load(), 4);
    assert_eq!(new.leave(&mut world, -1), ErrorCode::None);
    assert_eq!(world.described().group_state, "Empty");
    let again = classic_group(&mut world);
    assert_eq!(
        error(world.described().error_code),
        ErrorCode::GroupIdNotFound
    );
    world.restart();
    assert_eq!(world.heartbeat(&again, 1), ErrorCode::None);
    assert_eq!(world.fetched(0), 7, "offsets of {GROUP} stay");
}

#[test]
fn a_classic_member_that_cannot_be_written_is_refused_alone() {
    let mut world = World::with(GroupConfig {
        max_append_bytes: 10_000,
        initial_rebalance_delay: Duration::ZERO,
        ..GroupConfig::default()
    });
    world.topics.set("t", 2);
    let large = || {
        let mut request = classic("", &[]);
        let subscription = ConsumerProtocolSubscription {
            topics: vec!["t".to_owned()],
            user_data: Some(Bytes::from(vec![7; 20_000])),
            ..Default::default()
        };
        request.protocols[0].metadata =
            internal::encode(&subscription, 3).expect("it can be encoded");
        request
    };
    let refused = world.join(3, large());
    assert_eq!(error(refused.error_code), ErrorCode::UnknownServerError);
    let mut member = Consumer::new("a", &["t"]);
    assert_eq!(member.beat(&mut world), ErrorCode::None);
    let written = world.log.len();
    let refused = world.join(3, large());
    assert_eq!(error(refused.error_code), ErrorCode::UnknownServerError);
    assert_eq!(world.log.len(), written, "nothing is written for it");
    assert_eq!(member.beat(&mut world), ErrorCode::None);
}
