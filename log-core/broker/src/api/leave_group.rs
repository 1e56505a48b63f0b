//! LeaveGroup: members leave a classic group.

use std::sync::Arc;

use headwater_coordination::groups::{Request, Response};
use headwater_wire::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse};

use super::coordinated::{own_kind, to_group};
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;

pub(crate) struct LeaveGroup;

impl Handler for LeaveGroup {
    type Request = LeaveGroupRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: LeaveGroupRequest,
    ) -> Reply<LeaveGroupResponse> {
        let group_id = request.group_id.clone();
        let answer = to_group(node, context, &group_id, Request::Leave(request));
        Reply::later(async {
            own_kind(match answer.await {
                Response::Leave(response) => Some(response),
                _ => None,
            })
        })
    }
}
