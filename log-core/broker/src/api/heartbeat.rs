//! Heartbeat: a member of a classic group lives.

use std::sync::Arc;

use headwater_coordination::groups::{Request, Response};
use headwater_wire::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};

use super::coordinated::{own_kind, to_group};
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;

pub(crate) struct Heartbeat;

impl Handler for Heartbeat {
    type Request = HeartbeatRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: HeartbeatRequest,
    ) -> Reply<HeartbeatResponse> {
        let group_id = request.group_id.clone();
        let answer = to_group(node, context, &group_id, Request::Heartbeat(request));
        Reply::later(async {
            own_kind(match answer.await {
                Response::Heartbeat(response) => Some(response),
                _ => None,
            })
        })
    }
}
