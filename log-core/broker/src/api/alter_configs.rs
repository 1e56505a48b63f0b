//! AlterConfigs: replaces a resource's configuration as a whole. Deprecated for
//! IncrementalAlterConfigs (KIP-339), and still what older tools send.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse,
};

use super::configs::{NamedOnce, Resource, outcome};
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;
use crate::topic_creation::TopicRefused;

pub(crate) struct AlterConfigs;

impl Handler for AlterConfigs {
    type Request = AlterConfigsRequest;

    fn start(
        node: &Arc<Node>,
        _context: &RequestContext,
        request: AlterConfigsRequest,
    ) -> Reply<AlterConfigsResponse> {
        let node = Arc::clone(node);
        Reply::later(async move {
            let named = request.resources.iter();
            let once =
                NamedOnce::new(named.map(|it| (it.resource_type, it.resource_name.as_str())));
            let mut responses = Vec::with_capacity(request.resources.len());
            for resource in request.resources {
                let result = match once.check(resource.resource_type, &resource.resource_name) {
                    Ok(()) => replace(&node, &resource, request.validate_only).await,
                    refused => refused,
                };
                let (error_code, error_message) = outcome(result);
                responses.push(AlterConfigsResourceResponse {
                    error_code,
                    error_message,
                    resource_type: resource.resource_type,
                    resource_name: resource.resource_name,
                });
            }
            AlterConfigsResponse {
                responses,
                ..Default::default()
            }
        })
    }
}

async fn replace(
    node: &Node,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), TopicRefused> {
    let mut after = BTreeMap::new();
    for config in &resource.configs {
        let Some(value) = &config.value else {
            let message = format!("{} needs a value", config.name);
            return Err(TopicRefused::new(ErrorCode::InvalidRequest, message));
        };
        let before = after.insert(config.name.clone(), value.clone());
        if before.is_some() {
            let message = format!("{} is set more than once in the request", config.name);
            return Err(TopicRefused::new(ErrorCode::InvalidRequest, message));
        }
    }
    let _one_at_a_time = node.changing_configs.lock().await;
    let found = Resource::named(node, resource.resource_type, &resource.resource_name)?;
    // As in Kafka, what cannot be said of any topic is told before that there is none of the name.
    found.check(node, &after)?;
    found.check_exists(node)?;
    if validate_only {
        return Ok(());
    }
    let before = found.own_values(node);
    let mut changes: BTreeMap<_, _> = before.into_keys().map(|name| (name, None)).collect();
    changes.extend(after.into_iter().map(|(name, value)| (name, Some(value))));
    if !changes.is_empty() {
        node.change_metadata(found.change(changes)).await?;
    }
    Ok(())
}
