//! The course of rebalances.

use std::time::Duration;

use bytes::Bytes;
use headwater_coordination::groups::GroupConfig;
use headwater_wire::ErrorCode;
use headwater_wire::messages::join_group::JoinGroupRequest;

use crate::world::{World, error, joining, leaving, protocol, syncing};

#[test]
fn a_second_member_makes_a_second_generation() {
    let mut world = World::new();
    let first = world.stable();
    let (second, second_join) = world.enter();
    assert!(
        !world.is_answered(second_join),
        "the first member has to rejoin"
    );
    let first_join = world.send_join(9, joining(&first));
    let (joined_first, joined_second) = (world.take_join(first_join), world.take_join(second_join));
    assert_eq!(
        (joined_first.generation_id, joined_second.generation_id),
        (2, 2)
    );
    assert_eq!(
        (&joined_first.leader, &joined_second.leader),
        (&first, &first)
    );
    assert_eq!(joined_first.members.len(), 2);
    assert!(
        joined_second.members.is_empty(),
        "only the leader sees the members"
    );

    let follower = world.send_sync(syncing(&second, 2, &[]));
    assert!(
        !world.is_answered(follower),
        "the leader has not assigned yet"
    );
    let shares = [(first.as_str(), "a"), (second.as_str(), "b")];
    assert_eq!(
        world.sync(syncing(&first, 2, &shares)).assignment,
        Bytes::from("a")
    );
    assert_eq!(world.take_sync(follower).assignment, Bytes::from("b"));
    assert_eq!(
        world.sync(syncing(&second, 2, &[])).assignment,
        Bytes::from("b")
    );
}

#[test]
fn members_that_do_not_rejoin_are_left_behind() {
    let mut world = World::new();
    let first = world.stable();
    let (second, second_join) = world.enter();
    // The first keeps its session alive, but does not rejoin.
    for _ in 0..7 {
        world.pass(Duration::from_secs(9));
        world.heartbeat(&first, 1);
    }
    let joined = world.take_join(second_join);
    assert_eq!((joined.generation_id, joined.leader), (2, second));
    assert_eq!(joined.members.len(), 1);
    assert_eq!(world.heartbeat(&first, 1), ErrorCode::UnknownMemberId);
}

#[test]
fn a_leader_that_never_assigns_is_dropped() {
    let mut world = World::new();
    let (id, token) = world.enter();
    world.take_join(token);
    for _ in 0..7 {
        world.pass(Duration::from_secs(9));
        world.heartbeat(&id, 1);
    }
    assert_eq!(world.heartbeat(&id, 1), ErrorCode::UnknownMemberId);
}

#[test]
fn a_rebalance_interrupts_those_who_wait_for_their_assignment() {
    let mut world = World::new();
    let first = world.stable();
    let (second, second_join) = world.enter();
    let first_join = world.send_join(9, joining(&first));
    world.take_join(first_join);
    world.take_join(second_join);
    let waiting = world.send_sync(syncing(&second, 2, &[]));
    let left = world.leave(5, leaving(&[(&first, None)]));
    assert_eq!(error(left.error_code), ErrorCode::None);
    let interrupted = world.take_sync(waiting);
    assert_eq!(
        error(interrupted.error_code),
        ErrorCode::RebalanceInProgress
    );
    let joined = world.join(9, joining(&second));
    assert_eq!((joined.generation_id, joined.leader), (3, second));
}

#[test]
fn a_follower_with_nothing_new_keeps_the_generation_and_a_leader_starts_another() {
    let mut world = World::new();
    let first = world.stable();
    let (second, second_join) = world.enter();
    let first_join = world.send_join(9, joining(&first));
    world.take_join(first_join);
    world.take_join(second_join);
    let again = world.join(9, joining(&second));
    assert_eq!(
        again.generation_id, 2,
        "its first answer may have been lost"
    );
    world.sync(syncing(&first, 2, &[]));
    assert_eq!(world.join(9, joining(&second)).generation_id, 2);
    let leader = world.send_join(9, joining(&first));
    assert!(!world.is_answered(leader), "the follower has to rejoin");
    assert_eq!(world.join(9, joining(&second)).generation_id, 3);
    assert_eq!(world.take_join(leader).generation_id, 3);
}

#[test]
fn a_join_repeated_while_it_waits_is_answered_once_for_each() {
    let mut world = World::new();
    let first = world.stable();
    let (second, abandoned) = world.enter();
    let repeated = world.send_join(9, joining(&second));
    assert_eq!(
        error(world.take_join(abandoned).error_code),
        ErrorCode::RebalanceInProgress
    );
    world.send_join(9, joining(&first));
    assert_eq!(world.take_join(repeated).generation_id, 2);
}

#[test]
fn the_protocol_is_the_one_most_members_prefer_and_all_support() {
    let mut world = World::new();
    let with = |id: &str, names: &[&str]| JoinGroupRequest {
        protocols: names.iter().map(|name| protocol(name, &["t"])).collect(),
        ..joining(id)
    };
    let first = world.join(3, with("", &["a", "b", "c"]));
    assert_eq!(first.protocol_name.as_deref(), Some("a"));
    let second = world.send_join(3, with("", &["c", "b"]));
    world.send_join(3, with(&first.member_id, &["a", "b", "c"]));
    let third = world.send_join(3, with("", &["b", "c"]));
    let second = world.take_join(second);
    assert_eq!(
        second.protocol_name.as_deref(),
        Some("b"),
        "a tie goes by name"
    );
    world.send_join(3, with(&first.member_id, &["a", "c", "b"]));
    world.send_join(3, with(&second.member_id, &["c", "b"]));
    assert_eq!(world.take_join(third).protocol_name.as_deref(), Some("c"));
}

#[test]
fn a_new_group_waits_for_more_members_and_a_little_longer_when_they_come() {
    let mut world = World::with(GroupConfig {
        initial_rebalance_delay: Duration::from_secs(3),
        ..GroupConfig::default()
    });
    let first = world.send_join(3, joining(""));
    world.pass(Duration::from_secs(2));
    let second = world.send_join(3, joining(""));
    world.pass(Duration::from_secs(2));
    assert!(
        !world.is_answered(first),
        "the second member extended the delay"
    );
    world.pass(Duration::from_secs(2));
    let (first, second) = (world.take_join(first), world.take_join(second));
    assert_eq!((first.generation_id, second.generation_id), (1, 1));
    assert_eq!(first.members.len() + second.members.len(), 2);
}

#[test]
fn the_initial_delay_ends_with_the_rebalance_timeout() {
    let mut world = World::with(GroupConfig {
        initial_rebalance_delay: Duration::from_secs(3),
        ..GroupConfig::default()
    });
    let hasty = JoinGroupRequest {
        rebalance_timeout_ms: 7_000,
        ..joining("")
    };
    let first = world.send_join(3, hasty.clone());
    for _ in 0..7 {
        assert!(!world.is_answered(first));
        world.send_join(3, hasty.clone());
        world.pass(Duration::from_secs(1));
    }
    assert_eq!(world.take_join(first).generation_id, 1);
}

#[test]
fn a_join_of_a_new_member_waits_five_minutes_at_most() {
    let mut world = World::new();
    let first = world.stable();
    let patient = JoinGroupRequest {
        rebalance_timeout_ms: 1_000_000,
        ..joining(&first)
    };
    world.join(9, patient);
    world.sync(syncing(&first, 2, &[]));
    let (_, waiting) = world.enter();
    for _ in 0..40 {
        world.heartbeat(&first, 2);
        world.pass(Duration::from_secs(8));
    }
    let dropped = world.take_join(waiting);
    assert_eq!(error(dropped.error_code), ErrorCode::UnknownMemberId);
}

#[test]
fn an_assignment_too_large_for_the_log_is_refused() {
    let mut world = World::with(GroupConfig {
        initial_rebalance_delay: Duration::ZERO,
        max_append_bytes: 1_000,
        ..GroupConfig::default()
    });
    let (id, token) = world.enter();
    world.take_join(token);
    let large = "x".repeat(1_000);
    let refused = world.sync(syncing(&id, 1, &[(&id, &large)]));
    assert_eq!(error(refused.error_code), ErrorCode::RecordListTooLarge);
    assert_eq!(world.join(9, joining(&id)).generation_id, 2);
}
