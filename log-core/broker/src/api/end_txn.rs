//! EndTxn: a transaction is committed or aborted.

use std::sync::Arc;

use futures::future::BoxFuture;
use headwater_coordination::transactions::{Request, Response};
use headwater_wire::ErrorCode;
use headwater_wire::messages::end_txn::{EndTxnRequest, EndTxnResponse};

use super::coordinated::own_kind;
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::coordinators::sync_relaxed;
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
        let version = context.version;
        let relaxed = match request.committed {
            true => node.coordinators.relaxed_in_transaction(node, &id),
            false => Vec::new(),
        };
        let request = Request::End(request);
        if relaxed.is_empty() {
            return Reply::later(answer(submit(node, &id, version, request)));
        }
        let node = Arc::clone(node);
        Reply::later(async move {
            if let Err(error) = sync_relaxed(&node, relaxed).await {
                tracing::error!(%error, transactional_id = id, "a transaction cannot be committed yet");
                // Undecided: the client tries again until the transaction times out.
                return EndTxnResponse {
                    error_code: ErrorCode::CoordinatorNotAvailable.code(),
                    ..Default::default()
                };
            }
            answer(submit(&node, &id, version, request)).await
        })
    }
}

fn submit(
    node: &Arc<Node>,
    id: &str,
    version: i16,
    request: Request,
) -> BoxFuture<'static, Response> {
    let transactions = &node.coordinators.transactions;
    transactions.submit(node, id, version, request)
}

async fn answer(answer: BoxFuture<'static, Response>) -> EndTxnResponse {
    own_kind(match answer.await {
        Response::End(response) => Some(response),
        _ => None,
    })
}
