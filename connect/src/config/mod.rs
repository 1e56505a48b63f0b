//! Configuration: what keys there are, and text turned into typed values once.

mod connector;
mod def;
mod errors;
mod info;
mod key;
mod parsed;

pub(crate) use connector::settings_under;
pub use connector::{
    ConnectorSettings, ErrorSettings, SinkSettings, SourceSettings, TopicSpec, TransactionBoundary,
    connector_config_def, sink_config_def, source_config_def,
};
pub use def::ConfigDef;
pub use errors::{ConfigErrors, FieldError};
pub use info::{ConfigInfos, ConfigKeyInfo, ConfigPairInfo, ConfigValueInfo};
pub use key::{ConfigKey, ConfigType, Importance, Width};
pub use parsed::{Config, ConfigValue};

/// A connector's or task's configuration as it was given: names to text.
pub type Properties = std::collections::BTreeMap<String, String>;
