//! `headwater config`: configurations of topics, brokers and groups.

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use headwater_client::Admin;
use headwater_client::admin::{
    ConfigChange, ConfigEntry, ConfigResource, ConfigSource, DescribeConfigsOptions,
};

use super::bootstrap::{Bootstrap, name_and_value};
use super::output::{Format, print_json, print_rows};

#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// What is set on a resource, or with --all what is in force
    Describe(Describe),
    /// Give configurations values
    Set(Change),
    /// Add to configurations that are lists
    Append(Change),
    /// Take from configurations that are lists
    Subtract(Change),
    /// Take values away, so that the defaults hold again
    Delete(Delete),
    /// The resources that have configurations of their own
    List(List),
}

/// What has configurations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Entity {
    Topic,
    /// By its id; default stands for all that have no value of their own
    Broker,
    BrokerLogger,
    ClientMetrics,
    Group,
}

#[derive(Debug, Args)]
struct Resource {
    /// What has the configurations
    #[arg(value_enum)]
    entity: Entity,
    /// Its name, or a broker's id
    name: String,
}

impl Resource {
    fn resource(&self) -> anyhow::Result<ConfigResource> {
        let name = self.name.clone();
        let id = || match name.parse() {
            Ok(id) => Ok(id),
            Err(_) => bail!("{name:?} is no broker id"),
        };
        Ok(match self.entity {
            Entity::Topic => ConfigResource::Topic(name),
            Entity::Broker if name == "default" => ConfigResource::BrokerDefault,
            Entity::Broker => ConfigResource::Broker(id()?),
            Entity::BrokerLogger => ConfigResource::BrokerLogger(id()?),
            Entity::ClientMetrics => ConfigResource::ClientMetrics(name),
            Entity::Group => ConfigResource::Group(name),
        })
    }
}

#[derive(Debug, Args)]
pub(super) struct Describe {
    #[command(flatten)]
    resource: Resource,
    /// Only these configurations
    names: Vec<String>,
    /// Also those that nobody set
    #[arg(short, long)]
    all: bool,
    /// Also every place that a value could come from
    #[arg(long)]
    synonyms: bool,
    /// Also what each configuration does
    #[arg(long)]
    documentation: bool,
    /// How the configurations are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Debug, Args)]
pub(super) struct Change {
    #[command(flatten)]
    resource: Resource,
    /// A configuration and its value, such as retention.ms=60000
    #[arg(required = true, value_name = "NAME=VALUE", value_parser = name_and_value)]
    configs: Vec<(String, String)>,
    /// Only tells whether it could be done
    #[arg(long)]
    validate_only: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Debug, Args)]
pub(super) struct Delete {
    #[command(flatten)]
    resource: Resource,
    /// The configurations' names
    #[arg(required = true)]
    names: Vec<String>,
    /// Only tells whether it could be done
    #[arg(long)]
    validate_only: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// How the resources are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

impl Config {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Describe(describe) => describe.run().await,
            Self::Set(change) => {
                change
                    .run(|name, value| ConfigChange::Set { name, value })
                    .await
            }
            Self::Append(change) => {
                change
                    .run(|name, value| ConfigChange::Append { name, value })
                    .await
            }
            Self::Subtract(change) => {
                change
                    .run(|name, value| ConfigChange::Subtract { name, value })
                    .await
            }
            Self::Delete(delete) => delete.run().await,
            Self::List(list) => list.run().await,
        }
    }
}

impl Describe {
    async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        let resource = self.resource.resource()?;
        let options = DescribeConfigsOptions {
            include_synonyms: self.synonyms,
            include_documentation: self.documentation,
        };
        let mut configs = described(&admin, &resource, options).await?;
        all_known(&resource, &self.names, &configs)?;
        configs.retain(|config| match self.names.is_empty() {
            true => self.all || is_set(&resource, config),
            false => self.names.contains(&config.name),
        });
        self.print(&configs)
    }

    fn print(&self, configs: &[ConfigEntry]) -> anyhow::Result<()> {
        if self.format == Format::Json {
            for config in configs {
                print_json(&self.object(config))?;
            }
            return Ok(());
        }
        let mut header = vec!["name", "value", "source", "type", "read_only", "sensitive"];
        header.extend(self.synonyms.then_some("synonyms"));
        header.extend(self.documentation.then_some("documentation"));
        let rows = configs.iter().map(|config| {
            let Value::Object(fields) = self.object(config) else {
                return Vec::new();
            };
            let mut row: Vec<Value> = fields.into_iter().map(|(_, value)| value).collect();
            if self.synonyms {
                let synonyms = config.synonyms.iter().map(|synonym| {
                    let value = synonym.value.as_deref().unwrap_or("");
                    json!(format!(
                        "{}:{}={value}",
                        synonym.source.name(),
                        synonym.name
                    ))
                });
                if let Some(cell) = row.get_mut(6) {
                    *cell = Value::Array(synonyms.collect());
                }
            }
            row
        });
        print_rows(self.format, &header, &rows.collect::<Vec<_>>())
    }

    fn object(&self, config: &ConfigEntry) -> Value {
        let mut object = Map::new();
        let mut put = |name: &str, value: Value| drop(object.insert(name.to_owned(), value));
        put("name", json!(config.name));
        put("value", json!(config.value));
        put("source", json!(config.source.name()));
        put("type", json!(config.config_type.name()));
        put("read_only", json!(config.is_read_only));
        put("sensitive", json!(config.is_sensitive));
        if self.synonyms {
            let synonyms = config.synonyms.iter().map(|synonym| {
                json!({
                    "name": synonym.name,
                    "value": synonym.value,
                    "source": synonym.source.name(),
                })
            });
            put("synonyms", Value::Array(synonyms.collect()));
        }
        if self.documentation {
            put("documentation", json!(config.documentation));
        }
        Value::Object(object)
    }
}

async fn described(
    admin: &Admin,
    resource: &ConfigResource,
    options: DescribeConfigsOptions,
) -> anyhow::Result<Vec<ConfigEntry>> {
    let asked = std::slice::from_ref(resource);
    let described = admin
        .describe_configs(asked, options)
        .await?
        .remove(resource);
    Ok(described.with_context(|| format!("the broker did not describe {resource}"))??)
}

/// # Errors
/// If one of `names` is no configuration of the resource.
fn all_known(
    resource: &ConfigResource,
    names: &[String],
    configs: &[ConfigEntry],
) -> anyhow::Result<()> {
    for name in names {
        if !configs.iter().any(|config| config.name == *name) {
            bail!("{resource} has no configuration {name}");
        }
    }
    Ok(())
}

/// Whether the value was given to this resource, and not to something that it falls back on.
fn is_set(resource: &ConfigResource, config: &ConfigEntry) -> bool {
    match resource {
        ConfigResource::Broker(_) => matches!(
            config.source,
            ConfigSource::DynamicBroker
                | ConfigSource::DynamicDefaultBroker
                | ConfigSource::StaticBroker
        ),
        ConfigResource::BrokerDefault => config.source == ConfigSource::DynamicDefaultBroker,
        ConfigResource::Topic(_) => config.source == ConfigSource::Topic,
        ConfigResource::Group(_) => config.source == ConfigSource::Group,
        ConfigResource::ClientMetrics(_) => config.source == ConfigSource::ClientMetrics,
        ConfigResource::BrokerLogger(_) => true,
    }
}

impl Change {
    async fn run(self, change: fn(String, String) -> ConfigChange) -> anyhow::Result<()> {
        let configs = self.configs.into_iter();
        let changes = configs.map(|(name, value)| change(name, value)).collect();
        alter(&self.bootstrap, &self.resource, changes, self.validate_only).await
    }
}

impl Delete {
    async fn run(self) -> anyhow::Result<()> {
        let resource = self.resource.resource()?;
        // Of others only what is set is told.
        if let ConfigResource::Topic(_) | ConfigResource::Broker(_) | ConfigResource::Group(_) =
            &resource
        {
            let admin = self.bootstrap.admin().await?;
            let options = DescribeConfigsOptions::default();
            let known = described(&admin, &resource, options).await?;
            all_known(&resource, &self.names, &known)?;
        }
        let names = self.names.into_iter();
        let changes = names.map(|name| ConfigChange::Delete { name }).collect();
        alter(&self.bootstrap, &self.resource, changes, self.validate_only).await
    }
}

async fn alter(
    bootstrap: &Bootstrap,
    resource: &Resource,
    changes: Vec<ConfigChange>,
    validate_only: bool,
) -> anyhow::Result<()> {
    let resource = resource.resource()?;
    let admin = bootstrap.admin().await?;
    let altered = admin
        .incremental_alter_configs(&[(resource.clone(), changes)], validate_only)
        .await?;
    for (_, altered) in altered {
        altered?;
    }
    match validate_only {
        true => eprintln!("the configuration of {resource} could be altered"),
        false => eprintln!("altered the configuration of {resource}"),
    }
    Ok(())
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        let resources = admin.list_config_resources(&[]).await?;
        let rows = resources.iter().map(|resource| {
            let (kind, name) = match resource {
                ConfigResource::Topic(name) => ("topic", name.clone()),
                ConfigResource::Broker(id) => ("broker", id.to_string()),
                ConfigResource::BrokerDefault => ("broker", "default".to_owned()),
                ConfigResource::BrokerLogger(id) => ("broker-logger", id.to_string()),
                ConfigResource::ClientMetrics(name) => ("client-metrics", name.clone()),
                ConfigResource::Group(name) => ("group", name.clone()),
            };
            vec![json!(kind), json!(name)]
        });
        print_rows(self.format, &["entity", "name"], &rows.collect::<Vec<_>>())?;
        Ok(())
    }
}
