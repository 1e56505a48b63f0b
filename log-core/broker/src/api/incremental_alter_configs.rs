//! IncrementalAlterConfigs: sets, removes, extends and shortens single settings (KIP-339).

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};

use super::configs;
use super::{Handler, Reply};
use crate::config::{TopicConfig, topic_key};
use crate::context::RequestContext;
use crate::metadata::Command;
use crate::node::Node;
use crate::topic_creation::TopicRefused;

pub(crate) struct IncrementalAlterConfigs;

impl Handler for IncrementalAlterConfigs {
    type Request = IncrementalAlterConfigsRequest;

    fn start(
        node: &Arc<Node>,
        _context: &RequestContext,
        request: IncrementalAlterConfigsRequest,
    ) -> Reply<IncrementalAlterConfigsResponse> {
        let node = Arc::clone(node);
        Reply::later(async move {
            let mut seen = HashSet::new();
            let mut responses = Vec::with_capacity(request.resources.len());
            for resource in request.resources {
                let first = seen.insert((resource.resource_type, resource.resource_name.clone()));
                let result = if first {
                    alter(&node, &resource, request.validate_only).await
                } else {
                    let message = "the resource is named more than once in the request";
                    Err(TopicRefused::new(ErrorCode::InvalidRequest, message))
                };
                responses.push(response(resource, result));
            }
            IncrementalAlterConfigsResponse {
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

async fn alter(
    node: &Node,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), TopicRefused> {
    configs::only_topics(resource.resource_type)?;
    let id = node.topic_id(&resource.resource_name)?;
    let topics = node.topics.load();
    let own = topics
        .by_id(id)
        .map(|topic| topic.image.configs.clone())
        .unwrap_or_default();
    let mut changes = BTreeMap::new();
    for config in &resource.configs {
        let current = own
            .get(&config.name)
            .map(String::as_str)
            .or_else(|| node.config.topic_defaults.get(&config.name))
            .or_else(|| topic_key(&config.name).and_then(|key| key.default));
        if changes
            .insert(config.name.clone(), change(config, current)?)
            .is_some()
        {
            let message = format!("{} is changed more than once in the request", config.name);
            return Err(TopicRefused::new(ErrorCode::InvalidRequest, message));
        }
    }
    let mut after = own;
    for (name, value) in &changes {
        match value {
            Some(value) => after.insert(name.clone(), value.clone()),
            None => after.remove(name),
        };
    }
    TopicConfig::new(&node.config.topic_defaults, &after)?;
    if !validate_only && !changes.is_empty() {
        node.change_metadata(Command::ChangeTopicConfig { id, changes })
            .await?;
    }
    Ok(())
}

/// The value a setting is to have; `None` returns it to its default.
fn change(config: &AlterableConfig, current: Option<&str>) -> Result<Option<String>, TopicRefused> {
    let refuse = |message: String| TopicRefused::new(ErrorCode::InvalidConfig, message);
    let name = &config.name;
    let Some(key) = topic_key(name) else {
        return Err(refuse(format!("unknown topic config name: {name}")));
    };
    if config.config_operation == 1 {
        return Ok(None);
    }
    let value = config.value.as_deref();
    let value = value.ok_or_else(|| refuse(format!("{name} needs a value")))?;
    if config.config_operation == 0 {
        return Ok(Some(value.to_owned()));
    }
    if !key.shape.kind.is_list() {
        return Err(refuse(format!(
            "{name} is no list: set it instead of adding or removing"
        )));
    }
    let mut items: Vec<&str> = current
        .unwrap_or_default()
        .split(',')
        .filter(|s| !s.is_empty())
        .collect();
    match config.config_operation {
        2 => items.extend(value.split(',').filter(|item| {
            !current
                .unwrap_or_default()
                .split(',')
                .any(|have| have == *item)
        })),
        3 => items.retain(|item| !value.split(',').any(|gone| gone == *item)),
        other => {
            let message = format!("unknown operation {other} on {name}");
            return Err(TopicRefused::new(ErrorCode::InvalidRequest, message));
        }
    }
    Ok(Some(items.join(",")))
}
