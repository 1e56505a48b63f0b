//! Who may join, sync, heartbeat and leave, and what the others are told.

use std::time::Duration;

use bytes::Bytes;
use headwater_coordination::groups::GroupConfig;
use headwater_wire::ErrorCode;
use headwater_wire::messages::join_group::JoinGroupRequest;
use headwater_wire::messages::leave_group::LeaveGroupRequest;
use headwater_wire::messages::sync_group::SyncGroupRequest;

use crate::world::{World, committing, error, joining, leaving, protocol, syncing};

#[test]
fn a_new_member_gets_its_id_first_and_then_leads_its_group() {
    let mut world = World::new();
    let asked = world.join(4, joining(""));
    assert_eq!(error(asked.error_code), ErrorCode::MemberIdRequired);
    assert!(asked.member_id.starts_with("client-"));
    let joined = world.join(4, joining(&asked.member_id));
    assert_eq!(error(joined.error_code), ErrorCode::None);
    assert_eq!(joined.generation_id, 1);
    assert_eq!(joined.leader, asked.member_id);
    assert_eq!(joined.protocol_name.as_deref(), Some("range"));
    assert_eq!(joined.members.len(), 1);
    let synced = world.sync(syncing(&joined.member_id, 1, &[(&joined.member_id, "p0")]));
    assert_eq!(synced.assignment, Bytes::from("p0"));
    assert_eq!(synced.protocol_type.as_deref(), Some("consumer"));
    assert_eq!(world.heartbeat(&joined.member_id, 1), ErrorCode::None);
}

#[test]
fn old_clients_are_let_in_at_once() {
    let mut world = World::new();
    let joined = world.join(3, joining(""));
    assert_eq!(error(joined.error_code), ErrorCode::None);
    assert_eq!(
        (joined.generation_id, &joined.leader),
        (1, &joined.member_id)
    );
}

#[test]
fn an_id_that_was_given_out_is_good_for_one_session_timeout() {
    let mut world = World::new();
    let asked = world.join(9, joining(""));
    world.pass(Duration::from_secs(11));
    let late = world.join(9, joining(&asked.member_id));
    assert_eq!(error(late.error_code), ErrorCode::UnknownMemberId);
}

#[test]
fn joins_that_cannot_be_are_refused() {
    let mut world = World::new();
    let refused =
        |world: &mut World, request: JoinGroupRequest| error(world.join(9, request).error_code);
    let nameless = JoinGroupRequest {
        group_id: String::new(),
        ..joining("")
    };
    assert_eq!(refused(&mut world, nameless), ErrorCode::InvalidGroupId);
    let hasty = JoinGroupRequest {
        session_timeout_ms: 5_999,
        ..joining("")
    };
    assert_eq!(refused(&mut world, hasty), ErrorCode::InvalidSessionTimeout);
    let patient = JoinGroupRequest {
        session_timeout_ms: 1_800_001,
        ..joining("")
    };
    assert_eq!(
        refused(&mut world, patient),
        ErrorCode::InvalidSessionTimeout
    );
    assert_eq!(
        refused(&mut world, joining("nobody")),
        ErrorCode::UnknownMemberId
    );
    let mute = JoinGroupRequest {
        protocols: Vec::new(),
        ..joining("")
    };
    assert_eq!(
        refused(&mut world, mute),
        ErrorCode::InconsistentGroupProtocol
    );
    let endless = JoinGroupRequest {
        protocol_type: "x".repeat(32_700),
        ..joining("")
    };
    assert_eq!(refused(&mut world, endless), ErrorCode::InvalidRequest);
    let unmatched = JoinGroupRequest {
        protocol_type: String::new(),
        ..joining("nobody")
    };
    assert_eq!(
        refused(&mut world, unmatched),
        ErrorCode::InconsistentGroupProtocol,
        "the first that named no id has made an empty group"
    );
    world.pass(Duration::from_secs(11 * 60));
    assert_eq!(world.machine.group_count(), 0, "which does not stay");

    world.stable();
    assert_eq!(
        refused(&mut world, joining("nobody")),
        ErrorCode::UnknownMemberId
    );
    let stranger = JoinGroupRequest {
        protocol_type: "connect".to_owned(),
        ..joining("")
    };
    assert_eq!(
        refused(&mut world, stranger),
        ErrorCode::InconsistentGroupProtocol
    );
    let foreign = JoinGroupRequest {
        protocols: vec![protocol("sticky", &[])],
        ..joining("")
    };
    assert_eq!(
        refused(&mut world, foreign),
        ErrorCode::InconsistentGroupProtocol
    );
}

#[test]
fn old_versions_get_an_empty_protocol_name_with_an_error() {
    let mut world = World::new();
    assert_eq!(
        world.join(6, joining("nobody")).protocol_name.as_deref(),
        Some("")
    );
    assert_eq!(world.join(7, joining("nobody")).protocol_name, None);
}

#[test]
fn a_full_group_takes_no_more() {
    let mut world = World::with(GroupConfig {
        initial_rebalance_delay: Duration::ZERO,
        max_size: 1,
        ..GroupConfig::default()
    });
    let id = world.stable();
    let refused = world.join(3, joining(""));
    assert_eq!(error(refused.error_code), ErrorCode::GroupMaxSizeReached);
    assert_eq!(world.heartbeat(&id, 1), ErrorCode::None);
}

#[test]
fn syncs_are_fenced() {
    let mut world = World::new();
    let refused =
        |world: &mut World, request: SyncGroupRequest| error(world.sync(request).error_code);
    assert_eq!(
        refused(&mut world, syncing("x", 1, &[])),
        ErrorCode::UnknownMemberId
    );
    let nameless = SyncGroupRequest {
        group_id: String::new(),
        ..syncing("x", 1, &[])
    };
    assert_eq!(refused(&mut world, nameless), ErrorCode::InvalidGroupId);
    let id = world.stable();
    assert_eq!(
        refused(&mut world, syncing("x", 1, &[])),
        ErrorCode::UnknownMemberId
    );
    assert_eq!(
        refused(&mut world, syncing(&id, 2, &[])),
        ErrorCode::IllegalGeneration
    );
    let other = SyncGroupRequest {
        protocol_name: Some("sticky".to_owned()),
        ..syncing(&id, 1, &[])
    };
    assert_eq!(
        refused(&mut world, other),
        ErrorCode::InconsistentGroupProtocol
    );
    let (_, second) = world.enter();
    assert!(!world.is_answered(second));
    assert_eq!(
        refused(&mut world, syncing(&id, 1, &[])),
        ErrorCode::RebalanceInProgress
    );
}

#[test]
fn heartbeats_are_fenced_and_tell_of_a_rebalance() {
    let mut world = World::new();
    assert_eq!(world.heartbeat("x", 1), ErrorCode::UnknownMemberId);
    let id = world.stable();
    assert_eq!(world.heartbeat("x", 1), ErrorCode::UnknownMemberId);
    assert_eq!(world.heartbeat(&id, 2), ErrorCode::IllegalGeneration);
    assert_eq!(
        world.heartbeat_as(&id, Some("i"), 1),
        ErrorCode::UnknownMemberId
    );
    world.enter();
    assert_eq!(world.heartbeat(&id, 1), ErrorCode::RebalanceInProgress);
}

#[test]
fn a_silent_member_is_dropped() {
    let mut world = World::new();
    let id = world.stable();
    world.pass(Duration::from_secs(9));
    assert_eq!(world.heartbeat(&id, 1), ErrorCode::None);
    world.pass(Duration::from_secs(9));
    assert_eq!(world.heartbeat(&id, 1), ErrorCode::None);
    world.pass(Duration::from_secs(10));
    assert_eq!(world.heartbeat(&id, 1), ErrorCode::UnknownMemberId);
}

#[test]
fn members_leave_one_by_one_or_together() {
    let mut world = World::new();
    let missing = world.leave(5, leaving(&[("x", None)]));
    assert_eq!(error(missing.error_code), ErrorCode::None);
    assert_eq!(
        error(missing.members[0].error_code),
        ErrorCode::UnknownMemberId
    );
    let id = world.stable();
    let left = world.leave(5, leaving(&[("x", None), (&id, None), ("", Some("i"))]));
    assert_eq!(error(left.error_code), ErrorCode::None);
    let codes: Vec<_> = left
        .members
        .iter()
        .map(|member| error(member.error_code))
        .collect();
    let unknown = ErrorCode::UnknownMemberId;
    assert_eq!(codes, [unknown, ErrorCode::None, unknown]);
    assert_eq!(world.heartbeat(&id, 1), ErrorCode::UnknownMemberId);
}

#[test]
fn old_versions_leave_alone_and_get_their_own_error() {
    let mut world = World::new();
    let id = world.stable();
    let request = |id: &str| LeaveGroupRequest {
        group_id: "g".to_owned(),
        member_id: id.to_owned(),
        ..Default::default()
    };
    assert_eq!(
        error(world.leave(2, request("x")).error_code),
        ErrorCode::UnknownMemberId
    );
    let left = world.leave(2, request(&id));
    assert_eq!(error(left.error_code), ErrorCode::None);
    assert!(left.members.is_empty());
}

#[test]
fn an_id_that_leaves_before_it_joins_disturbs_nobody() {
    let mut world = World::new();
    let id = world.stable();
    let asked = world.join(9, joining(""));
    let left = world.leave(5, leaving(&[(&asked.member_id, None)]));
    assert_eq!(error(left.members[0].error_code), ErrorCode::None);
    assert_eq!(world.heartbeat(&id, 1), ErrorCode::None);
}

#[test]
fn of_groups_that_refused_requests_leave_behind_only_the_latest_are_kept() {
    const MANY: usize = 1_000;
    let mut world = World::new();
    world.commit(committing("", -1, 0, 1));
    for n in 0..MANY {
        let request = JoinGroupRequest {
            group_id: format!("joined {n}"),
            protocol_type: String::new(),
            ..joining("")
        };
        let response = world.join(9, request);
        assert_eq!(
            error(response.error_code),
            ErrorCode::InconsistentGroupProtocol
        );
        let mut request = committing("nobody", -1, 0, 1);
        request.group_id = format!("committed {n}");
        request.topics[0].partitions[0].committed_metadata = Some("x".repeat(5_000));
        assert_eq!(world.commit(request), ErrorCode::OffsetMetadataTooLarge);
    }
    let kept = world.machine.group_count();
    assert!(kept > 1 && kept < 300, "{kept} groups");
    world.pass(Duration::from_secs(11 * 60));
    assert_eq!(world.machine.group_count(), 1, "what has offsets stays");

    let mut request = committing("", -1, 0, 1);
    request.group_id = "g".repeat(32_001);
    assert_eq!(world.commit(request), ErrorCode::InvalidGroupId);
    assert_eq!(world.machine.group_count(), 1);
}
