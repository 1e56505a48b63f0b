//! FindCoordinator: which broker answers for a group or a transactional id.

use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};

use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;
use crate::topic_creation::TopicRefused;

pub(crate) struct FindCoordinator;

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
/// From this version on the request names several keys.
const BATCHED_FROM: i16 = 4;

impl Handler for FindCoordinator {
    type Request = FindCoordinatorRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: FindCoordinatorRequest,
    ) -> Reply<FindCoordinatorResponse> {
        let (node, version) = (Arc::clone(node), context.version);
        Reply::later(async move {
            let found = match find(&node, request.key_type).await {
                Ok(found) => found,
                Err(refused) => Coordinator {
                    node_id: -1,
                    port: -1,
                    error_code: refused.code.code(),
                    error_message: Some(refused.message),
                    ..Default::default()
                },
            };
            if version < BATCHED_FROM {
                return FindCoordinatorResponse {
                    error_code: found.error_code,
                    error_message: found.error_message,
                    node_id: found.node_id,
                    host: found.host,
                    port: found.port,
                    ..Default::default()
                };
            }
            let coordinators = request
                .coordinator_keys
                .into_iter()
                .map(|key| Coordinator {
                    key,
                    ..found.clone()
                })
                .collect();
            FindCoordinatorResponse {
                coordinators,
                ..Default::default()
            }
        })
    }
}

/// This node, which coordinates everything, once the topic for it is there.
async fn find(node: &Arc<Node>, key_type: i8) -> Result<Coordinator, TopicRefused> {
    let made = match key_type {
        GROUP => node.coordinators.groups.ensure(node).await,
        TRANSACTION => node.coordinators.transactions.ensure(node).await,
        other => Err(TopicRefused::new(
            ErrorCode::InvalidRequest,
            format!(
                "coordinators of type {other} are not served; 0 is for groups, 1 for transactions"
            ),
        )),
    };
    made.map_err(|refused| match refused.code {
        ErrorCode::InvalidRequest => refused,
        _ => TopicRefused::new(ErrorCode::CoordinatorNotAvailable, refused.message),
    })?;
    let topics = node.topics.load();
    let broker = topics
        .image
        .brokers
        .get(&node.config.node_id)
        .ok_or_else(|| {
            TopicRefused::new(
                ErrorCode::CoordinatorNotAvailable,
                "this node is not registered yet",
            )
        })?;
    Ok(Coordinator {
        node_id: node.config.node_id,
        host: broker.host.clone(),
        port: i32::from(broker.port),
        ..Default::default()
    })
}
