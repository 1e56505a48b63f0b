//! The table of broker settings: names, defaults, documentation, when each may be changed, and how
//! it is read and shown. Properties files, DescribeConfigs and the requests that alter
//! configurations all work from it.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::broker_config::BrokerConfig;
use super::elsewhere::ELSEWHERE;
use super::identity_keys::IDENTITY;
use super::setting_keys::SETTINGS;
use super::topic_default_keys::TOPIC_DEFAULTS;
use super::topic_keys::{TOPIC_KEYS, TopicKey, Unit};
use super::value::{Check, Shape, Value, ValueKind};

/// One broker setting.
pub(crate) struct BrokerKey {
    /// Kafka's name.
    pub(crate) name: &'static str,
    /// Which values it takes.
    pub(crate) shape: Shape,
    /// When it may be changed.
    pub(crate) update: Update,
    /// What it does, in a sentence; empty if its place says it.
    pub(super) doc: &'static str,
    /// Where its value goes.
    pub(super) place: Place,
}

/// When a setting may be changed (KIP-226).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Update {
    /// Only before the broker starts.
    ReadOnly,
    /// At any time, for one broker or for all.
    ClusterWide,
}

/// Where a setting's value goes.
pub(super) enum Place {
    /// Among the typed settings.
    Setting {
        read: fn(&mut BrokerConfig, &Value),
        show: fn(&BrokerConfig) -> Option<String>,
    },
    /// To topics that do not set their own.
    TopicDefault {
        topic: &'static str,
        unit: Unit,
        default: Option<&'static str>,
    },
    /// To what the broker is, which is resolved from several settings together.
    Identity {
        show: fn(&BrokerConfig) -> Option<String>,
    },
    /// Nowhere.
    WithoutEffect {
        default: Option<&'static str>,
        reason: &'static str,
    },
    /// Nowhere, and only Kafka's default is taken.
    Only {
        default: Option<&'static str>,
        reason: &'static str,
    },
}

/// The setting of this name.
pub(crate) fn broker_key(name: &str) -> Option<&'static BrokerKey> {
    BROKER_KEYS
        .binary_search_by_key(&name, |key| key.name)
        .ok()
        .and_then(|at| BROKER_KEYS.get(at))
        .copied()
}

/// All broker settings, by name.
pub(crate) static BROKER_KEYS: LazyLock<Vec<&'static BrokerKey>> = LazyLock::new(|| {
    let all = [IDENTITY, SETTINGS, TOPIC_DEFAULTS, ELSEWHERE];
    let mut keys: Vec<_> = all.into_iter().flatten().collect();
    keys.sort_by_key(|key| key.name);
    keys
});

impl BrokerKey {
    /// What the setting does, in a sentence or two.
    pub(crate) fn documentation(&self) -> Cow<'static, str> {
        match &self.place {
            Place::TopicDefault { topic, unit, .. } => {
                let unit = match unit {
                    Unit::Hours => " In hours here.",
                    Unit::Minutes => " In minutes here.",
                    Unit::Same | Unit::EndlessBelowZero => "",
                };
                let doc = topic_key(topic).map_or("", |key| key.doc);
                Cow::Owned(format!("{topic} of topics that set none. {doc}{unit}"))
            }
            Place::WithoutEffect { reason, .. } => {
                Cow::Owned(format!("Accepted without effect: {reason}."))
            }
            Place::Only { default, reason } => {
                let default = default.filter(|default| !default.is_empty());
                Cow::Owned(match default {
                    Some(default) => format!("Only {default} is possible: {reason}."),
                    None => format!("Cannot be set: {reason}."),
                })
            }
            Place::Setting { .. } | Place::Identity { .. } => Cow::Borrowed(self.doc),
        }
    }

    /// Why the setting has no effect, if it has none.
    pub(crate) fn without_effect(&self) -> Option<&'static str> {
        match self.place {
            Place::WithoutEffect { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// The value in `config`; `None` is no value.
    pub(crate) fn show(&self, config: &BrokerConfig) -> Option<String> {
        match self.place {
            Place::Setting { show, .. } | Place::Identity { show } => show(config),
            Place::TopicDefault { default, .. } => config
                .topic_defaults
                .given(self.name)
                .or(default)
                .map(str::to_owned),
            Place::WithoutEffect { default, .. } | Place::Only { default, .. } => config
                .given
                .get(self.name)
                .map(String::as_str)
                .or(default)
                .map(str::to_owned),
        }
    }

    /// Reads `text`, checks it and puts it into `config`. Returns the value as it shows.
    pub(crate) fn apply(&self, config: &mut BrokerConfig, text: &str) -> Result<String, String> {
        let value = self.shape.read(text)?;
        let shown = value.to_string();
        match self.place {
            Place::Setting { read, .. } => read(config, &value),
            Place::TopicDefault { topic, unit, .. } => {
                if let Some(key) = topic_key(topic).filter(|_| unit == Unit::Same) {
                    key.read(text).map_err(|error| match error {
                        super::InvalidTopicConfig::Value { reason, .. } => reason,
                        other => other.to_string(),
                    })?;
                }
                config.topic_defaults.set(self.name, shown.clone());
            }
            Place::Identity { .. } | Place::WithoutEffect { .. } => {}
            Place::Only { default, reason } => {
                let default = default.unwrap_or_default();
                if shown != default {
                    return Err(match default {
                        "" => format!("cannot be set: {reason}"),
                        default => format!("only {default} is possible: {reason}"),
                    });
                }
            }
        }
        Ok(shown)
    }
}

fn topic_key(name: &str) -> Option<&'static TopicKey> {
    TOPIC_KEYS.iter().find(|key| key.name == name)
}

pub(super) const fn shape(kind: ValueKind, check: Check) -> Shape {
    Shape { kind, check }
}
