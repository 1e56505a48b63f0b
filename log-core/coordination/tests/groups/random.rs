//! Random clients, faults and crashes against a few simple truths.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use headwater_coordination::groups::{Request, Response};
use headwater_coordination::{ProducerIdentity, Token};
use headwater_wire::ErrorCode;
use proptest::prelude::*;

use crate::world::{
    World, committing, error, joining, joining_static, leaving, syncing, txn_committing,
};

const CLIENTS: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    Join(usize),
    Sync(usize),
    Heartbeat(usize),
    Leave(usize),
    Commit(usize, i64),
    /// As a member of a generation it is no longer in.
    ZombieCommit(usize, i64),
    TxnCommit(i64),
    EndTxn(bool),
    Restart(usize),
    Pass(u64),
    SyncDisk,
    /// Keeps this share of what is not durable, in eighths.
    Crash(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let client = 0..CLIENTS;
    let step = prop_oneof![
        4 => client.clone().prop_map(Step::Join),
        4 => client.clone().prop_map(Step::Sync),
        2 => client.clone().prop_map(Step::Heartbeat),
        1 => client.clone().prop_map(Step::Leave),
        3 => (client.clone(), 0..1_000_i64).prop_map(|(c, offset)| Step::Commit(c, offset)),
        1 => (client.clone(), 0..1_000_i64).prop_map(|(c, offset)| Step::ZombieCommit(c, offset)),
        1 => (0..1_000_i64).prop_map(Step::TxnCommit),
        1 => any::<bool>().prop_map(Step::EndTxn),
        1 => client.prop_map(Step::Restart),
        2 => (1..30_u64).prop_map(Step::Pass),
        4 => Just(Step::SyncDisk),
        1 => (0..9_usize).prop_map(Step::Crash),
    ];
    prop::collection::vec(step, 1..120)
}

/// A consumer: what it has been told. Clients 0 and 1 are static.
#[derive(Clone, Default)]
struct Consumer {
    member_id: String,
    generation: i32,
    leads: Option<Vec<String>>,
    pending: Option<Token>,
    /// The coordinator has come back since, perhaps to the generation before.
    is_unsure: bool,
}

/// What the test believes, from answers alone.
#[derive(Default)]
struct Model {
    consumers: Vec<Consumer>,
    /// Generation to the members' assignments that were handed out.
    assignments: BTreeMap<i32, BTreeMap<String, bytes::Bytes>>,
    leaders: BTreeMap<i32, String>,
    /// Commits sent, by token: what they would store.
    commits: Vec<(Token, i64)>,
    /// What the partition may hold: the last commit that was answered, and all since then.
    possible: BTreeSet<i64>,
    open: bool,
}

fn run(steps: &[Step]) -> World {
    let mut world = World::new();
    world.syncs = false;
    let mut model = Model {
        consumers: vec![Consumer::default(); CLIENTS],
        ..Model::default()
    };
    model.possible.insert(-1);
    for step in steps {
        apply(&mut world, &mut model, step);
        collect(&mut world, &mut model);
    }
    world.sync_disk();
    collect(&mut world, &mut model);
    world.restart();
    let found = world.fetched(0);
    assert!(
        model.possible.contains(&found),
        "{found} was never committed last"
    );
    world
}

fn apply(world: &mut World, model: &mut Model, step: &Step) {
    match *step {
        Step::Join(client) => {
            let consumer = &mut model.consumers[client];
            let mut request = if client < 2 {
                joining_static(&client.to_string())
            } else {
                joining("")
            };
            request.member_id.clone_from(&consumer.member_id);
            consumer.pending = Some(world.send_join(5, request));
        }
        Step::Sync(client) => {
            let consumer = &model.consumers[client];
            let members = consumer.leads.clone().unwrap_or_default();
            let generation = consumer.generation;
            let shares: Vec<(String, String)> = members
                .into_iter()
                .map(|id| (id.clone(), format!("{generation}:{id}")))
                .collect();
            let shares: Vec<(&str, &str)> = shares
                .iter()
                .map(|(id, share)| (id.as_str(), share.as_str()))
                .collect();
            let request = syncing(&consumer.member_id, generation, &shares);
            model.consumers[client].pending = Some(world.send_sync(request));
        }
        Step::Heartbeat(client) => {
            let consumer = &model.consumers[client];
            let request = headwater_wire::messages::heartbeat::HeartbeatRequest {
                group_id: "g".to_owned(),
                generation_id: consumer.generation,
                member_id: consumer.member_id.clone(),
                group_instance_id: None,
            };
            world.send(4, Request::Heartbeat(request));
        }
        Step::Leave(client) => {
            let id = std::mem::take(&mut model.consumers[client].member_id);
            world.send(5, Request::Leave(leaving(&[(&id, None)])));
        }
        Step::Commit(client, offset) => {
            let consumer = &model.consumers[client];
            if consumer.generation > 0 {
                let request = committing(&consumer.member_id, consumer.generation, 0, offset);
                let token = world.send(9, Request::OffsetCommit(request));
                model.commits.push((token, offset));
                model.possible.insert(offset);
            }
        }
        Step::ZombieCommit(client, offset) => {
            let consumer = &model.consumers[client];
            let request = committing(&consumer.member_id, consumer.generation - 1, 1, offset);
            if consumer.generation > 1 && !consumer.is_unsure {
                let token = world.send(9, Request::OffsetCommit(request));
                world.sync_disk();
                assert_ne!(
                    world.take_commit(token),
                    ErrorCode::None,
                    "a zombie commits"
                );
            }
        }
        Step::TxnCommit(offset) => {
            let producer = ProducerIdentity { id: 1, epoch: 0 };
            world.send(
                2,
                Request::TxnOffsetCommit(txn_committing(producer, 2, offset)),
            );
            model.open = true;
        }
        Step::EndTxn(committed) => {
            world.sync_disk();
            world.syncs = true;
            world.end_transaction(ProducerIdentity { id: 1, epoch: 0 }, committed);
            world.syncs = false;
            model.open = false;
            assert!(world.fetch(2, true).is_ok());
        }
        Step::Restart(client) => model.consumers[client] = Consumer::default(),
        Step::Pass(seconds) => world.pass(Duration::from_secs(seconds)),
        Step::SyncDisk => world.sync_disk(),
        Step::Crash(eighths) => {
            let kept = (world.log.len() - world.durable) * eighths / 8;
            world.crash(world.durable + kept);
            for consumer in &mut model.consumers {
                consumer.is_unsure = true;
            }
            // Generations that nobody was told the assignment of may come again.
            let told: BTreeSet<i32> = model.assignments.keys().copied().collect();
            model
                .leaders
                .retain(|generation, _| told.contains(generation));
        }
    }
}

/// Takes the answers that have come and holds them against each other.
fn collect(world: &mut World, model: &mut Model) {
    for (token, response) in std::mem::take(&mut world.replies) {
        match response {
            Response::OffsetCommit(response) => {
                let code = error(response.topics[0].partitions[0].error_code);
                let Some(at) = model.commits.iter().position(|(sent, _)| *sent == token) else {
                    continue;
                };
                let (_, offset) = model.commits.remove(at);
                if code == ErrorCode::None {
                    // Later commits that are not answered yet may already be there.
                    model.possible = model.commits[at..]
                        .iter()
                        .map(|(_, later)| *later)
                        .collect();
                    model.possible.insert(offset);
                }
            }
            Response::Join(joined) => {
                let Some(consumer) = model
                    .consumers
                    .iter_mut()
                    .find(|consumer| consumer.pending == Some(token))
                else {
                    continue;
                };
                match error(joined.error_code) {
                    ErrorCode::None => {
                        let known = model
                            .leaders
                            .entry(joined.generation_id)
                            .or_insert(joined.leader.clone());
                        let leads = joined.leader == joined.member_id;
                        assert!(
                            !leads || *known == joined.leader,
                            "two leaders of a generation"
                        );
                        consumer.leads = leads.then(|| {
                            joined
                                .members
                                .into_iter()
                                .map(|member| member.member_id)
                                .collect()
                        });
                        consumer.generation = joined.generation_id;
                        consumer.is_unsure = false;
                        consumer.member_id = joined.member_id;
                    }
                    ErrorCode::MemberIdRequired => consumer.member_id = joined.member_id,
                    ErrorCode::RebalanceInProgress => {}
                    _ => *consumer = Consumer::default(),
                }
            }
            Response::Sync(synced) => {
                let Some(consumer) = model
                    .consumers
                    .iter()
                    .find(|consumer| consumer.pending == Some(token))
                else {
                    continue;
                };
                if synced.error_code == 0 && !synced.assignment.is_empty() {
                    let share = String::from_utf8(synced.assignment.to_vec()).expect("text");
                    let (generation, _) = share.split_once(':').expect("a share");
                    assert_eq!(generation, consumer.generation.to_string());
                    let shares = model.assignments.entry(consumer.generation).or_default();
                    let before =
                        shares.insert(consumer.member_id.clone(), synced.assignment.clone());
                    assert!(before.is_none_or(|before| before == synced.assignment));
                }
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn clients_and_crashes_never_break_a_promise(steps in steps()) {
        run(&steps);
    }

    #[test]
    fn the_same_inputs_have_the_same_effects(steps in steps()) {
        prop_assert_eq!(run(&steps).effects, run(&steps).effects);
    }
}
