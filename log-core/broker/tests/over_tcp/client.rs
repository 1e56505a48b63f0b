//! A broker in a directory of its own, and a client that speaks bytes to it.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use headwater_broker::{Broker, BrokerConfig, Environment};
use headwater_wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use headwater_wire::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use headwater_wire::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData,
};
use headwater_wire::records::{BatchBuilder, BatchOptions, RecordBatch};
use headwater_wire::{Decoder, Message, Request, ResponseHeader, frame};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long anything may take. Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct TestBroker {
    pub(crate) broker: Broker,
    pub(crate) dir: TempDir,
}

impl TestBroker {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(configure: impl FnOnce(&mut BrokerConfig)) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let broker = start_in(&dir, configure, Environment::default()).await;
        Self { broker, dir }
    }

    /// Starts a broker in another world than the real one.
    pub(crate) async fn start_in_world(world: Environment) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let broker = start_in(&dir, |_| {}, world).await;
        Self { broker, dir }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.broker.address()).await
    }

    /// Stops the broker and starts another on its directory.
    pub(crate) async fn restart(self) -> Self {
        self.restart_in_world(Environment::default()).await
    }

    pub(crate) async fn restart_in_world(self, world: Environment) -> Self {
        self.broker.shutdown().await;
        let Self { broker, dir } = self;
        drop(broker);
        let broker = start_in(&dir, |_| {}, world).await;
        Self { broker, dir }
    }
}

async fn start_in(
    dir: &TempDir,
    configure: impl FnOnce(&mut BrokerConfig),
    world: Environment,
) -> Broker {
    let mut config = BrokerConfig::new(dir.path(), "127.0.0.1:0");
    configure(&mut config);
    Broker::start(config, world)
        .await
        .expect("the broker starts")
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    received: BytesMut,
    correlation_id: i32,
    expected: i32,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address)
            .await
            .expect("the broker listens");
        stream.set_nodelay(true).expect("a socket takes the option");
        Self {
            stream,
            received: BytesMut::new(),
            correlation_id: 0,
            expected: 0,
        }
    }

    /// Sends a request without waiting for its answer.
    pub(crate) async fn send<R: Request>(&mut self, request: &R, version: i16) {
        self.correlation_id += 1;
        let chunks = frame::encode_request(request, version, self.correlation_id, Some("test"))
            .expect("the request can be encoded");
        self.stream
            .write_all(&chunks.concat())
            .await
            .expect("the broker reads");
    }

    /// Receives the answer to the oldest request that was sent and not answered.
    pub(crate) async fn receive<R: Request>(&mut self, version: i16) -> R::Response {
        let bytes = self.receive_frame().await.expect("an answer comes");
        let mut input = Decoder::new(bytes);
        let header = ResponseHeader::decode(&mut input, R::KEY, version).expect("a header");
        self.expected += 1;
        assert_eq!(
            header.correlation_id, self.expected,
            "answers come in order"
        );
        let response = R::Response::decode(&mut input, version).expect("an answer that decodes");
        assert_eq!(input.remaining(), 0, "nothing is left of the answer");
        response
    }

    pub(crate) async fn call<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        self.send(request, version).await;
        self.receive::<R>(version).await
    }

    /// The next frame; `None` if the broker closed the connection.
    pub(crate) async fn receive_frame(&mut self) -> Option<Bytes> {
        let receiving = async {
            loop {
                if let Some(frame) = frame::split(&mut self.received, 1 << 28).expect("a frame") {
                    return Some(frame);
                }
                match self.stream.read_buf(&mut self.received).await {
                    Ok(0) | Err(_) => return None,
                    Ok(_) => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, receiving)
            .await
            .expect("the broker answers in time")
    }

    pub(crate) async fn create_topic(
        &mut self,
        name: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) {
        let configs = configs.iter().map(|(name, value)| CreatableTopicConfig {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
        });
        let topic = CreatableTopic {
            name: name.to_owned(),
            num_partitions: partitions,
            replication_factor: 1,
            configs: configs.collect(),
            ..Default::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![topic],
            ..Default::default()
        };
        let response = self.call(&request, 7).await;
        assert_eq!(
            response.topics[0].error_code, 0,
            "{:?}",
            response.topics[0].error_message
        );
    }

    /// Produces one batch and returns its partition's answer.
    pub(crate) async fn produce(
        &mut self,
        topic: &str,
        partition: i32,
        batch: Bytes,
    ) -> PartitionProduceResponse {
        let mut response = self.call(&produce(topic, partition, batch), 11).await;
        response.responses.remove(0).partition_responses.remove(0)
    }

    /// Fetches a partition from `offset` on, waiting until there is something.
    pub(crate) async fn fetch(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> FetchResponse {
        self.call(&fetch(topic, partition, offset), 12).await
    }

    /// Fetches what is there, without waiting.
    pub(crate) async fn fetch_now(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> FetchResponse {
        let request = FetchRequest {
            max_wait_ms: 0,
            ..fetch(topic, partition, offset)
        };
        self.call(&request, 12).await
    }
}

pub(crate) fn produce(topic: &str, partition: i32, batch: Bytes) -> ProduceRequest {
    ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: topic.to_owned(),
            partition_data: vec![PartitionProduceData {
                index: partition,
                records: Some(batch),
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

pub(crate) fn fetch(topic: &str, partition: i32, offset: i64) -> FetchRequest {
    FetchRequest {
        max_wait_ms: 15_000,
        min_bytes: 1,
        max_bytes: 1 << 24,
        topics: vec![FetchTopic {
            topic: topic.to_owned(),
            partitions: vec![FetchPartition {
                partition,
                fetch_offset: offset,
                partition_max_bytes: 1 << 20,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// A batch of records without keys.
pub(crate) fn batch(values: &[&str]) -> Bytes {
    batch_with(BatchOptions::default(), values)
}

pub(crate) fn batch_with(options: BatchOptions, values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(options);
    for value in values {
        builder
            .append(now(), None, Some(value.as_bytes()), &[])
            .expect("a small record");
    }
    builder.build().expect("a small batch")
}

pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("a clock past 1970").as_millis() as i64
}

/// The values in a fetched partition, with their offsets.
pub(crate) fn values(records: Option<Bytes>) -> Vec<(i64, String)> {
    let mut bytes = records.unwrap_or_default();
    let mut values = Vec::new();
    while let Some(batch) = RecordBatch::split_from(&mut bytes).expect("sound batches") {
        batch.verify_crc().expect("an intact batch");
        for record in batch.records().expect("sound records").iter() {
            let record = record.expect("a sound record");
            let value = record.value.unwrap_or_default();
            values.push((record.offset, String::from_utf8_lossy(value).into_owned()));
        }
    }
    values
}

/// The values of a fetch of one partition.
pub(crate) fn fetched(mut response: FetchResponse) -> Vec<(i64, String)> {
    assert_eq!(response.error_code, 0);
    let mut partition = response.responses.remove(0).partitions.remove(0);
    assert_eq!(partition.error_code, 0);
    values(partition.records.take())
}
