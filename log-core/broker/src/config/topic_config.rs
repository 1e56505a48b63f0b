//! A topic's configuration, typed.

use std::collections::BTreeMap;
use std::time::Duration;

use headwater_storage::LogConfig;

use super::topic_keys::{TOPIC_KEYS, topic_key};

/// A topic's configuration with every default filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicConfig {
    /// What its partitions' logs are kept by.
    pub log: LogConfig,
    /// `max.message.bytes`: largest batch accepted.
    pub max_message_bytes: u32,
    /// `message.timestamp.before.max.ms`; `None` accepts any age.
    pub timestamp_before_max: Option<Duration>,
    /// `message.timestamp.after.max.ms`; `None` accepts any time in the future.
    pub timestamp_after_max: Option<Duration>,
    /// `min.insync.replicas`.
    pub min_insync_replicas: u32,
}

/// Values a broker gives to topics that do not set their own, on top of the built-in defaults.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TopicDefaults(BTreeMap<String, String>);

/// Why a topic configuration was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTopicConfig {
    /// There is no such setting.
    #[error("unknown topic config name: {0}")]
    UnknownName(String),
    /// The setting does not take this value.
    #[error("invalid value {value} for configuration {name}: {reason}")]
    Value {
        /// Name of the setting.
        name: String,
        /// The value refused.
        value: String,
        /// What is expected.
        reason: String,
    },
}

impl TopicDefaults {
    /// Checks and takes over `values` by setting name.
    ///
    /// # Errors
    /// [`InvalidTopicConfig`] for an unknown name or a value that cannot be.
    pub fn new(values: BTreeMap<String, String>) -> Result<Self, InvalidTopicConfig> {
        TopicConfig::new(&Self::default(), &values)?;
        Ok(Self(values))
    }

    /// The broker's own value of a setting, if it has one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl TopicConfig {
    /// Builds the configuration of a topic that sets `values`.
    ///
    /// # Errors
    /// [`InvalidTopicConfig`] for an unknown name or a value that cannot be.
    pub fn new(
        defaults: &TopicDefaults,
        values: &BTreeMap<String, String>,
    ) -> Result<Self, InvalidTopicConfig> {
        if let Some(name) = values.keys().find(|name| topic_key(name).is_none()) {
            return Err(InvalidTopicConfig::UnknownName(name.clone()));
        }
        let mut config = Self::unset();
        for key in TOPIC_KEYS {
            let own = values.get(key.name).map(String::as_str);
            let value = own
                .or_else(|| defaults.get(key.name))
                .unwrap_or(key.default);
            (key.read)(&mut config, value).map_err(|reason| InvalidTopicConfig::Value {
                name: key.name.to_owned(),
                value: value.to_owned(),
                reason,
            })?;
        }
        Ok(config)
    }

    /// The configuration of a topic that sets nothing. `defaults` were checked when they were made.
    pub(crate) fn of_defaults(defaults: &TopicDefaults) -> Self {
        let built_in = TopicDefaults::default();
        let nothing = BTreeMap::new();
        Self::new(defaults, &nothing)
            .or_else(|_| Self::new(&built_in, &nothing))
            .unwrap_or_else(|_| Self::unset())
    }

    /// A blank that the keys fill in, every one of them.
    fn unset() -> Self {
        Self {
            log: LogConfig::default(),
            max_message_bytes: 0,
            timestamp_before_max: None,
            timestamp_after_max: None,
            min_insync_replicas: 1,
        }
    }
}
