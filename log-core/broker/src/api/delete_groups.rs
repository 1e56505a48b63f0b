//! DeleteGroups: empty groups and their offsets are forgotten.

use std::sync::Arc;

use headwater_coordination::groups::{Request, Response};
use headwater_wire::messages::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};

use super::coordinated::{by_partition, collect, to_group};
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;

pub(crate) struct DeleteGroups;

impl Handler for DeleteGroups {
    type Request = DeleteGroupsRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: DeleteGroupsRequest,
    ) -> Reply<DeleteGroupsResponse> {
        let answers = by_partition(node, request.groups_names, String::as_str)
            .into_iter()
            .map(|(key, groups_names)| {
                let part = DeleteGroupsRequest { groups_names };
                to_group(node, context, &key, Request::Delete(part))
            })
            .collect();
        Reply::later(async {
            let results = collect(answers, |answer| match answer {
                Response::Delete(response) => Some(response.results),
                _ => None,
            })
            .await;
            DeleteGroupsResponse {
                results,
                ..Default::default()
            }
        })
    }
}
