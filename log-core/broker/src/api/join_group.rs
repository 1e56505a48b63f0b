//! JoinGroup: a member enters a classic group, or comes back to it.

use std::sync::Arc;

use headwater_coordination::groups::{Request, Response};
use headwater_wire::messages::join_group::{JoinGroupRequest, JoinGroupResponse};
use uuid::Builder;

use super::coordinated::{client, own_kind, to_group};
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;

pub(crate) struct JoinGroup;

impl Handler for JoinGroup {
    type Request = JoinGroupRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: JoinGroupRequest,
    ) -> Reply<JoinGroupResponse> {
        let group_id = request.group_id.clone();
        let fresh = Builder::from_random_bytes(node.random.bytes16()).into_uuid();
        let request = Request::Join {
            request,
            client: client(context),
            fresh,
        };
        let answer = to_group(node, context, &group_id, request);
        Reply::later(async {
            own_kind(match answer.await {
                Response::Join(response) => Some(response),
                _ => None,
            })
        })
    }
}
