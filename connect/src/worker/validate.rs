//! Checking a connector's configuration without starting anything.

use super::config::WorkerConfig;
use super::connector::Connector;
use super::convert::Converters;
use super::error::WorkerError;
use super::info::PluginInfo;
use crate::config::{
    ConfigErrors, ConfigInfos, ConfigKeyInfo, ConfigType, ConnectorSettings, Properties,
    SinkSettings, SourceSettings, connector_config_def,
};
use crate::plugins::{ConnectorPlugin, ConnectorType};

/// What is shown in place of a secret.
pub(super) const MASK: &str = "[hidden]";

/// A configuration that has been found right.
pub(super) struct Checked {
    pub(super) plugin: ConnectorPlugin,
    pub(super) settings: ConnectorSettings,
    pub(super) kind: CheckedKind,
}

/// The settings of either kind.
pub(super) enum CheckedKind {
    Source(SourceSettings),
    Sink(SinkSettings),
}

/// Checks everything that a start would need.
pub(super) fn check(
    worker: &WorkerConfig,
    properties: &Properties,
) -> Result<Checked, ConfigErrors> {
    let class = properties
        .get("connector.class")
        .map(|class| class.trim())
        .unwrap_or_default();
    if class.is_empty() {
        // Without a class nothing is known but the keys of every connector.
        connector_config_def().allow_prefix("").parse(properties)?;
        let message =
            "Missing required configuration \"connector.class\" which has no default value.";
        return Err(ConfigErrors::single("connector.class", message));
    }
    let plugin = worker.plugins.connector(class);
    let plugin = plugin
        .map_err(|error| ConfigErrors::invalid("connector.class", class, &error.to_string()))?;
    let connector = Connector::new(plugin);
    let mut errors = ConfigErrors::default();
    if let Err(wrong) = Converters::new(worker, properties) {
        errors.merge(wrong);
    }
    let config = match connector.config_def().parse(properties) {
        Ok(config) => config,
        Err(wrong) => {
            errors.merge(wrong);
            return Err(errors);
        }
    };
    if let Err(wrong) = connector.check(properties) {
        errors.merge(wrong);
    }
    let kind = match plugin.kind() {
        ConnectorType::Source => SourceSettings::new(&config, properties).map(CheckedKind::Source),
        ConnectorType::Sink => SinkSettings::new(&config).map(CheckedKind::Sink),
    };
    if let Ok(CheckedKind::Source(settings)) = &kind
        && settings.exactly_once_required
        && !worker.exactly_once_source
    {
        errors.push(
            "exactly.once.support",
            "This worker does not have exactly-once source support enabled \
                 (exactly.once.source.support).",
        );
    }
    match kind {
        Ok(kind) if errors.is_empty() => {
            let settings = ConnectorSettings::new(&config);
            Ok(Checked {
                plugin: plugin.clone(),
                settings,
                kind,
            })
        }
        Ok(_) => Err(errors),
        Err(wrong) => {
            errors.merge(wrong);
            Err(errors)
        }
    }
}

/// The answer of `PUT /connector-plugins/{plugin}/config/validate`.
pub(super) fn validate_plugin(
    worker: &WorkerConfig,
    name: &str,
    properties: &Properties,
) -> Result<ConfigInfos, WorkerError> {
    let plugin = worker.plugins.connector(name);
    let plugin = plugin.map_err(|error| WorkerError::BadRequest(error.to_string()))?;
    let given = properties.get("connector.class");
    let other = given.and_then(|class| worker.plugins.connector(class).ok());
    if let Some(other) = other.filter(|other| other.class != plugin.class) {
        return Err(WorkerError::BadRequest(format!(
            "Included connector type {} does not match request type {name}",
            other.class
        )));
    }
    let errors = check(worker, properties).err().unwrap_or_default();
    let def = Connector::new(plugin).config_def();
    Ok(def.validate(&plugin.class, properties, &errors))
}

/// All classes.
pub(super) fn plugins(worker: &WorkerConfig, connectors_only: bool) -> Vec<PluginInfo> {
    let connectors = worker.plugins.connectors().map(|plugin| PluginInfo {
        class: plugin.class.clone(),
        kind: plugin.kind().name().to_owned(),
        version: Some(plugin.version.clone()).filter(|version| !version.is_empty()),
    });
    let converters = worker.plugins.converters().filter(|_| !connectors_only);
    let converters = converters.map(|class| PluginInfo {
        class: class.to_owned(),
        kind: "converter".to_owned(),
        version: None,
    });
    connectors.chain(converters).collect()
}

/// The keys of a class.
pub(super) fn plugin_config(
    worker: &WorkerConfig,
    name: &str,
) -> Result<Vec<ConfigKeyInfo>, WorkerError> {
    if let Ok(plugin) = worker.plugins.connector(name) {
        return Ok(Connector::new(plugin).config_def().key_infos());
    }
    let converter = worker.plugins.converter(name);
    let converter = converter.map_err(|_| WorkerError::UnknownPlugin(name.to_owned()))?;
    Ok(converter.config_def().key_infos())
}

/// The names of a connector's secrets.
fn secrets(worker: &WorkerConfig, properties: &Properties) -> Vec<String> {
    let class = properties
        .get("connector.class")
        .map(String::as_str)
        .unwrap_or_default();
    let Ok(plugin) = worker.plugins.connector(class) else {
        return Vec::new();
    };
    let def = Connector::new(plugin).config_def();
    let secret = def
        .keys()
        .iter()
        .filter(|key| key.kind() == ConfigType::Password);
    secret.map(|key| key.name().to_owned()).collect()
}

/// A configuration as it may be shown.
pub(super) fn masked(worker: &WorkerConfig, properties: &Properties) -> Properties {
    let mut shown = properties.clone();
    for secret in secrets(worker, properties) {
        if let Some(value) = shown.get_mut(&secret) {
            *value = MASK.to_owned();
        }
    }
    shown
}

/// Puts the secrets of `before` where a mask came back.
pub(super) fn unmasked(
    worker: &WorkerConfig,
    mut properties: Properties,
    before: &Properties,
) -> Properties {
    for secret in secrets(worker, &properties) {
        let kept = before.get(&secret);
        if let (Some(value), Some(kept)) = (properties.get_mut(&secret), kept)
            && value == MASK
        {
            value.clone_from(kept);
        }
    }
    properties
}
