//! A connector of either kind.

use crate::config::{ConfigDef, ConfigErrors, Properties, sink_config_def, source_config_def};
use crate::plugins::{ConnectorPlugin, NewConnector};
use crate::spi::{ConnectError, SinkConnector, SourceConnector};

/// An instance of a connector.
pub(super) enum Connector {
    Source(Box<dyn SourceConnector>),
    Sink(Box<dyn SinkConnector>),
}

impl Connector {
    pub(super) fn new(plugin: &ConnectorPlugin) -> Self {
        match &plugin.new {
            NewConnector::Source(new) => Self::Source(new()),
            NewConnector::Sink(new) => Self::Sink(new()),
        }
    }

    /// Its own keys, and those of every connector of its kind.
    pub(super) fn config_def(&self) -> ConfigDef {
        match self {
            Self::Source(connector) => source_config_def().merged(connector.config_def()),
            Self::Sink(connector) => sink_config_def().merged(connector.config_def()),
        }
    }

    pub(super) fn check(&self, properties: &Properties) -> Result<(), ConfigErrors> {
        match self {
            Self::Source(connector) => connector.check(properties),
            Self::Sink(connector) => connector.check(properties),
        }
    }

    pub(super) async fn start(&mut self, properties: &Properties) -> Result<(), ConnectError> {
        match self {
            Self::Source(connector) => connector.start(properties).await,
            Self::Sink(connector) => connector.start(properties).await,
        }
    }

    pub(super) fn task_configs(&self, max_tasks: usize) -> Result<Vec<Properties>, ConnectError> {
        match self {
            Self::Source(connector) => connector.task_configs(max_tasks),
            Self::Sink(connector) => connector.task_configs(max_tasks),
        }
    }

    pub(super) async fn stop(&mut self) {
        match self {
            Self::Source(connector) => connector.stop().await,
            Self::Sink(connector) => connector.stop().await,
        }
    }
}
