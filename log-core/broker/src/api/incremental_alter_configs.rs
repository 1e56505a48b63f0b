//! IncrementalAlterConfigs: sets, removes, extends and shortens single settings (KIP-339).

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};

use super::configs::{
    APPEND, DELETE, Kind, NamedOnce, Resource, SET, SUBTRACT, alter_levels, outcome,
};
use super::{Handler, Reply};
use crate::config::ValueKind;
use crate::context::RequestContext;
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
            let named = request.resources.iter();
            let once =
                NamedOnce::new(named.map(|it| (it.resource_type, it.resource_name.as_str())));
            let mut responses = Vec::with_capacity(request.resources.len());
            for resource in request.resources {
                let result = match once.check(resource.resource_type, &resource.resource_name) {
                    Ok(()) => alter(&node, &resource, request.validate_only).await,
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
            IncrementalAlterConfigsResponse {
                responses,
                ..Default::default()
            }
        })
    }
}

async fn alter(
    node: &Node,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), TopicRefused> {
    check_form(&resource.configs)?;
    if resource.resource_type == Kind::BrokerLogger.code() {
        return alter_levels(node, resource, validate_only);
    }
    let _one_at_a_time = node.changing_configs.lock().await;
    let found = Resource::named(node, resource.resource_type, &resource.resource_name)?;
    let own = found.own_values(node);
    let mut changes = BTreeMap::new();
    for config in &resource.configs {
        let change = change(node, &found, config, own.get(&config.name))?;
        changes.insert(config.name.clone(), change);
    }
    let mut after = own;
    for (name, value) in &changes {
        match value {
            Some(value) => after.insert(name.clone(), value.clone()),
            None => after.remove(name),
        };
    }
    // As in Kafka, what cannot be said of any topic is told before that there is none of the name.
    found.check(node, &after)?;
    found.check_exists(node)?;
    if !validate_only && !changes.is_empty() {
        node.change_metadata(found.change(changes)).await?;
    }
    Ok(())
}

/// Checks what can be told without knowing what is configured.
fn check_form(configs: &[AlterableConfig]) -> Result<(), TopicRefused> {
    let refuse = |message| Err(TopicRefused::new(ErrorCode::InvalidRequest, message));
    let mut seen = HashSet::new();
    for AlterableConfig { name, .. } in configs {
        if !seen.insert(name) {
            return refuse(format!("{name} is changed more than once in the request"));
        }
    }
    for config in configs {
        if config.config_operation != DELETE && config.value.is_none() {
            return refuse(format!("{} needs a value", config.name));
        }
    }
    Ok(())
}

/// The value a setting is to have; `None` returns it to its default.
fn change(
    node: &Node,
    resource: &Resource,
    config: &AlterableConfig,
    own: Option<&String>,
) -> Result<Option<String>, TopicRefused> {
    let name = &config.name;
    let operation = match config.config_operation {
        DELETE => return Ok(None),
        SET | APPEND | SUBTRACT => config.config_operation,
        other => {
            let message = format!("unknown operation {other} on {name}");
            return Err(TopicRefused::new(ErrorCode::InvalidRequest, message));
        }
    };
    let value = config.value.as_deref().unwrap_or_default();
    if operation == SET {
        return Ok(Some(value.to_owned()));
    }
    if !resource.kind_of(name).is_some_and(ValueKind::is_list) {
        return Err(TopicRefused::new(
            ErrorCode::InvalidConfig,
            format!("{name} is no list: set it instead of adding or removing"),
        ));
    }
    let current = own.cloned().or_else(|| resource.inherited(node, name));
    let current = current.unwrap_or_default();
    let mut items: Vec<&str> = items(&current).collect();
    let named = value.split(',').map(str::trim);
    for item in named.filter(|item| !item.is_empty()) {
        match operation {
            APPEND if items.contains(&item) => {}
            APPEND => items.push(item),
            _ => items.retain(|have| *have != item),
        }
    }
    Ok(Some(items.join(",")))
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}
