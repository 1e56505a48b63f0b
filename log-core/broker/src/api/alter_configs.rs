//! AlterConfigs: replaces a resource's configuration as a whole. Deprecated for
//! IncrementalAlterConfigs (KIP-339), and still what older tools send.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse,
};

use super::configs::Resource;
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
            let mut times = HashMap::new();
            for resource in &request.resources {
                let of = (resource.resource_type, resource.resource_name.clone());
                *times.entry(of).or_insert(0_u32) += 1;
            }
            let mut responses = Vec::with_capacity(request.resources.len());
            for resource in request.resources {
                let of = (resource.resource_type, resource.resource_name.clone());
                let result = match times.get(&of) {
                    Some(1) => replace(&node, &resource, request.validate_only).await,
                    _ => Err(TopicRefused::new(
                        ErrorCode::InvalidRequest,
                        "the resource is named more than once in the request",
                    )),
                };
                responses.push(response(resource, result));
            }
            AlterConfigsResponse {
                responses,
                ..Default::default()
            }
        })
    }
}

fn response(
    resource: AlterConfigsResource,
    result: Result<(), TopicRefused>,
) -> AlterConfigsResourceResponse {
    let (error_code, error_message) = match result {
        Ok(()) => (ErrorCode::None, None),
        Err(refused) => (refused.code, Some(refused.message)),
    };
    AlterConfigsResourceResponse {
        error_code: error_code.code(),
        error_message,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name,
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
