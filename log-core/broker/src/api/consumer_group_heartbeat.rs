//! ConsumerGroupHeartbeat: membership in groups of the consumer protocol (KIP-848).

use std::sync::Arc;

use headwater_coordination::groups::{Request, Response, TopicPattern};
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
        let pattern = compiled(node, &request);
        let request = Request::ConsumerHeartbeat {
            request,
            client: client(context),
            pattern,
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

/// The request's pattern of topics, unless the request will have to wait: too many patterns would
/// take too much memory meanwhile.
fn compiled(node: &Node, request: &ConsumerGroupHeartbeatRequest) -> Option<TopicPattern> {
    request.subscribed_topic_regex.as_ref()?;
    let partition = node.coordinators.groups.partition(&request.group_id)?;
    let pattern = partition.is_active().then(|| TopicPattern::of(request));
    pattern.flatten()
}
