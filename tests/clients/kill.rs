//! kill -9 of a broker at random moments while clients write to it with `acks=all`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rdkafka::consumer::Consumer;
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use tempfile::TempDir;

use crate::consumed::{Consumed, read_all};
use crate::server_process::ServerProcess;
use crate::support::{PATIENCE, client_config, consumer, create_topic, producer, unique};

const PARTITIONS: i32 = 3;
const ROUNDS: u32 = 6;

/// Seed of this run: `HEADWATER_TEST_SEED`, or a fixed one.
fn seed(test: u64) -> StdRng {
    let base = std::env::var("HEADWATER_TEST_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let seed = base.unwrap_or(20_130_101_u64) + test;
    println!("seed {seed}");
    StdRng::seed_from_u64(seed)
}

/// Records that were acknowledged: the value by partition and offset.
type Acknowledged = BTreeMap<(i32, i64), u64>;

/// A broker on a directory that outlives its processes, always on the same address.
struct Mortal {
    server: Option<ServerProcess>,
    address: String,
    data_dir: TempDir,
}

impl Mortal {
    fn start() -> Self {
        let data_dir = TempDir::new().unwrap();
        let server = ServerProcess::start(data_dir.path(), "127.0.0.1:0");
        let address = server.address().to_owned();
        Self {
            server: Some(server),
            address,
            data_dir,
        }
    }

    fn kill_and_restart(&mut self) {
        self.server.take().unwrap().kill();
        self.server = Some(ServerProcess::start(self.data_dir.path(), &self.address));
    }
}

/// Queues numbers from `next` on until `until`, each to partition number % [`PARTITIONS`].
fn write_until(
    producer: &FutureProducer,
    topic: &str,
    next: &mut u64,
    until: Instant,
) -> Vec<(u64, DeliveryFuture)> {
    let mut queued = Vec::new();
    while Instant::now() < until {
        for _ in 0..10 {
            let value = next.to_string();
            let partition = (*next % PARTITIONS as u64) as i32;
            let record = FutureRecord::<(), _>::to(topic)
                .partition(partition)
                .payload(&value);
            let Ok(delivery) = producer.send_result(record) else {
                break;
            };
            queued.push((*next, delivery));
            *next += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    queued
}

fn acknowledged(queued: Vec<(u64, DeliveryFuture)>, into: &mut Acknowledged) {
    for (value, delivery) in queued {
        if let Ok(Ok(delivery)) = block_on(delivery) {
            let before = into.insert((delivery.partition, delivery.offset), value);
            assert_eq!(before, None, "two records were given one offset");
        }
    }
}

/// Every acknowledged record must be where the acknowledgement said.
fn assert_kept(acknowledged: &Acknowledged, read: &[Consumed]) {
    let there: BTreeMap<(i32, i64), u64> = read
        .iter()
        .map(|record| {
            (
                (record.partition, record.offset),
                record.text().parse().unwrap(),
            )
        })
        .collect();
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|(at, value)| there.get(at) != Some(value))
        .collect();
    assert!(
        lost.is_empty(),
        "{} of {} lost: {lost:?}",
        lost.len(),
        acknowledged.len()
    );
    println!(
        "{} acknowledged, {} there, 0 lost",
        acknowledged.len(),
        there.len()
    );
}

/// The values of each partition must rise: in order, and none twice.
fn assert_rising(read: &[Consumed]) {
    for partition in 0..PARTITIONS {
        let values: Vec<u64> = read
            .iter()
            .filter(|record| record.partition == partition)
            .map(|record| record.text().parse().unwrap())
            .collect();
        let wrong = values.windows(2).find(|pair| pair[0] >= pair[1]);
        assert_eq!(
            wrong, None,
            "partition {partition} is out of order or has a value twice"
        );
    }
}

#[test]
fn an_idempotent_producer_goes_on_over_kills() {
    let mut random = seed(0);
    let mut mortal = Mortal::start();
    let topic = unique("killed");
    create_topic(&mortal.address, &topic, PARTITIONS, &[]);
    let settings = [
        ("enable.idempotence", "true"),
        ("linger.ms", "1"),
        ("reconnect.backoff.ms", "10"),
        ("reconnect.backoff.max.ms", "200"),
        ("message.timeout.ms", "60000"),
    ];
    let producer = producer(&mortal.address, &settings);
    let (mut next, mut queued) = (0, Vec::new());
    for _ in 0..ROUNDS {
        let moment = Instant::now() + Duration::from_millis(random.random_range(30..500));
        queued.extend(write_until(&producer, &topic, &mut next, moment));
        mortal.kill_and_restart();
    }
    let count = queued.len();
    let mut kept = Acknowledged::new();
    acknowledged(queued, &mut kept);
    assert_eq!(kept.len(), count, "every record is acknowledged in the end");
    let read = read_all(&mortal.address, &topic, PARTITIONS, &[]);
    assert_kept(&kept, &read);
    assert_rising(&read);
    assert_eq!(read.len(), count);
}

#[test]
fn what_was_acknowledged_before_a_kill_is_there_after_it() {
    let mut random = seed(1);
    let mut mortal = Mortal::start();
    let topic = unique("acknowledged");
    create_topic(&mortal.address, &topic, PARTITIONS, &[]);
    let (mut next, mut kept) = (0, Acknowledged::new());
    for round in 0..ROUNDS {
        let codec = ["none", "lz4", "zstd"][round as usize % 3];
        let settings = [
            ("acks", "all"),
            ("retries", "0"),
            ("linger.ms", "0"),
            ("message.timeout.ms", "3000"),
            ("compression.codec", codec),
        ];
        let producer = producer(&mortal.address, &settings);
        let moment = Instant::now() + Duration::from_millis(random.random_range(100..600));
        let queued = write_until(&producer, &topic, &mut next, moment);
        mortal.kill_and_restart();
        acknowledged(queued, &mut kept);
        drop(producer);
        let read = read_all(&mortal.address, &topic, PARTITIONS, &[]);
        assert_kept(&kept, &read);
    }
    assert!(!kept.is_empty());
}

#[test]
fn transactions_are_whole_after_a_kill() {
    let mut random = seed(2);
    let mut mortal = Mortal::start();
    let (topic, id, group) = (unique("whole"), unique("txn"), unique("group"));
    create_topic(&mortal.address, &topic, PARTITIONS, &[]);
    let (mut next, mut committed) = (0_u64, BTreeSet::new());
    for _ in 0..ROUNDS {
        let settings = [
            ("transactional.id", &*id),
            ("reconnect.backoff.ms", "10"),
            ("reconnect.backoff.max.ms", "200"),
        ];
        let producer: FutureProducer = client_config(&mortal.address, &settings).create().unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        let moment = Instant::now() + Duration::from_millis(random.random_range(50..500));
        while Instant::now() < moment {
            let value = next.to_string();
            producer.begin_transaction().unwrap();
            for partition in 0..PARTITIONS {
                let record = FutureRecord::<(), _>::to(&topic)
                    .partition(partition)
                    .payload(&value);
                drop(
                    producer
                        .send_result(record)
                        .map_err(|(error, _)| error)
                        .unwrap(),
                );
            }
            if next % 5 == 4 {
                producer.abort_transaction(PATIENCE).unwrap();
            } else {
                producer.commit_transaction(PATIENCE).unwrap();
                committed.insert(next);
            }
            next += 1;
        }
        // The last one is open when the broker dies, and stays unfinished.
        producer.begin_transaction().unwrap();
        let record = FutureRecord::<(), _>::to(&topic)
            .partition(0)
            .payload("unfinished");
        drop(
            producer
                .send_result(record)
                .map_err(|(error, _)| error)
                .unwrap(),
        );
        if random.random_bool(0.5) {
            producer.flush(PATIENCE).unwrap();
        }
        mortal.kill_and_restart();
    }
    // Taking the id over ends what the last one left open.
    let last: FutureProducer = client_config(&mortal.address, &[("transactional.id", &*id)])
        .create()
        .unwrap();
    last.init_transactions(PATIENCE).unwrap();
    let settings = [("isolation.level", "read_committed"), ("group.id", &*group)];
    let read = read_all(&mortal.address, &topic, PARTITIONS, &settings);
    for partition in 0..PARTITIONS {
        let values = read.iter().filter(|record| record.partition == partition);
        let values: Vec<u64> = values
            .map(|record| record.text().parse().unwrap())
            .collect();
        assert!(
            values.iter().copied().eq(committed.iter().copied()),
            "partition {partition}"
        );
    }
    println!("{} transactions committed, all whole", committed.len());
}

#[test]
fn committed_offsets_survive_a_kill() {
    let mut random = seed(3);
    let mut mortal = Mortal::start();
    let (topic, group) = (unique("offsets"), unique("group"));
    create_topic(&mortal.address, &topic, PARTITIONS, &[]);
    let mut committed = 0;
    for _ in 0..ROUNDS {
        let committer = consumer(&mortal.address, &[("group.id", &group)]);
        let moment = Instant::now() + Duration::from_millis(random.random_range(20..200));
        while Instant::now() < moment {
            let mut offsets = rdkafka::TopicPartitionList::new();
            let next = rdkafka::Offset::Offset(committed + 1);
            offsets.add_partition_offset(&topic, 0, next).unwrap();
            committer
                .commit(&offsets, rdkafka::consumer::CommitMode::Sync)
                .unwrap();
            committed += 1;
        }
        mortal.kill_and_restart();
        let mut wanted = rdkafka::TopicPartitionList::new();
        wanted.add_partition(&topic, 0);
        let asking = consumer(&mortal.address, &[("group.id", &group)]);
        let found = asking.committed_offsets(wanted, PATIENCE).unwrap();
        assert_eq!(
            found.elements()[0].offset(),
            rdkafka::Offset::Offset(committed)
        );
    }
    println!("{committed} commits, none lost");
}
