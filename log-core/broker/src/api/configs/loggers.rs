//! Levels of loggers (KIP-412): shown and changed like configurations, and kept nowhere.

use std::collections::BTreeMap;

use headwater_wire::ErrorCode;
use headwater_wire::messages::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};

use super::{DELETE, SET};
use crate::loggers::{LevelsNotChanged, LogLevel, ROOT};
use crate::node::Node;
use crate::topic_creation::TopicRefused;

fn refuse<T>(code: ErrorCode, message: impl Into<String>) -> Result<T, TopicRefused> {
    Err(TopicRefused::new(code, message))
}

/// The levels in force of the loggers of the broker of this id.
pub(in crate::api) fn levels(
    node: &Node,
    id: &str,
) -> Result<BTreeMap<String, LogLevel>, TopicRefused> {
    check_id(node, id)?;
    Ok(node.loggers.levels())
}

/// Changes levels of loggers, all or none, unless `validate_only`.
pub(in crate::api) fn alter_levels(
    node: &Node,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), TopicRefused> {
    check_id(node, &resource.resource_name)?;
    let loggers = node.loggers.levels();
    let changes = resource
        .configs
        .iter()
        .map(|config| change(&loggers, config));
    let changes: Vec<_> = changes.collect::<Result<_, _>>()?;
    if validate_only || changes.is_empty() {
        return Ok(());
    }
    node.loggers.change(&changes)?;
    for (logger, level) in &changes {
        match level {
            Some(level) => tracing::warn!(logger, %level, "a logger was given a level"),
            None => tracing::warn!(logger, "a logger's own level was taken away"),
        }
    }
    Ok(())
}

fn check_id(node: &Node, id: &str) -> Result<(), TopicRefused> {
    match id.parse::<i32>() {
        Ok(id) if id == node.config.node_id => Ok(()),
        Ok(id) => refuse(
            ErrorCode::InvalidRequest,
            format!(
                "this is broker {}; ask broker {id} itself about its loggers",
                node.config.node_id
            ),
        ),
        Err(_) => refuse(
            ErrorCode::InvalidRequest,
            format!("loggers are found by the id of a broker, and \"{id}\" is none"),
        ),
    }
}

/// What a logger's level is to be; `None` returns it to the one it inherits.
fn change(
    loggers: &BTreeMap<String, LogLevel>,
    config: &AlterableConfig,
) -> Result<(String, Option<LogLevel>), TopicRefused> {
    let name = &config.name;
    if !matches!(config.config_operation, SET | DELETE) {
        let message = format!("the level of {name} can be set and deleted, and nothing else");
        return refuse(ErrorCode::InvalidRequest, message);
    }
    if loggers.is_empty() {
        let message = "the process that this broker runs in does not let its loggers be changed";
        return refuse(ErrorCode::InvalidConfig, message);
    }
    if !loggers.contains_key(name) {
        return Err(LevelsNotChanged::NoSuchLogger(name.clone()).into());
    }
    if config.config_operation == DELETE {
        if name == ROOT {
            return Err(LevelsNotChanged::RootHasLevel.into());
        }
        return Ok((name.clone(), None));
    }
    let level = config.value.as_deref().unwrap_or_default();
    let Some(level) = LogLevel::settable(level) else {
        let levels = LogLevel::SETTABLE.map(LogLevel::name).join(", ");
        let message = format!("\"{level}\" is no level for {name}; there are {levels}");
        return refuse(ErrorCode::InvalidConfig, message);
    };
    Ok((name.clone(), Some(level)))
}

impl From<LevelsNotChanged> for TopicRefused {
    fn from(error: LevelsNotChanged) -> Self {
        let code = match error {
            LevelsNotChanged::NoSuchLogger(_) => ErrorCode::InvalidConfig,
            LevelsNotChanged::RootHasLevel => ErrorCode::InvalidRequest,
            LevelsNotChanged::NotInForce(_) => ErrorCode::UnknownServerError,
        };
        Self::new(code, error.to_string())
    }
}
