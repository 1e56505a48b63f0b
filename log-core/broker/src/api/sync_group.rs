//! SyncGroup: the assignment of a classic group.

use std::sync::Arc;

use headwater_coordination::groups::{Request, Response};
use headwater_wire::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};

use super::coordinated::{own_kind, to_group};
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;

pub(crate) struct SyncGroup;

impl Handler for SyncGroup {
    type Request = SyncGroupRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: SyncGroupRequest,
    ) -> Reply<SyncGroupResponse> {
        let group_id = request.group_id.clone();
        let answer = to_group(node, context, &group_id, Request::Sync(request));
        Reply::later(async {
            own_kind(match answer.await {
                Response::Sync(response) => Some(response),
                _ => None,
            })
        })
    }
}
