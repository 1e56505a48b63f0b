//! What every test needs: a broker of its own, topics, clients, and waiting for a condition.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use headwater_broker::{Broker, BrokerConfig, Environment};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::BaseConsumer;
use rdkafka::producer::FutureProducer;
use rdkafka::producer::future_producer::{Delivery, DeliveryFuture};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How long anything may take before the test has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Partitions of a topic that nobody asked a number for.
pub(crate) const DEFAULT_PARTITIONS: i32 = 4;

/// A broker on a directory of its own, stopped when dropped; or the cluster that
/// `HEADWATER_TEST_BOOTSTRAP` names, which is left as it is.
pub(crate) struct TestBroker {
    broker: Option<Arc<Broker>>,
    bootstrap: String,
    runtime: Runtime,
    data_dir: TempDir,
}

impl TestBroker {
    pub(crate) fn start() -> Self {
        match std::env::var("HEADWATER_TEST_BOOTSTRAP") {
            Ok(bootstrap) => {
                let (runtime, data_dir) = (Runtime::new().unwrap(), TempDir::new().unwrap());
                Self {
                    broker: None,
                    bootstrap,
                    runtime,
                    data_dir,
                }
            }
            Err(_) => Self::start_here(),
        }
    }

    /// A broker in this process, whatever `HEADWATER_TEST_BOOTSTRAP` says.
    pub(crate) fn start_here() -> Self {
        let (runtime, data_dir) = (Runtime::new().unwrap(), TempDir::new().unwrap());
        let config = broker_config(data_dir.path().to_str().unwrap(), "127.0.0.1:0");
        let broker = runtime
            .block_on(Broker::start(config, Environment::default()))
            .unwrap();
        let bootstrap = broker.address().to_string();
        Self {
            broker: Some(Arc::new(broker)),
            bootstrap,
            runtime,
            data_dir,
        }
    }

    /// Stops the broker and starts it again on the same directory and address.
    pub(crate) fn restart(&mut self) {
        let Some(broker) = self.broker.take() else {
            return;
        };
        self.runtime.block_on(broker.shutdown());
        drop(broker);
        let config = broker_config(self.data_dir.path().to_str().unwrap(), &self.bootstrap);
        let broker = self
            .runtime
            .block_on(Broker::start(config, Environment::default()))
            .unwrap();
        self.broker = Some(Arc::new(broker));
    }

    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The broker in this process.
    pub(crate) fn broker(&self) -> Arc<Broker> {
        Arc::clone(
            self.broker
                .as_ref()
                .expect("the broker runs in this process"),
        )
    }

    pub(crate) fn run<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        if let Some(broker) = self.broker.take() {
            self.runtime.block_on(broker.shutdown());
        }
    }
}

pub(crate) fn broker_config(data_dir: &str, listen: &str) -> BrokerConfig {
    let mut config = BrokerConfig::new(data_dir, listen);
    config.settings.num_partitions = DEFAULT_PARTITIONS;
    config
}

/// A name that no other test has, nor an earlier run against the same cluster.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}-{:08x}", rand::random::<u32>())
}

/// A librdkafka configuration for `bootstrap`.
pub(crate) fn client_config(bootstrap: &str, overrides: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("broker.address.family", "v4");
    for (name, value) in overrides {
        config.set(*name, *value);
    }
    config
}

pub(crate) fn admin(bootstrap: &str) -> AdminClient<DefaultClientContext> {
    client_config(bootstrap, &[]).create().unwrap()
}

pub(crate) fn create_topic(bootstrap: &str, name: &str, partitions: i32, configs: &[(&str, &str)]) {
    let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    for (name, value) in configs {
        topic = topic.set(name, value);
    }
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let created = block_on(admin(bootstrap).create_topics(&[topic], &options)).unwrap();
    assert_eq!(created, [Ok(name.to_owned())]);
}

pub(crate) fn producer(bootstrap: &str, overrides: &[(&str, &str)]) -> FutureProducer {
    client_config(bootstrap, overrides).create().unwrap()
}

/// A consumer that commits nothing by itself and tells when it has reached the end.
pub(crate) fn consumer(bootstrap: &str, overrides: &[(&str, &str)]) -> BaseConsumer {
    let mut config = client_config(bootstrap, &[]);
    config
        .set("group.id", unique("reader"))
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest")
        .set("fetch.wait.max.ms", "50");
    for (name, value) in overrides {
        config.set(*name, *value);
    }
    config.create().unwrap()
}

/// Waits for every delivery report, in order.
pub(crate) fn delivered(deliveries: impl IntoIterator<Item = DeliveryFuture>) -> Vec<Delivery> {
    let wait = |delivery: DeliveryFuture| block_on(delivery).unwrap().unwrap();
    deliveries.into_iter().map(wait).collect()
}

/// Calls `attempt` until it gives something; fails after [`PATIENCE`]. `attempt` waits by itself.
pub(crate) fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited too long for {what}");
    }
}
