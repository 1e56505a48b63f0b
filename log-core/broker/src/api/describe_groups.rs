//! DescribeGroups: states and members of classic groups.

use std::sync::Arc;

use headwater_coordination::groups::{Request, Response};
use headwater_wire::messages::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup,
};

use super::coordinated::{by_partition, collect, each_once, to_group};
use super::{Handler, Reply, authorized_operations};
use crate::context::RequestContext;
use crate::node::Node;

pub(crate) struct DescribeGroups;

impl Handler for DescribeGroups {
    type Request = DescribeGroupsRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: DescribeGroupsRequest,
    ) -> Reply<DescribeGroupsResponse> {
        let wants_operations = request.include_authorized_operations;
        let answers = by_partition(node, each_once(request.groups), String::as_str)
            .into_iter()
            .map(|(key, groups)| {
                let part = DescribeGroupsRequest {
                    groups,
                    ..Default::default()
                };
                to_group(node, context, &key, Request::Describe(part))
            })
            .collect();
        Reply::later(async move {
            let mut groups: Vec<DescribedGroup> = collect(answers, |answer| match answer {
                Response::Describe(response) => Some(response.groups),
                _ => None,
            })
            .await;
            if wants_operations {
                for group in groups.iter_mut().filter(|group| group.error_code == 0) {
                    group.authorized_operations = authorized_operations::GROUP;
                }
            }
            DescribeGroupsResponse {
                groups,
                ..Default::default()
            }
        })
    }
}
