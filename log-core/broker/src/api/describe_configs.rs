//! DescribeConfigs: settings with their sources (KIP-226).

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
        let describe = |resource: DescribeConfigsResource| {
            let found = Resource::find(node, resource.resource_type, &resource.resource_name);
            let found = found.map(|found| entries(node, &found));
            result(resource, found, detail)
        };
        let results = request.resources.into_iter().map(describe).collect();
        Reply::Now(DescribeConfigsResponse {
            results,
            ..Default::default()
        })
    }
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
