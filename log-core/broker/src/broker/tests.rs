use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use headwater_wire::messages::api_versions::ApiVersionsRequest;
use headwater_wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use headwater_wire::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use headwater_wire::messages::describe_log_dirs::DescribeLogDirsRequest;
use headwater_wire::messages::describe_producers::{DescribeProducersRequest, TopicRequest};
use headwater_wire::messages::init_producer_id::InitProducerIdRequest;
use headwater_wire::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use headwater_wire::records::{BatchBuilder, BatchOptions, Compression};
use headwater_wire::{Decoder, Message, Request, RequestKind, ResponseHeader, ResponseKind, frame};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Broker, Environment, new_cluster_id};
use crate::api::{self, Reply};
use crate::config::BrokerConfig;
use crate::context::RequestContext;
use crate::memory::Reservation;

#[test]
fn cluster_ids_are_base64_and_begin_with_a_letter() {
    assert_eq!(new_cluster_id([0; 16]), "A".repeat(22));
    assert_eq!(new_cluster_id([0xff; 16]), format!("f{}w", "_".repeat(20)));
    let bytes = std::array::from_fn(|index| index as u8);
    assert_eq!(new_cluster_id(bytes), "AAECAwQFBgcICQoLDA0ODw");
}

async fn start(configure: impl FnOnce(&mut BrokerConfig)) -> (Broker, TempDir) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut config = BrokerConfig::new(dir.path(), "127.0.0.1:0");
    configure(&mut config);
    let broker = Broker::start(config, Environment::default()).await;
    (broker.expect("the broker starts"), dir)
}

/// Has a request answered in the same process.
async fn call<R>(broker: &Broker, version: i16, request: R) -> ResponseKind
where
    RequestKind: From<R>,
{
    let context = RequestContext {
        client_id: None,
        client_host: "127.0.0.1".into(),
        version,
    };
    let answer = broker.handle(&context, request.into()).await;
    answer.expect("it is served")
}

async fn create_topic(broker: &Broker, name: &str, configs: &[(&str, &str)]) {
    let configs = configs.iter().map(|(name, value)| CreatableTopicConfig {
        name: (*name).to_owned(),
        value: Some((*value).to_owned()),
    });
    let topic = CreatableTopic {
        name: name.to_owned(),
        num_partitions: 1,
        replication_factor: 1,
        configs: configs.collect(),
        ..Default::default()
    };
    let request = CreateTopicsRequest {
        topics: vec![topic],
        ..Default::default()
    };
    let ResponseKind::CreateTopics(response) = call(broker, 7, request).await else {
        panic!("not its answer");
    };
    assert_eq!(response.topics[0].error_code, 0);
}

fn produce(topic: &str, records: Bytes) -> ProduceRequest {
    ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: topic.to_owned(),
            partition_data: vec![PartitionProduceData {
                index: 0,
                records: Some(records),
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// One record of an idempotent producer.
fn batch(compression: Compression, base_sequence: i32, timestamp: i64) -> Bytes {
    let mut builder = BatchBuilder::new(BatchOptions {
        compression,
        producer_id: 5,
        producer_epoch: 0,
        base_sequence,
        ..BatchOptions::default()
    });
    let appended = builder.append(timestamp, Some(b"key"), Some(&[b'v'; 1000]), &[]);
    appended.expect("it has room");
    builder.build().expect("it is a batch")
}

/// A connection that sends requests ahead.
struct Connection {
    stream: TcpStream,
    received: BytesMut,
    sent: i32,
    unanswered: VecDeque<i32>,
}

impl Connection {
    async fn to(broker: &Broker) -> Self {
        let stream = TcpStream::connect(broker.address()).await;
        Self {
            stream: stream.expect("the broker listens"),
            received: BytesMut::new(),
            sent: 0,
            unanswered: VecDeque::new(),
        }
    }

    async fn send<R: Request>(&mut self, request: &R, version: i16) {
        self.sent += 1;
        self.unanswered.push_back(self.sent);
        let chunks = frame::encode_request(request, version, self.sent, None);
        let bytes = chunks.expect("the request can be encoded").concat();
        let written = self.stream.write_all(&bytes).await;
        written.expect("the broker reads");
    }

    async fn receive<R: Request>(&mut self, version: i16) -> R::Response {
        let frame = loop {
            if let Some(frame) = frame::split(&mut self.received, 1 << 20).expect("a frame") {
                break frame;
            }
            let read = self.stream.read_buf(&mut self.received).await;
            assert_ne!(read.expect("a socket"), 0, "the connection is closed");
        };
        let mut input = Decoder::new(frame);
        let header = ResponseHeader::decode(&mut input, R::KEY, version).expect("a header");
        assert_eq!(Some(header.correlation_id), self.unanswered.pop_front());
        R::Response::decode(&mut input, version).expect("an answer")
    }
}

fn appended_at(response: &ProduceResponse) -> (i16, i64) {
    let partition = &response.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

#[tokio::test]
async fn who_sends_what_is_compressed_anew_waits_in_order_and_nobody_else_does() {
    let (broker, _dir) = start(|_| {}).await;
    create_topic(&broker, "gzipped", &[("compression.type", "gzip")]).await;
    create_topic(&broker, "compacted", &[("cleanup.policy", "compact")]).await;
    create_topic(&broker, "plain", &[]).await;
    let now = broker.node.clock.wall().as_millis();
    let pause = broker.node.labor.pause().await;

    let mut patient = Connection::to(&broker).await;
    let laborious = [Compression::Zstd, Compression::None];
    for (sequence, compression) in (0..).zip(laborious) {
        let request = produce("gzipped", batch(compression, sequence, now));
        patient.send(&request, 11).await;
    }
    let as_it_is = produce("gzipped", batch(Compression::Gzip, 2, now));
    patient.send(&as_it_is, 11).await;
    let mut other = Connection::to(&broker).await;
    let looked_into = produce("compacted", batch(Compression::Zstd, 0, now));
    other.send(&looked_into, 11).await;

    let mut third = Connection::to(&broker).await;
    let easy = [
        produce("plain", batch(Compression::Zstd, 0, now)),
        produce("gzipped", batch(Compression::Gzip, 0, now)),
        produce("compacted", batch(Compression::None, 0, now)),
    ];
    // The partitions' producers know nothing of the requests before.
    for request in &easy {
        third.send(request, 11).await;
        let answer = third.receive::<ProduceRequest>(11).await;
        assert_eq!(appended_at(&answer), (0, 0));
    }
    third.send(&ApiVersionsRequest::default(), 2).await;
    third.receive::<ApiVersionsRequest>(2).await;

    drop(pause);
    let mut answers = Vec::new();
    for _ in 0..3 {
        let answer = patient.receive::<ProduceRequest>(11).await;
        answers.push(appended_at(&answer));
    }
    // The first is a duplicate of what came on the third connection.
    assert_eq!(answers, [(0, 0), (0, 1), (0, 2)]);
    let answer = other.receive::<ProduceRequest>(11).await;
    assert_eq!(appended_at(&answer), (0, 0));
    let topics = broker.node.topics.load();
    let end = |name| topics.by_name(name).map(|it| it.logs[0].log_end_offset());
    assert_eq!((end("gzipped"), end("compacted")), (Some(3), Some(1)));
    broker.shutdown().await;
}

#[tokio::test]
async fn a_caller_in_the_same_process_has_its_batch_appended_when_the_call_returns() {
    let (broker, _dir) = start(|_| {}).await;
    create_topic(&broker, "gzipped", &[("compression.type", "gzip")]).await;
    let now = broker.node.clock.wall().as_millis();
    let pause = broker.node.labor.pause().await;
    let request = produce("gzipped", batch(Compression::Zstd, 0, now));
    let answer = call(&broker, 11, request);
    let mut answer = Box::pin(answer);
    let _ = answer.as_mut().now_or_never();
    let topics = broker.node.topics.load();
    let topic = topics.by_name("gzipped").expect("it is there");
    assert_eq!(topic.logs[0].log_end_offset(), 1);
    drop(pause);
    broker.shutdown().await;
}

#[tokio::test]
async fn the_first_batch_of_a_transaction_is_compressed_anew_when_its_partition_has_joined() {
    let (broker, _dir) = start(|_| {}).await;
    create_topic(&broker, "gzipped", &[("compression.type", "gzip")]).await;
    let request = InitProducerIdRequest {
        transactional_id: Some("t".to_owned()),
        transaction_timeout_ms: 60_000,
        producer_id: -1,
        producer_epoch: -1,
    };
    let ResponseKind::InitProducerId(producer) = call(&broker, 5, request).await else {
        panic!("not its answer");
    };
    assert_eq!(producer.error_code, 0);
    let mut builder = BatchBuilder::new(BatchOptions {
        compression: Compression::Zstd,
        producer_id: producer.producer_id,
        producer_epoch: producer.producer_epoch,
        base_sequence: 0,
        is_transactional: true,
        ..BatchOptions::default()
    });
    let now = broker.node.clock.wall().as_millis();
    let appended = builder.append(now, None, Some(b"value"), &[]);
    appended.expect("it has room");
    let batch = builder.build().expect("it is a batch");
    let request = ProduceRequest {
        transactional_id: Some("t".to_owned()),
        ..produce("gzipped", batch)
    };
    let mut connection = Connection::to(&broker).await;
    connection.send(&request, 12).await;
    let answer = connection.receive::<ProduceRequest>(12).await;
    assert_eq!(appended_at(&answer), (0, 0));
    broker.shutdown().await;
}

/// What is answered and what is set aside for it.
async fn answer_over<R>(broker: &Broker, version: i16, request: R) -> (ResponseKind, Reservation)
where
    RequestKind: From<R>,
{
    let context = RequestContext {
        client_id: None,
        client_host: "127.0.0.1".into(),
        version,
    };
    let reply = api::start(&broker.node, &context, request.into());
    let Some(Reply::Later(answer)) = reply else {
        panic!("it is answered at once");
    };
    let mut answer = answer;
    let all = broker.node.response_memory.reserve(usize::MAX).await;
    // It has come to where it waits for memory once its size is known; until then it waits for that.
    let waited = tokio::time::timeout(std::time::Duration::from_millis(50), &mut answer).await;
    assert!(waited.is_err(), "it is answered without memory");
    drop(all);
    let answer = answer.await;
    let reservation = answer.reservation.expect("memory is set aside");
    (answer.response, reservation)
}

fn size(response: &ResponseKind, version: i16) -> usize {
    let chunks = response.to_frame(version, 1);
    chunks
        .expect("it can be encoded")
        .iter()
        .map(Bytes::len)
        .sum()
}

#[tokio::test]
async fn long_descriptions_wait_for_memory_and_take_no_more_than_was_set_aside() {
    let (broker, _dir) = start(|_| {}).await;
    let throttled = (0..500)
        .map(|n| format!("{n}:1"))
        .collect::<Vec<_>>()
        .join(",");
    let key = "leader.replication.throttled.replicas";
    create_topic(&broker, "topic", &[(key, &throttled)]).await;
    for (kind, name) in [(2, "topic"), (4, "1"), (16, "metrics"), (32, "group")] {
        for is_full in [false, true] {
            let request = DescribeConfigsRequest {
                resources: vec![DescribeConfigsResource {
                    resource_type: kind,
                    resource_name: name.to_owned(),
                    configuration_keys: None,
                }],
                include_synonyms: is_full,
                include_documentation: is_full,
            };
            let (response, reservation) = answer_over(&broker, 4, request).await;
            let ResponseKind::DescribeConfigs(described) = &response else {
                panic!("not its answer");
            };
            assert_eq!(described.results[0].error_code, 0, "{kind}");
            // In memory it takes more than on the wire, and it is there twice for a moment.
            let size = size(&response, 4);
            assert!(
                reservation.bytes() > 2 * size,
                "{} for {size} bytes about {name}",
                reservation.bytes()
            );
        }
    }

    let now = broker.node.clock.wall().as_millis();
    create_topic(&broker, "plain", &[]).await;
    call(
        &broker,
        11,
        produce("plain", batch(Compression::None, 0, now)),
    )
    .await;
    let request = DescribeProducersRequest {
        topics: vec![TopicRequest {
            name: "plain".to_owned(),
            partition_indexes: vec![0],
        }],
    };
    let (response, reservation) = answer_over(&broker, 0, request).await;
    let ResponseKind::DescribeProducers(described) = &response else {
        panic!("not its answer");
    };
    let producers = &described.topics[0].partitions[0].active_producers;
    assert_eq!(producers.len(), 1);
    assert!(reservation.bytes() > 2 * size(&response, 0));
    drop(reservation);

    let request = DescribeLogDirsRequest::default();
    let (response, reservation) = answer_over(&broker, 4, request).await;
    assert!(matches!(&response, ResponseKind::DescribeLogDirs(it) if it.error_code == 0));
    assert!(reservation.bytes() > size(&response, 4));
    broker.shutdown().await;
}
