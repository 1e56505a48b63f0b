//! A broker in a directory of its own, called in process, and what clients of groups and
//! transactions say to it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use headwater_broker::{Broker, BrokerConfig, Environment, RequestContext};
use headwater_wire::messages::add_offsets_to_txn::AddOffsetsToTxnRequest;
use headwater_wire::messages::add_partitions_to_txn::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic,
};
use headwater_wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use headwater_wire::messages::end_txn::EndTxnRequest;
use headwater_wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic, PartitionData};
use headwater_wire::messages::init_producer_id::InitProducerIdRequest;
use headwater_wire::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use headwater_wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use headwater_wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use headwater_wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use headwater_wire::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use headwater_wire::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use headwater_wire::messages::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use headwater_wire::records::{BatchBuilder, BatchOptions, RecordBatch};
use headwater_wire::{ErrorCode, Request};
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) const GROUP: &str = "g";
pub(crate) const TOPIC: &str = "t";
pub(crate) const TRANSACTION: &str = "tx";

/// How long anything may take. Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A broker, however it is reached.
pub(crate) struct Node<T = InProcess> {
    transport: T,
}

/// The way to a broker.
pub(crate) trait Transport {
    async fn call<R: Request>(&self, version: i16, request: R) -> R::Response;
}

/// A broker in this process.
pub(crate) struct InProcess {
    broker: Broker,
    dir: Arc<TempDir>,
    environment: Environment,
    configure: fn(&mut BrokerConfig),
}

/// What a producer has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Producer {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

impl Transport for InProcess {
    async fn call<R: Request>(&self, version: i16, request: R) -> R::Response {
        let context = RequestContext {
            client_id: Some(Arc::from("client")),
            client_host: Arc::from("/127.0.0.1"),
            version,
        };
        let answer = self.broker.handle(&context, request.into());
        let response = answer.await.expect("the API is served");
        let Ok(response) = R::Response::try_from(response) else {
            panic!("an answer of another kind")
        };
        response
    }
}

impl Node {
    /// A broker with the topic [`TOPIC`] of two partitions.
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let node = Self::start_in(&Arc::new(dir), Environment::default()).await;
        node.create_topic(TOPIC, &[]).await;
        node
    }

    /// A broker with what it finds in a directory.
    pub(crate) async fn start_in(dir: &Arc<TempDir>, environment: Environment) -> Self {
        Self::configured(dir, environment, |_| {}).await
    }

    /// A broker with settings of its own.
    pub(crate) async fn configured(
        dir: &Arc<TempDir>,
        environment: Environment,
        configure: fn(&mut BrokerConfig),
    ) -> Self {
        let mut config = BrokerConfig::new(dir.path(), "127.0.0.1:0");
        config.settings.group_initial_rebalance_delay = Duration::ZERO;
        configure(&mut config);
        let broker = Broker::start(config, environment.clone())
            .await
            .expect("the broker starts");
        Self::reached_by(InProcess {
            broker,
            dir: Arc::clone(dir),
            environment,
            configure,
        })
    }

    pub(crate) async fn restart(self) -> Self {
        self.restart_after(|_| {}).await
    }

    /// Lets `change` at the files of the broker while that is stopped.
    pub(crate) async fn restart_after(self, change: impl FnOnce(&Path)) -> Self {
        self.transport.broker.shutdown().await;
        let InProcess {
            broker,
            dir,
            environment,
            configure,
        } = self.transport;
        drop(broker);
        change(dir.path());
        Self::configured(&dir, environment, configure).await
    }
}

impl<T: Transport> Node<T> {
    pub(crate) fn reached_by(transport: T) -> Self {
        Self { transport }
    }

    pub(crate) async fn call<R: Request>(&self, version: i16, request: R) -> R::Response {
        let answer = self.transport.call(version, request);
        tokio::time::timeout(PATIENCE, answer)
            .await
            .expect("an answer in time")
    }

    pub(crate) async fn create_topic(&self, name: &str, configs: &[(&str, &str)]) {
        let configs = configs.iter().map(|(name, value)| CreatableTopicConfig {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
        });
        let topic = CreatableTopic {
            name: name.to_owned(),
            num_partitions: 2,
            replication_factor: 1,
            configs: configs.collect(),
            ..Default::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![topic],
            ..Default::default()
        };
        let response = self.call(7, request).await;
        assert_eq!(
            response.topics[0].error_code, 0,
            "{:?}",
            response.topics[0].error_message
        );
    }

    /// Nil if there is no such topic.
    pub(crate) async fn topic_id(&self, name: &str) -> Uuid {
        let topic = MetadataRequestTopic {
            name: Some(name.to_owned()),
            ..Default::default()
        };
        let request = MetadataRequest {
            allow_auto_topic_creation: false,
            topics: Some(vec![topic]),
            ..Default::default()
        };
        self.call(12, request).await.topics[0].topic_id
    }

    pub(crate) async fn join(&self, instance: Option<&str>, member_id: &str) -> JoinGroupResponse {
        let request = JoinGroupRequest {
            group_id: GROUP.to_owned(),
            session_timeout_ms: 30_000,
            rebalance_timeout_ms: 60_000,
            member_id: member_id.to_owned(),
            group_instance_id: instance.map(str::to_owned),
            protocol_type: "consumer".to_owned(),
            protocols: vec![JoinGroupRequestProtocol {
                name: "range".to_owned(),
                metadata: Bytes::new(),
            }],
            ..Default::default()
        };
        self.call(9, request).await
    }

    /// A group of one member in generation 1, with the assignment `all`; its member id.
    pub(crate) async fn stable_group(&self) -> String {
        let asked = self.join(None, "").await;
        assert_eq!(error(asked.error_code), ErrorCode::MemberIdRequired);
        let joined = self.join(None, &asked.member_id).await;
        assert_eq!((joined.error_code, joined.generation_id), (0, 1));
        assert_eq!(
            self.sync(&joined.member_id, 1, true).await,
            Bytes::from("all")
        );
        joined.member_id
    }

    pub(crate) async fn sync(&self, member_id: &str, generation: i32, leads: bool) -> Bytes {
        let assignment = SyncGroupRequestAssignment {
            member_id: member_id.to_owned(),
            assignment: Bytes::from("all"),
        };
        let request = SyncGroupRequest {
            group_id: GROUP.to_owned(),
            generation_id: generation,
            member_id: member_id.to_owned(),
            protocol_type: Some("consumer".to_owned()),
            protocol_name: Some("range".to_owned()),
            assignments: if leads { vec![assignment] } else { Vec::new() },
            ..Default::default()
        };
        let response = self.call(5, request).await;
        assert_eq!(error(response.error_code), ErrorCode::None);
        response.assignment
    }

    pub(crate) async fn commit(
        &self,
        member_id: &str,
        generation: i32,
        (topic, partition, offset): (&str, i32, i64),
    ) -> ErrorCode {
        let partitions = vec![OffsetCommitRequestPartition {
            partition_index: partition,
            committed_offset: offset,
            committed_metadata: Some("m".to_owned()),
            ..Default::default()
        }];
        let request = OffsetCommitRequest {
            group_id: GROUP.to_owned(),
            generation_id_or_member_epoch: generation,
            member_id: member_id.to_owned(),
            topics: vec![OffsetCommitRequestTopic {
                name: topic.to_owned(),
                partitions,
                ..Default::default()
            }],
            ..Default::default()
        };
        let response = self.call(9, request).await;
        error(response.topics[0].partitions[0].error_code)
    }

    /// The committed offset of a partition of [`TOPIC`], as a consumer that starts asks for it.
    pub(crate) async fn committed(&self, partition: i32) -> Result<i64, ErrorCode> {
        let topics = vec![OffsetFetchRequestTopics {
            name: TOPIC.to_owned(),
            partition_indexes: vec![partition],
            ..Default::default()
        }];
        let request = OffsetFetchRequest {
            groups: vec![OffsetFetchRequestGroup {
                group_id: GROUP.to_owned(),
                topics: Some(topics),
                ..Default::default()
            }],
            require_stable: true,
            ..Default::default()
        };
        let response = self.call(9, request).await;
        let group = &response.groups[0];
        if group.error_code != 0 {
            return Err(error(group.error_code));
        }
        let partition = &group.topics[0].partitions[0];
        match error(partition.error_code) {
            ErrorCode::None => Ok(partition.committed_offset),
            code => Err(code),
        }
    }

    pub(crate) async fn init(&self, timeout_ms: i32) -> Result<Producer, ErrorCode> {
        let request = InitProducerIdRequest {
            transactional_id: Some(TRANSACTION.to_owned()),
            transaction_timeout_ms: timeout_ms,
            ..Default::default()
        };
        let response = self.call(4, request).await;
        match error(response.error_code) {
            ErrorCode::None => Ok(Producer {
                id: response.producer_id,
                epoch: response.producer_epoch,
            }),
            code => Err(code),
        }
    }

    pub(crate) async fn add(&self, producer: Producer, partition: i32) -> ErrorCode {
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: TRANSACTION.to_owned(),
            v3_and_below_producer_id: producer.id,
            v3_and_below_producer_epoch: producer.epoch,
            v3_and_below_topics: vec![AddPartitionsToTxnTopic {
                name: TOPIC.to_owned(),
                partitions: vec![partition],
            }],
            ..Default::default()
        };
        let response = self.call(3, request).await;
        let results = &response.results_by_topic_v3_and_below[0].results_by_partition;
        error(results[0].partition_error_code)
    }

    pub(crate) async fn add_offsets(&self, producer: Producer) -> ErrorCode {
        let request = AddOffsetsToTxnRequest {
            transactional_id: TRANSACTION.to_owned(),
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            group_id: GROUP.to_owned(),
        };
        error(self.call(3, request).await.error_code)
    }

    pub(crate) async fn txn_commit(
        &self,
        producer: Producer,
        partition: i32,
        offset: i64,
    ) -> ErrorCode {
        self.txn_commit_in(3, producer, partition, offset).await
    }

    pub(crate) async fn txn_commit_in(
        &self,
        version: i16,
        producer: Producer,
        partition: i32,
        offset: i64,
    ) -> ErrorCode {
        let partitions = vec![TxnOffsetCommitRequestPartition {
            partition_index: partition,
            committed_offset: offset,
            ..Default::default()
        }];
        let request = TxnOffsetCommitRequest {
            transactional_id: TRANSACTION.to_owned(),
            group_id: GROUP.to_owned(),
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            topics: vec![TxnOffsetCommitRequestTopic {
                name: TOPIC.to_owned(),
                partitions,
            }],
            ..Default::default()
        };
        let response = self.call(version, request).await;
        error(response.topics[0].partitions[0].error_code)
    }

    pub(crate) async fn end(&self, producer: Producer, committed: bool) -> ErrorCode {
        let request = EndTxnRequest {
            transactional_id: TRANSACTION.to_owned(),
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            committed,
        };
        error(self.call(3, request).await.error_code)
    }

    /// Ends a transaction as a client of transaction.version 2; the producer that may go on.
    pub(crate) async fn end_v2(
        &self,
        producer: Producer,
        committed: bool,
    ) -> Result<Producer, ErrorCode> {
        let request = EndTxnRequest {
            transactional_id: TRANSACTION.to_owned(),
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            committed,
        };
        let response = self.call(5, request).await;
        match error(response.error_code) {
            ErrorCode::None => Ok(Producer {
                id: response.producer_id,
                epoch: response.producer_epoch,
            }),
            code => Err(code),
        }
    }

    /// Produces one record in the producer's transaction, which has the partition already.
    pub(crate) async fn produce(
        &self,
        producer: Producer,
        (partition, sequence): (i32, i32),
        value: &str,
    ) -> ErrorCode {
        self.produce_in(11, producer, (partition, sequence), value)
            .await
    }

    /// Produces one record in the producer's transaction, in a version of Produce with names.
    pub(crate) async fn produce_in(
        &self,
        version: i16,
        producer: Producer,
        place: (i32, i32),
        value: &str,
    ) -> ErrorCode {
        self.produce_to(TOPIC, version, producer, place, value)
            .await
    }

    /// Produces one record in the producer's transaction to a topic.
    pub(crate) async fn produce_to(
        &self,
        topic: &str,
        version: i16,
        producer: Producer,
        (partition, sequence): (i32, i32),
        value: &str,
    ) -> ErrorCode {
        let records = batch(producer, sequence, value);
        self.produce_records(topic, version, partition, records)
            .await
    }

    /// Produces what calls itself records of [`TRANSACTION`].
    pub(crate) async fn produce_records(
        &self,
        topic: &str,
        version: i16,
        partition: i32,
        records: Bytes,
    ) -> ErrorCode {
        let request = ProduceRequest {
            transactional_id: Some(TRANSACTION.to_owned()),
            acks: -1,
            timeout_ms: 30_000,
            topic_data: vec![TopicProduceData {
                name: topic.to_owned(),
                partition_data: vec![PartitionProduceData {
                    index: partition,
                    records: Some(records),
                }],
                ..Default::default()
            }],
        };
        let response = self.call(version, request).await;
        error(response.responses[0].partition_responses[0].error_code)
    }

    /// The values that a consumer of committed records sees in a partition of [`TOPIC`].
    pub(crate) async fn visible(&self, partition: i32) -> Vec<String> {
        let request = FetchRequest {
            max_bytes: 1 << 24,
            isolation_level: 1,
            topics: vec![FetchTopic {
                topic: TOPIC.to_owned(),
                partitions: vec![FetchPartition {
                    partition,
                    partition_max_bytes: 1 << 20,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        };
        let mut response = self.call(12, request).await;
        committed_values(response.responses.remove(0).partitions.remove(0))
    }

    /// Waits until [`visible`](Self::visible) is `expected`: markers follow the answer to EndTxn.
    pub(crate) async fn becomes_visible(&self, partition: i32, expected: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let visible = self.visible(partition).await;
            if visible == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{visible:?} is not {expected:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the committed offset is this, however unstable it is before.
    pub(crate) async fn becomes_committed(&self, partition: i32, expected: i64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let committed = self.committed(partition).await;
            if committed == Ok(expected) {
                return;
            }
            assert!(Instant::now() < deadline, "{committed:?} is not {expected}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// One record in a producer's transaction.
pub(crate) fn batch(producer: Producer, sequence: i32, value: &str) -> Bytes {
    let mut builder = BatchBuilder::new(BatchOptions {
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        base_sequence: sequence,
        is_transactional: true,
        ..BatchOptions::default()
    });
    builder
        .append(now(), None, Some(value.as_bytes()), &[])
        .expect("a small record");
    builder.build().expect("a small batch")
}

pub(crate) fn error(code: i16) -> ErrorCode {
    ErrorCode::from_code(code)
}

/// Records of long ago beside markers of today would each begin a segment, and a fetch ends with
/// its segment.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock past 1970");
    i64::try_from(since.as_millis()).expect("a clock before the year 292 million")
}

/// What of a fetched partition a consumer of committed records sees.
pub(crate) fn committed_values(mut fetched: PartitionData) -> Vec<String> {
    assert_eq!(fetched.error_code, 0);
    let mut aborted = fetched.aborted_transactions.take().unwrap_or_default();
    let mut aborting = BTreeSet::new();
    let mut bytes = fetched.records.take().unwrap_or_default();
    let mut values = Vec::new();
    while let Some(batch) = RecordBatch::split_from(&mut bytes).expect("sound batches") {
        let header = batch.header;
        aborted.retain(|transaction| {
            let has_begun = transaction.first_offset <= header.last_offset();
            if has_begun {
                aborting.insert(transaction.producer_id);
            }
            !has_begun
        });
        if header.is_control() {
            aborting.remove(&header.producer_id);
        } else if !aborting.contains(&header.producer_id) {
            for record in batch.records().expect("sound records").iter() {
                let value = record.expect("a sound record").value.unwrap_or_default();
                values.push(String::from_utf8_lossy(value).into_owned());
            }
        }
    }
    values
}
