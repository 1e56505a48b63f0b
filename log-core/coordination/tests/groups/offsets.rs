//! Commits and fetches.

use std::time::Duration;

use headwater_coordination::groups::{GroupConfig, Request, Response};
use headwater_wire::ErrorCode;
use headwater_wire::messages::offset_commit::OffsetCommitRequest;
use headwater_wire::messages::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestTopic};

use crate::world::{GROUP, TOPIC, World, committing, error, joining, syncing};

#[test]
fn a_member_commits_and_anyone_fetches_to_the_byte() {
    let mut world = World::new();
    let id = world.stable();
    let mut request = committing(&id, 1, 3, 42);
    let metadata = "\u{0}\u{FEFF} ünïcode\n\u{1F600}".to_owned();
    request.topics[0].partitions[0].committed_metadata = Some(metadata.clone());
    request.topics[0].partitions[0].committed_leader_epoch = 7;
    assert_eq!(world.commit(request), ErrorCode::None);
    assert_eq!(world.fetch(3, true), Ok((42, metadata.clone())));
    assert_eq!(world.fetched(4), -1);
    world.restart();
    assert_eq!(world.fetch(3, true), Ok((42, metadata)));
}

#[test]
fn old_fetches_name_one_group_and_may_ask_for_all_topics() {
    let mut world = World::new();
    let id = world.stable();
    world.commit(committing(&id, 1, 3, 42));
    world.commit(committing(&id, 1, 1, 41));
    let named = vec![OffsetFetchRequestTopic {
        name: TOPIC.to_owned(),
        partition_indexes: vec![3, 9],
    }];
    for (topics, expected) in [
        (None, [(1, 41), (3, 42)]),
        (Some(named), [(3, 42), (9, -1)]),
    ] {
        let request = OffsetFetchRequest {
            group_id: GROUP.to_owned(),
            topics,
            ..Default::default()
        };
        let token = world.send(7, Request::OffsetFetch(request));
        let Response::OffsetFetch(response) = world.take(token) else {
            panic!("not a fetch")
        };
        assert_eq!(response.error_code, 0);
        let found: Vec<_> = response.topics[0]
            .partitions
            .iter()
            .map(|partition| (partition.partition_index, partition.committed_offset))
            .collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn commits_are_fenced() {
    let mut world = World::new();
    let early = committing("x", 1, 0, 1);
    let token = world.send(8, Request::OffsetCommit(early.clone()));
    assert_eq!(world.take_commit(token), ErrorCode::IllegalGeneration);
    assert_eq!(world.commit(early), ErrorCode::GroupIdNotFound);
    let id = world.stable();
    assert_eq!(
        world.commit(committing("x", 1, 0, 1)),
        ErrorCode::UnknownMemberId
    );
    assert_eq!(
        world.commit(committing(&id, 0, 0, 1)),
        ErrorCode::IllegalGeneration
    );
    assert_eq!(
        world.commit(committing(&id, 2, 0, 1)),
        ErrorCode::IllegalGeneration
    );
    assert_eq!(
        world.commit(committing(&id, -1, 0, 1)),
        ErrorCode::IllegalGeneration
    );
    assert_eq!(
        world.commit(committing("", -1, 0, 1)),
        ErrorCode::UnknownMemberId
    );
    assert_eq!(world.fetched(0), -1);
}

#[test]
fn a_member_without_its_assignment_has_nothing_to_commit() {
    let mut world = World::new();
    let (id, token) = world.enter();
    world.take_join(token);
    assert_eq!(
        world.commit(committing(&id, 1, 0, 1)),
        ErrorCode::RebalanceInProgress
    );
    world.sync(syncing(&id, 1, &[]));
    assert_eq!(world.commit(committing(&id, 1, 0, 1)), ErrorCode::None);
}

#[test]
fn a_member_may_commit_while_others_rejoin() {
    let mut world = World::new();
    let id = world.stable();
    world.enter();
    assert_eq!(world.commit(committing(&id, 1, 0, 9)), ErrorCode::None);
    assert_eq!(world.fetched(0), 9);
}

#[test]
fn a_commit_is_as_good_as_a_heartbeat() {
    let mut world = World::new();
    let id = world.stable();
    for offset in 0..5 {
        world.pass(Duration::from_secs(8));
        assert_eq!(world.commit(committing(&id, 1, 0, offset)), ErrorCode::None);
    }
}

#[test]
fn a_group_without_members_is_free_for_all() {
    let mut world = World::new();
    assert_eq!(world.commit(committing("", -1, 0, 5)), ErrorCode::None);
    assert_eq!(world.fetched(0), 5);
    world.restart();
    assert_eq!(world.fetched(0), 5);
    assert_eq!(world.commit(committing("", -1, 0, 2)), ErrorCode::None);
    assert_eq!(world.fetched(0), 2, "an administrator may set offsets back");
}

#[test]
fn metadata_has_a_limit_in_characters_as_java_counts_them() {
    let mut world = World::new();
    let id = world.stable();
    for (metadata, expected) in [
        ("x".repeat(4_096), ErrorCode::None),
        ("ü".repeat(4_096), ErrorCode::None),
        ("x".repeat(4_097), ErrorCode::OffsetMetadataTooLarge),
        ("\u{1F600}".repeat(2_049), ErrorCode::OffsetMetadataTooLarge),
    ] {
        let mut request = committing(&id, 1, 0, 1);
        request.topics[0].partitions[0].committed_metadata = Some(metadata);
        assert_eq!(world.commit(request), expected);
    }
}

#[test]
fn a_commit_too_large_for_the_log_is_refused_whole() {
    let mut world = World::with(GroupConfig {
        initial_rebalance_delay: Duration::ZERO,
        max_append_bytes: 2_000,
        ..GroupConfig::default()
    });
    let id = world.stable();
    let mut request: OffsetCommitRequest = committing(&id, 1, 0, 1);
    let one = request.topics[0].partitions[0].clone();
    request.topics[0].partitions = vec![one; 50];
    assert_eq!(world.commit(request), ErrorCode::InvalidCommitOffsetSize);
    assert_eq!(world.fetched(0), -1);
}

#[test]
fn topics_that_are_deleted_take_their_offsets_along() {
    let mut world = World::new();
    let id = world.stable();
    world.commit(committing(&id, 1, 0, 5));
    let topics = [TOPIC.to_owned()].into();
    world.step(headwater_coordination::groups::Input::TopicsDeleted(topics));
    assert_eq!(world.fetched(0), -1);
    world.restart();
    assert_eq!(world.fetched(0), -1);
}

#[test]
fn a_commit_of_a_dropped_member_is_fenced_after_a_restart_too() {
    let mut world = World::new();
    let first = world.stable();
    let (second, token) = world.enter();
    world.send_join(9, joining(&first));
    world.take_join(token);
    // The second generation was never assigned, so the restart goes back to the first.
    world.restart();
    assert_eq!(
        world.commit(committing(&second, 2, 0, 1)),
        ErrorCode::UnknownMemberId
    );
    assert_eq!(
        world.commit(committing(&first, 2, 0, 1)),
        ErrorCode::IllegalGeneration
    );
    assert_eq!(world.commit(committing(&first, 1, 0, 1)), ErrorCode::None);
    assert_eq!(
        error(world.join(9, joining(&second)).error_code),
        ErrorCode::UnknownMemberId
    );
}

#[test]
fn a_commit_that_left_nothing_has_made_the_group() {
    let mut world = World::new();
    let mut request = committing("", -1, 0, 1);
    request.topics[0].partitions[0].committed_metadata = Some("m".repeat(4097));
    assert_eq!(world.commit(request), ErrorCode::OffsetMetadataTooLarge);
    for version in [8, 9] {
        let request = Request::OffsetCommit(committing("", 0, 0, 1));
        let token = world.send(version, request);
        assert_eq!(world.take_commit(token), ErrorCode::UnknownMemberId);
    }
    world.pass(Duration::from_secs(11 * 60));
    assert_eq!(world.machine.group_count(), 0);
}
