//! The worker: runs the connectors of its config topic, all in one process.

mod config;
mod connector;
mod convert;
mod errant;
mod error;
mod herder;
mod info;
mod sink_task;
mod source_task;
mod source_writer;
pub(crate) mod status;
mod task;
mod validate;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use headwater_client::{Client, ClientError, OffsetAndMetadata, TopicPartition};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::config::{ConfigInfos, ConfigKeyInfo, Properties};
use crate::data::{SourceOffset, SourcePartition};
use crate::store::{ConfigStore, OffsetStore, StatusStore};

pub use config::{ConverterSettings, WorkerConfig};
pub use error::WorkerError;
pub use info::{
    ConnectorInfo, ConnectorOffset, ConnectorOffsets, ConnectorState, ConnectorStatus,
    InitialState, PluginInfo, TaskId, TaskInfo, TaskState,
};
pub use status::{State, TaskProgress};

use herder::{Command, Herder, Put};
use status::StatusBoard;

/// Commands waiting for the herder. Each is a request that somebody awaits, so a full queue makes
/// the next one wait in line.
const COMMANDS: usize = 64;

/// What all parts of a worker share.
pub(crate) struct Shared {
    pub(crate) config: WorkerConfig,
    pub(crate) client: Client,
    pub(crate) offsets: OffsetStore,
    pub(crate) statuses: StatusStore,
    pub(crate) board: StatusBoard,
}

/// A running worker. Cheap to clone; clones are the same worker.
///
/// Connectors live in the config topic: a worker that starts takes up those it finds there, with
/// their offsets and in the state they were left in.
#[derive(Clone)]
pub struct Worker {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    herder: Arc<tokio::sync::Mutex<Option<JoinHandle<()>>>>,
    is_stopping: Arc<AtomicBool>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}

impl Worker {
    /// Creates the internal topics if they are not there, reads them, and starts the connectors
    /// found in them. Returns once all of those have been told to start.
    ///
    /// # Errors
    /// [`WorkerError::Log`] if the log cannot be reached or the topics cannot be created.
    pub async fn start(config: WorkerConfig, client: Client) -> Result<Self, WorkerError> {
        for topic in config.internal_topics() {
            crate::store::ensure_topic(&client, &topic).await?;
        }
        let is_stopping = Arc::new(AtomicBool::new(false));
        let configs = ConfigStore::open(
            &client,
            &config.config_storage_topic,
            &config.group_id,
            is_stopping.clone(),
        )
        .await?;
        let offsets = OffsetStore::open(&client, &config.offset_storage_topic).await?;
        let statuses = StatusStore::open(&client, &config.status_storage_topic, &config.worker_id)?;
        let board = StatusBoard::default();
        let shared = Arc::new(Shared {
            config,
            client,
            offsets,
            statuses,
            board,
        });
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let mut herder = Herder::new(shared.clone(), configs, commands.clone());
        if let Err(error) = herder.start_stored().await {
            // Those that have started would run on, out of anybody's reach.
            herder.shutdown().await;
            return Err(error);
        }
        let herder = tokio::spawn(herder.run(inbox));
        let herder = Arc::new(tokio::sync::Mutex::new(Some(herder)));
        Ok(Self {
            shared,
            commands,
            herder,
            is_stopping,
        })
    }

    /// The names of all connectors.
    pub fn connectors(&self) -> Vec<String> {
        self.shared.board.connectors()
    }

    /// Creates a connector.
    ///
    /// # Errors
    /// [`WorkerError::Exists`], [`WorkerError::InvalidConfig`], or [`WorkerError::Log`].
    pub async fn create_connector(
        &self,
        name: &str,
        properties: Properties,
        initial: InitialState,
    ) -> Result<ConnectorInfo, WorkerError> {
        let put = Put::Create(initial);
        self.put(name, properties, put).await.map(|(info, _)| info)
    }

    /// Creates a connector, or gives one another configuration and restarts its tasks with it if
    /// it differs. Returns whether it was created.
    ///
    /// # Errors
    /// [`WorkerError::InvalidConfig`] or [`WorkerError::Log`].
    pub async fn put_connector(
        &self,
        name: &str,
        properties: Properties,
    ) -> Result<(ConnectorInfo, bool), WorkerError> {
        self.put(name, properties, Put::CreateOrUpdate).await
    }

    async fn put(
        &self,
        name: &str,
        properties: Properties,
        how: Put,
    ) -> Result<(ConnectorInfo, bool), WorkerError> {
        let name = name.to_owned();
        self.ask(|reply| Command::Put {
            name,
            properties,
            how,
            reply,
        })
        .await
    }

    /// What a connector is set to.
    ///
    /// # Errors
    /// [`WorkerError::UnknownConnector`].
    pub fn connector(&self, name: &str) -> Result<ConnectorInfo, WorkerError> {
        let unknown = || WorkerError::UnknownConnector(name.to_owned());
        self.shared.board.info(name).ok_or_else(unknown)
    }

    /// The tasks' configurations, by number.
    ///
    /// # Errors
    /// [`WorkerError::UnknownConnector`].
    pub fn task_configs(&self, name: &str) -> Result<Vec<TaskInfo>, WorkerError> {
        let unknown = || WorkerError::UnknownConnector(name.to_owned());
        self.shared.board.task_configs(name).ok_or_else(unknown)
    }

    /// How a connector and its tasks are.
    ///
    /// # Errors
    /// [`WorkerError::NoStatus`].
    pub fn status(&self, name: &str) -> Result<ConnectorStatus, WorkerError> {
        let unknown = || WorkerError::NoStatus(format!("connector {name}"));
        self.shared
            .board
            .status(name, &self.shared.config.worker_id)
            .ok_or_else(unknown)
    }

    /// How far each task of a connector has come; empty if there is no such connector.
    pub fn progress(&self, name: &str) -> Vec<TaskProgress> {
        self.shared.board.progress(name)
    }

    /// The topics a connector has used (KIP-558).
    pub fn topics(&self, name: &str) -> Vec<String> {
        self.shared.board.topics(name)
    }

    /// Forgets which topics a connector has used.
    pub async fn reset_topics(&self, name: &str) {
        for topic in self.shared.board.take_topics(name) {
            self.shared.statuses.remove_topic(&topic, name).await;
        }
    }

    /// Removes a connector, its tasks first. Its offsets stay in the log.
    ///
    /// # Errors
    /// [`WorkerError::UnknownConnector`] or [`WorkerError::Log`].
    pub async fn delete_connector(&self, name: &str) -> Result<(), WorkerError> {
        let name = name.to_owned();
        self.ask(|reply| Command::Delete { name, reply }).await
    }

    /// Makes a connector's tasks wait where they are.
    ///
    /// # Errors
    /// [`WorkerError::UnknownConnector`] or [`WorkerError::Log`].
    pub async fn pause(&self, name: &str) -> Result<(), WorkerError> {
        self.target(name, crate::store::TargetState::Paused).await
    }

    /// Makes a paused or stopped connector go on.
    ///
    /// # Errors
    /// [`WorkerError::UnknownConnector`] or [`WorkerError::Log`].
    pub async fn resume(&self, name: &str) -> Result<(), WorkerError> {
        self.target(name, crate::store::TargetState::Started).await
    }

    /// Ends a connector's tasks, but keeps its configuration (KIP-875).
    ///
    /// # Errors
    /// [`WorkerError::UnknownConnector`] or [`WorkerError::Log`].
    pub async fn stop(&self, name: &str) -> Result<(), WorkerError> {
        self.target(name, crate::store::TargetState::Stopped).await
    }

    async fn target(
        &self,
        name: &str,
        target: crate::store::TargetState,
    ) -> Result<(), WorkerError> {
        let name = name.to_owned();
        self.ask(|reply| Command::Target {
            name,
            target,
            reply,
        })
        .await
    }

    /// Starts a connector anew, and some of its tasks: all if `include_tasks`, and of these only
    /// those that have failed if `only_failed` (KIP-745).
    ///
    /// # Errors
    /// [`WorkerError::UnknownConnector`].
    pub async fn restart(
        &self,
        name: &str,
        include_tasks: bool,
        only_failed: bool,
    ) -> Result<(), WorkerError> {
        let name = name.to_owned();
        self.ask(|reply| Command::Restart {
            name,
            include_tasks,
            only_failed,
            reply,
        })
        .await
    }

    /// Starts one task anew.
    ///
    /// # Errors
    /// [`WorkerError::UnknownConnector`] or [`WorkerError::UnknownTask`].
    pub async fn restart_task(&self, name: &str, task: usize) -> Result<(), WorkerError> {
        let name = name.to_owned();
        self.ask(|reply| Command::RestartTask { name, task, reply })
            .await
    }

    /// How far a source has been read, or the committed offsets of a sink's group.
    ///
    /// # Errors
    /// [`WorkerError::UnknownConnector`], [`WorkerError::Log`], or [`WorkerError::ShuttingDown`].
    pub async fn offsets(&self, name: &str) -> Result<ConnectorOffsets, WorkerError> {
        let info = self.connector(name)?;
        if info.kind == "sink" {
            return Ok(ConnectorOffsets {
                offsets: self.sink_offsets(name).await?,
            });
        }
        match self.shared.offsets.refresh().await {
            Err(ClientError::Closed(_)) => return Err(WorkerError::ShuttingDown),
            refreshed => refreshed?,
        }
        let source = |(partition, offset): (SourcePartition, SourceOffset)| ConnectorOffset {
            partition,
            offset: Some(offset),
        };
        let offsets = self.shared.offsets.of_connector(name);
        Ok(ConnectorOffsets {
            offsets: offsets.into_iter().map(source).collect(),
        })
    }

    async fn sink_offsets(&self, name: &str) -> Result<Vec<ConnectorOffset>, WorkerError> {
        let group = sink_task::group_of(name);
        let committed = self
            .shared
            .client
            .admin()
            .list_group_offsets(&group, None, false)
            .await?;
        let mut offsets: Vec<_> = committed.into_iter().collect();
        offsets.sort_by(|(left, _), (right, _)| left.cmp(right));
        let offset = |(partition, at): (TopicPartition, OffsetAndMetadata)| {
            let mut place = SourcePartition::new();
            place.insert("kafka_topic".to_owned(), (&*partition.topic).into());
            place.insert("kafka_partition".to_owned(), partition.partition.into());
            let mut position = SourceOffset::new();
            position.insert("kafka_offset".to_owned(), at.offset.into());
            ConnectorOffset {
                partition: place,
                offset: Some(position),
            }
        };
        Ok(offsets.into_iter().map(offset).collect())
    }

    /// Checks a configuration without starting anything.
    ///
    /// # Errors
    /// [`WorkerError::BadRequest`] if `plugin` is unknown or `connector.class` is another class.
    pub fn validate(
        &self,
        plugin: &str,
        properties: &Properties,
    ) -> Result<ConfigInfos, WorkerError> {
        validate::validate_plugin(&self.shared.config, plugin, properties)
    }

    /// The classes of connectors, and of converters too if not `connectors_only`.
    pub fn plugins(&self, connectors_only: bool) -> Vec<PluginInfo> {
        validate::plugins(&self.shared.config, connectors_only)
    }

    /// The keys of a connector or converter class.
    ///
    /// # Errors
    /// [`WorkerError::UnknownPlugin`].
    pub fn plugin_config(&self, plugin: &str) -> Result<Vec<ConfigKeyInfo>, WorkerError> {
        validate::plugin_config(&self.shared.config, plugin)
    }

    /// What the worker was started with.
    pub fn config(&self) -> &WorkerConfig {
        &self.shared.config
    }

    /// The cluster the worker works on.
    pub(crate) fn client(&self) -> &Client {
        &self.shared.client
    }

    /// Ends all tasks, each after a last commit, at most after `task.shutdown.graceful.timeout.ms`
    /// in all, and whatever reads or writes the worker's own topics. Target states stay as they
    /// are: the next start goes on from here.
    pub async fn shutdown(&self) {
        self.is_stopping.store(true, Ordering::Release);
        let (reply, done) = oneshot::channel();
        if self
            .commands
            .send(Command::Shutdown { reply })
            .await
            .is_ok()
        {
            // An error means that the herder has ended, which is what is wanted.
            let _ = done.await;
        }
        if let Some(herder) = self.herder.lock().await.take()
            && let Err(error) = herder.await
        {
            tracing::warn!(%error, "the connect worker ended badly");
        }
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, WorkerError>>) -> Command,
    ) -> Result<T, WorkerError> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(command(reply))
            .await
            .map_err(|_| WorkerError::ShuttingDown)?;
        answer.await.map_err(|_| WorkerError::ShuttingDown)?
    }
}
