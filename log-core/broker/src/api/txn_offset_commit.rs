//! TxnOffsetCommit: positions of a group as part of a transaction (KIP-98, KIP-447).

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use headwater_coordination::ProducerIdentity;
use headwater_coordination::groups::{Request, Response};
use headwater_wire::ErrorCode;
use headwater_wire::messages::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
};

use super::coordinated::{has_partition, offsets_partition, own_kind, places, to_group};
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::coordinators::{NotJoined, WriteSupport, Writer};
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
        if request.topics.is_empty() {
            return Reply::Now(refused);
        }
        if request.group_id.is_empty() {
            return Reply::Now(refusal(&request, |_, _| Some(ErrorCode::InvalidGroupId)));
        }
        if node.coordinators.groups.partitions().is_none() {
            let (node, context) = (Arc::clone(node), context.clone());
            return Reply::later(async move {
                // Where the group's offsets go is known when their topic is there.
                let response = match node.coordinators.groups.ensure(&node).await {
                    Ok(()) => enter_and_commit(&node, &context, request).await,
                    Err(error) => {
                        tracing::warn!(%error, "no topic for offsets yet");
                        refusal(&request, |_, _| Some(ErrorCode::CoordinatorNotAvailable))
                    }
                };
                with(response, refused)
            });
        }
        let answer = enter_and_commit(node, context, request);
        Reply::later(async { with(answer.await, refused) })
    }
}

/// Offsets are taken only into a transaction that goes on and that the group was added to, so that
/// a request that arrives late leaves nothing pending; clients of version 2 leave it to this
/// request to add it (KIP-890). Takes its place in the order of requests before it returns.
fn enter_and_commit(
    node: &Arc<Node>,
    context: &RequestContext,
    request: TxnOffsetCommitRequest,
) -> BoxFuture<'static, TxnOffsetCommitResponse> {
    let writer = Writer {
        transactional_id: &request.transactional_id,
        producer: ProducerIdentity {
            id: request.producer_id,
            epoch: request.producer_epoch,
        },
    };
    let partition = offsets_partition(node, &request.group_id);
    let coordinators = &node.coordinators;
    if support(context.version) != WriteSupport::Add {
        // The next transaction has the same epoch: what came after the end of this one would be
        // taken for a part of the next.
        let place = (CONSUMER_OFFSETS, partition);
        let write = || commit(node, context, request.clone());
        return match coordinators.verify_in_transaction(node, writer, place, write) {
            Ok(answer) => answer.boxed(),
            Err(code) => {
                let response = refusal(&request, |_, _| Some(client_code(context, code)));
                std::future::ready(response).boxed()
            }
        };
    }
    let partitions = [(CONSUMER_OFFSETS.to_owned(), [partition].into())].into();
    let joined = match coordinators.join_transaction(node, writer, partitions, Duration::ZERO) {
        Ok(()) => return commit(node, context, request).boxed(),
        Err(NotJoined::Refused(code)) => std::future::ready(Err(code)).boxed(),
        Err(NotJoined::Wait(joined)) => joined,
    };
    let (node, context) = (Arc::clone(node), context.clone());
    async move {
        match joined.await {
            Ok(()) => commit(&node, &context, request).await,
            Err(code) => refusal(&request, |_, _| Some(client_code(&context, code))),
        }
    }
    .boxed()
}

fn commit(
    node: &Arc<Node>,
    context: &RequestContext,
    request: TxnOffsetCommitRequest,
) -> impl Future<Output = TxnOffsetCommitResponse> + use<> {
    let group_id = request.group_id.clone();
    let answer = to_group(node, context, &group_id, Request::TxnOffsetCommit(request));
    async {
        own_kind(match answer.await {
            Response::TxnOffsetCommit(response) => Some(response),
            _ => None,
        })
    }
}

fn with(
    mut response: TxnOffsetCommitResponse,
    refused: TxnOffsetCommitResponse,
) -> TxnOffsetCommitResponse {
    // One entry for each topic, as clients look them up by name.
    let mut places = places(response.topics.iter().map(|topic| &topic.name));
    for topic in refused.topics {
        let end = response.topics.len();
        let place = *places.entry(topic.name.clone()).or_insert(end);
        match response.topics.get_mut(place) {
            Some(other) => other.partitions.extend(topic.partitions),
            None => response.topics.push(topic),
        }
    }
    response
}

/// What clients of a version know about transactions (KIP-890).
fn support(version: i16) -> WriteSupport {
    match version {
        ..=3 => WriteSupport::Plain,
        4 => WriteSupport::AbortableError,
        5.. => WriteSupport::Add,
    }
}

fn client_code(context: &RequestContext, code: ErrorCode) -> ErrorCode {
    support(context.version).code(code)
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
