//! DescribeConfigs: settings with their sources (KIP-226).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::FutureExt;
use headwater_wire::ErrorCode;
use headwater_wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};

use super::configs::{ConfigEntry, Kind, Resource, entries, entry_count, levels};
use super::{Answer, Handler, Reply, measured};
use crate::context::RequestContext;
use crate::live_config::{Source, Synonym};
use crate::loggers::LogLevel;
use crate::node::Node;
use crate::topic_creation::TopicRefused;

pub(crate) struct DescribeConfigs;

/// Resources that one request may describe of the kinds that are there under any name, or as
/// brokers under any spelling of their id: a name of few bytes has an answer of thousands.
const ANY_NAME_MAX: usize = 1_000;

/// What an entry takes in memory and on the wire, without its own value.
const ENTRY_BYTES: usize = 400;
/// What its synonyms take more, again without its own value.
const SYNONYMS_BYTES: usize = 600;
/// What its documentation takes more.
const DOCUMENTATION_BYTES: usize = 400;

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
        let wanted = Wanted {
            resources: each_once(request.resources),
            detail,
        };
        let answer = measured::answer(Arc::clone(node), wanted, measure, describe);
        let or_nothing = |made: Option<_>| made.unwrap_or_else(|| Answer::from(Vec::new()));
        let response = |results| DescribeConfigsResponse {
            results,
            ..Default::default()
        };
        Reply::Later(
            answer
                .map(move |made| or_nothing(made).map(response))
                .boxed(),
        )
    }
}

struct Wanted {
    resources: Vec<DescribeConfigsResource>,
    detail: Detail,
}

/// Bytes that the answer takes.
fn measure(node: &Node, wanted: &Wanted) -> usize {
    let Detail {
        synonyms,
        documentation,
    } = wanted.detail;
    let of_entry = ENTRY_BYTES
        + if synonyms { SYNONYMS_BYTES } else { 0 }
        + if documentation {
            DOCUMENTATION_BYTES
        } else {
            0
        };
    let of_resource = |resource: &DescribeConfigsResource| {
        let name = resource.resource_name.as_str();
        if resource.resource_type == Kind::BrokerLogger.code() {
            let count = levels(node, name).map_or(0, |levels| levels.len());
            return (1 + count) * ENTRY_BYTES;
        }
        let Ok(found) = Resource::find(node, resource.resource_type, name) else {
            return ENTRY_BYTES;
        };
        let own = found.own_values(node);
        // In the entry, as its own synonym, and both on the wire.
        let values: usize = own.values().map(|value| 4 * value.len()).sum();
        ENTRY_BYTES + entry_count(&found, &own) * of_entry + values
    };
    wanted.resources.iter().map(of_resource).sum()
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

/// What there is to tell of a resource.
enum Found {
    Settings(Vec<ConfigEntry>),
    Levels(BTreeMap<String, LogLevel>),
}

fn find(node: &Node, kind: i8, name: &str) -> Result<Found, TopicRefused> {
    if kind == Kind::BrokerLogger.code() {
        return levels(node, name).map(Found::Levels);
    }
    let found = Resource::find(node, kind, name)?;
    Ok(Found::Settings(entries(node, &found)))
}

fn describe(node: &Node, wanted: Wanted) -> Vec<DescribeConfigsResult> {
    let detail = wanted.detail;
    let mut any_names = 0_usize;
    let describe = |resource: DescribeConfigsResource| {
        let has_any_name = Kind::of(resource.resource_type) != Some(Kind::Topic);
        any_names += usize::from(has_any_name);
        let found = if has_any_name && any_names > ANY_NAME_MAX {
            Err(TopicRefused::new(
                ErrorCode::InvalidRequest,
                format!(
                    "one request may describe {ANY_NAME_MAX} resources that are no topics; ask again for the others"
                ),
            ))
        } else {
            find(node, resource.resource_type, &resource.resource_name)
        };
        result(resource, found, detail)
    };
    wanted.resources.into_iter().map(describe).collect()
}

fn result(
    resource: DescribeConfigsResource,
    found: Result<Found, TopicRefused>,
    detail: Detail,
) -> DescribeConfigsResult {
    let is_wanted = |name: &str| match &resource.configuration_keys {
        // None named means all, as none at all does.
        Some(names) if !names.is_empty() => names.iter().any(|wanted| wanted == name),
        _ => true,
    };
    let (error_code, error_message, configs) = match found {
        Ok(Found::Settings(entries)) => {
            let wanted = entries.into_iter().filter(|entry| is_wanted(entry.name));
            let configs = wanted.map(|entry| described(entry, detail)).collect();
            (ErrorCode::None, String::new(), configs)
        }
        Ok(Found::Levels(levels)) => {
            let wanted = levels.into_iter().filter(|(logger, _)| is_wanted(logger));
            let configs = wanted.map(|(logger, level)| described_level(logger, level));
            (ErrorCode::None, String::new(), configs.collect())
        }
        Err(refused) => (refused.code, refused.message, Vec::new()),
    };
    DescribeConfigsResult {
        error_code: error_code.code(),
        error_message: Some(error_message),
        configs,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name,
    }
}

/// As Kafka shows a level: without a type, and with an empty documentation whether or not it was
/// asked for.
fn described_level(logger: String, level: LogLevel) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult {
        name: logger,
        value: Some(level.name().to_owned()),
        config_source: Source::Logger.code(),
        documentation: Some(String::new()),
        ..Default::default()
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
