//! AddPartitionsToTxn: a transaction begins, or grows.

use std::sync::Arc;

use futures::future::join_all;
use headwater_coordination::transactions::{Request, Response};
use headwater_wire::ErrorCode;
use headwater_wire::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    AddPartitionsToTxnResult, AddPartitionsToTxnTopic, AddPartitionsToTxnTopicResult,
};

use super::coordinated::{has_partition, own_kind};
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::internal_topics;
use crate::node::Node;
use crate::topics::TopicMap;

pub(crate) struct AddPartitionsToTxn;

/// From this version on the request names several transactions.
const BATCHED_FROM: i16 = 4;

impl Handler for AddPartitionsToTxn {
    type Request = AddPartitionsToTxnRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: AddPartitionsToTxnRequest,
    ) -> Reply<AddPartitionsToTxnResponse> {
        if context.version >= BATCHED_FROM {
            return add_batched(node, context, request);
        }
        let topics = node.topics.load();
        if let Some(results) = refusal(&topics, &request.v3_and_below_topics, true) {
            return Reply::Now(AddPartitionsToTxnResponse {
                results_by_topic_v3_and_below: results,
                ..Default::default()
            });
        }
        let id = request.v3_and_below_transactional_id.clone();
        let request = Request::AddPartitions(request);
        let answer = node
            .coordinators
            .transactions
            .submit(node, &id, context.version, request);
        Reply::later(async { unwrap(answer.await) })
    }
}

fn add_batched(
    node: &Arc<Node>,
    context: &RequestContext,
    request: AddPartitionsToTxnRequest,
) -> Reply<AddPartitionsToTxnResponse> {
    let topics = node.topics.load();
    let mut results = Vec::new();
    let mut answers = Vec::new();
    for transaction in request.transactions {
        let transactional_id = transaction.transactional_id.clone();
        if let Some(topic_results) = refusal(&topics, &transaction.topics, false) {
            results.push(AddPartitionsToTxnResult {
                transactional_id,
                topic_results,
            });
            continue;
        }
        let part = AddPartitionsToTxnRequest {
            transactions: vec![transaction],
            ..Default::default()
        };
        let part = Request::AddPartitions(part);
        let coordinator = &node.coordinators.transactions;
        answers.push(coordinator.submit(node, &transactional_id, context.version, part));
    }
    Reply::later(async {
        for answer in join_all(answers).await {
            results.extend(unwrap(answer).results_by_transaction);
        }
        AddPartitionsToTxnResponse {
            results_by_transaction: results,
            ..Default::default()
        }
    })
}

fn unwrap(response: Response) -> AddPartitionsToTxnResponse {
    own_kind(match response {
        Response::AddPartitions(response) => Some(response),
        _ => None,
    })
}

/// All partitions are added or none: if one cannot be, this says which, and the others were not
/// attempted. What brokers ask in the name of clients may be about internal topics.
fn refusal(
    topics: &TopicMap,
    wanted: &[AddPartitionsToTxnTopic],
    is_from_client: bool,
) -> Option<Vec<AddPartitionsToTxnTopicResult>> {
    let error = |name: &str, partition: i32| {
        if is_from_client && internal_topics::is_internal(name) {
            Some(ErrorCode::TopicAuthorizationFailed)
        } else if has_partition(topics, name, partition) {
            None
        } else {
            Some(ErrorCode::UnknownTopicOrPartition)
        }
    };
    let mut partitions = wanted
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|index| (&topic.name, *index)));
    if partitions.all(|(name, index)| error(name, index).is_none()) {
        return None;
    }
    let results = wanted.iter().map(|topic| AddPartitionsToTxnTopicResult {
        name: topic.name.clone(),
        results_by_partition: topic
            .partitions
            .iter()
            .map(|index| AddPartitionsToTxnPartitionResult {
                partition_index: *index,
                partition_error_code: error(&topic.name, *index)
                    .unwrap_or(ErrorCode::OperationNotAttempted)
                    .code(),
            })
            .collect(),
    });
    Some(results.collect())
}
