use super::super::fixture::{listed, member, members, topics};
use super::*;

fn owned(of: &[i32]) -> Vec<TopicPartition> {
    of.iter().map(|p| TopicPartition::new("t", *p)).collect()
}

fn owning(mut member: MemberSubscription, generation: i32, of: &[i32]) -> MemberSubscription {
    member.generation_id = Some(generation);
    member.owned_partitions = owned(of);
    member.user_data = StickyAssignor.user_data(&member);
    member
}

fn assign(
    topics: &TopicPartitions,
    members: &BTreeMap<String, MemberSubscription>,
) -> BTreeMap<String, MemberAssignment> {
    let assigned = futures::executor::block_on(StickyAssignor.assign(topics, members));
    assigned.expect("an assignment")
}

#[test]
fn user_data_is_kafkas() {
    let data = encode(&owned(&[0, 2]), 5).expect("fits");
    let expected = b"\x00\x00\x00\x01\x00\x01t\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x05";
    assert_eq!(&data[..], expected);
    let claim = decode(data.clone()).expect("reads");
    assert_eq!((claim.partitions, claim.generation), (owned(&[0, 2]), 5));
    let old = decode(data.slice(..data.len() - 4)).expect("reads version 0");
    assert_eq!((old.partitions.len(), old.generation), (2, -1));
    assert!(decode(data.slice(..9)).is_err());
}

#[test]
fn a_fresh_group_is_balanced() {
    let members = members([
        ("a", member(["t"])),
        ("b", member(["t"])),
        ("c", member(["t"])),
    ]);
    let shares = assign(&topics([("t", 7)]), &members);
    let mut sizes: Vec<usize> = shares
        .values()
        .map(|share| share.partitions.len())
        .collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [2, 2, 3]);
}

#[test]
fn a_new_member_takes_only_what_balance_needs() {
    let members = members([
        ("a", owning(member(["t"]), 4, &[0, 2, 4])),
        ("b", owning(member(["t"]), 4, &[1, 3, 5])),
        ("c", member(["t"])),
    ]);
    let shares = assign(&topics([("t", 6)]), &members);
    assert_eq!(listed(&shares, "a"), ["t-0", "t-2"]);
    assert_eq!(listed(&shares, "b"), ["t-1", "t-3"]);
    assert_eq!(listed(&shares, "c"), ["t-4", "t-5"]);
}

#[test]
fn the_rest_of_a_lost_member_is_spread_and_nothing_else_moves() {
    let members = members([
        ("a", owning(member(["t"]), 4, &[0, 3])),
        ("b", owning(member(["t"]), 4, &[1, 4])),
    ]);
    let shares = assign(&topics([("t", 6)]), &members);
    assert_eq!(listed(&shares, "a"), ["t-0", "t-2", "t-3"]);
    assert_eq!(listed(&shares, "b"), ["t-1", "t-4", "t-5"]);
}

#[test]
fn of_two_claims_the_later_generation_holds() {
    let members = members([
        ("a", owning(member(["t"]), 3, &[0, 1])),
        ("b", owning(member(["t"]), 4, &[0])),
    ]);
    let shares = assign(&topics([("t", 2)]), &members);
    assert_eq!(listed(&shares, "a"), ["t-1"]);
    assert_eq!(listed(&shares, "b"), ["t-0"]);
}

#[test]
fn partitions_nobody_wants_any_more_are_given_to_nobody() {
    let members = members([("a", owning(member(["u"]), 3, &[0, 1]))]);
    let shares = assign(&topics([("t", 2), ("u", 1)]), &members);
    assert_eq!(listed(&shares, "a"), ["u-0"]);
}
