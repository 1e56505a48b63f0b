//! ConsumerGroupDescribe: states and members of groups of the consumer protocol (KIP-848).

use std::sync::Arc;

use headwater_coordination::groups::{Request, Response};
use headwater_wire::ErrorCode;
use headwater_wire::messages::consumer_group_describe::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, DescribedGroup,
};

use super::coordinated::{
    NOT_SERVED, by_partition, collect, each_once, serves_consumer_protocol, to_group,
};
use super::{Handler, Reply, authorized_operations};
use crate::context::RequestContext;
use crate::node::Node;

pub(crate) struct ConsumerGroupDescribe;

impl Handler for ConsumerGroupDescribe {
    type Request = ConsumerGroupDescribeRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: ConsumerGroupDescribeRequest,
    ) -> Reply<ConsumerGroupDescribeResponse> {
        if !serves_consumer_protocol(node) {
            let refuse = |group_id| DescribedGroup {
                error_code: ErrorCode::UnsupportedVersion.code(),
                error_message: Some(NOT_SERVED.to_owned()),
                group_id,
                ..Default::default()
            };
            return Reply::Now(ConsumerGroupDescribeResponse {
                groups: request.group_ids.into_iter().map(refuse).collect(),
                ..Default::default()
            });
        }
        let wants_operations = request.include_authorized_operations;
        let answers = by_partition(node, each_once(request.group_ids), String::as_str)
            .into_iter()
            .map(|(key, group_ids)| {
                let part = ConsumerGroupDescribeRequest {
                    group_ids,
                    ..Default::default()
                };
                to_group(node, context, &key, Request::ConsumerDescribe(part))
            })
            .collect();
        Reply::later(async move {
            let mut groups: Vec<DescribedGroup> = collect(answers, |answer| match answer {
                Response::ConsumerDescribe(response) => Some(response.groups),
                _ => None,
            })
            .await;
            if wants_operations {
                for group in groups.iter_mut().filter(|group| group.error_code == 0) {
                    group.authorized_operations = authorized_operations::GROUP;
                }
            }
            ConsumerGroupDescribeResponse {
                groups,
                ..Default::default()
            }
        })
    }
}
