use headwater_wire::messages::consumer_group_heartbeat::Assignment;

use super::*;

const TOPIC: Uuid = Uuid::from_u128(7);

fn identity() -> Identity {
    Identity {
        group_id: "g".to_owned(),
        member_id: "m".to_owned(),
        assignor: Some("uniform".to_owned()),
        rebalance_timeout_ms: 300_000,
        ..Identity::default()
    }
}

fn parts<const N: usize>(partitions: [i32; N]) -> Parts {
    if N == 0 {
        return Parts::new();
    }
    Parts::from([(TOPIC, BTreeSet::from(partitions))])
}

fn answer(epoch: i32, assigned: Option<Parts>) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse {
        member_id: Some("m".to_owned()),
        member_epoch: epoch,
        heartbeat_interval_ms: 5_000,
        assignment: assigned.map(|parts| Assignment {
            topic_partitions: listed(&parts),
        }),
        ..ConsumerGroupHeartbeatResponse::default()
    }
}

fn refusal(code: ErrorCode) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse {
        error_code: code.code(),
        ..ConsumerGroupHeartbeatResponse::default()
    }
}

fn subscribed() -> Member {
    let mut member = Member::new(identity());
    member.subscribe(["t".to_owned()].into(), None);
    member
}

/// A member in epoch 3 that owns these.
fn settled(owned: Parts) -> Member {
    let mut member = subscribed();
    member.heartbeat();
    member.answered(0, answer(3, Some(owned.clone())));
    member.reconciled(owned);
    member.heartbeat();
    member.answered(3, answer(3, None));
    member
}

#[test]
fn a_member_joins_with_everything_and_then_says_only_what_has_changed() {
    let mut member = subscribed();
    assert_eq!((member.due(), member.epoch()), (Due::Now, -1));
    let request = member.heartbeat();
    assert_eq!(request.member_epoch, 0);
    assert_eq!(request.subscribed_topic_names, Some(vec!["t".to_owned()]));
    assert_eq!(request.topic_partitions, Some(Vec::new()));
    assert_eq!(request.server_assignor.as_deref(), Some("uniform"));
    assert_eq!(request.rebalance_timeout_ms, 300_000);
    assert_eq!(
        member.answered(0, answer(1, Some(Parts::new()))),
        Verdict::Quiet
    );
    assert_eq!(member.due(), Due::After(Duration::from_secs(5)));
    let request = member.heartbeat();
    assert_eq!(request.member_epoch, 1);
    assert_eq!(request.subscribed_topic_names, None);
    assert_eq!(request.topic_partitions, None);
    assert_eq!(
        (request.server_assignor, request.rebalance_timeout_ms),
        (None, -1)
    );
}

#[test]
fn what_was_reconciled_is_acknowledged_at_once_and_once() {
    let mut member = subscribed();
    member.heartbeat();
    let verdict = member.answered(0, answer(2, Some(parts([0, 1]))));
    assert_eq!(verdict, Verdict::Reconcile);
    assert_eq!(member.target(), Some(&parts([0, 1])));
    assert_eq!(
        member.due(),
        Due::After(Duration::from_secs(5)),
        "not before"
    );
    member.reconciled(parts([0, 1]));
    assert_eq!((member.target(), member.due()), (None, Due::Now));
    assert_eq!(
        member.heartbeat().topic_partitions,
        Some(listed(&parts([0, 1])))
    );
    member.answered(2, answer(2, None));
    assert_eq!(member.heartbeat().topic_partitions, None);
}

#[test]
fn a_topic_that_has_had_a_name_keeps_it_while_it_is_assigned() {
    let (t, other) = (TOPIC, Uuid::from_u128(8));
    let names = |ids: &[(Uuid, &str)]| -> HashMap<Uuid, Arc<str>> {
        ids.iter().map(|(id, name)| (*id, (*name).into())).collect()
    };
    let mut member = settled(Parts::new());
    member.answered(3, answer(4, Some(parts([0]))));
    assert_eq!(member.unnamed(&names(&[])), [t]);
    assert_eq!(
        member.resolve(&names(&[])),
        Some((Parts::new(), BTreeSet::new()))
    );
    let (owned, share) = member.resolve(&names(&[(t, "t")])).expect("a target");
    assert_eq!(share, BTreeSet::from([TopicPartition::new("t", 0)]));
    member.reconciled(owned);

    // Another topic comes, and metadata know nothing of the first for the moment.
    let both = Parts::from([(t, [0].into()), (other, [2].into())]);
    member.heartbeat();
    member.answered(4, answer(5, Some(both.clone())));
    assert!(member.unnamed(&names(&[(other, "u")])).is_empty());
    let (owned, share) = member.resolve(&names(&[(other, "u")])).expect("a target");
    assert_eq!(owned, both);
    let named = [TopicPartition::new("t", 0), TopicPartition::new("u", 2)];
    assert_eq!(share, BTreeSet::from(named));
    member.reconciled(owned);

    // It is given up when the coordinator says so, and its name with it.
    member.heartbeat();
    let rest = Parts::from([(other, [2].into())]);
    member.answered(5, answer(6, Some(rest.clone())));
    let (owned, share) = member.resolve(&names(&[])).expect("a target");
    assert_eq!((owned.clone(), share.len()), (rest, 1));
    member.reconciled(owned);
    member.heartbeat();
    member.answered(6, answer(7, Some(both)));
    assert_eq!(member.unnamed(&names(&[])), [t]);
}

#[test]
fn a_target_that_changes_meanwhile_is_reconciled_next() {
    let mut member = settled(parts([0, 1]));
    member.heartbeat();
    member.answered(3, answer(4, Some(parts([0]))));
    member.heartbeat();
    member.answered(4, answer(5, Some(parts([0, 2]))));
    member.reconciled(parts([0]));
    assert_eq!(member.target(), Some(&parts([0, 2])));
    assert_eq!(member.epoch(), 5);
}

#[test]
fn a_heartbeat_without_an_answer_makes_the_next_complete() {
    let mut member = settled(parts([1]));
    member.heartbeat();
    member.failed();
    assert_eq!(member.due(), Due::Now);
    let request = member.heartbeat();
    assert_eq!(request.member_epoch, 3);
    assert_eq!(request.topic_partitions, Some(listed(&parts([1]))));
    assert!(request.subscribed_topic_names.is_some());
}

#[test]
fn a_fenced_member_gives_up_and_joins_again_under_its_id() {
    for code in [ErrorCode::FencedMemberEpoch, ErrorCode::UnknownMemberId] {
        let mut member = settled(parts([1]));
        member.heartbeat();
        assert_eq!(member.answered(3, refusal(code)), Verdict::Fenced);
        assert_eq!((member.due(), member.epoch()), (Due::Never, -1));
        member.gave_up();
        let request = member.heartbeat();
        assert_eq!((request.member_epoch, request.member_id.as_str()), (0, "m"));
        assert_eq!(request.topic_partitions, Some(Vec::new()));
    }
}

#[test]
fn errors_are_sorted_into_those_that_pass_and_those_that_stay() {
    let mut member = settled(parts([1]));
    member.heartbeat();
    let load = refusal(ErrorCode::CoordinatorLoadInProgress);
    let later = Verdict::Later(ErrorCode::CoordinatorLoadInProgress);
    assert_eq!(member.answered(3, load), later);
    member.heartbeat();
    let moved = refusal(ErrorCode::NotCoordinator);
    assert_eq!(member.answered(3, moved), Verdict::Elsewhere);
    member.heartbeat();
    let assignor = refusal(ErrorCode::UnsupportedAssignor);
    let fatal = Verdict::Fatal(ErrorCode::UnsupportedAssignor, None);
    assert_eq!(member.answered(3, assignor), fatal);
    assert_eq!(member.due(), Due::Never);
}

#[test]
fn a_changed_subscription_is_told_at_once() {
    let mut member = settled(parts([1]));
    member.subscribe(BTreeSet::new(), Some("t.*".to_owned()));
    assert_eq!(member.due(), Due::Now);
    let request = member.heartbeat();
    assert_eq!(request.subscribed_topic_names, Some(Vec::new()));
    assert_eq!(request.subscribed_topic_regex.as_deref(), Some("t.*"));
    member.answered(3, answer(4, None));
    member.subscribe(["t".to_owned()].into(), None);
    let request = member.heartbeat();
    assert_eq!(request.subscribed_topic_regex.as_deref(), Some(""));
}

#[test]
fn a_member_leaves_for_good_and_a_static_one_for_a_while() {
    let mut member = settled(parts([1]));
    assert_eq!(member.leave().map(|request| request.member_epoch), Some(-1));
    assert_eq!((member.leave(), member.due()), (None, Due::Never));
    let late = answer(9, Some(parts([4])));
    assert_eq!(member.answered(3, late), Verdict::Quiet);

    let mut member = Member::new(Identity {
        instance_id: Some("one".to_owned()),
        ..identity()
    });
    member.subscribe(["t".to_owned()].into(), None);
    assert_eq!(member.leave(), None, "nobody knows of it");
    member.subscribe(["t".to_owned()].into(), None);
    member.heartbeat();
    member.answered(0, answer(1, None));
    let request = member.leave().expect("known");
    assert_eq!(request.member_epoch, -2);
    assert_eq!(request.instance_id.as_deref(), Some("one"));
}

#[test]
fn what_is_refused_for_good_gives_up_and_leaves_what_the_coordinator_still_has() {
    for (code, is_left_behind) in [
        (ErrorCode::InvalidRegularExpression, true),
        (ErrorCode::FencedInstanceId, false),
    ] {
        let mut member = settled(parts([1]));
        member.heartbeat();
        let fatal = Verdict::Fatal(code, None);
        assert_eq!(member.answered(3, refusal(code)), fatal);
        assert!(member.is_lost());
        member.gave_up();
        assert!(!member.is_lost());
        assert_eq!((member.due(), member.epoch()), (Due::Never, -1));
        let parting = member.leave().map(|request| request.member_epoch);
        assert_eq!(parting, is_left_behind.then_some(-1));
    }
}

#[test]
fn a_new_subscription_joins_again_once_the_old_share_is_given_up() {
    let mut member = settled(parts([1]));
    member.heartbeat();
    member.answered(3, refusal(ErrorCode::InvalidRegularExpression));
    member.subscribe(["t".to_owned()].into(), None);
    assert!(member.is_lost());
    assert_eq!(member.due(), Due::Never);
    member.gave_up();
    assert_eq!(member.heartbeat().member_epoch, 0);
}

#[test]
fn the_last_epoch_outlives_the_membership_until_it_leaves() {
    let mut member = settled(parts([1]));
    member.fence();
    assert_eq!((member.epoch(), member.last_epoch()), (-1, 3));
    member.gave_up();
    assert_eq!((member.epoch(), member.last_epoch()), (-1, 3));
    member.heartbeat();
    member.answered(0, answer(5, None));
    assert_eq!((member.epoch(), member.last_epoch()), (5, 5));
    member.leave();
    assert_eq!(member.last_epoch(), -1);
}
