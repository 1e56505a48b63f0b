//! One thing that has a configuration.

use std::collections::BTreeMap;

use headwater_wire::ErrorCode;
use uuid::Uuid;

use crate::config::{
    BROKER_KEYS, GROUP_KEYS, InvalidGroupConfig, InvalidMetricsConfig, METRICS_KEYS, TopicConfig,
    TopicDefaults, ValueKind, broker_key, topic_key,
};
use crate::live_config::InvalidChange;
use crate::metadata::{Command, ConfigKind};
use crate::node::Node;
use crate::topic_creation::{TopicRefused, check_name};

/// Kinds of resources, as numbered in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Kind {
    Topic = 2,
    Broker = 4,
    BrokerLogger = 8,
    ClientMetrics = 16,
    Group = 32,
}

/// Something that can be configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) enum Resource {
    /// A topic.
    Topic {
        /// Its id; nil if there is no such topic.
        id: Uuid,
        /// Its name.
        name: String,
    },
    /// This broker, or under the empty name all of them.
    Broker(String),
    /// A group, whether or not it has members.
    Group(String),
    /// A client metrics subscription, whether or not anything is subscribed.
    ClientMetrics(String),
}

fn refuse(code: ErrorCode, message: impl Into<String>) -> TopicRefused {
    TopicRefused::new(code, message)
}

impl Kind {
    pub(in crate::api) const ALL: [Self; 5] = [
        Self::Topic,
        Self::Broker,
        Self::BrokerLogger,
        Self::ClientMetrics,
        Self::Group,
    ];

    pub(in crate::api) fn code(self) -> i8 {
        self as i8
    }

    pub(in crate::api) fn of(code: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

impl Resource {
    /// The resource of this name that a request wants to see or change.
    pub(in crate::api) fn find(node: &Node, kind: i8, name: &str) -> Result<Self, TopicRefused> {
        let found = Self::named(node, kind, name)?;
        found.check_exists(node)?;
        Ok(found)
    }

    /// The resource of this name, whether or not it is there.
    pub(in crate::api) fn named(node: &Node, kind: i8, name: &str) -> Result<Self, TopicRefused> {
        let named = |what: &str| {
            if name.is_empty() {
                let message = format!("{what} needs a name");
                return Err(refuse(ErrorCode::InvalidRequest, message));
            }
            Ok(name.to_owned())
        };
        match Kind::of(kind) {
            Some(Kind::Topic) => {
                let name = named("a topic")?;
                check_name(&name)?;
                let id = node.topic_id(&name).unwrap_or_default();
                Ok(Self::Topic { id, name })
            }
            Some(Kind::Broker) if name.is_empty() || name.parse() == Ok(node.config.node_id) => {
                Ok(Self::Broker(name.to_owned()))
            }
            Some(Kind::Broker) => {
                let message = format!(
                    "this is broker {}; ask broker {name} itself about its settings",
                    node.config.node_id
                );
                Err(refuse(ErrorCode::InvalidRequest, message))
            }
            Some(Kind::Group) => named("a group").map(Self::Group),
            Some(Kind::ClientMetrics) => {
                named("a client metrics subscription").map(Self::ClientMetrics)
            }
            Some(Kind::BrokerLogger) => Err(refuse(
                ErrorCode::InvalidRequest,
                "levels of loggers are changed one by one; use IncrementalAlterConfigs",
            )),
            None => Err(refuse(
                ErrorCode::InvalidRequest,
                format!(
                    "resources of type {kind} have no configuration; there are topics (2), brokers (4), loggers (8), client metrics (16) and groups (32)"
                ),
            )),
        }
    }

    /// Checks that the resource is there, if it has to be.
    pub(in crate::api) fn check_exists(&self, node: &Node) -> Result<(), TopicRefused> {
        match self {
            Self::Topic { name, .. } => node.topic_id(name).map(drop),
            Self::Broker(_) | Self::Group(_) | Self::ClientMetrics(_) => Ok(()),
        }
    }

    /// What is set on the resource itself.
    pub(in crate::api) fn own_values(&self, node: &Node) -> BTreeMap<String, String> {
        let live = node.live.load();
        let set = |kind, name: &str| live.image().of(kind).get(name).cloned().unwrap_or_default();
        match self {
            Self::Topic { id, .. } => {
                let topics = node.topics.load();
                let topic = topics.by_id(*id);
                topic.map_or_else(BTreeMap::new, |topic| topic.image.configs.clone())
            }
            Self::Broker(name) => set(ConfigKind::Broker, name),
            Self::Group(name) => set(ConfigKind::Group, name),
            Self::ClientMetrics(name) => set(ConfigKind::ClientMetrics, name),
        }
    }

    /// Kind of a setting's values; `None` if there is no such setting.
    pub(in crate::api) fn kind_of(&self, name: &str) -> Option<ValueKind> {
        match self {
            Self::Topic { .. } => topic_key(name).map(|key| key.shape.kind),
            Self::Broker(_) => broker_key(name).map(|key| key.shape.kind),
            Self::Group(_) => {
                let mut keys = GROUP_KEYS.iter();
                keys.find(|key| key.name == name).map(|key| key.shape.kind)
            }
            Self::ClientMetrics(_) => {
                let mut keys = METRICS_KEYS.iter();
                keys.find(|key| key.name == name).map(|key| key.shape.kind)
            }
        }
    }

    /// The value that a setting has where the resource sets none.
    pub(in crate::api) fn inherited(&self, node: &Node, name: &str) -> Option<String> {
        let live = node.live.load();
        match self {
            Self::Topic { .. } => {
                let default = live.topic_defaults().get(name);
                let default = default.or_else(|| topic_key(name).and_then(|key| key.default));
                default.map(str::to_owned)
            }
            Self::Broker(own) => {
                let mut key = BROKER_KEYS.iter().filter(|key| key.name == name);
                let synonyms = key.next().map(|key| node.live.synonyms(key.name));
                let is_other = |set: &crate::live_config::Synonym| {
                    use crate::live_config::Source;
                    match set.source {
                        Source::Broker => false,
                        Source::AllBrokers => !own.is_empty(),
                        _ => true,
                    }
                };
                let mut others = synonyms.unwrap_or_default().into_iter().filter(is_other);
                others.next().map(|synonym| synonym.value)
            }
            Self::Group(_) | Self::ClientMetrics(_) => {
                let mut keys = METRICS_KEYS.iter();
                keys.find(|key| key.name == name)
                    .map(|key| key.default.to_owned())
            }
        }
    }

    /// Checks that the resource may set `values` in the place of what it sets.
    pub(in crate::api) fn check(
        &self,
        node: &Node,
        values: &BTreeMap<String, String>,
    ) -> Result<(), TopicRefused> {
        let live = node.live.load();
        match self {
            Self::Topic { name, .. } => node.check_topic_configs(name, values),
            Self::Broker(name) => {
                let defaults = node.live.check(name, values)?;
                check_topics(node, live.topic_defaults(), &defaults)
            }
            Self::Group(_) => {
                crate::config::check_group(live.settings(), values).map_err(TopicRefused::from)
            }
            Self::ClientMetrics(_) => {
                crate::config::check_metrics(values).map_err(TopicRefused::from)
            }
        }
    }

    /// The command that makes these changes.
    pub(in crate::api) fn change(&self, changes: BTreeMap<String, Option<String>>) -> Command {
        let (kind, name) = match self {
            Self::Topic { id, .. } => return Command::ChangeTopicConfig { id: *id, changes },
            Self::Broker(name) => (ConfigKind::Broker, name),
            Self::Group(name) => (ConfigKind::Group, name),
            Self::ClientMetrics(name) => (ConfigKind::ClientMetrics, name),
        };
        Command::ChangeConfig {
            kind,
            name: name.clone(),
            changes,
        }
    }
}

/// Checks that no topic's own settings contradict the defaults it would have `after` a change. One
/// that contradicts them already stands in the way of nothing, nor of what mends it.
fn check_topics(
    node: &Node,
    before: &TopicDefaults,
    after: &TopicDefaults,
) -> Result<(), TopicRefused> {
    if before == after {
        return Ok(());
    }
    for topic in node.topics.load().in_name_order() {
        let own = &topic.image.configs;
        if let Err(error) = TopicConfig::new(after, own)
            && TopicConfig::new(before, own).is_ok()
        {
            let message = format!(
                "topic {} could not have this default: {error}",
                topic.image.name
            );
            return Err(refuse(ErrorCode::InvalidRequest, message));
        }
    }
    Ok(())
}

impl From<InvalidChange> for TopicRefused {
    fn from(error: InvalidChange) -> Self {
        let message = match &error {
            InvalidChange::Value(cause) => format!("{error}: {cause}"),
            InvalidChange::Unknown(_) | InvalidChange::ReadOnly(_) => error.to_string(),
        };
        let code = match error {
            InvalidChange::Unknown(_) => ErrorCode::InvalidConfig,
            InvalidChange::ReadOnly(_) | InvalidChange::Value(_) => ErrorCode::InvalidRequest,
        };
        Self::new(code, message)
    }
}

impl From<InvalidGroupConfig> for TopicRefused {
    fn from(error: InvalidGroupConfig) -> Self {
        Self::new(ErrorCode::InvalidConfig, error.to_string())
    }
}

impl From<InvalidMetricsConfig> for TopicRefused {
    fn from(error: InvalidMetricsConfig) -> Self {
        let code = match error {
            InvalidMetricsConfig::Pattern(_) => ErrorCode::InvalidConfig,
            InvalidMetricsConfig::UnknownName(_) | InvalidMetricsConfig::Value { .. } => {
                ErrorCode::InvalidRequest
            }
        };
        Self::new(code, error.to_string())
    }
}
