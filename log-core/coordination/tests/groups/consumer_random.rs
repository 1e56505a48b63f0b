//! Random consumers, topics, faults and crashes against a few simple truths of KIP-848.

use std::collections::BTreeMap;
use std::time::Duration;

use headwater_coordination::Token;
use headwater_wire::ErrorCode;
use proptest::prelude::*;
use uuid::Uuid;

use crate::consumers::{Consumer, Owned};
use crate::world::{World, error};

const TOPICS: [&str; 3] = ["t", "tu", "v"];
const CONSUMERS: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    /// Sends a heartbeat.
    Beat(usize),
    /// Gives up and takes what it was last told to.
    Reconcile(usize),
    Leave(usize),
    LeaveForAWhile(usize),
    /// Forgets everything, as a process that ends.
    Die(usize),
    Subscribe(usize, usize),
    Grow(usize, i32),
    Remove(usize),
    Pass(u64),
    SyncDisk,
    /// Keeps this share of what is not durable, in eighths.
    Crash(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let consumer = 0..CONSUMERS;
    let topic = 0..TOPICS.len();
    let step = prop_oneof![
        8 => consumer.clone().prop_map(Step::Beat),
        6 => consumer.clone().prop_map(Step::Reconcile),
        1 => consumer.clone().prop_map(Step::Leave),
        1 => consumer.clone().prop_map(Step::LeaveForAWhile),
        1 => consumer.clone().prop_map(Step::Die),
        1 => (consumer, 0..5_usize).prop_map(|(c, which)| Step::Subscribe(c, which)),
        1 => (topic.clone(), 1..6_i32).prop_map(|(t, count)| Step::Grow(t, count)),
        1 => topic.prop_map(Step::Remove),
        3 => (1..8_u64).prop_map(Step::Pass),
        4 => Just(Step::SyncDisk),
        1 => (0..9_usize).prop_map(Step::Crash),
    ];
    prop::collection::vec(step, 1..120)
}

/// A consumer of the test: its requests can be in flight, and its process can end.
#[derive(Clone, Default)]
struct Actor {
    consumer: Consumer,
    pending: Option<Token>,
    lives: u32,
    /// When it last heard from the coordinator, in seconds.
    heard: u64,
    /// Its next heartbeat says everything: an answer was lost, or there is something new.
    tells_all: bool,
    /// What it last said it owns.
    told: Owned,
}

impl Actor {
    fn new(index: usize) -> Self {
        let mut actor = Self::default();
        actor.be_born(index);
        subscribe(&mut actor.consumer, index);
        actor
    }

    /// Starts again under a new id; those with even numbers are static.
    fn be_born(&mut self, index: usize) {
        self.lives += 1;
        self.pending = None;
        self.consumer.forget();
        self.consumer.id = format!("{index}-{}", self.lives);
        self.consumer.instance = index.is_multiple_of(2).then(|| format!("instance-{index}"));
    }
}

fn subscribe(consumer: &mut Consumer, which: usize) {
    let (topics, regex): (&[&str], &str) = match which % 5 {
        0 => (&["t", "tu", "v"], ""),
        1 => (&["t"], ""),
        2 => (&[], "t.*"),
        3 => (&["v"], "t"),
        _ => (&[], ".*"),
    };
    consumer.topics = topics.iter().map(|&topic| topic.to_owned()).collect();
    consumer.regex = Some(regex.to_owned());
}

struct Model {
    actors: Vec<Actor>,
    now: u64,
    /// The highest epochs that were shown, of the group and of its target.
    shown: (i32, i32),
}

fn run(steps: &[Step]) -> World {
    let mut world = World::new();
    world.syncs = false;
    world.topics.set("t", 3);
    let mut model = Model {
        actors: (0..CONSUMERS).map(Actor::new).collect(),
        now: 0,
        shown: (0, -1),
    };
    for step in steps {
        apply(&mut world, &mut model, step);
        collect(&mut world, &mut model);
        check(&model);
    }
    settle(&mut world, &mut model);
    world
}

fn apply(world: &mut World, model: &mut Model, step: &Step) {
    match *step {
        Step::Beat(index) => beat(world, &mut model.actors[index]),
        Step::Reconcile(index) => {
            let actor = &mut model.actors[index];
            // What a heartbeat on its way says must not become untrue.
            if actor.pending.is_none() {
                actor.consumer.owned = actor.consumer.assigned.clone();
            }
        }
        Step::Leave(index) => leave(world, model, index, -1),
        Step::LeaveForAWhile(index) if index % 2 == 0 => leave(world, model, index, -2),
        Step::LeaveForAWhile(_) => {}
        Step::Die(index) => model.actors[index].be_born(index),
        Step::Subscribe(index, which) => {
            let actor = &mut model.actors[index];
            subscribe(&mut actor.consumer, which);
            actor.tells_all = true;
        }
        Step::Grow(topic, count) => {
            let name = TOPICS[topic];
            let before = world
                .topics
                .partitions()
                .filter(|(other, ..)| *other == name)
                .count();
            world.topics.set(name, count.max(before as i32));
        }
        Step::Remove(topic) => world.topics.remove(TOPICS[topic]),
        Step::Pass(seconds) => pass(world, model, seconds),
        Step::SyncDisk => world.sync_disk(),
        Step::Crash(eighths) => {
            let kept = (world.log.len() - world.durable) * eighths / 8;
            world.crash(world.durable + kept);
            for actor in &mut model.actors {
                // The answer will not come; what it was to tell is told again.
                actor.pending = None;
                actor.tells_all = true;
            }
        }
    }
}

fn beat(world: &mut World, actor: &mut Actor) {
    if actor.pending.is_some() {
        return;
    }
    let mut request = actor.consumer.request();
    let tells_all = std::mem::take(&mut actor.tells_all) || actor.consumer.epoch == 0;
    if !tells_all && actor.told == actor.consumer.owned {
        request.topic_partitions = None;
    }
    actor.told = actor.consumer.owned.clone();
    if tells_all {
        // Whoever says it owns less than it may must wait for what it may now.
        actor.consumer.assigned = actor.consumer.owned.clone();
        request.rebalance_timeout_ms = 60_000;
        request.subscribed_topic_names = Some(actor.consumer.topics.clone());
        request.subscribed_topic_regex = actor.consumer.regex.clone();
    }
    actor.pending = Some(world.send_beat(1, request));
}

fn leave(world: &mut World, model: &mut Model, index: usize, epoch: i32) {
    let actor = &mut model.actors[index];
    if actor.consumer.epoch == 0 {
        return;
    }
    let request =
        headwater_wire::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest {
            member_epoch: epoch,
            topic_partitions: None,
            ..actor.consumer.request()
        };
    world.send_beat(1, request);
    actor.be_born(index);
}

/// Time passes; who has not heard for its session timeout knows that it has lost its partitions.
fn pass(world: &mut World, model: &mut Model, seconds: u64) {
    for _ in 0..seconds {
        world.pass(Duration::from_secs(1));
        model.now += 1;
        for actor in &mut model.actors {
            if model.now - actor.heard >= 44 {
                actor.consumer.forget();
                actor.pending = None;
            }
        }
        check(model);
    }
}

fn collect(world: &mut World, model: &mut Model) {
    for actor in &mut model.actors {
        let Some(token) = actor.pending.filter(|token| world.is_answered(*token)) else {
            continue;
        };
        actor.pending = None;
        let before = actor.consumer.epoch;
        let response = world.take_beat(token);
        let code = error(response.error_code);
        actor.consumer.learn(&response);
        match code {
            ErrorCode::None => {
                actor.heard = model.now;
                assert!(actor.consumer.epoch >= before, "epochs only grow");
            }
            ErrorCode::UnknownMemberId
            | ErrorCode::FencedMemberEpoch
            | ErrorCode::FencedInstanceId
            | ErrorCode::UnreleasedInstanceId
            | ErrorCode::GroupIdNotFound
            | ErrorCode::CoordinatorNotAvailable => {}
            other => panic!("unexpected {other:?}"),
        }
    }
    world.replies.clear();
}

/// Nothing has two owners.
fn check(model: &Model) {
    let mut owners: BTreeMap<(Uuid, i32), &str> = BTreeMap::new();
    for actor in &model.actors {
        for partition in &actor.consumer.owned {
            let before = owners.insert(*partition, &actor.consumer.id);
            assert_eq!(before, None, "{} owns {partition:?} too", actor.consumer.id);
        }
    }
}

/// Everybody goes on without faults until the group is stable; then every partition somebody
/// subscribes to has its owner. What is in memory is what the log says.
fn settle(world: &mut World, model: &mut Model) {
    world.syncs = true;
    world.sync_disk();
    collect(world, model);
    for _ in 0..60 {
        pass(world, model, 2);
        for index in 0..CONSUMERS {
            beat(world, &mut model.actors[index]);
            collect(world, model);
            let consumer = &mut model.actors[index].consumer;
            consumer.owned = consumer.assigned.clone();
            check(model);
        }
        let described = world.described();
        let epochs = (described.group_epoch, described.assignment_epoch);
        assert!(
            epochs.0 >= model.shown.0 && epochs.1 >= model.shown.1,
            "epochs only grow"
        );
        model.shown = epochs;
        let is_whole = described.members.len() == CONSUMERS
            && model.actors.iter().all(|actor| actor.consumer.epoch > 0);
        if described.group_state == "Stable" && is_whole {
            let owned: Owned = model
                .actors
                .iter()
                .flat_map(|actor| actor.consumer.owned.iter().copied())
                .collect();
            assert_eq!(owned, wanted(world, model));
            world.restart();
            assert_eq!(
                world.described(),
                described,
                "a replay leads to the same group"
            );
            return;
        }
    }
    panic!("the group does not settle: {:?}", world.described());
}

/// The partitions that somebody subscribes to.
fn wanted(world: &World, model: &Model) -> Owned {
    let matches = |consumer: &Consumer, name: &str| {
        let by_pattern = match consumer.regex.as_deref() {
            Some("t.*") => name.starts_with('t'),
            Some("t") => name == "t",
            Some(".*") => true,
            _ => false,
        };
        by_pattern || consumer.topics.iter().any(|topic| topic == name)
    };
    world
        .topics
        .partitions()
        .filter(|(name, ..)| {
            model
                .actors
                .iter()
                .any(|actor| matches(&actor.consumer, name))
        })
        .map(|(_, id, partition)| (id, partition))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_partition_has_one_owner_in_the_end_and_never_two(steps in steps()) {
        run(&steps);
    }

    #[test]
    fn the_same_inputs_lead_to_the_same_effects(steps in steps()) {
        prop_assert_eq!(run(&steps).effects, run(&steps).effects);
    }
}
