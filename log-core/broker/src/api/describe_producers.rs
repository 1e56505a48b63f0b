//! DescribeProducers: who writes to partitions, and whose transactions are open there (KIP-664).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::FutureExt;
use headwater_storage::{Lsn, ProducerSummary};
use headwater_wire::ErrorCode;
use headwater_wire::messages::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState,
    TopicRequest, TopicResponse,
};

use super::{Answer, Handler, Reply, measured};
use crate::context::RequestContext;
use crate::node::Node;
use crate::topic_creation::check_name;
use crate::topics::TopicMap;

pub(crate) struct DescribeProducers;

/// What a partition takes in memory and on the wire, without its producers.
const PARTITION_BYTES: usize = 200;
/// What a producer takes: as it is found, as it is answered, and on the wire.
const PRODUCER_BYTES: usize = 150;

impl Handler for DescribeProducers {
    type Request = DescribeProducersRequest;

    fn start(
        node: &Arc<Node>,
        _context: &RequestContext,
        request: DescribeProducersRequest,
    ) -> Reply<DescribeProducersResponse> {
        let node = Arc::clone(node);
        let described = async move {
            let request = each_once(request);
            let made = measured::answer(Arc::clone(&node), request, measure, describe_all);
            let Some(Answer {
                response: (response, newest),
                reservation,
            }) = made.await
            else {
                return Answer::from(DescribeProducersResponse::default());
            };
            // What is told of producers must not be lost any more.
            let is_durable = node.storage.wait_durable(newest).await.is_ok();
            Answer {
                response: if is_durable {
                    response
                } else {
                    failed(response, ErrorCode::KafkaStorageError)
                },
                reservation,
            }
        };
        Reply::Later(described.boxed())
    }
}

/// Bytes that the answer takes.
fn measure(node: &Node, request: &DescribeProducersRequest) -> usize {
    let topics = node.topics.load();
    let of_topic = |topic: &TopicRequest| {
        let found = topics.by_name(&topic.name);
        let of_partition = |index: &i32| {
            let located = found.and_then(|topic| topic.locate(*index).ok());
            let producers = located.map_or(0, |located| located.log.producer_count());
            PARTITION_BYTES + producers * PRODUCER_BYTES
        };
        topic
            .partition_indexes
            .iter()
            .map(of_partition)
            .sum::<usize>()
    };
    request.topics.iter().map(of_topic).sum()
}

fn describe_all(
    node: &Node,
    request: DescribeProducersRequest,
) -> (DescribeProducersResponse, Lsn) {
    let topics = node.topics.load();
    let mut newest = Lsn::ZERO;
    let described = request.topics.into_iter();
    let response = DescribeProducersResponse {
        topics: described
            .map(|topic| describe(&topics, topic, &mut newest))
            .collect(),
        ..Default::default()
    };
    (response, newest)
}

/// The request with every partition named once: its answer is so much longer than its number.
fn each_once(mut request: DescribeProducersRequest) -> DescribeProducersRequest {
    let mut seen: HashMap<String, HashSet<i32>> = HashMap::new();
    for topic in &mut request.topics {
        let seen = seen.entry(topic.name.clone()).or_default();
        topic.partition_indexes.retain(|index| seen.insert(*index));
    }
    request
}

fn describe(topics: &TopicMap, wanted: TopicRequest, newest: &mut Lsn) -> TopicResponse {
    let named = check_name(&wanted.name).map_err(|refused| refused.code);
    let found = named.and_then(|()| {
        topics
            .by_name(&wanted.name)
            .ok_or(ErrorCode::UnknownTopicOrPartition)
    });
    let partitions = wanted.partition_indexes.iter().map(|&partition_index| {
        let located = found.and_then(|topic| topic.locate(partition_index));
        match located {
            Ok(located) => {
                let producers = located.log.producers();
                *newest = (*newest).max(located.log.last_lsn());
                PartitionResponse {
                    partition_index,
                    active_producers: producers.iter().map(state).collect(),
                    ..Default::default()
                }
            }
            Err(code) => refused(partition_index, code),
        }
    });
    TopicResponse {
        partitions: partitions.collect(),
        name: wanted.name,
    }
}

fn refused(partition_index: i32, code: ErrorCode) -> PartitionResponse {
    PartitionResponse {
        partition_index,
        error_code: code.code(),
        error_message: Some(code.message().to_owned()),
        ..Default::default()
    }
}

fn state(producer: &ProducerSummary) -> ProducerState {
    ProducerState {
        producer_id: producer.producer_id,
        producer_epoch: i32::from(producer.producer_epoch),
        last_sequence: producer.last_sequence,
        last_timestamp: producer.last_timestamp,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.transaction_start.unwrap_or(-1),
    }
}

fn failed(mut response: DescribeProducersResponse, code: ErrorCode) -> DescribeProducersResponse {
    let partitions = response.topics.iter_mut().flat_map(|it| &mut it.partitions);
    for partition in partitions {
        *partition = refused(partition.partition_index, code);
    }
    response
}

#[cfg(test)]
mod tests {
    use headwater_wire::messages::describe_producers::{DescribeProducersRequest, TopicRequest};

    use super::each_once;

    #[test]
    fn a_partition_named_many_times_is_described_once() {
        let topic = |name: &str, partitions: &[i32]| TopicRequest {
            name: name.to_owned(),
            partition_indexes: partitions.to_vec(),
        };
        let once = each_once(DescribeProducersRequest {
            topics: vec![
                topic("a", &[1, 0, 1, 1]),
                topic("b", &[0]),
                topic("a", &[0, 2]),
            ],
        });
        let expected = [topic("a", &[1, 0]), topic("b", &[0]), topic("a", &[2])];
        assert_eq!(once.topics, expected);
    }
}
