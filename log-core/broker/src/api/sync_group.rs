//! SyncGroup: the assignment of a classic group.

use std::sync::Arc;

use headwater_coordination::groups::{Request, Response};
use headwater_wire::ErrorCode;
use headwater_wire::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};

use super::coordinated::{own_kind, to_group};
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;

pub(crate) struct SyncGroup;

/// From this version on members have to say which protocol they follow (KIP-559).
const PROTOCOL_FROM: i16 = 5;

impl Handler for SyncGroup {
    type Request = SyncGroupRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: SyncGroupRequest,
    ) -> Reply<SyncGroupResponse> {
        let lacks_protocol = request.protocol_type.is_none() || request.protocol_name.is_none();
        if context.version >= PROTOCOL_FROM && lacks_protocol {
            return Reply::Now(SyncGroupResponse {
                error_code: ErrorCode::InconsistentGroupProtocol.code(),
                ..Default::default()
            });
        }
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
