//! How connectors and tasks are, for whoever asks, without asking those who are busy.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::RwLock;

use super::info::{ConnectorInfo, ConnectorState, ConnectorStatus, TaskId, TaskInfo, TaskState};
use crate::config::Properties;
use crate::spi::SourceProgress;

/// Kafka Connect's states. Tasks are never STOPPED: a stopped connector has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum State {
    /// Not started yet.
    #[default]
    Unassigned,
    /// At work.
    Running,
    /// Waiting to be resumed.
    Paused,
    /// Without tasks until it is resumed.
    Stopped,
    /// Ended by an error, which the trace tells.
    Failed,
    /// About to start anew.
    Restarting,
}

impl State {
    /// In upper case, as Kafka Connect writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unassigned => "UNASSIGNED",
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
            Self::Failed => "FAILED",
            Self::Restarting => "RESTARTING",
        }
    }
}

/// The state of a connector or task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ComponentStatus {
    pub(crate) state: State,
    pub(crate) trace: Option<String>,
    /// How many times it has been started by this worker.
    pub(crate) generation: u64,
}

/// How far a task has come, as of its last commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskProgress {
    /// Records committed since the worker started.
    pub records: u64,
    /// Records skipped since the worker started, as `errors.tolerance=all` allows.
    pub skipped: u64,
    /// A source's own account, of what has been committed.
    pub source: SourceProgress,
}

#[derive(Default)]
struct TaskEntry {
    config: Properties,
    status: ComponentStatus,
    progress: TaskProgress,
}

#[derive(Default)]
struct Entry {
    kind: Option<&'static str>,
    config: Properties,
    status: ComponentStatus,
    tasks: Vec<TaskEntry>,
    topics: BTreeSet<String>,
}

/// Everything that is known of the worker's connectors. Locks are held for moments only.
#[derive(Default)]
pub(crate) struct StatusBoard {
    entries: RwLock<BTreeMap<String, Entry>>,
}

impl StatusBoard {
    pub(crate) fn connectors(&self) -> Vec<String> {
        self.entries.read().keys().cloned().collect()
    }

    /// Puts a connector on the board, or changes its configuration.
    pub(crate) fn put(&self, name: &str, kind: Option<&'static str>, config: Properties) {
        let mut entries = self.entries.write();
        let entry = entries.entry(name.to_owned()).or_default();
        entry.kind = kind;
        entry.config = config;
    }

    pub(crate) fn remove(&self, name: &str) {
        self.entries.write().remove(name);
    }

    /// Sets a connector's tasks. Those that stay keep their status.
    pub(crate) fn put_tasks(&self, name: &str, configs: &[Properties]) {
        if let Some(entry) = self.entries.write().get_mut(name) {
            entry.tasks.truncate(configs.len());
            for (index, config) in configs.iter().enumerate() {
                match entry.tasks.get_mut(index) {
                    Some(task) => task.config.clone_from(config),
                    None => {
                        entry.tasks.push(TaskEntry {
                            config: config.clone(),
                            ..TaskEntry::default()
                        });
                    }
                }
            }
        }
    }

    pub(crate) fn set_connector(&self, name: &str, status: ComponentStatus) {
        if let Some(entry) = self.entries.write().get_mut(name) {
            entry.status = status;
        }
    }

    /// False if there is no such task any more.
    pub(crate) fn set_task(&self, name: &str, task: usize, status: ComponentStatus) -> bool {
        self.task(name, task, |entry| entry.status = status)
    }

    pub(crate) fn set_progress(&self, name: &str, task: usize, progress: TaskProgress) {
        self.task(name, task, |entry| entry.progress = progress);
    }

    fn task(&self, name: &str, task: usize, change: impl FnOnce(&mut TaskEntry)) -> bool {
        let mut entries = self.entries.write();
        let entry = entries
            .get_mut(name)
            .and_then(|entry| entry.tasks.get_mut(task));
        entry.map(change).is_some()
    }

    pub(crate) fn task_state(&self, name: &str, task: usize) -> Option<State> {
        Some(self.entries.read().get(name)?.tasks.get(task)?.status.state)
    }

    pub(crate) fn connector_state(&self, name: &str) -> Option<State> {
        Some(self.entries.read().get(name)?.status.state)
    }

    pub(crate) fn task_progress(&self, name: &str, task: usize) -> TaskProgress {
        let entries = self.entries.read();
        let entry = entries.get(name).and_then(|entry| entry.tasks.get(task));
        entry.map(|entry| entry.progress).unwrap_or_default()
    }

    pub(crate) fn progress(&self, name: &str) -> Vec<TaskProgress> {
        let entries = self.entries.read();
        let tasks = entries.get(name).into_iter().flat_map(|entry| &entry.tasks);
        tasks.map(|task| task.progress).collect()
    }

    /// True if the topic is new for this connector.
    pub(crate) fn add_topic(&self, name: &str, topic: &str) -> bool {
        {
            let entries = self.entries.read();
            if entries
                .get(name)
                .is_none_or(|entry| entry.topics.contains(topic))
            {
                return false;
            }
        }
        let mut entries = self.entries.write();
        entries
            .get_mut(name)
            .is_some_and(|entry| entry.topics.insert(topic.to_owned()))
    }

    pub(crate) fn topics(&self, name: &str) -> Vec<String> {
        let entries = self.entries.read();
        entries
            .get(name)
            .into_iter()
            .flat_map(|entry| entry.topics.iter().cloned())
            .collect()
    }

    pub(crate) fn take_topics(&self, name: &str) -> BTreeSet<String> {
        let mut entries = self.entries.write();
        entries
            .get_mut(name)
            .map(|entry| std::mem::take(&mut entry.topics))
            .unwrap_or_default()
    }

    pub(crate) fn info(&self, name: &str) -> Option<ConnectorInfo> {
        let entries = self.entries.read();
        let entry = entries.get(name)?;
        let id = |task: usize| TaskId {
            connector: name.to_owned(),
            task,
        };
        Some(ConnectorInfo {
            name: name.to_owned(),
            config: entry.config.clone(),
            tasks: (0..entry.tasks.len()).map(id).collect(),
            kind: entry.kind.unwrap_or("unknown").to_owned(),
        })
    }

    pub(crate) fn task_configs(&self, name: &str) -> Option<Vec<TaskInfo>> {
        let entries = self.entries.read();
        let tasks = entries.get(name)?.tasks.iter().enumerate();
        let info = |(task, entry): (usize, &TaskEntry)| TaskInfo {
            id: TaskId {
                connector: name.to_owned(),
                task,
            },
            config: entry.config.clone(),
        };
        Some(tasks.map(info).collect())
    }

    pub(crate) fn status(&self, name: &str, worker_id: &str) -> Option<ConnectorStatus> {
        let entries = self.entries.read();
        let entry = entries.get(name)?;
        let tasks = entry.tasks.iter().enumerate().map(|(id, task)| TaskState {
            id,
            state: task.status.state.name().to_owned(),
            worker_id: worker_id.to_owned(),
            trace: task.status.trace.clone(),
        });
        Some(ConnectorStatus {
            name: name.to_owned(),
            connector: ConnectorState {
                state: entry.status.state.name().to_owned(),
                worker_id: worker_id.to_owned(),
                trace: entry.status.trace.clone(),
            },
            tasks: tasks.collect(),
            kind: entry.kind.unwrap_or("unknown").to_owned(),
        })
    }
}
