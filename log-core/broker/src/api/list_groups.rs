//! ListGroups: all groups this node coordinates.

use std::sync::Arc;

use futures::future::join_all;
use headwater_coordination::groups::{Request, Response};
use headwater_wire::messages::list_groups::{ListGroupsRequest, ListGroupsResponse};

use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::coordinators::current_view;
use crate::node::Node;

pub(crate) struct ListGroups;

impl Handler for ListGroups {
    type Request = ListGroupsRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: ListGroupsRequest,
    ) -> Reply<ListGroupsResponse> {
        let answers = node.coordinators.groups.submit_to_all(context.version, || {
            (current_view(node), Request::List(request.clone()))
        });
        Reply::later(async {
            let mut all = ListGroupsResponse::default();
            for answer in join_all(answers).await {
                if let Response::List(response) = answer {
                    all.error_code = if all.error_code == 0 {
                        response.error_code
                    } else {
                        all.error_code
                    };
                    all.groups.extend(response.groups);
                }
            }
            all
        })
    }
}
