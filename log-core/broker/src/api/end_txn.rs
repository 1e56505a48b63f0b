//! EndTxn: a transaction is committed or aborted.

use std::sync::Arc;

use futures::future::BoxFuture;
use headwater_coordination::transactions::{Request, Response};
use headwater_storage::PartitionLog;
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
            false => Some(Vec::new()),
        };
        let request = Request::End(request);
        if relaxed.as_ref().is_some_and(Vec::is_empty) {
            return Reply::later(answer(submit(node, &id, version, request)));
        }
        let node = Arc::clone(node);
        Reply::later(async move {
            // Undecided: the client tries again until the transaction times out.
            let refused = |code: ErrorCode| EndTxnResponse {
                error_code: code.code(),
                ..Default::default()
            };
            let relaxed = match relaxed {
                Some(relaxed) => relaxed,
                None => match relaxed_once_loaded(&node, &id, version).await {
                    Some(relaxed) => relaxed,
                    None => return refused(ErrorCode::CoordinatorLoadInProgress),
                },
            };
            if let Err(error) = sync_relaxed(&node, relaxed).await {
                tracing::error!(%error, transactional_id = id, "a transaction cannot be committed yet");
                return refused(ErrorCode::CoordinatorNotAvailable);
            }
            answer(submit(&node, &id, version, request)).await
        })
    }
}

/// Which partitions have to be synced is known when the coordinator is loaded, and so answers, or
/// cannot be.
async fn relaxed_once_loaded(
    node: &Arc<Node>,
    id: &str,
    version: i16,
) -> Option<Vec<Arc<PartitionLog>>> {
    submit(node, id, version, Request::Describe(id.to_owned())).await;
    node.coordinators.relaxed_in_transaction(node, id)
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
