//! Configurations of topics, brokers and groups.

use headwater_wire::ErrorCode;
use headwater_wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
};
use headwater_wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};

use super::Admin;
use crate::error::ClientError;
use crate::transport::Target;

/// What has configurations.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConfigResource {
    /// A topic.
    Topic(String),
    /// A broker, by its id.
    Broker(i32),
    /// A group.
    Group(String),
}

impl ConfigResource {
    fn code(&self) -> i8 {
        match self {
            Self::Topic(_) => 2,
            Self::Broker(_) => 4,
            Self::Group(_) => 32,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Topic(name) | Self::Group(name) => name.clone(),
            Self::Broker(id) => id.to_string(),
        }
    }

    /// A broker answers for itself.
    fn target(&self) -> Target {
        match self {
            Self::Broker(id) => Target::Node(*id),
            Self::Topic(_) | Self::Group(_) => Target::Any,
        }
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// Set on the topic.
    Topic,
    /// Set on the broker while it runs.
    DynamicBroker,
    /// Set for all brokers while they run.
    DynamicDefaultBroker,
    /// Set where the broker was started.
    StaticBroker,
    /// Nobody set it.
    Default,
    /// Set on the group.
    Group,
    /// Something newer than this client.
    Other(i8),
}

impl ConfigSource {
    fn from_code(code: i8) -> Self {
        match code {
            1 => Self::Topic,
            2 => Self::DynamicBroker,
            3 => Self::DynamicDefaultBroker,
            4 => Self::StaticBroker,
            5 => Self::Default,
            8 => Self::Group,
            other => Self::Other(other),
        }
    }
}

/// One configuration as it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its name.
    pub name: String,
    /// Its value; `None` if it has none, or if it is secret.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether it cannot be altered.
    pub is_read_only: bool,
    /// Whether its value is secret.
    pub is_sensitive: bool,
    /// What it does, if the broker says.
    pub documentation: Option<String>,
}

impl ConfigEntry {
    fn new(result: DescribeConfigsResourceResult) -> Self {
        Self {
            name: result.name,
            value: result.value,
            source: ConfigSource::from_code(result.config_source),
            is_read_only: result.read_only,
            is_sensitive: result.is_sensitive,
            documentation: result.documentation,
        }
    }
}

/// A change of one configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigChange {
    /// Gives it a value.
    Set {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// Takes its value away, so that the default holds again.
    Delete {
        /// Its name.
        name: String,
    },
}

impl Admin {
    /// Every configuration of a resource, by name.
    ///
    /// # Errors
    /// The broker's, such as an unknown topic; or a timeout.
    pub async fn describe_configs(
        &self,
        resource: &ConfigResource,
    ) -> Result<Vec<ConfigEntry>, ClientError> {
        let operation = format!("describing the configuration of {}", resource.name());
        let mut retry = self.retry(operation.clone());
        let build = |version: i16| DescribeConfigsRequest {
            resources: vec![DescribeConfigsResource {
                resource_type: resource.code(),
                resource_name: resource.name(),
                configuration_keys: None,
            }],
            include_synonyms: false,
            include_documentation: version >= 3,
        };
        let response = self
            .ask(resource.target(), &mut retry, i16::MAX, build)
            .await?;
        let mut entries = Vec::new();
        for result in response.results {
            let code = ErrorCode::from_code(result.error_code);
            if code != ErrorCode::None {
                return Err(ClientError::broker_says(
                    operation,
                    code,
                    result.error_message,
                ));
            }
            entries.extend(result.configs.into_iter().map(ConfigEntry::new));
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Changes some configurations of a resource and leaves the others (KIP-339).
    ///
    /// # Errors
    /// The broker's, such as an unknown name or an impossible value; then nothing is changed.
    pub async fn alter_configs(
        &self,
        resource: &ConfigResource,
        changes: Vec<ConfigChange>,
    ) -> Result<(), ClientError> {
        const SET: i8 = 0;
        const DELETE: i8 = 1;
        let operation = format!("altering the configuration of {}", resource.name());
        let mut retry = self.retry(operation.clone());
        let configs: Vec<AlterableConfig> = changes
            .into_iter()
            .map(|change| match change {
                ConfigChange::Set { name, value } => AlterableConfig {
                    name,
                    config_operation: SET,
                    value: Some(value),
                },
                ConfigChange::Delete { name } => AlterableConfig {
                    name,
                    config_operation: DELETE,
                    value: None,
                },
            })
            .collect();
        let build = |_| IncrementalAlterConfigsRequest {
            resources: vec![AlterConfigsResource {
                resource_type: resource.code(),
                resource_name: resource.name(),
                configs: configs.clone(),
            }],
            validate_only: false,
        };
        let response = self
            .ask(resource.target(), &mut retry, i16::MAX, build)
            .await?;
        for result in response.responses {
            let code = ErrorCode::from_code(result.error_code);
            if code != ErrorCode::None {
                return Err(ClientError::broker_says(
                    operation,
                    code,
                    result.error_message,
                ));
            }
        }
        Ok(())
    }
}
