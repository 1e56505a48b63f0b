//! Static members (KIP-345): a restart is no rebalance.

use std::time::Duration;

use bytes::Bytes;
use headwater_wire::ErrorCode;
use headwater_wire::messages::join_group::JoinGroupRequest;

use crate::world::{World, committing, error, joining_static, leaving, protocol, syncing};

/// A stable group of the static members `a`, who leads, and `b`: their member ids, generation 2.
fn pair(world: &mut World) -> (String, String) {
    let first = world.join(9, joining_static("a"));
    let second = world.send_join(9, joining_static("b"));
    let first = JoinGroupRequest {
        member_id: first.member_id,
        ..joining_static("a")
    };
    let first = world.join(9, first).member_id;
    let second = world.take_join(second).member_id;
    let shares = [(first.as_str(), "0"), (second.as_str(), "1")];
    assert_eq!(
        error(world.sync(syncing(&first, 2, &shares)).error_code),
        ErrorCode::None
    );
    (first, second)
}

#[test]
fn a_follower_comes_back_to_its_assignment() {
    let mut world = World::new();
    let (leader, before) = pair(&mut world);
    let back = world.join(9, joining_static("b"));
    assert_eq!(error(back.error_code), ErrorCode::None);
    assert_eq!((back.generation_id, &back.leader), (2, &leader));
    assert!(!back.skip_assignment);
    assert_ne!(back.member_id, before);
    assert_eq!(
        world.sync(syncing(&back.member_id, 2, &[])).assignment,
        Bytes::from("1")
    );
    assert_eq!(
        world.heartbeat_as(&before, Some("b"), 2),
        ErrorCode::FencedInstanceId
    );
    assert_eq!(
        world.heartbeat_as(&back.member_id, Some("b"), 2),
        ErrorCode::None
    );
    assert_eq!(
        world.heartbeat(&leader, 2),
        ErrorCode::None,
        "nobody else is disturbed"
    );
}

#[test]
fn a_leader_comes_back_and_is_told_to_leave_the_assignment_as_it_is() {
    let mut world = World::new();
    let (before, _) = pair(&mut world);
    let back = world.join(9, joining_static("a"));
    assert_eq!((back.generation_id, &back.leader), (2, &back.member_id));
    assert!(back.skip_assignment);
    assert_eq!(back.members.len(), 2);
    let old_client = world.join(8, joining_static("a"));
    assert_eq!(
        old_client.leader, back.member_id,
        "an old client must not think it leads"
    );
    assert!(!old_client.skip_assignment && old_client.members.is_empty());
    assert_ne!(old_client.member_id, before);
}

#[test]
fn a_restart_of_everything_is_no_rebalance() {
    let mut world = World::new();
    pair(&mut world);
    world.restart();
    for instance in ["b", "a"] {
        let back = world.join(9, joining_static(instance));
        assert_eq!(
            (error(back.error_code), back.generation_id),
            (ErrorCode::None, 2)
        );
        let share = if instance == "a" { "0" } else { "1" };
        assert_eq!(
            world.sync(syncing(&back.member_id, 2, &[])).assignment,
            Bytes::from(share)
        );
        let commit = committing(&back.member_id, 2, 0, 5);
        assert_eq!(world.commit(commit), ErrorCode::None);
    }
}

#[test]
fn new_topics_are_a_rebalance() {
    let mut world = World::new();
    let (leader, _) = pair(&mut world);
    let request = JoinGroupRequest {
        protocols: vec![protocol("range", &["t", "u"])],
        ..joining_static("b")
    };
    let back = world.send_join(9, request);
    assert!(!world.is_answered(back));
    assert_eq!(world.heartbeat(&leader, 2), ErrorCode::RebalanceInProgress);
}

#[test]
fn coming_back_while_the_leader_assigns_is_a_rebalance() {
    let mut world = World::new();
    let first = world.join(9, joining_static("a"));
    let back = world.join(9, joining_static("a"));
    assert_eq!(back.generation_id, 2);
    let old = world.sync(syncing(&first.member_id, 1, &[]));
    assert_eq!(error(old.error_code), ErrorCode::UnknownMemberId);
}

#[test]
fn the_one_who_waits_under_the_old_id_is_fenced() {
    let mut world = World::new();
    let (leader, follower) = pair(&mut world);
    let leader_join = JoinGroupRequest {
        member_id: leader,
        ..joining_static("a")
    };
    let waiting = world.send_join(9, leader_join);
    let back = world.send_join(9, joining_static("a"));
    assert_eq!(
        error(world.take_join(waiting).error_code),
        ErrorCode::FencedInstanceId
    );
    let follower_join = JoinGroupRequest {
        member_id: follower,
        ..joining_static("b")
    };
    assert_eq!(world.join(9, follower_join).generation_id, 3);
    assert_eq!(world.take_join(back).generation_id, 3);
}

#[test]
fn requests_of_the_old_id_are_fenced() {
    let mut world = World::new();
    let (_, before) = pair(&mut world);
    world.join(9, joining_static("b"));
    let join = JoinGroupRequest {
        member_id: before.clone(),
        ..joining_static("b")
    };
    assert_eq!(
        error(world.join(9, join).error_code),
        ErrorCode::FencedInstanceId
    );
    let mut sync = syncing(&before, 2, &[]);
    sync.group_instance_id = Some("b".to_owned());
    assert_eq!(
        error(world.sync(sync).error_code),
        ErrorCode::FencedInstanceId
    );
    let mut commit = committing(&before, 2, 0, 1);
    commit.group_instance_id = Some("b".to_owned());
    assert_eq!(world.commit(commit), ErrorCode::FencedInstanceId);
    let left = world.leave(5, leaving(&[(&before, Some("b"))]));
    assert_eq!(
        error(left.members[0].error_code),
        ErrorCode::FencedInstanceId
    );
}

#[test]
fn an_operator_removes_a_static_member_by_its_instance() {
    let mut world = World::new();
    let (leader, _) = pair(&mut world);
    let left = world.leave(5, leaving(&[("", Some("b"))]));
    assert_eq!(error(left.members[0].error_code), ErrorCode::None);
    assert_eq!(world.heartbeat(&leader, 2), ErrorCode::RebalanceInProgress);
}

#[test]
fn a_static_member_keeps_its_place_until_its_session_ends() {
    let mut world = World::new();
    let (leader, follower) = pair(&mut world);
    let again = JoinGroupRequest {
        member_id: leader.clone(),
        ..joining_static("a")
    };
    let waiting = world.send_join(9, again);
    world.pass(Duration::from_secs(9));
    assert!(!world.is_answered(waiting));
    world.pass(Duration::from_secs(2));
    let joined = world.take_join(waiting);
    assert_eq!(
        joined.members.len(),
        1,
        "the follower was silent for its session timeout"
    );
    assert_eq!(world.heartbeat(&follower, 2), ErrorCode::UnknownMemberId);
}
