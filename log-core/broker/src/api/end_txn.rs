//! EndTxn: a transaction is committed or aborted.

use std::sync::Arc;

use headwater_coordination::transactions::{Request, Response};
use headwater_wire::messages::end_txn::{EndTxnRequest, EndTxnResponse};

use super::coordinated::own_kind;
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;

pub(crate) struct EndTxn;

impl Handler for EndTxn {
    type Request = EndTxnRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: EndTxnRequest,
    ) -> Reply<EndTxnResponse> {
        let id = request.transactional_id.clone();
        let request = Request::End(request);
        let answer = node
            .coordinators
            .transactions
            .submit(node, &id, context.version, request);
        Reply::later(async {
            own_kind(match answer.await {
                Response::End(response) => Some(response),
                _ => None,
            })
        })
    }
}
