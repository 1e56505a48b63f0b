//! A log to run applications on, and what tests do with it besides.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Helpers of tests may panic.
#![allow(dead_code, unreachable_pub)] // Each test program uses its own part.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use headwater_broker::{Broker, BrokerConfig, Environment, RequestContext};
use headwater_client::admin::{NewTopic, OffsetSpec};
use headwater_client::{
    AutoOffsetReset, Client, ClientConfig, ConsumerConfig, ConsumerRecord, IsolationLevel,
    LocalNode, LocalNodeError, ProducerConfig, ProducerRecord, TopicPartition,
};
use headwater_wire::{RequestKind, ResponseKind};

/// Longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A client over TCP.
pub fn tcp(bootstrap: &str) -> Client {
    Client::new(ClientConfig::new(bootstrap)).unwrap()
}

pub async fn create(client: &Client, topic: &str, partitions: i32) {
    client
        .admin()
        .create_topic(NewTopic::new(topic, partitions))
        .await
        .unwrap();
}

/// Writes records with the partition that their key gives them, and waits until they are there.
pub async fn write(client: &Client, topic: &str, records: &[(Option<&str>, &str, i64)]) {
    let producer = client.producer(ProducerConfig::default()).unwrap();
    for (key, value, at) in records {
        let mut record = ProducerRecord::new(topic, value.as_bytes().to_vec()).timestamp(*at);
        if let Some(key) = key {
            record = record.key(key.as_bytes().to_vec());
        }
        let _delivery = producer.send(record).await.unwrap();
    }
    producer.close().await.unwrap();
}

/// Offsets after the last record of each partition.
pub async fn ends(
    client: &Client,
    topic: &str,
    isolation: IsolationLevel,
) -> HashMap<TopicPartition, i64> {
    let admin = client.admin();
    let described = admin.describe_topics(&[topic]).await.unwrap();
    let count = described
        .get(topic)
        .unwrap()
        .as_ref()
        .unwrap()
        .partition_count();
    let wanted = (0..count)
        .map(|p| (TopicPartition::new(topic, p), OffsetSpec::Latest))
        .collect();
    let found = admin.list_offsets(&wanted, isolation).await;
    found
        .into_iter()
        .map(|(p, end)| (p, end.unwrap().map_or(0, |end| end.offset)))
        .collect()
}

/// Every committed record of a topic, in order within each partition.
pub async fn read_all(client: &Client, topic: &str) -> Vec<ConsumerRecord> {
    let ends = ends(client, topic, IsolationLevel::ReadCommitted).await;
    let consumer = client
        .consumer(ConsumerConfig {
            auto_offset_reset: AutoOffsetReset::Earliest,
            isolation_level: IsolationLevel::ReadCommitted,
            fetch_max_wait: Duration::from_millis(50),
            ..ConsumerConfig::default()
        })
        .unwrap();
    consumer.assign(ends.keys().cloned()).unwrap();
    let partitions: Vec<TopicPartition> = ends.keys().cloned().collect();
    consumer.seek_to_beginning(&partitions).unwrap();
    let mut records = Vec::new();
    let until = Instant::now() + PATIENCE;
    let reached = |p: &TopicPartition, end: i64| consumer.position(p).is_some_and(|at| at >= end);
    while !ends.iter().all(|(p, end)| *end == 0 || reached(p, *end)) {
        assert!(Instant::now() < until, "{topic} was not read to its end");
        let fetched = consumer.poll(Duration::from_millis(50)).await.unwrap();
        records.extend(fetched.records().unwrap());
    }
    consumer.close().await;
    records
}

/// The last committed value of each key as a big-endian i64. No value may be less than one before.
pub async fn counts(client: &Client, topic: &str) -> BTreeMap<String, i64> {
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for record in read_all(client, topic).await {
        let key = String::from_utf8(record.key.unwrap().to_vec()).unwrap();
        let count = i64::from_be_bytes(record.value.unwrap().as_ref().try_into().unwrap());
        let before = counts.insert(key.clone(), count);
        assert!(
            before.is_none_or(|before| before < count),
            "{key}: {count} after {before:?}"
        );
    }
    counts
}

/// Waits until the counts in a topic are `expected`.
pub async fn await_counts(client: &Client, topic: &str, expected: &BTreeMap<String, i64>) {
    let until = Instant::now() + PATIENCE;
    loop {
        let found = counts(client, topic).await;
        if found == *expected {
            return;
        }
        assert!(
            Instant::now() < until,
            "{topic}: found {found:?}, expected {expected:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A broker for a test, with a client of its own kind; or a cluster that the environment names, by
/// `HEADWATER_TEST_BOOTSTRAP`.
pub struct Log {
    bootstrap: String,
    client: Client,
    broker: Option<Arc<Broker>>,
    _dir: Option<tempfile::TempDir>,
}

/// How a test's clients reach its broker.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    Tcp,
    InProcess,
}

pub async fn log(reach: Reach) -> Log {
    let _ = tracing_subscriber::fmt()
        .with_env_filter(std::env::var("RUST_LOG").unwrap_or("warn".into()))
        .with_test_writer()
        .try_init();
    if let Ok(bootstrap) = std::env::var("HEADWATER_TEST_BOOTSTRAP") {
        return Log {
            client: tcp(&bootstrap),
            bootstrap,
            broker: None,
            _dir: None,
        };
    }
    let dir = tempfile::tempdir().unwrap();
    let mut config = BrokerConfig::new(dir.path(), "127.0.0.1:0");
    config.settings.group_initial_rebalance_delay = Duration::ZERO;
    let broker = Arc::new(Broker::start(config, Environment::default()).await.unwrap());
    let bootstrap = broker.address().to_string();
    let client = match reach {
        Reach::Tcp => tcp(&bootstrap),
        Reach::InProcess => Client::in_process(Arc::new(InProcess(broker.clone()))).unwrap(),
    };
    Log {
        bootstrap,
        client,
        broker: Some(broker),
        _dir: Some(dir),
    }
}

impl Log {
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Where it listens.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// A prefix for names, so that tests on one cluster do not meet.
    pub fn prefix(&self, test: &str) -> String {
        let run = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        format!("{test}-{}", run.as_nanos())
    }

    pub async fn shutdown(self) {
        if let Some(broker) = &self.broker {
            broker.shutdown().await;
        }
    }
}

/// The broker without a network between.
struct InProcess(Arc<Broker>);

#[async_trait]
impl LocalNode for InProcess {
    async fn call(
        &self,
        client_id: &str,
        request: RequestKind,
        version: i16,
    ) -> Result<ResponseKind, LocalNodeError> {
        let context = RequestContext {
            client_id: Some(Arc::from(client_id)),
            client_host: Arc::from("in-process"),
            version,
        };
        let answer = self.0.handle(&context, request).await;
        answer.map_err(|not_served| LocalNodeError::Unsupported {
            api: not_served.key.name().to_owned(),
            version: not_served.version,
        })
    }
}
