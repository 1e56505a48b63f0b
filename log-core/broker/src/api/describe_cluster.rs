//! DescribeCluster: brokers, controller, cluster id (KIP-700).

use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};

use super::{Handler, Reply, authorized_operations};
use crate::context::RequestContext;
use crate::node::Node;

pub(crate) struct DescribeCluster;

/// `endpoint_type` that asks for brokers.
const BROKERS: i8 = 1;
/// `endpoint_type` that asks for controllers, which have no endpoint of their own here.
const CONTROLLERS: i8 = 2;

impl Handler for DescribeCluster {
    type Request = DescribeClusterRequest;

    fn start(
        node: &Arc<Node>,
        _context: &RequestContext,
        request: DescribeClusterRequest,
    ) -> Reply<DescribeClusterResponse> {
        if request.endpoint_type != BROKERS {
            let (error, message) = if request.endpoint_type == CONTROLLERS {
                let message = "this is a broker's endpoint; ask for brokers".to_owned();
                (ErrorCode::MismatchedEndpointType, message)
            } else {
                let message = format!("there is no endpoint of type {}", request.endpoint_type);
                (ErrorCode::UnsupportedEndpointType, message)
            };
            return Reply::Now(DescribeClusterResponse {
                error_code: error.code(),
                error_message: Some(message),
                endpoint_type: BROKERS,
                ..Default::default()
            });
        }
        let topics = node.topics.load();
        let brokers = topics
            .image
            .brokers
            .iter()
            .map(|(id, broker)| DescribeClusterBroker {
                broker_id: *id,
                host: broker.host.clone(),
                port: i32::from(broker.port),
                rack: broker.rack.clone(),
                ..Default::default()
            });
        let mut response = DescribeClusterResponse {
            endpoint_type: BROKERS,
            cluster_id: topics.image.cluster_id.clone(),
            controller_id: node.controller_id(),
            brokers: brokers.collect(),
            ..Default::default()
        };
        if request.include_cluster_authorized_operations {
            response.cluster_authorized_operations = authorized_operations::CLUSTER;
        }
        Reply::Now(response)
    }
}
