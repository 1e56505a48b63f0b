//! librdkafka's consumers in groups, with a broker that shares the partitions out.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::FutureRecord;
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::consumed::{Consumed, read_to_end, texts};
use crate::support::{
    PATIENCE, TestBroker, client_config, consumer, create_topic, delivered, eventually, producer,
    unique,
};

const TICK: Duration = Duration::from_millis(20);

/// Counts the rebalances a member goes through.
#[derive(Default)]
struct CountRebalances {
    assignments: AtomicUsize,
}

impl ClientContext for CountRebalances {}

impl ConsumerContext for CountRebalances {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if matches!(rebalance, Rebalance::Assign(_)) {
            self.assignments.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// A member on a thread of its own, which commits each record after it has read it.
struct Member {
    assigned: Arc<Mutex<BTreeSet<i32>>>,
    fatal: Arc<Mutex<Option<KafkaError>>>,
    consumer: Arc<BaseConsumer<CountRebalances>>,
    leave: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The numbers that all members of a group have read and committed.
type ReadTogether = Arc<Mutex<Vec<i32>>>;

impl Member {
    fn join(bootstrap: &str, topic: &str, read: &ReadTogether, overrides: &[(&str, &str)]) -> Self {
        let mut config = client_config(bootstrap, &[]);
        config
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("heartbeat.interval.ms", "200")
            .set("session.timeout.ms", "6000")
            .set("fetch.wait.max.ms", "50");
        for (name, value) in overrides {
            config.set(*name, *value);
        }
        let consumer: Arc<BaseConsumer<CountRebalances>> = Arc::new(
            config
                .create_with_context(CountRebalances::default())
                .unwrap(),
        );
        consumer.subscribe(&[topic]).unwrap();
        let member = Self {
            assigned: Arc::default(),
            fatal: Arc::default(),
            consumer: Arc::clone(&consumer),
            leave: Arc::default(),
            thread: None,
        };
        let (assigned, fatal, leave) = (
            member.assigned.clone(),
            member.fatal.clone(),
            member.leave.clone(),
        );
        let read = Arc::clone(read);
        let thread = std::thread::spawn(move || {
            while !leave.load(Ordering::SeqCst) {
                match consumer.poll(TICK) {
                    Some(Ok(message)) => {
                        if consumer.commit_message(&message, CommitMode::Sync).is_ok() {
                            let value = Consumed::of(&message).text().parse().unwrap();
                            read.lock().unwrap().push(value);
                        } else {
                            // To be read again, by whoever owns the partition by now.
                            let (topic, partition) = (message.topic(), message.partition());
                            let offset = Offset::Offset(message.offset());
                            let _ = consumer.seek(topic, partition, offset, PATIENCE);
                        }
                    }
                    Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => {
                        *fatal.lock().unwrap() = Some(error);
                    }
                    _ => {}
                }
                let now = consumer.assignment().unwrap();
                *assigned.lock().unwrap() = now
                    .elements()
                    .iter()
                    .map(|element| element.partition())
                    .collect();
            }
        });
        Self {
            thread: Some(thread),
            ..member
        }
    }

    fn assigned(&self) -> BTreeSet<i32> {
        self.assigned.lock().unwrap().clone()
    }

    fn rebalances(&self) -> usize {
        self.consumer.context().assignments.load(Ordering::SeqCst)
    }

    /// Closes the consumer: a dynamic member leaves its group, a static one just goes away.
    fn leave(mut self) {
        self.leave.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Waits until `members` share `partitions` evenly, each partition having one owner.
fn await_even_shares(members: &[&Member], partitions: usize) {
    eventually("even shares", || {
        std::thread::sleep(TICK);
        let shares: Vec<_> = members.iter().map(|member| member.assigned()).collect();
        let owned: BTreeSet<i32> = shares.iter().flatten().copied().collect();
        let even = shares
            .iter()
            .all(|share| share.len() == partitions / members.len());
        (even && owned.len() == partitions).then_some(())
    });
}

fn fill(bootstrap: &str, topic: &str, partitions: i32, from: i32, to: i32) {
    let producer = producer(bootstrap, &[("linger.ms", "5")]);
    let queued = (from..to).map(|n| {
        let (value, partition) = (n.to_string(), n % partitions);
        let record = FutureRecord::<(), _>::to(topic)
            .partition(partition)
            .payload(&value);
        producer
            .send_result(record)
            .map_err(|(error, _)| error)
            .unwrap()
    });
    delivered(queued.collect::<Vec<_>>());
}

/// Waits until `count` records were read together, then checks that they are 0 to `count`, each
/// once.
fn await_each_once(read: &ReadTogether, count: i32) {
    eventually("all records", || {
        std::thread::sleep(TICK);
        (read.lock().unwrap().len() >= count as usize).then_some(())
    });
    let mut values = read.lock().unwrap().clone();
    values.sort_unstable();
    assert_eq!(values, (0..count).collect::<Vec<_>>());
}

fn members_come_and_go(strategy: &str) {
    let broker = TestBroker::start();
    let (topic, group) = (unique("shared"), unique("group"));
    create_topic(broker.bootstrap(), &topic, 6, &[]);
    let settings = [
        ("group.id", &*group),
        ("partition.assignment.strategy", strategy),
    ];
    let read = ReadTogether::default();
    let join = || Member::join(broker.bootstrap(), &topic, &read, &settings);

    fill(broker.bootstrap(), &topic, 6, 0, 300);
    let first = join();
    await_even_shares(&[&first], 6);
    let second = join();
    await_even_shares(&[&first, &second], 6);
    fill(broker.bootstrap(), &topic, 6, 300, 600);
    let third = join();
    await_even_shares(&[&first, &second, &third], 6);
    first.leave();
    await_even_shares(&[&second, &third], 6);
    fill(broker.bootstrap(), &topic, 6, 600, 700);
    await_each_once(&read, 700);
    second.leave();
    third.leave();
}

#[test]
fn members_come_and_go_under_range() {
    members_come_and_go("range");
}

#[test]
fn members_come_and_go_under_round_robin() {
    members_come_and_go("roundrobin");
}

#[test]
fn members_come_and_go_under_cooperative_sticky() {
    members_come_and_go("cooperative-sticky");
}

#[test]
fn committed_offsets_and_metadata_survive_a_restart() {
    let mut broker = TestBroker::start();
    let (topic, group) = (unique("kept"), unique("group"));
    create_topic(broker.bootstrap(), &topic, 3, &[]);
    fill(broker.bootstrap(), &topic, 3, 0, 30);
    let settings = [("group.id", &*group)];
    let committer = consumer(broker.bootstrap(), &settings);
    let mut offsets = TopicPartitionList::new();
    offsets
        .add_partition(&topic, 0)
        .set_offset(Offset::Offset(4))
        .unwrap();
    let mut with_metadata = offsets.add_partition(&topic, 1);
    with_metadata.set_offset(Offset::Offset(7)).unwrap();
    with_metadata.set_metadata("length=4711; \u{e9}\u{1f40b}");
    committer.commit(&offsets, CommitMode::Sync).unwrap();
    drop(committer);

    broker.restart();

    let reader = consumer(broker.bootstrap(), &settings);
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition_range(&topic, 0, 2);
    let committed = reader.committed_offsets(wanted.clone(), PATIENCE).unwrap();
    let found: Vec<_> = committed
        .elements()
        .iter()
        .map(|element| (element.offset(), element.metadata().to_owned()))
        .collect();
    let expected = [
        (Offset::Offset(4), String::new()),
        (Offset::Offset(7), "length=4711; \u{e9}\u{1f40b}".to_owned()),
        (Offset::Invalid, String::new()),
    ];
    assert_eq!(found, expected);
    // Without offsets given, an assigned consumer goes on where the group was.
    reader.assign(&wanted).unwrap();
    let read = read_to_end(&reader, &topic, 3);
    let of = |partition: i32| -> Vec<Consumed> {
        read.iter()
            .filter(|record| record.partition == partition)
            .cloned()
            .collect()
    };
    assert_eq!(texts(&of(0)), ["12", "15", "18", "21", "24", "27"]);
    assert_eq!(texts(&of(1)), ["22", "25", "28"]);
    assert_eq!(of(2).len(), 10);
}

#[test]
fn a_group_goes_on_where_it_was_after_a_restart() {
    let mut broker = TestBroker::start();
    let (topic, group) = (unique("going-on"), unique("group"));
    create_topic(broker.bootstrap(), &topic, 4, &[]);
    let read = ReadTogether::default();
    let member = Member::join(broker.bootstrap(), &topic, &read, &[("group.id", &group)]);
    fill(broker.bootstrap(), &topic, 4, 0, 100);
    await_each_once(&read, 100);

    broker.restart();

    fill(broker.bootstrap(), &topic, 4, 100, 200);
    await_each_once(&read, 200);
    member.leave();
}

#[test]
fn a_static_member_comes_back_without_a_rebalance() {
    let broker = TestBroker::start();
    let (topic, group) = (unique("static"), unique("group"));
    create_topic(broker.bootstrap(), &topic, 4, &[]);
    let read = ReadTogether::default();
    let join = |instance: &str| {
        let settings = [
            ("group.id", &*group),
            ("group.instance.id", instance),
            ("session.timeout.ms", "30000"),
        ];
        Member::join(broker.bootstrap(), &topic, &read, &settings)
    };
    let (stays, goes) = (join("stays"), join("goes"));
    await_even_shares(&[&stays, &goes], 4);
    let (share, rebalances) = (goes.assigned(), stays.rebalances());
    goes.leave();
    let back = join("goes");
    eventually("the same share", || {
        std::thread::sleep(TICK);
        (back.assigned() == share).then_some(())
    });
    fill(broker.bootstrap(), &topic, 4, 0, 100);
    await_each_once(&read, 100);
    assert_eq!(stays.rebalances(), rebalances);
    back.leave();
    stays.leave();
}

#[test]
fn a_second_member_with_the_same_instance_id_fences_the_first() {
    let broker = TestBroker::start();
    let (topic, group) = (unique("fenced"), unique("group"));
    create_topic(broker.bootstrap(), &topic, 2, &[]);
    let read = ReadTogether::default();
    let settings = [("group.id", &*group), ("group.instance.id", "the-one")];
    let join = || Member::join(broker.bootstrap(), &topic, &read, &settings);
    let first = join();
    await_even_shares(&[&first], 2);
    let second = join();
    await_even_shares(&[&second], 2);
    let error = eventually("the first to be fenced", || {
        std::thread::sleep(TICK);
        first.fatal.lock().unwrap().clone()
    });
    let fenced = KafkaError::MessageConsumptionFatal(RDKafkaErrorCode::FencedInstanceId);
    assert_eq!(error, fenced);
    first.leave();
    second.leave();
}

#[test]
fn groups_are_listed_and_described() {
    let broker = TestBroker::start();
    let (topic, group) = (unique("listed"), unique("group"));
    create_topic(broker.bootstrap(), &topic, 2, &[]);
    let read = ReadTogether::default();
    let settings = [("group.id", &*group), ("client.id", "a client")];
    let member = Member::join(broker.bootstrap(), &topic, &read, &settings);
    await_even_shares(&[&member], 2);
    let asking = consumer(broker.bootstrap(), &[]);
    let groups = asking.fetch_group_list(Some(&group), PATIENCE).unwrap();
    let [described] = groups.groups() else {
        panic!("{} groups", groups.groups().len());
    };
    assert_eq!(described.name(), group);
    assert_eq!(described.state(), "Stable");
    assert_eq!(described.protocol_type(), "consumer");
    assert_eq!(described.protocol(), "range");
    let [told] = described.members() else {
        panic!("{} members", described.members().len());
    };
    assert_eq!(told.client_id(), "a client");
    assert!(told.client_host().contains("127.0.0.1"));
    assert!(
        told.assignment()
            .is_some_and(|assignment| !assignment.is_empty())
    );
    member.leave();
    let empty = eventually("the group to be empty", || {
        let groups = asking.fetch_group_list(Some(&group), PATIENCE).unwrap();
        let state = groups
            .groups()
            .first()
            .map(|group| group.state().to_owned());
        (state.as_deref() == Some("Empty")).then_some(state)
    });
    assert!(empty.is_some());
}
