//! Configuration: the broker's own, and that of topics. The only code that turns configuration text
//! into typed values; from here on there are no strings.

mod broker_config;
mod topic_config;
mod topic_keys;
mod value;

pub use broker_config::{Advertised, BrokerConfig, BrokerSettings, InvalidBrokerConfig};
pub(crate) use broker_config::{BROKER_KEYS, BrokerKey};
pub use topic_config::{InvalidTopicConfig, TopicConfig, TopicDefaults};
pub use topic_keys::{TOPIC_KEYS, TopicKey, topic_key};
pub use value::ValueKind;
