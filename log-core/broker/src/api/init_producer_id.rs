//! InitProducerId: an idempotent or transactional producer comes into being, or comes back.

use std::sync::Arc;

use headwater_coordination::transactions::{Request, Response};
use headwater_wire::ErrorCode;
use headwater_wire::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

use super::coordinated::own_kind;
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;

pub(crate) struct InitProducerId;

impl Handler for InitProducerId {
    type Request = InitProducerIdRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: InitProducerIdRequest,
    ) -> Reply<InitProducerIdResponse> {
        // Either both are known or neither is.
        if (request.producer_id == -1) != (request.producer_epoch == -1) {
            return Reply::Now(InitProducerIdResponse {
                error_code: ErrorCode::InvalidRequest.code(),
                producer_id: -1,
                producer_epoch: -1,
                ..Default::default()
            });
        }
        let (node, version) = (Arc::clone(node), context.version);
        Reply::later(async move {
            let fresh = match node.coordinators.next_producer_id(&node).await {
                Ok(fresh) => fresh,
                Err(error) => {
                    tracing::warn!(%error, "no producer id can be had");
                    let code = ErrorCode::CoordinatorNotAvailable;
                    let request = Request::InitProducerId { request, fresh: -1 };
                    return unwrap(request.refused(version, code));
                }
            };
            let Some(id) = request.transactional_id.clone() else {
                // Nothing is kept of a producer without transactions, so no coordinator is asked.
                return InitProducerIdResponse {
                    producer_id: fresh,
                    producer_epoch: 0,
                    ..Default::default()
                };
            };
            let request = Request::InitProducerId { request, fresh };
            unwrap(
                node.coordinators
                    .transactions
                    .submit(&node, &id, version, request)
                    .await,
            )
        })
    }
}

fn unwrap(response: Response) -> InitProducerIdResponse {
    own_kind(match response {
        Response::InitProducerId(response) => Some(response),
        _ => None,
    })
}
