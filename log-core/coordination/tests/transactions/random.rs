//! Random producers, faults and crashes against a few simple truths.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use headwater_coordination::transactions::Response;
use headwater_coordination::{ProducerIdentity, Token};
use headwater_wire::ErrorCode;
use proptest::prelude::*;

use crate::world::{ID, World, adding, ending, error, going_on, initialising};

#[derive(Clone, Debug)]
enum Step {
    Init,
    /// Goes on as the producer that was let in so many times ago.
    GoOn(usize),
    Add(usize, i32),
    End(usize, bool),
    SyncDisk,
    WriteMarkers,
    Pass(u64),
    /// Keeps this share of what is not durable, in eighths.
    Crash(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ago = 0..3_usize;
    let step = prop_oneof![
        2 => Just(Step::Init),
        1 => ago.clone().prop_map(Step::GoOn),
        6 => (ago.clone(), 0..4_i32).prop_map(|(ago, partition)| Step::Add(ago, partition)),
        4 => (ago, any::<bool>()).prop_map(|(ago, commit)| Step::End(ago, commit)),
        6 => Just(Step::SyncDisk),
        4 => Just(Step::WriteMarkers),
        1 => (1..40_u64).prop_map(Step::Pass),
        1 => (0..9_usize).prop_map(Step::Crash),
    ];
    prop::collection::vec(step, 1..150)
}

#[derive(Debug)]
enum Sent {
    Init {
        going_on: Option<ProducerIdentity>,
    },
    Add {
        producer: ProducerIdentity,
        partition: i32,
    },
    End {
        producer: ProducerIdentity,
        commit: bool,
    },
}

#[derive(Default)]
struct Model {
    /// Producers that were let in, the latest last.
    producers: Vec<ProducerIdentity>,
    sent: BTreeMap<Token, Sent>,
    /// Ends that were acknowledged, by producer, in order.
    ended: BTreeMap<ProducerIdentity, Vec<bool>>,
    /// Partitions that were acknowledged to be in an open transaction.
    open: BTreeSet<(ProducerIdentity, i32)>,
}

fn run(steps: &[Step]) -> World {
    let mut world = World::new();
    world.syncs = false;
    world.writes_markers = false;
    let mut model = Model::default();
    for step in steps {
        apply(&mut world, &mut model, step);
        collect(&mut world, &mut model);
    }
    // After the timeout nothing is open: every partition of every transaction has its marker.
    world.syncs = true;
    world.writes_markers = true;
    world.sync_disk();
    world.write_markers();
    collect(&mut world, &mut model);
    let open = std::mem::take(&mut model.open);
    let before = world.markers.len();
    world.pass(Duration::from_secs(120));
    for (producer, partition) in open {
        let ended = world.markers.iter().any(|(_, index, marker)| {
            *index == partition
                && marker.producer.id == producer.id
                && marker.producer.epoch >= producer.epoch
        });
        assert!(
            ended,
            "partition {partition} of {producer:?} has no marker in {before}"
        );
    }
    world
}

fn apply(world: &mut World, model: &mut Model, step: &Step) {
    let producer = |model: &Model, ago: usize| model.producers.iter().rev().nth(ago).copied();
    match *step {
        Step::Init => {
            let token = world.send_init(4, initialising());
            model.sent.insert(token, Sent::Init { going_on: None });
        }
        Step::GoOn(ago) => {
            if let Some(producer) = producer(model, ago) {
                let token = world.send_init(4, going_on(producer));
                model.sent.insert(
                    token,
                    Sent::Init {
                        going_on: Some(producer),
                    },
                );
            }
        }
        Step::Add(ago, partition) => {
            if let Some(producer) = producer(model, ago) {
                let token = world.send(3, adding(ID, producer, &[partition]));
                model.sent.insert(
                    token,
                    Sent::Add {
                        producer,
                        partition,
                    },
                );
            }
        }
        Step::End(ago, commit) => {
            if let Some(producer) = producer(model, ago) {
                let token = world.send(3, ending(ID, producer, commit));
                model.sent.insert(token, Sent::End { producer, commit });
            }
        }
        Step::SyncDisk => world.sync_disk(),
        Step::WriteMarkers => {
            world.write_markers();
        }
        Step::Pass(seconds) => world.pass(Duration::from_secs(seconds)),
        Step::Crash(eighths) => {
            let kept = (world.log.len() - world.durable) * eighths / 8;
            world.crash(world.durable + kept);
            model.sent.clear();
        }
    }
}

fn collect(world: &mut World, model: &mut Model) {
    for (token, response) in std::mem::take(&mut world.replies) {
        let Some(sent) = model.sent.remove(&token) else {
            continue;
        };
        match (sent, response) {
            (Sent::Init { going_on }, Response::InitProducerId(response)) => {
                if error(response.error_code) != ErrorCode::None {
                    continue;
                }
                let given = ProducerIdentity {
                    id: response.producer_id,
                    epoch: response.producer_epoch,
                };
                // Only a retry may be told again what the last one was told.
                let is_retry = going_on.is_some() && model.producers.last() == Some(&given);
                assert!(
                    is_retry || !model.producers.contains(&given),
                    "{given:?} given twice"
                );
                assert!(
                    model.producers.iter().all(|before| *before <= given),
                    "{given:?} after a later one"
                );
                if !is_retry {
                    model.producers.push(given);
                }
            }
            (
                Sent::Add {
                    producer,
                    partition,
                },
                Response::AddPartitions(response),
            ) => {
                let result = &response.results_by_topic_v3_and_below[0].results_by_partition[0];
                if result.partition_error_code == 0 {
                    model.open.insert((producer, partition));
                }
            }
            (Sent::End { producer, commit }, Response::End(response)) => {
                if response.error_code == 0 {
                    model.ended.entry(producer).or_default().push(commit);
                }
            }
            (sent, response) => panic!("{response:?} is no answer to {sent:?}"),
        }
    }
}

/// A producer that runs one transaction after the other, retrying until it knows how each ended.
fn run_in_turn(ends: &[(bool, usize)]) {
    let mut world = World::new();
    let producer = world.init();
    let mut first = 0;
    for (number, (commit, crash)) in ends.iter().enumerate() {
        assert_eq!(world.add(producer, &[0, 1]), ErrorCode::None);
        world.syncs = false;
        world.writes_markers = false;
        world.send(3, ending(ID, producer, *commit));
        // The process dies somewhere on the way, or not at all.
        for _ in 0..*crash {
            world.sync_disk();
            world.write_markers();
        }
        world.crash(world.durable);
        world.syncs = true;
        world.writes_markers = true;
        world.sync_disk();
        world.write_markers();
        assert_eq!(world.end(producer, *commit), ErrorCode::None);
        let decisions: BTreeSet<(i32, bool)> = world.markers[first..]
            .iter()
            .map(|(_, index, marker)| (*index, marker.committed))
            .collect();
        assert_eq!(
            decisions,
            [(0, *commit), (1, *commit)].into(),
            "transaction {number}"
        );
        first = world.markers.len();
    }
}

/// A producer of version 2 that runs one transaction after the other, while requests of earlier ones
/// arrive again and again, and the process dies now and then.
fn run_among_the_delayed(transactions: &[Delayed]) {
    let mut world = World::new();
    let mut producer = world.init();
    // What was sent so far: the producer of a transaction, and how it was ended.
    let mut sent: Vec<(ProducerIdentity, bool)> = Vec::new();
    for transaction in transactions {
        for ago in &transaction.again {
            if let Some((old, commit)) = sent.iter().rev().nth(*ago).copied() {
                assert_ne!(world.write(old, &[9]), ErrorCode::None, "{old:?} is over");
                let is_last = *ago == 0;
                match world.end_v2(old, commit) {
                    Ok(next) => assert!(is_last && next == producer, "only the last is told again"),
                    Err(_) => assert!(!is_last, "the last one may be repeated"),
                }
                assert!(world.end_v2(old, !commit).is_err(), "a decision stands");
            }
        }
        assert_eq!(world.write(producer, &[0, 1]), ErrorCode::None);
        for ago in &transaction.again {
            if let Some((old, commit)) = sent.iter().rev().nth(*ago).copied() {
                assert_eq!(world.end_v2(old, commit), Err(ErrorCode::ProducerFenced));
            }
        }
        world.syncs = transaction.crash.is_none();
        world.writes_markers = world.syncs;
        world.send(5, ending(ID, producer, transaction.commit));
        for _ in 0..transaction.crash.unwrap_or(0) {
            world.sync_disk();
            world.write_markers();
        }
        if transaction.crash.is_some() {
            world.crash(world.durable);
        }
        world.syncs = true;
        world.writes_markers = true;
        world.sync_disk();
        world.write_markers();
        let next = world.end_v2(producer, transaction.commit).expect("ended");
        assert_eq!((next.id, next.epoch), (producer.id, producer.epoch + 1));
        sent.push((producer, transaction.commit));
        producer = next;
    }
    for (producer, commit) in sent {
        let next = ProducerIdentity {
            epoch: producer.epoch + 1,
            ..producer
        };
        assert_eq!(world.marked(next, commit), [0, 1].into(), "{producer:?}");
        assert!(world.marked(next, !commit).is_empty(), "{producer:?}");
    }
}

#[derive(Clone, Debug)]
struct Delayed {
    commit: bool,
    /// Ends of how many transactions ago arrive again meanwhile.
    again: Vec<usize>,
    /// The process dies at the end, after so many syncs.
    crash: Option<usize>,
}

fn delayed() -> impl Strategy<Value = Vec<Delayed>> {
    let transaction = (
        any::<bool>(),
        prop::collection::vec(0..3_usize, 0..3),
        prop::option::of(0..4_usize),
    );
    let transaction = transaction.prop_map(|(commit, again, crash)| Delayed {
        commit,
        again,
        crash,
    });
    prop::collection::vec(transaction, 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn epochs_are_given_once_and_every_transaction_ends(steps in steps()) {
        run(&steps);
    }

    #[test]
    fn the_same_inputs_have_the_same_effects(steps in steps()) {
        prop_assert_eq!(run(&steps).effects, run(&steps).effects);
    }

    #[test]
    fn a_transaction_is_never_both_committed_and_aborted(
        ends in prop::collection::vec((any::<bool>(), 0..4_usize), 1..8)
    ) {
        run_in_turn(&ends);
    }

    #[test]
    fn what_comes_late_never_reaches_another_transaction(transactions in delayed()) {
        run_among_the_delayed(&transactions);
    }
}
