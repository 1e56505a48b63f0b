//! A resource's settings with their values and where each comes from.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Resource;
use crate::config::{
    BROKER_KEYS, GROUP_KEYS, GroupDefault, METRICS_KEYS, TOPIC_KEYS, TopicKey, Update, ValueKind,
    broker_key,
};
use crate::live_config::{LiveConfig, Source, Synonym};
use crate::node::Node;

/// One setting as it counts.
pub(in crate::api) struct ConfigEntry {
    pub(in crate::api) name: &'static str,
    pub(in crate::api) value: Option<String>,
    pub(in crate::api) source: Source,
    /// All values it has somewhere, the one that counts first.
    pub(in crate::api) synonyms: Vec<Synonym>,
    pub(in crate::api) kind: ValueKind,
    pub(in crate::api) is_read_only: bool,
    pub(in crate::api) documentation: Cow<'static, str>,
}

/// All settings of a resource; of all brokers together those that were set while they run.
pub(in crate::api) fn entries(node: &Node, resource: &Resource) -> Vec<ConfigEntry> {
    let own = resource.own_values(node);
    match resource {
        Resource::Topic { .. } => topic_entries(&node.live, &own),
        Resource::Broker(name) if name.is_empty() => all_brokers(&own),
        Resource::Broker(_) => broker(&node.live),
        Resource::Group(_) => group(&node.live, &own),
        Resource::ClientMetrics(_) => client_metrics(&own),
    }
}

/// How many settings a resource that sets `own` has at most.
pub(in crate::api) fn entry_count(resource: &Resource, own: &BTreeMap<String, String>) -> usize {
    match resource {
        Resource::Topic { .. } => TOPIC_KEYS.len(),
        Resource::Broker(name) if name.is_empty() => own.len(),
        Resource::Broker(_) => BROKER_KEYS.len(),
        Resource::Group(_) => GROUP_KEYS.len(),
        Resource::ClientMetrics(_) => METRICS_KEYS.len(),
    }
}

/// All settings of a topic that sets `own`.
pub(in crate::api) fn topic_entries(
    live: &LiveConfig,
    own: &BTreeMap<String, String>,
) -> Vec<ConfigEntry> {
    let now = live.load();
    let entry = |key: &TopicKey| {
        let set = own.get(key.name).map(String::as_str);
        let text = set
            .or_else(|| now.topic_defaults().get(key.name))
            .or(key.default)?;
        let value = key.shape.read(text);
        let value = value.map_or_else(|_| text.to_owned(), |value| value.to_string());
        // As it is read, not as it was written.
        let mut synonyms = own_synonym(key.name, set.and(Some(value.as_str())), Source::Topic);
        if let Some(broker) = key.broker_names.first() {
            synonyms.extend(live.synonyms(broker.name));
        }
        Some(ConfigEntry {
            name: key.name,
            value: Some(value),
            source: source(&synonyms),
            synonyms,
            kind: key.shape.kind,
            is_read_only: false,
            documentation: Cow::Borrowed(key.doc),
        })
    };
    TOPIC_KEYS.iter().filter_map(entry).collect()
}

fn own_synonym(name: &'static str, set: Option<&str>, source: Source) -> Vec<Synonym> {
    let synonym = |value: &str| Synonym {
        name,
        value: value.to_owned(),
        source,
    };
    set.map(synonym).into_iter().collect()
}

fn source(synonyms: &[Synonym]) -> Source {
    synonyms
        .first()
        .map_or(Source::Default, |first| first.source)
}

fn broker(live: &LiveConfig) -> Vec<ConfigEntry> {
    let now = live.load();
    let entry = |key: &&crate::config::BrokerKey| {
        let synonyms = live.synonyms(key.name);
        ConfigEntry {
            name: key.name,
            value: key.show(now.config()),
            source: source(&synonyms),
            synonyms,
            kind: key.shape.kind,
            is_read_only: key.update == Update::ReadOnly,
            documentation: key.documentation(),
        }
    };
    BROKER_KEYS.iter().map(entry).collect()
}

fn all_brokers(own: &BTreeMap<String, String>) -> Vec<ConfigEntry> {
    let entry = |(name, value): (&String, &String)| {
        let key = broker_key(name)?;
        Some(ConfigEntry {
            name: key.name,
            value: Some(value.clone()),
            source: Source::AllBrokers,
            synonyms: own_synonym(key.name, Some(value), Source::AllBrokers),
            kind: key.shape.kind,
            is_read_only: false,
            documentation: key.documentation(),
        })
    };
    own.iter().filter_map(entry).collect()
}

fn group(live: &LiveConfig, own: &BTreeMap<String, String>) -> Vec<ConfigEntry> {
    let entry = |key: &crate::config::GroupKey| {
        let set = own.get(key.name).map(String::as_str);
        let mut synonyms = own_synonym(key.name, set, Source::Group);
        match key.default {
            GroupDefault::Broker(name) => synonyms.extend(live.synonyms(name)),
            GroupDefault::Fixed { name, value } => synonyms.push(Synonym {
                name,
                value: value.to_owned(),
                source: Source::Default,
            }),
        }
        ConfigEntry {
            name: key.name,
            value: synonyms.first().map(|first| first.value.clone()),
            source: source(&synonyms),
            synonyms,
            kind: key.shape.kind,
            is_read_only: false,
            documentation: Cow::Borrowed(key.doc),
        }
    };
    GROUP_KEYS.iter().map(entry).collect()
}

fn client_metrics(own: &BTreeMap<String, String>) -> Vec<ConfigEntry> {
    let entry = |key: &crate::config::MetricsKey| {
        let set = own.get(key.name).map(String::as_str);
        let synonyms = own_synonym(key.name, set, Source::ClientMetrics);
        ConfigEntry {
            name: key.name,
            value: Some(set.unwrap_or(key.default).to_owned()),
            source: source(&synonyms),
            synonyms,
            kind: key.shape.kind,
            is_read_only: false,
            documentation: Cow::Borrowed(key.doc),
        }
    };
    METRICS_KEYS.iter().map(entry).collect()
}
