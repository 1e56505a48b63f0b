//! TxnOffsetCommit: positions of a group as part of a transaction (KIP-98, KIP-447).

use std::sync::Arc;

use headwater_coordination::groups::{Request, Response};
use headwater_wire::ErrorCode;
use headwater_wire::messages::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
};

use super::coordinated::{has_partition, offsets_partition, own_kind, to_group};
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::coordinators::TransactionalProduce;
use crate::internal_topics::CONSUMER_OFFSETS;
use crate::node::Node;

pub(crate) struct TxnOffsetCommit;

impl Handler for TxnOffsetCommit {
    type Request = TxnOffsetCommitRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        mut request: TxnOffsetCommitRequest,
    ) -> Reply<TxnOffsetCommitResponse> {
        if let Err(code) = check_transaction(node, &request) {
            return Reply::Now(refusal(&request, |_, _| Some(code)));
        }
        let topics = node.topics.load();
        let is_known = |name: &str, partition| has_partition(&topics, name, partition);
        let refused = refusal(&request, |name, partition| {
            (!is_known(name, partition)).then_some(ErrorCode::UnknownTopicOrPartition)
        });
        for topic in &mut request.topics {
            topic
                .partitions
                .retain(|partition| is_known(&topic.name, partition.partition_index));
        }
        request.topics.retain(|topic| !topic.partitions.is_empty());
        if request.topics.is_empty() && !refused.topics.is_empty() {
            return Reply::Now(refused);
        }
        let group_id = request.group_id.clone();
        let answer = to_group(node, context, &group_id, Request::TxnOffsetCommit(request));
        Reply::later(async {
            let mut response = own_kind(match answer.await {
                Response::TxnOffsetCommit(response) => Some(response),
                _ => None,
            });
            response.topics.extend(refused.topics);
            response
        })
    }
}

/// Offsets are taken only into a transaction that goes on and that the group was added to, so that
/// a request that arrives late leaves nothing pending (KIP-890).
fn check_transaction(node: &Node, request: &TxnOffsetCommitRequest) -> Result<(), ErrorCode> {
    let produce = TransactionalProduce {
        transactional_id: &request.transactional_id,
        producer_id: request.producer_id,
        producer_epoch: request.producer_epoch,
        topic: CONSUMER_OFFSETS,
        partition: offsets_partition(node, &request.group_id),
    };
    node.coordinators
        .verify_in_transaction(&produce)
        .map_err(|code| match code {
            // What a producer retries, in the words of this request.
            ErrorCode::NotEnoughReplicas => ErrorCode::CoordinatorLoadInProgress,
            other => other,
        })
}

/// An answer for the partitions that `code_of` has an error for.
fn refusal(
    request: &TxnOffsetCommitRequest,
    code_of: impl Fn(&str, i32) -> Option<ErrorCode>,
) -> TxnOffsetCommitResponse {
    let topics = request
        .topics
        .iter()
        .map(|topic| TxnOffsetCommitResponseTopic {
            name: topic.name.clone(),
            partitions: topic
                .partitions
                .iter()
                .filter_map(|partition| {
                    let index = partition.partition_index;
                    let code = code_of(&topic.name, index)?;
                    Some(TxnOffsetCommitResponsePartition {
                        partition_index: index,
                        error_code: code.code(),
                    })
                })
                .collect(),
        })
        .filter(|topic| !topic.partitions.is_empty())
        .collect();
    TxnOffsetCommitResponse {
        topics,
        ..Default::default()
    }
}
