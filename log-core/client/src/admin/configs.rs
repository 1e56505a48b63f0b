//! Configurations of topics, brokers, groups and whatever else has some.

use std::collections::HashMap;
use std::fmt;

use futures::future::join_all;
use headwater_wire::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource as ReplacedResource,
    AlterableConfig as ReplacedConfig,
};
use headwater_wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
};
use headwater_wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use headwater_wire::messages::list_config_resources::ListConfigResourcesRequest;

use super::Admin;
use super::drive::{Results, checked, settled, unanswered};
use crate::error::ClientError;
use crate::transport::Target;

/// What has configurations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConfigResource {
    /// A topic.
    Topic(String),
    /// A broker, by its id.
    Broker(i32),
    /// What holds for every broker that has no value of its own.
    BrokerDefault,
    /// The loggers of a broker, by its id (KIP-412).
    BrokerLogger(i32),
    /// A subscription to clients' metrics (KIP-714).
    ClientMetrics(String),
    /// A group.
    Group(String),
}

impl ConfigResource {
    fn code(&self) -> i8 {
        match self {
            Self::Topic(_) => 2,
            Self::Broker(_) | Self::BrokerDefault => 4,
            Self::BrokerLogger(_) => 8,
            Self::ClientMetrics(_) => 16,
            Self::Group(_) => 32,
        }
    }

    /// As it is named in requests.
    fn name(&self) -> String {
        match self {
            Self::Topic(name) | Self::ClientMetrics(name) | Self::Group(name) => name.clone(),
            Self::Broker(id) | Self::BrokerLogger(id) => id.to_string(),
            Self::BrokerDefault => String::new(),
        }
    }

    fn read(code: i8, name: String) -> Option<Self> {
        Some(match code {
            2 => Self::Topic(name),
            4 if name.is_empty() => Self::BrokerDefault,
            4 => Self::Broker(name.parse().ok()?),
            8 => Self::BrokerLogger(name.parse().ok()?),
            16 => Self::ClientMetrics(name),
            32 => Self::Group(name),
            _ => return None,
        })
    }

    /// A broker answers for itself.
    fn target(&self) -> Target {
        match self {
            Self::Broker(id) | Self::BrokerLogger(id) => Target::Node(*id),
            _ => Target::Any,
        }
    }
}

impl fmt::Display for ConfigResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "topic {name}"),
            Self::Broker(id) => write!(f, "broker {id}"),
            Self::BrokerDefault => f.write_str("all brokers"),
            Self::BrokerLogger(id) => write!(f, "the loggers of broker {id}"),
            Self::ClientMetrics(name) => write!(f, "client metrics {name}"),
            Self::Group(name) => write!(f, "group {name}"),
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
    /// Set on the broker's loggers.
    BrokerLogger,
    /// Set on the subscription to clients' metrics.
    ClientMetrics,
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
            6 => Self::BrokerLogger,
            7 => Self::ClientMetrics,
            8 => Self::Group,
            other => Self::Other(other),
        }
    }

    /// The name as Kafka spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Topic => "DYNAMIC_TOPIC_CONFIG",
            Self::DynamicBroker => "DYNAMIC_BROKER_CONFIG",
            Self::DynamicDefaultBroker => "DYNAMIC_DEFAULT_BROKER_CONFIG",
            Self::StaticBroker => "STATIC_BROKER_CONFIG",
            Self::Default => "DEFAULT_CONFIG",
            Self::BrokerLogger => "DYNAMIC_BROKER_LOGGER_CONFIG",
            Self::ClientMetrics => "DYNAMIC_CLIENT_METRICS_CONFIG",
            Self::Group => "DYNAMIC_GROUP_CONFIG",
            Self::Other(_) => "UNKNOWN",
        }
    }
}

/// What values a configuration takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigType {
    /// True or false.
    Boolean,
    /// Text.
    String,
    /// A number of 32 bits.
    Int,
    /// A number of 16 bits.
    Short,
    /// A number of 64 bits.
    Long,
    /// A number with a fraction.
    Double,
    /// Texts separated by commas.
    List,
    /// The name of a class.
    Class,
    /// A secret.
    Password,
    /// Not told, or something newer than this client.
    Unknown,
}

impl ConfigType {
    fn from_code(code: i8) -> Self {
        match code {
            1 => Self::Boolean,
            2 => Self::String,
            3 => Self::Int,
            4 => Self::Short,
            5 => Self::Long,
            6 => Self::Double,
            7 => Self::List,
            8 => Self::Class,
            9 => Self::Password,
            _ => Self::Unknown,
        }
    }

    /// The name as Kafka spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
            Self::Unknown => "UNKNOWN",
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
    /// What values it takes.
    pub config_type: ConfigType,
    /// Whether it cannot be altered.
    pub is_read_only: bool,
    /// Whether its value is secret.
    pub is_sensitive: bool,
    /// All places that have a value, the one in force first (KIP-226); empty if not asked for.
    pub synonyms: Vec<ConfigSynonym>,
    /// What it does (KIP-569); `None` if not asked for, or not told.
    pub documentation: Option<String>,
}

/// A place that a value could come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// The configuration's name in that place.
    pub name: String,
    /// Its value there; `None` if it is secret.
    pub value: Option<String>,
    /// The place.
    pub source: ConfigSource,
}

impl ConfigEntry {
    fn new(result: DescribeConfigsResourceResult) -> Self {
        let synonyms = result.synonyms.into_iter().map(|synonym| ConfigSynonym {
            name: synonym.name,
            value: synonym.value,
            source: ConfigSource::from_code(synonym.source),
        });
        Self {
            name: result.name,
            value: result.value,
            source: ConfigSource::from_code(result.config_source),
            config_type: ConfigType::from_code(result.config_type),
            is_read_only: result.read_only,
            is_sensitive: result.is_sensitive,
            synonyms: synonyms.collect(),
            documentation: result.documentation,
        }
    }
}

/// What to tell of configurations besides their values.
#[derive(Clone, Copy, Debug, Default)]
pub struct DescribeConfigsOptions {
    /// All places that a value could come from.
    pub include_synonyms: bool,
    /// What each does.
    pub include_documentation: bool,
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
    /// Adds to a list.
    Append {
        /// Its name.
        name: String,
        /// What to add, separated by commas.
        value: String,
    },
    /// Takes from a list.
    Subtract {
        /// Its name.
        name: String,
        /// What to take, separated by commas.
        value: String,
    },
}

impl ConfigChange {
    fn request(&self) -> AlterableConfig {
        let (name, operation, value) = match self {
            Self::Set { name, value } => (name, 0, Some(value)),
            Self::Delete { name } => (name, 1, None),
            Self::Append { name, value } => (name, 2, Some(value)),
            Self::Subtract { name, value } => (name, 3, Some(value)),
        };
        AlterableConfig {
            name: name.clone(),
            config_operation: operation,
            value: value.cloned(),
        }
    }
}

impl Admin {
    /// Every configuration of each resource, by name.
    ///
    /// # Errors
    /// If nothing could be asked; each resource has its own result.
    pub async fn describe_configs(
        &self,
        resources: &[ConfigResource],
        options: DescribeConfigsOptions,
    ) -> Result<HashMap<ConfigResource, Result<Vec<ConfigEntry>, ClientError>>, ClientError> {
        let calls = by_target(resources).into_iter().map(|(target, asked)| async move {
            let mut retry = self.retry("describing configurations");
            let build = |version: i16| DescribeConfigsRequest {
                resources: asked
                    .iter()
                    .map(|resource| DescribeConfigsResource {
                        resource_type: resource.code(),
                        resource_name: resource.name(),
                        configuration_keys: None,
                    })
                    .collect(),
                include_synonyms: options.include_synonyms,
                include_documentation: options.include_documentation && version >= 3,
            };
            let response = self.ask_known(target, &mut retry, build).await;
            let read = |response: headwater_wire::messages::describe_configs::DescribeConfigsResponse| {
                response.results.into_iter().map(|result| {
                    let resource = (result.resource_type, result.resource_name);
                    let entries = result.configs.into_iter().map(ConfigEntry::new);
                    let mut entries: Vec<ConfigEntry> = entries.collect();
                    entries.sort_by(|a, b| a.name.cmp(&b.name));
                    (resource, result.error_code, result.error_message, entries)
                })
                .collect::<Vec<_>>()
            };
            results(&asked, response.map(read), "describing the configuration of")
        });
        settled(join_all(calls).await.into_iter().flatten().collect())
    }

    /// Changes some configurations of each resource and leaves the others (KIP-339). With
    /// `validate_only`, nothing is changed. A resource is either changed as a whole or not at all.
    ///
    /// # Errors
    /// If nothing could be asked; each resource has its own result.
    pub async fn incremental_alter_configs(
        &self,
        changes: &[(ConfigResource, Vec<ConfigChange>)],
        validate_only: bool,
    ) -> Result<HashMap<ConfigResource, Result<(), ClientError>>, ClientError> {
        let resources: Vec<_> = changes
            .iter()
            .map(|(resource, _)| resource.clone())
            .collect();
        let calls = by_target(&resources).into_iter().map(|(target, asked)| async move {
            let mut retry = self.retry("altering configurations");
            let build = |_| IncrementalAlterConfigsRequest {
                resources: changes
                    .iter()
                    .filter(|(resource, _)| asked.contains(resource))
                    .map(|(resource, changes)| AlterConfigsResource {
                        resource_type: resource.code(),
                        resource_name: resource.name(),
                        configs: changes.iter().map(ConfigChange::request).collect(),
                    })
                    .collect(),
                validate_only,
            };
            let response = self.ask_known(target, &mut retry, build).await;
            let read = |response: headwater_wire::messages::incremental_alter_configs::IncrementalAlterConfigsResponse| {
                let answers = response.responses.into_iter();
                let answers = answers.map(|answer| {
                    let resource = (answer.resource_type, answer.resource_name);
                    (resource, answer.error_code, answer.error_message, ())
                });
                answers.collect::<Vec<_>>()
            };
            results(&asked, response.map(read), "altering the configuration of")
        });
        settled(join_all(calls).await.into_iter().flatten().collect())
    }

    /// Replaces all configurations set on each resource: those not named go back to their defaults.
    /// Kafka keeps this call for old clients; [`Admin::incremental_alter_configs`] is the safer one.
    ///
    /// # Errors
    /// If nothing could be asked; each resource has its own result.
    pub async fn alter_configs(
        &self,
        replaced: &[(ConfigResource, Vec<(String, String)>)],
        validate_only: bool,
    ) -> Result<HashMap<ConfigResource, Result<(), ClientError>>, ClientError> {
        let resources: Vec<_> = replaced
            .iter()
            .map(|(resource, _)| resource.clone())
            .collect();
        let calls = by_target(&resources)
            .into_iter()
            .map(|(target, asked)| async move {
                let mut retry = self.retry("replacing configurations");
                let build = |_| AlterConfigsRequest {
                    resources: replaced
                        .iter()
                        .filter(|(resource, _)| asked.contains(resource))
                        .map(|(resource, configs)| ReplacedResource {
                            resource_type: resource.code(),
                            resource_name: resource.name(),
                            configs: configs
                                .iter()
                                .map(|(name, value)| ReplacedConfig {
                                    name: name.clone(),
                                    value: Some(value.clone()),
                                })
                                .collect(),
                        })
                        .collect(),
                    validate_only,
                };
                let response = self.ask_known(target, &mut retry, build).await;
                let read =
                    |response: headwater_wire::messages::alter_configs::AlterConfigsResponse| {
                        let answers = response.responses.into_iter();
                        let answers = answers.map(|answer| {
                            let resource = (answer.resource_type, answer.resource_name);
                            (resource, answer.error_code, answer.error_message, ())
                        });
                        answers.collect::<Vec<_>>()
                    };
                results(&asked, response.map(read), "replacing the configuration of")
            });
        settled(join_all(calls).await.into_iter().flatten().collect())
    }

    /// The resources of these types that have configurations of their own (KIP-1142); of all types
    /// that the broker knows if none is named. The types are those of `like`, whose names do not
    /// matter.
    ///
    /// # Errors
    /// The broker's, or a timeout.
    pub async fn list_config_resources(
        &self,
        like: &[ConfigResource],
    ) -> Result<Vec<ConfigResource>, ClientError> {
        let operation = "listing resources with configurations";
        let mut retry = self.retry(operation);
        let build = |_| ListConfigResourcesRequest {
            resource_types: like.iter().map(ConfigResource::code).collect(),
        };
        let response = self.ask(Target::Any, &mut retry, i16::MAX, build).await?;
        checked(response.error_code, None, || operation.to_owned())?;
        let found = response.config_resources.into_iter();
        let found = found
            .filter_map(|found| ConfigResource::read(found.resource_type, found.resource_name));
        let mut found: Vec<ConfigResource> = found.collect();
        found.sort();
        Ok(found)
    }
}

/// Resources by the node that answers for them.
fn by_target(resources: &[ConfigResource]) -> HashMap<Target, Vec<ConfigResource>> {
    let mut targets: HashMap<Target, Vec<ConfigResource>> = HashMap::new();
    for resource in resources {
        targets
            .entry(resource.target())
            .or_default()
            .push(resource.clone());
    }
    targets
}

/// An answer about one resource: its type and name, the error, and what was told.
type Answer<T> = ((i8, String), i16, Option<String>, T);

fn results<T>(
    asked: &[ConfigResource],
    answers: Result<Vec<Answer<T>>, ClientError>,
    doing: &str,
) -> Results<ConfigResource, T> {
    let mut answers = match answers {
        Ok(answers) => answers,
        Err(error) => {
            let failed = asked
                .iter()
                .map(|asked| (asked.clone(), Err(error.clone())));
            return failed.collect();
        }
    };
    let mut results = Results::new();
    for resource in asked {
        let operation = || format!("{doing} {resource}");
        let wanted = (resource.code(), resource.name());
        let answer = answers
            .iter()
            .position(|(answered, ..)| *answered == wanted);
        let result = match answer.map(|at| answers.swap_remove(at)) {
            Some((_, code, message, told)) => checked(code, message, operation).map(|()| told),
            None => Err(unanswered(operation())),
        };
        results.insert(resource.clone(), result);
    }
    results
}
