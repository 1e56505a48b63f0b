//! DescribeConfigs: settings of topics and brokers, with their sources (KIP-226).

use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};

use super::configs::{self, Effective, Source, effective};
use super::{Handler, Reply};
use crate::config::{BROKER_KEYS, BrokerConfig, BrokerKey};
use crate::context::RequestContext;
use crate::node::Node;
use crate::topic_creation::{TopicRefused, check_name};

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
            let found = match resource.resource_type {
                configs::TOPIC => topic(node, &resource.resource_name, detail),
                configs::BROKER => broker(node, &resource.resource_name, detail),
                other => Err(TopicRefused::new(
                    ErrorCode::InvalidRequest,
                    format!(
                        "resources of type {other} have no configuration here; ask for a topic (2) or a broker (4)"
                    ),
                )),
            };
            result(resource, found)
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
    found: Result<Vec<DescribeConfigsResourceResult>, TopicRefused>,
) -> DescribeConfigsResult {
    let (error_code, error_message, mut configs) = match found {
        Ok(configs) => (ErrorCode::None, None, configs),
        Err(refused) => (refused.code, Some(refused.message), Vec::new()),
    };
    if let Some(names) = &resource.configuration_keys {
        configs.retain(|config| names.contains(&config.name));
    }
    DescribeConfigsResult {
        error_code: error_code.code(),
        error_message,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name,
        configs,
    }
}

fn topic(
    node: &Node,
    name: &str,
    detail: Detail,
) -> Result<Vec<DescribeConfigsResourceResult>, TopicRefused> {
    check_name(name)?;
    let topics = node.topics.load();
    let Some(topic) = topics.by_name(name) else {
        let message = format!("topic {name} does not exist");
        return Err(TopicRefused::new(
            ErrorCode::UnknownTopicOrPartition,
            message,
        ));
    };
    let all = effective(&node.config.topic_defaults, &topic.image.configs);
    Ok(all
        .map(|config| topic_config(node, &config, detail))
        .collect())
}

fn topic_config(
    node: &Node,
    config: &Effective<'_>,
    detail: Detail,
) -> DescribeConfigsResourceResult {
    let key = config.key;
    let synonym = |name: &str, value: &str, source: Source| DescribeConfigsSynonym {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        source: source.code(),
    };
    let mut synonyms = Vec::new();
    if detail.synonyms {
        if config.source == Source::Topic {
            synonyms.push(synonym(key.name, config.value, Source::Topic));
        }
        let name = key.broker_names.first().map_or(key.name, |name| name.name);
        if let Some(value) = node.config.topic_defaults.get(key.name) {
            synonyms.push(synonym(name, value, Source::Broker));
        }
        if let Some(default) = key.default {
            synonyms.push(synonym(name, default, Source::Default));
        }
    }
    DescribeConfigsResourceResult {
        name: key.name.to_owned(),
        value: Some(config.value.to_owned()),
        config_source: config.source.code(),
        synonyms,
        config_type: key.shape.kind.code(),
        documentation: detail.documentation.then(|| key.doc.to_owned()),
        ..Default::default()
    }
}

fn broker(
    node: &Node,
    name: &str,
    detail: Detail,
) -> Result<Vec<DescribeConfigsResourceResult>, TopicRefused> {
    // An empty name asks for the settings all brokers share when they are changed at run time;
    // none can be.
    if name.is_empty() {
        return Ok(Vec::new());
    }
    if name.parse() != Ok(node.config.node_id) {
        return Err(TopicRefused::new(
            ErrorCode::InvalidRequest,
            format!(
                "this is broker {}; ask broker {name} itself for its settings",
                node.config.node_id
            ),
        ));
    }
    let built_in = BrokerConfig::built_in();
    let describe = |key: &&BrokerKey| {
        let value = key.show(&node.config);
        let default = key.show(&built_in);
        let source = if value == default {
            Source::Default
        } else {
            Source::Broker
        };
        let synonyms = [(value.clone(), Source::Broker), (default, Source::Default)]
            .into_iter()
            .filter(|(value, synonym)| {
                let counts = source == Source::Broker || *synonym == source;
                detail.synonyms && value.is_some() && counts
            })
            .map(|(value, source)| DescribeConfigsSynonym {
                name: key.name.to_owned(),
                value,
                source: source.code(),
            });
        DescribeConfigsResourceResult {
            name: key.name.to_owned(),
            synonyms: synonyms.collect(),
            value,
            read_only: true,
            config_source: source.code(),
            config_type: key.shape.kind.code(),
            documentation: detail
                .documentation
                .then(|| key.documentation().into_owned()),
            ..Default::default()
        }
    };
    Ok(BROKER_KEYS.iter().map(describe).collect())
}
