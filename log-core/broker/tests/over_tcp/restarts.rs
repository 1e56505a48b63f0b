use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use headwater_broker::{Broker, BrokerConfig, Environment};

use headwater_wire::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use headwater_wire::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use headwater_wire::messages::metadata::MetadataRequest;
use headwater_wire::records::BatchOptions;

use super::client::{Client, TestBroker, batch, batch_with, fetched};

/// The `serve` example as a process of its own, so that it can be killed.
struct Served {
    child: Child,
    address: SocketAddr,
}

impl Served {
    fn start(dir: &Path) -> Self {
        let mut child = Command::new(serve())
            .arg(dir)
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example is built with the tests");
        let stdout = child.stdout.take().expect("piped");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it says where it listens");
        let address = line.trim().rsplit(' ').next().unwrap_or_default();
        let address = address.parse().expect("an address");
        Self { child, address }
    }

    /// SIGKILL: nothing is told to anybody.
    fn kill(self) {
        drop(self);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

fn serve() -> PathBuf {
    let mut path = std::env::current_exe().expect("this test");
    path.pop();
    path.pop();
    path.join("examples").join("serve")
}

#[tokio::test]
async fn everything_acknowledged_survives_kill_9() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut expected = Vec::new();
    let mut sequence = 0;
    let mut cluster = None;
    for round in 0..5 {
        let served = Served::start(dir.path());
        let mut client = Client::connect(served.address).await;
        if round == 0 {
            client.create_topic("t", 2, &[("retention.ms", "-1")]).await;
        }
        let metadata = client
            .call(
                &MetadataRequest {
                    topics: None,
                    ..Default::default()
                },
                9,
            )
            .await;
        assert_eq!(metadata.topics[0].partitions.len(), 2);
        let id = metadata.cluster_id;
        assert_eq!(
            *cluster.get_or_insert(id.clone()),
            id,
            "the cluster keeps its id"
        );
        for index in 0..20 {
            let value = format!("{round}-{index}");
            let options = BatchOptions {
                producer_id: 5,
                producer_epoch: 0,
                base_sequence: sequence,
                ..BatchOptions::default()
            };
            sequence += 1;
            let sent = batch_with(options, &[&value]);
            let answer = client.produce("t", 1, sent.clone()).await;
            let offset = expected.len() as i64;
            assert_eq!((answer.error_code, answer.base_offset), (0, offset));
            expected.push((offset, value));
            if index == 19 {
                // Killed right after, the next run still knows the batch for a duplicate.
                let again = client.produce("t", 1, sent).await;
                assert_eq!((again.error_code, again.base_offset), (0, offset));
            }
        }
        served.kill();
    }
    let served = Served::start(dir.path());
    let mut client = Client::connect(served.address).await;
    let mut read = Vec::new();
    while read.len() < expected.len() {
        read.extend(fetched(client.fetch("t", 1, read.len() as i64).await));
    }
    assert_eq!(read, expected);
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: 2,
            resource_name: "t".into(),
            configuration_keys: Some(vec!["retention.ms".into()]),
        }],
        ..Default::default()
    };
    let described = client.call(&request, 4).await.results.remove(0);
    assert_eq!(described.configs[0].value.as_deref(), Some("-1"));
    served.kill();
}

#[tokio::test]
async fn a_shut_down_broker_starts_again_on_its_directory() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    client.produce("t", 0, batch(&["a"])).await;
    let cluster = broker.broker.cluster_id();
    let broker = broker.restart().await;
    assert_eq!(broker.broker.cluster_id(), cluster);
    let mut client = broker.client().await;
    assert_eq!(
        fetched(client.fetch("t", 0, 0).await),
        [(0, "a".to_owned())]
    );
    assert_eq!(client.produce("t", 0, batch(&["b"])).await.base_offset, 1);
}

#[tokio::test]
async fn a_dropped_broker_lets_go_of_its_directory() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    client.produce("t", 0, batch(&["a"])).await;
    let TestBroker { broker, dir } = broker;
    drop(broker);
    let deadline = Instant::now() + Duration::from_secs(20);
    let second = loop {
        let config = BrokerConfig::new(dir.path(), "127.0.0.1:0");
        match Broker::start(config, Environment::default()).await {
            Ok(second) => break second,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let mut client = Client::connect(second.address()).await;
    assert_eq!(
        fetched(client.fetch("t", 0, 0).await),
        [(0, "a".to_owned())]
    );
}

#[tokio::test]
async fn a_directory_in_use_is_refused() {
    let broker = TestBroker::start().await;
    let config = BrokerConfig::new(broker.dir.path(), "127.0.0.1:0");
    let second = Broker::start(config, Environment::default()).await;
    let message = second
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(message.contains("in use"), "{message}");
}

/// Prints the time from the launch of the process to the first topic. The bound is far above what
/// is aimed at, because tests run on busy machines and without optimisation.
#[tokio::test]
async fn launch_to_first_topic() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for start in ["first", "second"] {
        let begun = Instant::now();
        let served = Served::start(dir.path());
        let listening = begun.elapsed();
        let mut client = Client::connect(served.address).await;
        let topic = CreatableTopic {
            name: start.into(),
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![topic],
            ..Default::default()
        };
        let response = client.call(&request, 5).await;
        assert_eq!(response.topics[0].error_code, 0);
        let created = begun.elapsed();
        println!("{start} start: listening after {listening:?}, topic created after {created:?}");
        assert!(created.as_secs() < 10, "{created:?}");
        served.kill();
    }
}
