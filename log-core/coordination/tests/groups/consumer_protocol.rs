//! Groups of the consumer protocol (KIP-848).

use std::collections::BTreeSet;
use std::time::Duration;

use headwater_coordination::groups::{Assignor, GroupConfig, Request, Response};
use headwater_wire::ErrorCode;
use headwater_wire::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest;
use headwater_wire::messages::list_groups::ListGroupsRequest;

use crate::consumers::{Consumer, settle};
use crate::world::{World, committing, error};

const SECOND: Duration = Duration::from_secs(1);

fn world(partitions: i32) -> World {
    let mut world = World::new();
    world.topics.set("t", partitions);
    world
}

#[test]
fn the_first_member_gets_everything_at_once() {
    let mut world = world(3);
    let mut a = Consumer::new("a", &["t"]);
    let response = world.beat(a.request());
    assert_eq!(
        (response.member_id.as_deref(), response.member_epoch),
        (Some("a"), 2)
    );
    assert_eq!(response.heartbeat_interval_ms, 5_000);
    a.learn(&response);
    assert_eq!(a.assigned.len(), 3);
    a.owned = a.assigned.clone();
    let response = world.beat(ConsumerGroupHeartbeatRequest {
        topic_partitions: None,
        ..a.request()
    });
    assert_eq!(
        (response.member_epoch, response.assignment),
        (2, None),
        "nothing is new"
    );

    let described = world.described();
    assert_eq!(
        (&*described.group_state, &*described.assignor_name),
        ("Stable", "uniform")
    );
    assert_eq!((described.group_epoch, described.assignment_epoch), (2, 2));
    let member = &described.members[0];
    assert_eq!(member.assignment.topic_partitions[0].partitions, [0, 1, 2]);
    assert_eq!(
        (member.member_type, &*member.client_host),
        (1, "/127.0.0.1")
    );
}

#[test]
fn a_member_may_subscribe_to_nothing() {
    let mut world = world(3);
    let mut a = Consumer::new("a", &[]);
    assert_eq!(a.beat(&mut world), ErrorCode::None);
    assert_eq!((a.epoch, a.load()), (1, 0));
    assert_eq!(a.beat(&mut world), ErrorCode::None);
    assert_eq!(world.described().group_state, "Stable");
}

#[test]
fn partitions_are_given_up_before_others_get_them() {
    let mut world = world(4);
    let (mut a, mut b) = (Consumer::new("a", &["t"]), Consumer::new("b", &["t"]));
    a.beat(&mut world);
    world.pass(2 * SECOND);
    b.beat(&mut world);
    assert_eq!((b.epoch, b.load()), (3, 0), "all is with the other");
    assert_eq!(world.described().group_state, "Reconciling");

    let response = world.beat(a.request());
    a.learn(&response);
    assert_eq!(
        (a.epoch, a.assigned.len()),
        (2, 2),
        "two are to be given up"
    );
    b.beat(&mut world);
    assert_eq!(b.load(), 0, "they are not given up yet");
    a.owned = a.assigned.clone();
    a.beat(&mut world);
    assert_eq!((a.epoch, a.load()), (3, 2));
    b.beat(&mut world);
    assert_eq!((b.epoch, b.load()), (3, 2));
    assert!(a.owned.is_disjoint(&b.owned));
    assert_eq!(world.described().group_state, "Stable");
}

#[test]
fn who_does_not_give_up_in_time_is_fenced() {
    let mut world = world(2);
    let (mut a, mut b) = (Consumer::new("a", &["t"]), Consumer::new("b", &["t"]));
    a.beat(&mut world);
    world.pass(2 * SECOND);
    b.beat(&mut world);
    for _ in 0..6 {
        // It goes on as if it had not heard; its heartbeats keep only the session alive.
        let mut request = a.request();
        request.topic_partitions = None;
        assert_eq!(error(world.beat(request).error_code), ErrorCode::None);
        b.beat(&mut world);
        world.pass(10 * SECOND);
    }
    let code = a.beat(&mut world);
    assert_eq!(code, ErrorCode::UnknownMemberId);
    settle(&mut world, &mut [&mut b]);
    assert_eq!(b.load(), 2);
}

#[test]
fn silent_members_are_gone_after_the_session_timeout() {
    let mut world = world(2);
    let (mut a, mut b) = (Consumer::new("a", &["t"]), Consumer::new("b", &["t"]));
    settle(&mut world, &mut [&mut a, &mut b]);
    for _ in 0..9 {
        world.pass(5 * SECOND);
        b.beat(&mut world);
    }
    assert_eq!(world.described().members.len(), 1);
    settle(&mut world, &mut [&mut b]);
    assert_eq!(b.load(), 2);
    assert_eq!(a.beat(&mut world), ErrorCode::UnknownMemberId);
}

#[test]
fn settings_of_the_group_come_before_those_of_the_broker() {
    let mut world = world(1);
    world.topics.settings.session_timeout = Some(50 * SECOND);
    world.topics.settings.heartbeat_interval = Some(7 * SECOND);
    let mut a = Consumer::new("a", &["t"]);
    let response = world.beat(a.request());
    assert_eq!(response.heartbeat_interval_ms, 7_000);
    a.learn(&response);
    world.pass(49 * SECOND);
    assert_eq!(a.beat(&mut world), ErrorCode::None);
    world.pass(51 * SECOND);
    assert_eq!(a.beat(&mut world), ErrorCode::UnknownMemberId);
}

#[test]
fn members_that_leave_hand_over() {
    let mut world = world(3);
    let (mut a, mut b) = (Consumer::new("a", &["t"]), Consumer::new("b", &["t"]));
    settle(&mut world, &mut [&mut a, &mut b]);
    assert_eq!(a.leave(&mut world, -1), ErrorCode::None);
    settle(&mut world, &mut [&mut b]);
    assert_eq!(b.load(), 3);
    assert_eq!(b.leave(&mut world, -1), ErrorCode::None);
    assert_eq!(world.described().group_state, "Empty");
    assert_eq!(b.leave(&mut world, -1), ErrorCode::UnknownMemberId);
}

#[test]
fn epochs_fence() {
    let mut world = world(2);
    let mut a = Consumer::new("a", &["t"]);
    a.beat(&mut world);
    let with_epoch = |a: &Consumer, epoch| ConsumerGroupHeartbeatRequest {
        member_epoch: epoch,
        ..a.request()
    };
    let code = |world: &mut World, request| error(world.beat(request).error_code);
    assert_eq!(
        code(&mut world, with_epoch(&a, 5)),
        ErrorCode::FencedMemberEpoch
    );
    let mut b = Consumer::new("b", &["t"]);
    settle(&mut world, &mut [&mut a, &mut b]);
    // The answer with the newer epoch was lost: what it owns is within what it was given.
    assert_eq!(
        code(&mut world, with_epoch(&a, a.epoch - 1)),
        ErrorCode::None
    );
    let stranger = ConsumerGroupHeartbeatRequest {
        member_epoch: a.epoch - 1,
        topic_partitions: b.request().topic_partitions,
        ..a.request()
    };
    assert_eq!(code(&mut world, stranger), ErrorCode::FencedMemberEpoch);
    let nobody = Consumer {
        epoch: 3,
        ..Consumer::new("nobody", &["t"])
    };
    assert_eq!(
        code(&mut world, nobody.request()),
        ErrorCode::UnknownMemberId
    );
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let mut world = world(1);
    let good = Consumer::new("a", &["t"]).request();
    let code = |world: &mut World, request| error(world.beat(request).error_code);
    let invalid = [
        ConsumerGroupHeartbeatRequest {
            group_id: " ".into(),
            ..good.clone()
        },
        ConsumerGroupHeartbeatRequest {
            member_id: String::new(),
            ..good.clone()
        },
        ConsumerGroupHeartbeatRequest {
            instance_id: Some(String::new()),
            ..good.clone()
        },
        ConsumerGroupHeartbeatRequest {
            rebalance_timeout_ms: -1,
            ..good.clone()
        },
        ConsumerGroupHeartbeatRequest {
            topic_partitions: None,
            ..good.clone()
        },
        ConsumerGroupHeartbeatRequest {
            subscribed_topic_names: None,
            ..good.clone()
        },
        ConsumerGroupHeartbeatRequest {
            member_epoch: -3,
            ..good.clone()
        },
        ConsumerGroupHeartbeatRequest {
            member_epoch: -2,
            ..good.clone()
        },
    ];
    for request in invalid {
        assert_eq!(
            code(&mut world, request.clone()),
            ErrorCode::InvalidRequest,
            "{request:?}"
        );
    }
    let assignor = ConsumerGroupHeartbeatRequest {
        server_assignor: Some("sticky".into()),
        ..good.clone()
    };
    assert_eq!(code(&mut world, assignor), ErrorCode::UnsupportedAssignor);
    let regex = ConsumerGroupHeartbeatRequest {
        subscribed_topic_regex: Some("(".into()),
        ..good.clone()
    };
    assert_eq!(code(&mut world, regex), ErrorCode::InvalidRegularExpression);
    let unknown = ConsumerGroupHeartbeatRequest {
        member_epoch: 4,
        ..good.clone()
    };
    assert_eq!(code(&mut world, unknown), ErrorCode::GroupIdNotFound);
    assert_eq!(world.machine.group_count(), 0);

    // In version 0 the coordinator makes the member's id.
    let token = world.send_beat(
        0,
        ConsumerGroupHeartbeatRequest {
            member_id: String::new(),
            ..good
        },
    );
    let made = world.take_beat(token);
    assert_eq!(error(made.error_code), ErrorCode::None);
    assert!(made.member_id.is_some_and(|id| !id.is_empty()));
}

#[test]
fn a_full_group_takes_nobody() {
    let mut world = World::with(GroupConfig {
        consumer_max_size: 1,
        ..GroupConfig::default()
    });
    world.topics.set("t", 1);
    let (mut a, mut b) = (Consumer::new("a", &["t"]), Consumer::new("b", &["t"]));
    assert_eq!(a.beat(&mut world), ErrorCode::None);
    assert_eq!(b.beat(&mut world), ErrorCode::GroupMaxSizeReached);
    assert_eq!(a.beat(&mut world), ErrorCode::None);
}

#[test]
fn topics_that_appear_grow_and_vanish_are_assigned_anew() {
    let mut world = world(1);
    let (mut a, mut b) = (
        Consumer::new("a", &["t", "u"]),
        Consumer::matching("b", "[tv].*"),
    );
    settle(&mut world, &mut [&mut a, &mut b]);
    assert_eq!(a.load() + b.load(), 1);
    world.topics.set("t", 4);
    world.topics.set("u", 2);
    world.topics.set("vw", 2);
    world.topics.set("x", 9);
    settle(&mut world, &mut [&mut a, &mut b]);
    assert_eq!((a.load(), b.load()), (4, 4));
    world.topics.remove("t");
    settle(&mut world, &mut [&mut a, &mut b]);
    assert_eq!((a.load(), b.load()), (2, 2));
    let before = world.topics.set("u", 2);
    world.topics.remove("u");
    let after = world.topics.set("u", 2);
    assert_ne!(before, after);
    settle(&mut world, &mut [&mut a, &mut b]);
    assert!(
        a.owned.iter().all(|(topic, _)| *topic == after),
        "it is another topic"
    );
}

#[test]
fn a_changed_subscription_takes_effect() {
    let mut world = world(2);
    let other = world.topics.set("u", 2);
    let (mut a, mut b) = (Consumer::new("a", &["t"]), Consumer::new("b", &["t"]));
    settle(&mut world, &mut [&mut a, &mut b]);
    world.pass(2 * SECOND);
    let response = world.beat(ConsumerGroupHeartbeatRequest {
        subscribed_topic_names: Some(vec!["u".to_owned()]),
        ..a.request()
    });
    a.learn(&response);
    assert!(a.assigned.is_empty(), "first what it had goes");
    a.owned.clear();
    settle(&mut world, &mut [&mut a, &mut b]);
    assert_eq!(a.owned, BTreeSet::from([(other, 0), (other, 1)]));
    assert_eq!(b.load(), 2);
    assert_eq!(world.described().members[0].subscribed_topic_names, ["u"]);
}

#[test]
fn members_choose_the_assignor() {
    let mut world = world(3);
    let topic = world.topics.set("u", 3);
    let mut members: Vec<Consumer> = ["a", "b"]
        .map(|id| Consumer {
            assignor: Some("range".to_owned()),
            ..Consumer::new(id, &["u"])
        })
        .to_vec();
    let [a, b] = members.as_mut_slice() else {
        panic!()
    };
    settle(&mut world, &mut [a, b]);
    assert_eq!(world.described().assignor_name, "range");
    assert_eq!(a.owned, BTreeSet::from([(topic, 0), (topic, 1)]));
    let mut world = World::with(GroupConfig {
        consumer_assignors: vec![Assignor::Range],
        ..GroupConfig::default()
    });
    let mut plain = Consumer::new("a", &["u"]);
    plain.beat(&mut world);
    assert_eq!(world.described().assignor_name, "range");
}

#[test]
fn targets_are_not_computed_more_often_than_allowed() {
    let mut world = world(2);
    let (mut a, mut b) = (Consumer::new("a", &["t"]), Consumer::new("b", &["t"]));
    a.beat(&mut world);
    b.beat(&mut world);
    assert_eq!((b.epoch, b.load()), (2, 0), "still the first target");
    let described = world.described();
    assert_eq!(
        (
            &*described.group_state,
            described.group_epoch,
            described.assignment_epoch
        ),
        ("Assigning", 3, 2)
    );
    world.pass(SECOND);
    a.beat(&mut world);
    assert_eq!(world.described().assignment_epoch, 3);
}

#[test]
fn a_static_member_keeps_its_place_while_it_is_away() {
    let mut world = world(4);
    let mut a = Consumer::stationary("a", "one", &["t"]);
    let mut b = Consumer::new("b", &["t"]);
    settle(&mut world, &mut [&mut a, &mut b]);
    let before = a.owned.clone();
    let twin = Consumer::stationary("twin", "one", &["t"]);
    assert_eq!(
        error(world.beat(twin.request()).error_code),
        ErrorCode::UnreleasedInstanceId
    );
    assert_eq!(a.leave(&mut world, -2), ErrorCode::None);
    b.beat(&mut world);
    assert_eq!(b.load(), 2, "nothing is handed over");

    let epoch = world.described().group_epoch;
    let mut back = Consumer::stationary("back", "one", &["t"]);
    back.beat(&mut world);
    assert_eq!(back.owned, before);
    assert_eq!(
        world.described().group_epoch,
        epoch,
        "nobody else is disturbed"
    );
    let zombie = ConsumerGroupHeartbeatRequest {
        member_epoch: 1,
        ..a.request()
    };
    assert_eq!(
        error(world.beat(zombie).error_code),
        ErrorCode::FencedInstanceId
    );

    assert_eq!(back.leave(&mut world, -2), ErrorCode::None);
    for _ in 0..10 {
        world.pass(5 * SECOND);
        b.beat(&mut world);
    }
    settle(&mut world, &mut [&mut b]);
    assert_eq!(b.load(), 4, "it did not come back in time");
}

#[test]
fn a_group_survives_a_restart() {
    let mut world = world(5);
    let mut a = Consumer::new("a", &["t"]);
    let mut b = Consumer::stationary("b", "one", &["t"]);
    let mut c = Consumer::matching("c", "t|u");
    settle(&mut world, &mut [&mut a, &mut b, &mut c]);
    let before = world.described();
    world.restart();
    assert_eq!(world.described(), before);
    for consumer in [&mut a, &mut b, &mut c] {
        let owned = consumer.owned.clone();
        assert_eq!(consumer.beat(&mut world), ErrorCode::None);
        assert_eq!(consumer.owned, owned);
    }
    assert_eq!(
        world.described(),
        before,
        "and goes on as if nothing had been"
    );
    world.topics.set("u", 1);
    settle(&mut world, &mut [&mut a, &mut b, &mut c]);
    assert_eq!(a.load() + b.load() + c.load(), 6);
}

#[test]
fn commits_are_fenced_by_epoch_and_partition() {
    let mut world = world(2);
    let (mut a, mut b) = (Consumer::new("a", &["t"]), Consumer::new("b", &["t"]));
    a.beat(&mut world);
    assert_eq!(world.commit(committing("a", 2, 0, 5)), ErrorCode::None);
    assert_eq!(
        world.commit(committing("a", 7, 0, 5)),
        ErrorCode::StaleMemberEpoch
    );
    assert_eq!(
        world.commit(committing("nobody", 1, 0, 5)),
        ErrorCode::UnknownMemberId
    );
    assert_eq!(
        world.commit(committing("", -1, 0, 5)),
        ErrorCode::UnknownMemberId
    );
    let old = world.send(8, Request::OffsetCommit(committing("a", 2, 0, 5)));
    assert_eq!(world.take_commit(old), ErrorCode::UnsupportedVersion);
    settle(&mut world, &mut [&mut a, &mut b]);
    assert_eq!(a.epoch, 3);
    let (_, kept) = a.owned.first().copied().expect("it owns one");
    let given_up = 1 - kept;
    assert_eq!(
        world.commit(committing("a", 2, kept, 6)),
        ErrorCode::None,
        "it has had this one since epoch 2"
    );
    assert_eq!(
        world.commit(committing("a", 2, given_up, 6)),
        ErrorCode::StaleMemberEpoch
    );
    let mut long = committing("a", 2, given_up, 6);
    long.topics[0].partitions[0].committed_metadata = Some("m".repeat(4097));
    assert_eq!(world.commit(long), ErrorCode::OffsetMetadataTooLarge);
    assert_eq!(world.fetched(kept), 6);
}

#[test]
fn groups_are_listed_with_their_type_and_state() {
    let mut world = world(1);
    Consumer::new("a", &["t"]).beat(&mut world);
    let list = |world: &mut World, states: &[&str], types: &[&str]| {
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
    };
    let listed = list(&mut world, &["stable"], &["Consumer"]);
    assert_eq!(
        (
            &*listed[0].group_type,
            &*listed[0].group_state,
            &*listed[0].protocol_type
        ),
        ("consumer", "Stable", "consumer")
    );
    assert!(list(&mut world, &["Empty"], &[]).is_empty());
    assert!(list(&mut world, &[], &["classic"]).is_empty());
}

/// A coordinator whose batches hold 10,000 bytes.
fn small_batches() -> World {
    World::with(GroupConfig {
        max_append_bytes: 10_000,
        initial_rebalance_delay: Duration::ZERO,
        ..GroupConfig::default()
    })
}

#[test]
fn a_member_that_cannot_be_written_is_refused_alone() {
    let mut world = small_batches();
    world.topics.set("t", 2);
    let mut a = Consumer::new("a", &["t"]);
    assert_eq!(a.beat(&mut world), ErrorCode::None);
    let written = world.log.len();
    let topics: Vec<String> = (0..2_000).map(|n| format!("topic-{n}")).collect();
    let mut large = Consumer {
        topics: topics.clone(),
        ..Consumer::new("b", &[])
    };
    assert_eq!(large.beat(&mut world), ErrorCode::UnknownServerError);
    let grown = ConsumerGroupHeartbeatRequest {
        subscribed_topic_names: Some(topics),
        ..a.request()
    };
    let response = world.beat(grown);
    assert_eq!(error(response.error_code), ErrorCode::UnknownServerError);
    assert_eq!(world.log.len(), written, "nothing is written for either");
    assert_eq!(a.beat(&mut world), ErrorCode::None);
    assert_eq!(world.described().members.len(), 1);
}
