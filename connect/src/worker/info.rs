//! What a worker tells of its connectors, in the shapes of Kafka Connect's REST interface.

use serde::{Deserialize, Serialize};

use crate::config::Properties;
use crate::data::{SourceOffset, SourcePartition};

/// A task's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskId {
    /// Its connector.
    pub connector: String,
    /// Its number, from 0.
    pub task: usize,
}

/// A task and what it is set to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskInfo {
    /// Which.
    pub id: TaskId,
    /// Its configuration.
    pub config: Properties,
}

/// A connector and what it is set to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorInfo {
    /// Its name.
    pub name: String,
    /// Its configuration, secrets masked.
    pub config: Properties,
    /// Its tasks.
    pub tasks: Vec<TaskId>,
    /// `source`, `sink` or `unknown`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// How a connector is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorState {
    /// One of [`State`](super::State)'s names.
    pub state: String,
    /// Where it runs.
    pub worker_id: String,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// How a task is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskState {
    /// Its number.
    pub id: usize,
    /// One of [`State`](super::State)'s names.
    pub state: String,
    /// Where it runs.
    pub worker_id: String,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// How a connector and its tasks are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorStatus {
    /// Its name.
    pub name: String,
    /// The connector.
    pub connector: ConnectorState,
    /// The tasks, by number.
    pub tasks: Vec<TaskState>,
    /// `source`, `sink` or `unknown`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// One position of a connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorOffset {
    /// Where: a source's own, or `kafka_topic` and `kafka_partition`.
    pub partition: SourcePartition,
    /// How far: a source's own, or `kafka_offset`.
    pub offset: Option<SourceOffset>,
}

/// All positions of a connector (KIP-875).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorOffsets {
    /// In no order.
    pub offsets: Vec<ConnectorOffset>,
}

/// A class that a worker knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginInfo {
    /// Its name in full.
    pub class: String,
    /// `source`, `sink` or `converter`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its version, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The state a connector is created in (KIP-980).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum InitialState {
    /// It runs.
    #[default]
    #[serde(alias = "running", alias = "Running", rename = "RUNNING")]
    Running,
    /// Its tasks are there, but wait.
    #[serde(alias = "paused", alias = "Paused", rename = "PAUSED")]
    Paused,
    /// It has no tasks.
    #[serde(alias = "stopped", alias = "Stopped", rename = "STOPPED")]
    Stopped,
}
