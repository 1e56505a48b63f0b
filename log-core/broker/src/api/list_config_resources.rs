//! ListConfigResources: what can be configured, and is there (KIP-1142).

use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::list_config_resources::{
    ConfigResource, ListConfigResourcesRequest, ListConfigResourcesResponse,
};

use super::configs::Kind;
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::metadata::ConfigKind;
use crate::node::Node;

pub(crate) struct ListConfigResources;

impl Handler for ListConfigResources {
    type Request = ListConfigResourcesRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: ListConfigResourcesRequest,
    ) -> Reply<ListConfigResourcesResponse> {
        // The first version knows of client metrics alone (KIP-1000).
        let wanted = match context.version {
            0 => Some(vec![Kind::ClientMetrics]),
            _ if request.resource_types.is_empty() => Some(Kind::ALL.to_vec()),
            _ => request.resource_types.into_iter().map(Kind::of).collect(),
        };
        let Some(wanted) = wanted else {
            return Reply::Now(ListConfigResourcesResponse {
                error_code: ErrorCode::UnsupportedVersion.code(),
                ..Default::default()
            });
        };
        let mut config_resources = Vec::new();
        for kind in Kind::ALL.into_iter().filter(|kind| wanted.contains(kind)) {
            let named = names(node, kind).into_iter().map(|name| ConfigResource {
                resource_name: name,
                resource_type: kind.code(),
            });
            config_resources.extend(named);
        }
        Reply::Now(ListConfigResourcesResponse {
            config_resources,
            ..Default::default()
        })
    }
}

fn names(node: &Node, kind: Kind) -> Vec<String> {
    let topics = node.topics.load();
    let live = node.live.load();
    let set = |kind| live.image().of(kind).keys().cloned().collect();
    match kind {
        Kind::Topic => topics.image.names.keys().cloned().collect(),
        Kind::Broker | Kind::BrokerLogger => {
            topics.image.brokers.keys().map(i32::to_string).collect()
        }
        Kind::ClientMetrics => set(ConfigKind::ClientMetrics),
        Kind::Group => set(ConfigKind::Group),
    }
}
