//! Configuration: the broker's own, and that of topics. The only code that turns configuration text
//! into typed values; from here on there are no strings.
//!
//! [`TOPIC_KEYS`] and the broker's keys are the tables; [`BrokerConfig::apply`] reads a broker's
//! properties as Kafka operators write them.

mod broker_config;
mod broker_keys;
mod elsewhere;
mod field;
mod group_keys;
mod identity_keys;
mod listeners;
mod metrics_keys;
mod nearest;
#[cfg(test)]
mod page_tests;
mod properties;
mod setting_keys;
mod settings;
mod topic_config;
mod topic_default_keys;
mod topic_defaults;
mod topic_keys;
mod value;

pub use broker_config::{Advertised, BrokerConfig, InvalidBrokerConfig};
pub(crate) use broker_keys::{BROKER_KEYS, BrokerKey, Update, broker_key};
pub(crate) use group_keys::{
    GROUP_KEYS, GroupDefault, GroupKey, InvalidGroupConfig, check_group, times_of,
};
pub(crate) use metrics_keys::{InvalidMetricsConfig, METRICS_KEYS, MetricsKey, check_metrics};
pub use properties::{InvalidProperties, parse_properties};
pub use settings::{BrokerSettings, CleanerSettings, ConsumerGroupSettings};
pub use topic_config::{InvalidTopicConfig, TopicConfig};
pub use topic_defaults::TopicDefaults;
pub use topic_keys::{BrokerName, Only, TOPIC_KEYS, TopicKey, Unit, topic_key};
pub use value::{Check, Shape, Value, ValueKind};
