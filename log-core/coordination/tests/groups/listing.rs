//! DescribeGroups, ListGroups and DeleteGroups.

use std::time::Duration;

use bytes::Bytes;
use headwater_coordination::groups::{Request, Response};
use headwater_wire::ErrorCode;
use headwater_wire::messages::delete_groups::DeleteGroupsRequest;
use headwater_wire::messages::describe_groups::{DescribeGroupsRequest, DescribedGroup};
use headwater_wire::messages::list_groups::{ListGroupsRequest, ListedGroup};

use crate::world::{GROUP, TOPIC, World, committing, error, joining, leaving, subscription};

fn describe(world: &mut World, version: i16, group: &str) -> DescribedGroup {
    let request = DescribeGroupsRequest {
        groups: vec![group.to_owned()],
        ..Default::default()
    };
    let token = world.send(version, Request::Describe(request));
    match world.take(token) {
        Response::Describe(response) => response.groups[0].clone(),
        other => panic!("not a description: {other:?}"),
    }
}

fn list(world: &mut World, states: &[&str], types: &[&str]) -> Vec<ListedGroup> {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let request = ListGroupsRequest {
        states_filter: owned(states),
        types_filter: owned(types),
    };
    let token = world.send(5, Request::List(request));
    match world.take(token) {
        Response::List(response) => response.groups,
        other => panic!("not a list: {other:?}"),
    }
}

fn delete(world: &mut World, group: &str) -> ErrorCode {
    let request = DeleteGroupsRequest {
        groups_names: vec![group.to_owned()],
    };
    let token = world.send(2, Request::Delete(request));
    match world.take(token) {
        Response::Delete(response) => error(response.results[0].error_code),
        other => panic!("not a deletion: {other:?}"),
    }
}

#[test]
fn a_stable_group_shows_its_members_with_what_they_want_and_have() {
    let mut world = World::new();
    let id = world.stable();
    let group = describe(&mut world, 5, GROUP);
    assert_eq!(group.group_state, "Stable");
    assert_eq!(
        (&*group.protocol_type, &*group.protocol_data),
        ("consumer", "range")
    );
    let member = &group.members[0];
    assert_eq!((&member.member_id, &*member.client_id), (&id, "client"));
    assert_eq!(member.client_host, "/127.0.0.1");
    assert_eq!(member.member_metadata, subscription(&[TOPIC]));
    assert_eq!(member.member_assignment, Bytes::from("all"));
    world.restart();
    assert_eq!(describe(&mut world, 5, GROUP), group);
}

#[test]
fn a_session_that_is_over_is_seen_so_though_timers_are_late() {
    let mut world = World::new();
    let id = world.stable();
    world.pass_unnoticed(Duration::from_millis(9_999));
    assert_eq!(delete(&mut world, GROUP), ErrorCode::NonEmptyGroup);
    // The member itself may be late by as much.
    world.pass_unnoticed(Duration::from_millis(2));
    assert_eq!(world.heartbeat(&id, 1), ErrorCode::None);
    world.pass_unnoticed(Duration::from_secs(10));
    assert_eq!(describe(&mut world, 5, GROUP).group_state, "Empty");
    assert_eq!(delete(&mut world, GROUP), ErrorCode::None);
}

#[test]
fn a_rebalancing_group_shows_who_is_in_it_and_what_they_had() {
    let mut world = World::new();
    let first = world.stable();
    let (second, _) = world.enter();
    let group = describe(&mut world, 5, GROUP);
    assert_eq!(
        (&*group.group_state, &*group.protocol_data),
        ("PreparingRebalance", "")
    );
    assert_eq!(group.members.len(), 2);
    let assignment_of = |group: &DescribedGroup, id: &str| {
        let mut members = group.members.iter();
        let member = members.find(|member| member.member_id == id);
        member.expect("a member").member_assignment.clone()
    };
    assert!(group.members.iter().all(|m| m.member_metadata.is_empty()));
    assert_eq!(assignment_of(&group, &first), "all", "it still has that");
    assert_eq!(assignment_of(&group, &second), "");
    world.send_join(9, joining(&first));
    assert_eq!(
        assignment_of(&describe(&mut world, 5, GROUP), &first),
        "all"
    );
    world.enter();
    let group = describe(&mut world, 5, GROUP);
    assert_eq!(group.group_state, "PreparingRebalance");
    assert_eq!(
        assignment_of(&group, &first),
        "",
        "a generation without one"
    );
}

#[test]
fn a_group_that_does_not_exist_is_dead_or_not_found() {
    let mut world = World::new();
    let old = describe(&mut world, 5, "nobody");
    assert_eq!(
        (&*old.group_state, error(old.error_code)),
        ("Dead", ErrorCode::None)
    );
    let new = describe(&mut world, 6, "nobody");
    assert_eq!(
        (&*new.group_state, error(new.error_code)),
        ("Dead", ErrorCode::GroupIdNotFound)
    );
    assert!(new.error_message.is_some());
}

#[test]
fn lists_are_filtered_by_state_and_type() {
    let mut world = World::new();
    world.stable();
    let mut simple = committing("", -1, 0, 1);
    simple.group_id = "simple".to_owned();
    world.commit(simple);
    let names = |groups: Vec<ListedGroup>| -> Vec<String> {
        groups.into_iter().map(|group| group.group_id).collect()
    };
    assert_eq!(names(list(&mut world, &[], &[])), [GROUP, "simple"]);
    assert_eq!(names(list(&mut world, &["stable"], &[])), [GROUP]);
    assert_eq!(
        names(list(&mut world, &["Empty"], &["Classic"])),
        ["simple"]
    );
    assert!(list(&mut world, &[], &["consumer"]).is_empty());
    let stable = list(&mut world, &["Stable"], &[]);
    assert_eq!(
        (&*stable[0].protocol_type, &*stable[0].group_type),
        ("consumer", "classic")
    );
}

#[test]
fn only_empty_groups_are_deleted_and_then_with_their_offsets() {
    let mut world = World::new();
    assert_eq!(delete(&mut world, GROUP), ErrorCode::GroupIdNotFound);
    let id = world.stable();
    world.commit(committing(&id, 1, 0, 5));
    assert_eq!(delete(&mut world, GROUP), ErrorCode::NonEmptyGroup);
    world.leave(5, leaving(&[(&id, None)]));
    assert_eq!(describe(&mut world, 5, GROUP).group_state, "Empty");
    assert_eq!(delete(&mut world, GROUP), ErrorCode::None);
    assert_eq!(world.fetched(0), -1);
    world.restart();
    assert_eq!(world.fetched(0), -1);
    assert_eq!(world.machine.group_count(), 0);
}
