//! AddOffsetsToTxn: a group's offsets become part of a transaction.

use std::sync::Arc;

use headwater_coordination::transactions::{Request, Response};
use headwater_wire::messages::add_offsets_to_txn::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse,
};

use super::coordinated::own_kind;
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
        let id = request.transactional_id.clone();
        let request = Request::AddOffsets(request);
        let answer = node
            .coordinators
            .transactions
            .submit(node, &id, context.version, request);
        let node = Arc::clone(node);
        Reply::later(async move {
            // The offsets follow at once; where they go has to be there by then.
            if let Err(error) = node.coordinators.groups.ensure(&node).await {
                tracing::warn!(%error, "no topic for offsets yet");
            }
            own_kind(match answer.await {
                Response::AddOffsets(response) => Some(response),
                _ => None,
            })
        })
    }
}
