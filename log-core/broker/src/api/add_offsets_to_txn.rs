//! AddOffsetsToTxn: a group's offsets become part of a transaction.

use std::sync::Arc;

use futures::future::BoxFuture;
use headwater_coordination::transactions::{Request, Response};
use headwater_wire::ErrorCode;
use headwater_wire::messages::add_offsets_to_txn::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse,
};

use super::coordinated::{offsets_partition, own_kind};
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;

pub(crate) struct AddOffsetsToTxn;

impl Handler for AddOffsetsToTxn {
    type Request = AddOffsetsToTxnRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: AddOffsetsToTxnRequest,
    ) -> Reply<AddOffsetsToTxnResponse> {
        let version = context.version;
        if node.coordinators.groups.partitions().is_some() {
            return Reply::later(answer(submit(node, version, request)));
        }
        let node = Arc::clone(node);
        Reply::later(async move {
            // Where the group's offsets go is known when their topic is there.
            if let Err(error) = node.coordinators.groups.ensure(&node).await {
                tracing::warn!(%error, "no topic for offsets yet");
                return AddOffsetsToTxnResponse {
                    error_code: ErrorCode::CoordinatorNotAvailable.code(),
                    ..Default::default()
                };
            }
            answer(submit(&node, version, request)).await
        })
    }
}

fn submit(
    node: &Arc<Node>,
    version: i16,
    request: AddOffsetsToTxnRequest,
) -> BoxFuture<'static, Response> {
    let id = request.transactional_id.clone();
    let partition = offsets_partition(node, &request.group_id);
    let request = Request::AddOffsets { request, partition };
    let transactions = &node.coordinators.transactions;
    transactions.submit(node, &id, version, request)
}

async fn answer(answer: BoxFuture<'static, Response>) -> AddOffsetsToTxnResponse {
    own_kind(match answer.await {
        Response::AddOffsets(response) => Some(response),
        _ => None,
    })
}
