//! DescribeConfigs: settings with their sources (KIP-226).

use std::collections::HashMap;
use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};

use super::configs::{ConfigEntry, Resource, entries};
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::live_config::Synonym;
use crate::node::Node;
use crate::topic_creation::TopicRefused;

pub(crate) struct DescribeConfigs;

/// Resources of the kinds that are there under any name that one request may describe: a name of
/// few bytes has an answer of thousands.
const ANY_NAME_MAX: usize = 1_000;

/// What the request wants besides names and values.
#[derive(Clone, Copy)]
struct Detail {
    synonyms: bool,
    documentation: bool,
}

impl Handler for DescribeConfigs {
    type Request = DescribeConfigsRequest;

    fn start(
        node: &Arc<Node>,
        _context: &RequestContext,
        request: DescribeConfigsRequest,
    ) -> Reply<DescribeConfigsResponse> {
        let detail = Detail {
            synonyms: request.include_synonyms,
            documentation: request.include_documentation,
        };
        let resources = each_once(request.resources);
        let node = Arc::clone(node);
        Reply::later(async move {
            let described =
                tokio::task::spawn_blocking(move || describe(&node, resources, detail)).await;
            let results = described.unwrap_or_else(|error| {
                tracing::error!(%error, "describing configurations failed");
                Vec::new()
            });
            DescribeConfigsResponse {
                results,
                ..Default::default()
            }
        })
    }
}

/// The resources, each once, as clients key the answer by them. Of one that is named more than once
/// whatever was asked for is shown.
fn each_once(named: Vec<DescribeConfigsResource>) -> Vec<DescribeConfigsResource> {
    let mut places: HashMap<(i8, String), usize> = HashMap::with_capacity(named.len());
    let mut resources: Vec<DescribeConfigsResource> = Vec::with_capacity(named.len());
    for resource in named {
        let key = (resource.resource_type, resource.resource_name.clone());
        let Some(before) = places.get(&key).and_then(|at| resources.get_mut(*at)) else {
            places.insert(key, resources.len());
            resources.push(resource);
            continue;
        };
        let is_all = |keys: &Option<Vec<String>>| keys.as_ref().is_none_or(Vec::is_empty);
        if is_all(&before.configuration_keys) || is_all(&resource.configuration_keys) {
            before.configuration_keys = None;
        } else if let (Some(keys), Some(more)) =
            (&mut before.configuration_keys, resource.configuration_keys)
        {
            keys.extend(more);
        }
    }
    resources
}

fn describe(
    node: &Node,
    resources: Vec<DescribeConfigsResource>,
    detail: Detail,
) -> Vec<DescribeConfigsResult> {
    let mut any_names = 0_usize;
    let describe = |resource: DescribeConfigsResource| {
        let found = Resource::find(node, resource.resource_type, &resource.resource_name);
        let has_any_name = matches!(found, Ok(Resource::Group(_) | Resource::ClientMetrics(_)));
        any_names += usize::from(has_any_name);
        let found = if has_any_name && any_names > ANY_NAME_MAX {
            Err(TopicRefused::new(
                ErrorCode::InvalidRequest,
                format!(
                    "one request may describe {ANY_NAME_MAX} groups and client metrics subscriptions; ask again for the others"
                ),
            ))
        } else {
            found.map(|found| entries(node, &found))
        };
        result(resource, found, detail)
    };
    resources.into_iter().map(describe).collect()
}

fn result(
    resource: DescribeConfigsResource,
    found: Result<Vec<ConfigEntry>, TopicRefused>,
    detail: Detail,
) -> DescribeConfigsResult {
    let (error_code, error_message, entries) = match found {
        Ok(entries) => (ErrorCode::None, Some(String::new()), entries),
        Err(refused) => (refused.code, Some(refused.message), Vec::new()),
    };
    let is_wanted = |entry: &ConfigEntry| match &resource.configuration_keys {
        // None named means all, as none at all does.
        Some(names) if !names.is_empty() => names.iter().any(|name| name == entry.name),
        _ => true,
    };
    let configs = entries.into_iter().filter(is_wanted);
    DescribeConfigsResult {
        error_code: error_code.code(),
        error_message,
        configs: configs.map(|entry| described(entry, detail)).collect(),
        resource_type: resource.resource_type,
        resource_name: resource.resource_name,
    }
}

fn described(entry: ConfigEntry, detail: Detail) -> DescribeConfigsResourceResult {
    let synonym = |synonym: Synonym| DescribeConfigsSynonym {
        name: synonym.name.to_owned(),
        value: Some(synonym.value),
        source: synonym.source.code(),
    };
    let synonyms = detail.synonyms.then_some(entry.synonyms);
    let synonyms = synonyms.unwrap_or_default();
    DescribeConfigsResourceResult {
        name: entry.name.to_owned(),
        value: entry.value,
        read_only: entry.is_read_only,
        config_source: entry.source.code(),
        is_sensitive: false,
        synonyms: synonyms.into_iter().map(synonym).collect(),
        config_type: entry.kind.code(),
        documentation: detail
            .documentation
            .then(|| entry.documentation.into_owned()),
    }
}
