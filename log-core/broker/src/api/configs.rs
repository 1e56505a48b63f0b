//! A topic's settings with where each value comes from: shared by the APIs that show and change
//! them.

use std::collections::BTreeMap;

use headwater_wire::ErrorCode;

use crate::config::{TOPIC_KEYS, TopicDefaults, TopicKey};
use crate::topic_creation::TopicRefused;

/// Kinds of resources that have a configuration, as numbered in requests.
pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;

/// Where a value comes from (KIP-226).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Set on the topic.
    Topic,
    /// Set when the broker was started.
    Broker,
    /// Built in.
    Default,
}

impl Source {
    pub(super) fn code(self) -> i8 {
        match self {
            Self::Topic => 1,
            Self::Broker => 4,
            Self::Default => 5,
        }
    }
}

/// One setting of a topic as it counts.
pub(super) struct Effective<'a> {
    pub(super) key: &'static TopicKey,
    pub(super) value: &'a str,
    pub(super) source: Source,
}

/// All settings of a topic that sets `own`.
pub(super) fn effective<'a>(
    defaults: &'a TopicDefaults,
    own: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = Effective<'a>> {
    TOPIC_KEYS.iter().filter_map(move |key| {
        let (value, source) = if let Some(value) = own.get(key.name) {
            (value.as_str(), Source::Topic)
        } else if let Some(value) = defaults.get(key.name) {
            (value, Source::Broker)
        } else {
            (key.default?, Source::Default)
        };
        Some(Effective { key, value, source })
    })
}

/// Refuses to change anything but a topic: a broker's settings are given when it is started.
pub(super) fn only_topics(resource_type: i8) -> Result<(), TopicRefused> {
    if resource_type == TOPIC {
        return Ok(());
    }
    Err(TopicRefused::new(
        ErrorCode::InvalidRequest,
        "only the configuration of topics can be changed; a broker's is given when it is started",
    ))
}
