//! Producers and their transactions (KIP-664).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use headwater_wire::messages::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, TopicRequest,
};
use headwater_wire::messages::describe_transactions::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, TransactionState as WireDescription,
};
use headwater_wire::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use headwater_wire::messages::list_transactions::ListTransactionsRequest;
use headwater_wire::messages::write_txn_markers::{
    WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest, WriteTxnMarkersResponse,
};

use super::drive::{ByCoordinator, ByLeader, by_topic, checked, unanswered};
use super::named::named;
use super::{Admin, millis};
use crate::TopicPartition;
use crate::coordinator::CoordinatorKind;
use crate::error::ClientError;
use crate::transport::Target;

named! {
    /// The state of a transaction.
    pub enum TransactionState {
        /// None was begun since the producer started.
        Empty = "Empty",
        /// It is open.
        Ongoing = "Ongoing",
        /// It is to be committed, and its markers are being written.
        PrepareCommit = "PrepareCommit",
        /// It is to be aborted, and its markers are being written.
        PrepareAbort = "PrepareAbort",
        /// It is committed.
        CompleteCommit = "CompleteCommit",
        /// It is aborted.
        CompleteAbort = "CompleteAbort",
        /// Its producer is being fenced.
        PrepareEpochFence = "PrepareEpochFence",
        /// Its transactional id has expired.
        Dead = "Dead",
    }
}

/// Which transactions to list; what is empty leaves none out.
#[derive(Clone, Debug, Default)]
pub struct ListTransactionsOptions {
    /// States, as Kafka names them.
    pub states: Vec<String>,
    /// Producer ids.
    pub producer_ids: Vec<i64>,
    /// Only those open for longer than this (KIP-994).
    pub running_longer_than: Option<Duration>,
    /// Only transactional ids that match this expression as a whole (KIP-1152).
    pub transactional_id_pattern: Option<String>,
}

/// A transactional id in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionListing {
    /// The id.
    pub transactional_id: String,
    /// Its producer's id.
    pub producer_id: i64,
    /// The state of its last transaction.
    pub state: TransactionState,
}

/// A transactional id and its last transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionDescription {
    /// The node that coordinates it.
    pub coordinator: i32,
    /// The state of the transaction.
    pub state: TransactionState,
    /// The producer's id.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The producer's `transaction.timeout.ms`.
    pub transaction_timeout: Duration,
    /// When it began, in milliseconds since the epoch; `None` if it is not open.
    pub transaction_start_time: Option<i64>,
    /// The partitions in it.
    pub partitions: Vec<TopicPartition>,
}

/// A producer that a partition's leader knows of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerState {
    /// Its id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i32,
    /// The sequence number of its last record; `None` if it has none.
    pub last_sequence: Option<i32>,
    /// The timestamp of its last batch, in milliseconds since the epoch; `None` if it has none.
    pub last_timestamp: Option<i64>,
    /// The epoch of the coordinator that wrote its last marker; `None` if there was none.
    pub coordinator_epoch: Option<i32>,
    /// The first offset of its open transaction; `None` if none is open.
    pub current_transaction_start_offset: Option<i64>,
}

/// An open transaction in one partition, to be aborted there whatever its coordinator says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbortTransactionSpec {
    /// The partition.
    pub partition: TopicPartition,
    /// The producer's id.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The epoch of the coordinator that wrote the producer's last marker, 0 if there was none.
    pub coordinator_epoch: i32,
}

/// What fencing gave a transactional id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FencedProducer {
    /// Its producer's id.
    pub producer_id: i64,
    /// The epoch below which producers are refused.
    pub producer_epoch: i16,
}

impl Admin {
    /// The transactional ids that `options` let through, by id; every node is asked for its own.
    ///
    /// # Errors
    /// A timeout, or the first node's error; [`ClientError::UnsupportedVersion`] from a broker that
    /// cannot filter as asked.
    pub async fn list_transactions(
        &self,
        options: &ListTransactionsOptions,
    ) -> Result<Vec<TransactionListing>, ClientError> {
        let operation = "listing transactions";
        let mut retry = self.retry(operation);
        let duration = options
            .running_longer_than
            .map(|duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX));
        let build = |_| ListTransactionsRequest {
            state_filters: options.states.clone(),
            producer_id_filters: options.producer_ids.clone(),
            duration_filter: duration.unwrap_or(-1),
            transactional_id_pattern: options.transactional_id_pattern.clone(),
        };
        let mut found = BTreeMap::new();
        for node in self.nodes(&mut retry).await? {
            let response = loop {
                let response = self
                    .ask(Target::Node(node), &mut retry, i16::MAX, build)
                    .await?;
                let asked = || format!("{operation} of node {node}");
                match checked(response.error_code, None, asked) {
                    Ok(()) => break response,
                    Err(error) => retry.pause(error).await?,
                }
            };
            if !response.unknown_state_filters.is_empty() {
                return Err(ClientError::IllegalState(format!(
                    "node {node} knows no transaction state {}",
                    response.unknown_state_filters.join(", ")
                )));
            }
            for listed in response.transaction_states {
                let listing = TransactionListing {
                    transactional_id: listed.transactional_id.clone(),
                    producer_id: listed.producer_id,
                    state: TransactionState::from_name(listed.transaction_state),
                };
                found.insert(listed.transactional_id, listing);
            }
        }
        Ok(found.into_values().collect())
    }

    /// The last transaction of each transactional id.
    ///
    /// # Errors
    /// If nothing could be asked; each id has its own result, such as
    /// [`ErrorCode::TransactionalIdNotFound`](headwater_wire::ErrorCode).
    pub async fn describe_transactions(
        &self,
        transactional_ids: &[&str],
    ) -> Result<HashMap<String, Result<TransactionDescription, ClientError>>, ClientError> {
        let build = |_, ids: &[String]| DescribeTransactionsRequest {
            transactional_ids: ids.to_vec(),
        };
        let read = |node, _: &[String], response: DescribeTransactionsResponse| {
            let described = response.transaction_states.into_iter().map(|state| {
                let id = state.transactional_id.clone();
                let operation = || format!("describing the transaction of {id}");
                let described = checked(state.error_code, None, operation);
                (id, described.map(|()| description(node, state)))
            });
            described.collect()
        };
        let ids = transactional_ids.iter().map(|id| (*id).to_owned());
        let route = ByCoordinator::new(CoordinatorKind::Transaction);
        self.drive("describing transactions", route, ids, build, read)
            .await
    }

    /// The producers that the leader of each partition knows of, by id.
    ///
    /// # Errors
    /// If nothing could be asked; each partition has its own result.
    pub async fn describe_producers(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Result<Vec<ProducerState>, ClientError>>, ClientError> {
        let build = |_, partitions: &[TopicPartition]| {
            let topics = by_topic(partitions).into_iter();
            let topics = topics.map(|(name, partition_indexes)| TopicRequest {
                name,
                partition_indexes,
            });
            DescribeProducersRequest {
                topics: topics.collect(),
            }
        };
        let read = |_, _: &[TopicPartition], response: DescribeProducersResponse| {
            let mut results = Vec::new();
            for topic in response.topics {
                let name: Arc<str> = topic.name.into();
                for answer in topic.partitions {
                    let at = TopicPartition::new(name.clone(), answer.partition_index);
                    let operation = || format!("describing the producers of {at}");
                    let described = checked(answer.error_code, answer.error_message, operation);
                    let states = answer
                        .active_producers
                        .into_iter()
                        .map(|state| ProducerState {
                            producer_id: state.producer_id,
                            producer_epoch: state.producer_epoch,
                            last_sequence: Some(state.last_sequence).filter(|last| *last >= 0),
                            last_timestamp: Some(state.last_timestamp).filter(|last| *last >= 0),
                            coordinator_epoch: Some(state.coordinator_epoch)
                                .filter(|epoch| *epoch >= 0),
                            current_transaction_start_offset: Some(state.current_txn_start_offset)
                                .filter(|offset| *offset >= 0),
                        });
                    let mut states: Vec<ProducerState> = states.collect();
                    states.sort_by_key(|state| state.producer_id);
                    results.push((at, described.map(|()| states)));
                }
            }
            results
        };
        let partitions = partitions.iter().cloned();
        let route = ByLeader::default();
        self.drive("describing producers", route, partitions, build, read)
            .await
    }

    /// Writes an abort marker into one partition, which ends a transaction there that its
    /// coordinator no longer knows of. What [`Admin::describe_producers`] tells names it.
    ///
    /// # Errors
    /// The leader's, such as [`ErrorCode::InvalidProducerEpoch`](headwater_wire::ErrorCode); or a
    /// timeout.
    pub async fn abort_transaction(&self, spec: &AbortTransactionSpec) -> Result<(), ClientError> {
        let at = &spec.partition;
        let operation = format!("aborting producer {} in {at}", spec.producer_id);
        let build = |_, _: &[TopicPartition]| WriteTxnMarkersRequest {
            markers: vec![WritableTxnMarker {
                producer_id: spec.producer_id,
                producer_epoch: spec.producer_epoch,
                transaction_result: false,
                topics: vec![WritableTxnMarkerTopic {
                    name: at.topic.to_string(),
                    partition_indexes: vec![at.partition],
                }],
                coordinator_epoch: spec.coordinator_epoch,
                ..WritableTxnMarker::default()
            }],
        };
        let read = |_, _: &[TopicPartition], response: WriteTxnMarkersResponse| {
            let markers = response
                .markers
                .into_iter()
                .flat_map(|marker| marker.topics);
            let answers = markers.flat_map(|topic| topic.partitions);
            let code = answers.map(|answer| answer.error_code).next();
            let aborted = match code {
                Some(code) => checked(code, None, || operation.clone()),
                None => Err(unanswered(operation.clone())),
            };
            vec![(at.clone(), aborted)]
        };
        let route = ByLeader::default();
        let mut done = self
            .drive(&operation, route, [at.clone()], build, read)
            .await?;
        done.remove(at)
            .unwrap_or_else(|| Err(unanswered(operation.clone())))
    }

    /// Fences the producers of transactional ids, and aborts what they have open: as a producer
    /// does that starts with the same id.
    ///
    /// # Errors
    /// If nothing could be asked; each id has its own result.
    pub async fn fence_producers(
        &self,
        transactional_ids: &[&str],
    ) -> Result<HashMap<String, Result<FencedProducer, ClientError>>, ClientError> {
        // Nobody will use the new epoch; but the coordinator takes no longer than this over writing
        // it down, which takes its replicas a while.
        let transaction_timeout_ms = millis(self.cluster.config.request_timeout);
        let build = |_, ids: &[String]| InitProducerIdRequest {
            transactional_id: ids.first().cloned(),
            transaction_timeout_ms,
            ..InitProducerIdRequest::default()
        };
        let read = |_, ids: &[String], response: InitProducerIdResponse| {
            let id = ids.first().cloned().unwrap_or_default();
            let operation = || format!("fencing the producers of {id}");
            let fenced = checked(response.error_code, None, operation);
            let fenced = fenced.map(|()| FencedProducer {
                producer_id: response.producer_id,
                producer_epoch: response.producer_epoch,
            });
            vec![(id, fenced)]
        };
        let ids = transactional_ids.iter().map(|id| (*id).to_owned());
        let route = ByCoordinator::new(CoordinatorKind::Transaction);
        self.drive("fencing producers", route, ids, build, read)
            .await
    }
}

fn description(coordinator: i32, state: WireDescription) -> TransactionDescription {
    let mut partitions = Vec::new();
    for topic in state.topics {
        let name: Arc<str> = topic.topic.into();
        let of_topic = topic.partitions.into_iter();
        partitions.extend(of_topic.map(|p| TopicPartition::new(name.clone(), p)));
    }
    partitions.sort();
    let timeout = u64::try_from(state.transaction_timeout_ms).unwrap_or_default();
    TransactionDescription {
        coordinator,
        state: TransactionState::from_name(state.transaction_state),
        producer_id: state.producer_id,
        producer_epoch: state.producer_epoch,
        transaction_timeout: Duration::from_millis(timeout),
        transaction_start_time: Some(state.transaction_start_time_ms).filter(|at| *at >= 0),
        partitions,
    }
}
