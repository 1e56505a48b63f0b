//! ConsumerGroupHeartbeat: membership in groups of the consumer protocol (KIP-848).

use std::sync::Arc;

use headwater_coordination::groups::{Request, Response};
use headwater_wire::ErrorCode;
use headwater_wire::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
};
use uuid::Builder;

use super::coordinated::{NOT_SERVED, client, own_kind, serves_consumer_protocol, to_group};
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;

pub(crate) struct ConsumerGroupHeartbeat;

impl Handler for ConsumerGroupHeartbeat {
    type Request = ConsumerGroupHeartbeatRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: ConsumerGroupHeartbeatRequest,
    ) -> Reply<ConsumerGroupHeartbeatResponse> {
        if !serves_consumer_protocol(node) {
            return Reply::Now(ConsumerGroupHeartbeatResponse {
                error_code: ErrorCode::UnsupportedVersion.code(),
                error_message: Some(NOT_SERVED.to_owned()),
                ..Default::default()
            });
        }
        let group_id = request.group_id.clone();
        let request = Request::ConsumerHeartbeat {
            request,
            client: client(context),
            fresh: Builder::from_random_bytes(node.random.bytes16()).into_uuid(),
        };
        let answer = to_group(node, context, &group_id, request);
        Reply::later(async {
            own_kind(match answer.await {
                Response::ConsumerHeartbeat(response) => Some(response),
                _ => None,
            })
        })
    }
}
