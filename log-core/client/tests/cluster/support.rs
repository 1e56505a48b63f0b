//! What the tests against a cluster share: the cluster, names nobody else uses, and patience.

use std::future::Future;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use headwater_broker::{Broker, BrokerConfig, Environment};
use headwater_client::admin::NewTopic;
use headwater_client::{Client, ClientConfig, Consumer, ConsumerRecord};
use headwater_wire::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use headwater_wire::{ApiKey, Decoder, Message, ResponseHeader, frame};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest any test waits for something that should happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster, and a client of it over TCP.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) bootstrap: String,
    /// Its node, unless it is a cluster from outside. Before the directory: dropped first.
    _broker: Option<Broker>,
    _data_dir: Option<TempDir>,
}

/// A fresh cluster of one node, or the one that `HEADWATER_TEST_KAFKA` names.
pub(crate) async fn cluster() -> Cluster {
    let (bootstrap, broker, data_dir) = match std::env::var("HEADWATER_TEST_KAFKA") {
        Ok(bootstrap) => (bootstrap, None, None),
        Err(_) => {
            let data_dir = TempDir::new().expect("a directory");
            let mut config = BrokerConfig::new(data_dir.path(), "127.0.0.1:0");
            config.settings.offsets_topic_partitions = 4;
            config.settings.transaction_topic_partitions = 4;
            config.settings.group_initial_rebalance_delay = Duration::ZERO;
            let broker = Broker::start(config, Environment::default())
                .await
                .expect("a broker");
            (broker.address().to_string(), Some(broker), Some(data_dir))
        }
    };
    let client = Client::new(ClientConfig::new(&bootstrap)).expect("a runtime");
    Cluster {
        client,
        bootstrap,
        _broker: broker,
        _data_dir: data_dir,
    }
}

impl Cluster {
    /// Creates a topic with a name of its own.
    pub(crate) async fn topic(&self, name: &str, partitions: i32) -> String {
        let name = unique(name);
        // Records of the tests are as old as they like.
        let topic = NewTopic::new(&name, partitions).config("retention.ms", "-1");
        self.client
            .admin()
            .create_topic(topic)
            .await
            .expect("created");
        name
    }
}

/// What the cluster serves and runs.
pub(crate) async fn api_versions(cluster: &Cluster) -> ApiVersionsResponse {
    const VERSION: i16 = 3;
    let mut stream = TcpStream::connect(&cluster.bootstrap)
        .await
        .expect("a node");
    let request = ApiVersionsRequest {
        client_software_name: "test".to_owned(),
        client_software_version: "1".to_owned(),
    };
    let chunks = frame::encode_request(&request, VERSION, 1, None).expect("encodes");
    for chunk in chunks {
        stream.write_all(&chunk).await.expect("written");
    }
    let mut buffer = BytesMut::new();
    let answer = loop {
        if let Some(answer) = frame::split(&mut buffer, 1 << 20).expect("a frame") {
            break answer;
        }
        assert_ne!(stream.read_buf(&mut buffer).await.expect("read"), 0);
    };
    let mut input = Decoder::new(answer);
    ResponseHeader::decode(&mut input, ApiKey::ApiVersions, VERSION).expect("a header");
    ApiVersionsResponse::decode(&mut input, VERSION).expect("decodes")
}

/// A name that no other test and no other run has.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4().simple())
}

/// Polls until `count` records have come.
pub(crate) async fn read(consumer: &Consumer, count: usize) -> Vec<ConsumerRecord> {
    let deadline = Instant::now() + PATIENCE;
    let mut records = Vec::new();
    while records.len() < count {
        assert!(
            Instant::now() < deadline,
            "{} of {count} records came",
            records.len()
        );
        let batches = consumer
            .poll(Duration::from_millis(200))
            .await
            .expect("a poll");
        records.extend(batches.records().expect("readable"));
    }
    records
}

/// Waits until `condition` holds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "{what} did not come about");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The value as text.
pub(crate) fn text(record: &ConsumerRecord) -> String {
    String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned()
}
