use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use proptest::prelude::*;
use uuid::Uuid;

use super::{Assignor, MemberSpec, Spec, in_kafkas_order};
use crate::groups::consumer::assignment::Partitions;
use crate::groups::member::MemberId;

fn count(partitions: &Partitions) -> usize {
    partitions.values().map(BTreeSet::len).sum()
}

fn topic(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// A group whose members have what the last round gave them.
#[derive(Default)]
struct Fixture {
    counts: BTreeMap<Uuid, i32>,
    members: BTreeMap<MemberId, (Option<String>, BTreeSet<Uuid>)>,
    targets: BTreeMap<MemberId, Partitions>,
}

impl Fixture {
    fn with(counts: &[i32], members: &[(&str, &[u128])]) -> Self {
        let mut fixture = Self::default();
        for (number, count) in (0..).zip(counts) {
            fixture.counts.insert(topic(number), *count);
        }
        for (id, topics) in members {
            fixture.join(id, topics);
        }
        fixture
    }

    fn join(&mut self, id: &str, topics: &[u128]) {
        let topics = topics.iter().copied().map(topic).collect();
        self.members.insert(MemberId::from(id), (None, topics));
    }

    fn leave(&mut self, id: &str) {
        self.members.remove(id);
        self.targets.remove(id);
    }

    fn assign(&mut self, assignor: Assignor) {
        let none = Partitions::new();
        let mut members: Vec<MemberSpec<'_>> = self
            .members
            .iter()
            .map(|(id, (instance, topics))| MemberSpec {
                id,
                instance_id: instance.as_deref(),
                topics: Rc::new(topics.clone()),
                target: self.targets.get(id).unwrap_or(&none),
            })
            .collect();
        in_kafkas_order(&mut members, |member| member.id);
        let first = members.first().map(|member| member.topics.clone());
        let spec = Spec {
            is_homogeneous: members
                .iter()
                .all(|member| Some(&member.topics) == first.as_ref()),
            members,
            partition_counts: &self.counts,
        };
        self.targets = assignor.assign(&spec);
    }

    fn of(&self, id: &str, number: u128) -> Vec<i32> {
        self.targets
            .get(id)
            .and_then(|target| target.get(&topic(number)))
            .map(|partitions| partitions.iter().copied().collect())
            .unwrap_or_default()
    }

    fn load(&self, id: &str) -> usize {
        self.targets.get(id).map_or(0, count)
    }

    /// Every partition with a subscriber has exactly one owner, who subscribes to it.
    fn assert_complete(&self) {
        for (id, count) in &self.counts {
            let has_subscribers = self.members.values().any(|(_, topics)| topics.contains(id));
            for partition in 0..*count {
                let owners: Vec<&MemberId> = self
                    .targets
                    .iter()
                    .filter(|(_, target)| target.get(id).is_some_and(|of| of.contains(&partition)))
                    .map(|(member, _)| member)
                    .collect();
                assert_eq!(
                    owners.len(),
                    usize::from(has_subscribers),
                    "{id} {partition}"
                );
                assert!(
                    owners
                        .iter()
                        .all(|owner| self.members[*owner].1.contains(id))
                );
            }
        }
        let total: usize = self.targets.values().map(count).sum();
        let wanted: usize = self
            .counts
            .iter()
            .filter(|(id, _)| {
                self.members
                    .values()
                    .any(|(_, topics)| topics.contains(*id))
            })
            .map(|(_, count)| *count as usize)
            .sum();
        assert_eq!(total, wanted);
    }

    fn owner_of_each(&self) -> BTreeMap<(Uuid, i32), MemberId> {
        let mut owners = BTreeMap::new();
        for (member, target) in &self.targets {
            for (topic, partitions) in target {
                for partition in partitions {
                    owners.insert((*topic, *partition), member.clone());
                }
            }
        }
        owners
    }
}

#[test]
fn range_gives_ranges_topic_by_topic() {
    let mut group = Fixture::with(&[3, 2], &[("b", &[0, 1]), ("a", &[0, 1])]);
    group.assign(Assignor::Range);
    assert_eq!((group.of("a", 0), group.of("b", 0)), (vec![0, 1], vec![2]));
    assert_eq!((group.of("a", 1), group.of("b", 1)), (vec![0], vec![1]));
    group.join("c", &[1]);
    group.assign(Assignor::Range);
    group.assert_complete();
    assert_eq!(group.of("c", 1), vec![]);
}

#[test]
fn range_puts_static_members_first() {
    let mut group = Fixture::with(&[2], &[("a", &[0]), ("z", &[0])]);
    group.members.get_mut("z").expect("there").0 = Some("instance".to_owned());
    group.assign(Assignor::Range);
    assert_eq!((group.of("z", 0), group.of("a", 0)), (vec![0], vec![1]));
}

#[test]
fn uniform_moves_only_what_it_has_to() {
    let mut group = Fixture::with(&[6, 3], &[("a", &[0, 1]), ("b", &[0, 1])]);
    group.assign(Assignor::Uniform);
    group.assert_complete();
    let before = group.owner_of_each();
    group.join("c", &[0, 1]);
    group.assign(Assignor::Uniform);
    group.assert_complete();
    let moved = group
        .owner_of_each()
        .iter()
        .filter(|(partition, owner)| before.get(*partition) != Some(owner))
        .count();
    assert_eq!(moved, 3, "only what the new member gets");
    assert_eq!(
        [group.load("a"), group.load("b"), group.load("c")],
        [3, 3, 3]
    );

    let before = group.owner_of_each();
    group.leave("a");
    group.assign(Assignor::Uniform);
    group.assert_complete();
    let after = group.owner_of_each();
    for (partition, owner) in before {
        assert!(
            &*owner == "a" || after[&partition] == owner,
            "it moved without need"
        );
    }
}

#[test]
fn uniform_balances_members_with_different_topics() {
    let mut group = Fixture::with(
        &[3, 3, 3],
        &[("a", &[0]), ("b", &[0, 1]), ("c", &[0, 1, 2])],
    );
    group.assign(Assignor::Uniform);
    group.assert_complete();
    assert_eq!(
        [group.load("a"), group.load("b"), group.load("c")],
        [3, 3, 3]
    );
}

fn subscriptions() -> impl Strategy<Value = Vec<(u8, BTreeSet<u128>)>> {
    prop::collection::vec(
        (0..6_u8, prop::collection::btree_set(0..4_u128, 0..4)),
        1..12,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Members come, change and go; an assignment is always complete, and balanced as far as the
    /// subscriptions let it.
    #[test]
    fn assignments_are_complete_and_even(
        counts in prop::collection::vec(1..9_i32, 4),
        changes in subscriptions(),
        same in any::<bool>(),
        range in any::<bool>(),
    ) {
        let assignor = if range { Assignor::Range } else { Assignor::Uniform };
        let mut group = Fixture::with(&counts, &[]);
        for (member, topics) in changes {
            let id = format!("member-{member}");
            let topics: Vec<u128> = if same { vec![0, 1, 2] } else { topics.into_iter().collect() };
            if group.members.contains_key(id.as_str()) && topics.len() % 2 == 1 {
                group.leave(&id);
            } else {
                group.join(&id, &topics);
            }
            group.assign(assignor);
            group.assert_complete();
            let loads: Vec<usize> =
                group.members.keys().map(|id| group.load(id)).collect();
            if same && !range && let (Some(most), Some(least)) = (loads.iter().max(), loads.iter().min()) {
                prop_assert!(most - least <= 1, "{loads:?}");
            }
            let before = group.owner_of_each();
            group.assign(assignor);
            prop_assert_eq!(before, group.owner_of_each(), "assigning again changes nothing");
        }
    }
}
