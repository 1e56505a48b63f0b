//! The one task that starts and stops connectors. Everything that changes a connector goes through
//! it, one command after the other; questions are answered by the status board.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::Shared;
use super::connector::Connector;
use super::convert::Converters;
use super::error::WorkerError;
use super::info::{ConnectorInfo, InitialState};
use super::sink_task::SinkRun;
use super::source_task::SourceRun;
use super::status::{ComponentStatus, State};
use super::task::{Control, TaskHandle, TaskSeat, guarded};
use super::validate::{CheckedKind, check, masked, unmasked};
use crate::config::{ConfigErrors, ErrorSettings, Properties, SinkSettings, SourceSettings};
use crate::spi::ConnectError;
use crate::store::{ConfigStore, TargetState};

type Reply<T> = oneshot::Sender<Result<T, WorkerError>>;

/// Whether a configuration may be that of a connector that is there already.
#[derive(Clone, Copy, Debug)]
pub(super) enum Put {
    Create(InitialState),
    CreateOrUpdate,
}

/// What the herder is asked to do.
pub(super) enum Command {
    Put {
        name: String,
        properties: Properties,
        how: Put,
        reply: Reply<(ConnectorInfo, bool)>,
    },
    Delete {
        name: String,
        reply: Reply<()>,
    },
    Target {
        name: String,
        target: TargetState,
        reply: Reply<()>,
    },
    Restart {
        name: String,
        include_tasks: bool,
        only_failed: bool,
        reply: Reply<()>,
    },
    RestartTask {
        name: String,
        task: usize,
        reply: Reply<()>,
    },
    /// A failed task asks to be started anew.
    Revive {
        name: String,
        task: usize,
        generation: u64,
        failures: u32,
    },
    Shutdown {
        reply: oneshot::Sender<()>,
    },
}

/// A connector that has been started.
struct Running {
    connector: Connector,
    settings: TaskSettings,
    tasks: Vec<RunningTask>,
}

/// What a connector's tasks are started with.
#[derive(Clone)]
struct TaskSettings {
    class: String,
    errors: ErrorSettings,
    kind: KindSettings,
}

#[derive(Clone)]
enum KindSettings {
    Source(SourceSettings),
    Sink(SinkSettings),
}

struct RunningTask {
    properties: Properties,
    generation: u64,
    handle: TaskHandle,
}

/// Owns the connectors.
pub(super) struct Herder {
    shared: Arc<Shared>,
    configs: ConfigStore,
    running: BTreeMap<String, Running>,
    generations: u64,
    commands: mpsc::Sender<Command>,
}

impl Herder {
    pub(super) fn new(
        shared: Arc<Shared>,
        configs: ConfigStore,
        commands: mpsc::Sender<Command>,
    ) -> Self {
        Self {
            shared,
            configs,
            running: BTreeMap::new(),
            generations: 0,
            commands,
        }
    }

    /// Starts what the config topic has.
    pub(super) async fn start_stored(&mut self) -> Result<(), WorkerError> {
        let stored: Vec<(String, Properties)> = self
            .configs
            .connectors()
            .iter()
            .filter_map(|(name, stored)| Some((name.clone(), stored.properties.clone()?)))
            .collect();
        for (name, properties) in stored {
            self.show(&name, &properties);
            self.start_connector(&name).await?;
        }
        Ok(())
    }

    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        while let Some(command) = inbox.recv().await {
            match command {
                Command::Shutdown { reply } => {
                    self.shutdown().await;
                    // Nobody may be waiting.
                    let _ = reply.send(());
                    return;
                }
                other => self.handle(other).await,
            }
        }
    }

    /// Runs a command. That nobody awaits its answer any more is no reason not to.
    async fn handle(&mut self, command: Command) {
        match command {
            Command::Put {
                name,
                properties,
                how,
                reply,
            } => {
                let _ = reply.send(self.put(&name, properties, how).await);
            }
            Command::Delete { name, reply } => {
                let _ = reply.send(self.delete(&name).await);
            }
            Command::Target {
                name,
                target,
                reply,
            } => {
                let _ = reply.send(self.target(&name, target).await);
            }
            Command::Restart {
                name,
                include_tasks,
                only_failed,
                reply,
            } => {
                let _ = reply.send(self.restart(&name, include_tasks, only_failed).await);
            }
            Command::RestartTask { name, task, reply } => {
                let _ = reply.send(self.restart_task(&name, task).await);
            }
            Command::Revive {
                name,
                task,
                generation,
                failures,
            } => {
                self.revive(&name, task, generation, failures).await;
            }
            Command::Shutdown { .. } => {}
        }
    }

    async fn put(
        &mut self,
        name: &str,
        mut properties: Properties,
        how: Put,
    ) -> Result<(ConnectorInfo, bool), WorkerError> {
        let before = self.stored(name);
        let is_new = before.is_none();
        if matches!(how, Put::Create(_)) && !is_new {
            return Err(WorkerError::Exists(name.to_owned()));
        }
        match properties.get("name") {
            Some(given) if given != name => {
                return Err(WorkerError::BadRequest(format!(
                    "Connector name configuration ({given}) doesn't match connector name in the URL ({name})"
                )));
            }
            Some(_) => {}
            None => {
                properties.insert("name".to_owned(), name.to_owned());
            }
        }
        if let Some(before) = &before {
            properties = unmasked(&self.shared.config, properties, before);
        }
        if let Err(errors) = check(&self.shared.config, &properties) {
            return Err(WorkerError::InvalidConfig(errors));
        }
        let target = match how {
            Put::Create(initial) => Some(match initial {
                InitialState::Running => TargetState::Started,
                InitialState::Paused => TargetState::Paused,
                InitialState::Stopped => TargetState::Stopped,
            }),
            Put::CreateOrUpdate => is_new.then_some(TargetState::Started),
        };
        // The same configuration again changes nothing, unless it mends a failed connector.
        let failed = self.shared.board.connector_state(name) == Some(State::Failed);
        if is_new || failed || before.as_ref() != Some(&properties) {
            self.configs
                .put_connector(name, &properties, target)
                .await?;
            self.stop_connectors(vec![name.to_owned()]).await;
            self.show(name, &properties);
            self.start_connector(name).await?;
        }
        let info = self.shared.board.info(name);
        let info = info.ok_or_else(|| WorkerError::UnknownConnector(name.to_owned()))?;
        Ok((info, is_new))
    }

    fn stored(&self, name: &str) -> Option<Properties> {
        self.configs.connectors().get(name)?.properties.clone()
    }

    fn show(&self, name: &str, properties: &Properties) {
        let class = properties
            .get("connector.class")
            .map(String::as_str)
            .unwrap_or_default();
        let plugin = self.shared.config.plugins.connector(class.trim());
        let kind = plugin.ok().map(|plugin| plugin.kind().name());
        let shown = masked(&self.shared.config, properties);
        self.shared.board.put(name, kind, shown);
    }

    async fn set_connector(&self, name: &str, state: State, trace: Option<String>) {
        let status = ComponentStatus {
            state,
            trace,
            generation: self.generations,
        };
        self.shared.board.set_connector(name, status.clone());
        self.shared
            .statuses
            .put_connector(name, Some(&status))
            .await;
    }

    /// Starts a connector as its target state says. What is wrong with it becomes its status;
    /// only a log that cannot be written is an error.
    async fn start_connector(&mut self, name: &str) -> Result<(), WorkerError> {
        let Some(stored) = self.configs.connectors().get(name).cloned() else {
            return Ok(());
        };
        let Some(properties) = stored.properties else {
            return Ok(());
        };
        self.generations += 1;
        if stored.target == TargetState::Stopped {
            self.set_tasks(name, &stored.tasks, &[]).await?;
            self.set_connector(name, State::Stopped, None).await;
            return Ok(());
        }
        match self.open_connector(&properties).await {
            Ok((connector, settings, task_configs)) => {
                self.set_tasks(name, &stored.tasks, &task_configs).await?;
                let state = match stored.target {
                    TargetState::Paused => State::Paused,
                    _ => State::Running,
                };
                self.set_connector(name, state, None).await;
                let mut running = Running {
                    connector,
                    settings,
                    tasks: Vec::new(),
                };
                for (task, properties) in task_configs.into_iter().enumerate() {
                    let task = self.spawn(name, &running, task, properties, stored.target, 0);
                    running.tasks.push(task.await);
                }
                self.running.insert(name.to_owned(), running);
            }
            Err(error) => {
                tracing::error!(
                    connector = name,
                    error = error.trace(),
                    "a connector has failed"
                );
                self.set_tasks(name, &stored.tasks, &[]).await?;
                self.set_connector(name, State::Failed, Some(error.trace()))
                    .await;
            }
        }
        Ok(())
    }

    async fn open_connector(
        &self,
        properties: &Properties,
    ) -> Result<(Connector, TaskSettings, Vec<Properties>), ConnectError> {
        let checked = check(&self.shared.config, properties)?;
        let mut connector = Connector::new(&checked.plugin);
        connector.start(properties).await?;
        let max = checked.settings.tasks_max;
        let tasks = connector.task_configs(max)?;
        if tasks.len() > max {
            return Err(ConnectError::failed(format!(
                "the connector made {} tasks, but tasks.max is {max}",
                tasks.len()
            )));
        }
        let kind = match checked.kind {
            CheckedKind::Source(settings) => KindSettings::Source(settings),
            CheckedKind::Sink(settings) => KindSettings::Sink(settings),
        };
        let class = checked.plugin.class.clone();
        let settings = TaskSettings {
            class,
            errors: checked.settings.errors,
            kind,
        };
        Ok((connector, settings, tasks))
    }

    /// Makes `tasks` the connector's tasks, in the log and on the board.
    async fn set_tasks(
        &mut self,
        name: &str,
        before: &[Properties],
        tasks: &[Properties],
    ) -> Result<(), WorkerError> {
        if before != tasks {
            self.configs.put_tasks(name, tasks).await?;
        }
        for gone in tasks.len()..before.len() {
            self.shared.statuses.put_task(name, gone, None).await;
        }
        self.shared.board.put_tasks(name, tasks);
        Ok(())
    }

    async fn spawn(
        &mut self,
        name: &str,
        running: &Running,
        task: usize,
        properties: Properties,
        target: TargetState,
        failures: u32,
    ) -> RunningTask {
        self.generations += 1;
        let first = if target == TargetState::Paused {
            Control::Pause
        } else {
            Control::Run
        };
        let (control, told) = watch::channel(first);
        let seat = TaskSeat {
            shared: self.shared.clone(),
            connector: name.into(),
            task,
            generation: self.generations,
            failures,
            errors: running.settings.errors.clone(),
            control: told,
            commands: self.commands.clone(),
        };
        seat.report(State::Unassigned, None).await;
        // Checked when the connector was opened; the worker's plugins do not change.
        let converters = self
            .stored(name)
            .ok_or_else(|| ConfigErrors::single("name", format!("{name} has no configuration")))
            .and_then(|stored| Converters::new(&self.shared.config, &stored));
        let run = properties.clone();
        let (shared, generation) = (self.shared.clone(), self.generations);
        let spawn = |run: BoxFuture<'static, ()>| {
            tokio::spawn(guarded(shared, name.to_owned(), task, generation, run))
        };
        let join = match (converters, &running.connector, &running.settings.kind) {
            (Ok(converters), Connector::Source(connector), KindSettings::Source(settings)) => {
                let (task, settings) = (connector.task(), settings.clone());
                let run = SourceRun {
                    seat,
                    task,
                    properties: run,
                    settings,
                    converters,
                };
                spawn(Box::pin(run.run()))
            }
            (Ok(converters), Connector::Sink(connector), KindSettings::Sink(settings)) => {
                let (task, settings) = (connector.task(), settings.clone());
                let class = running.settings.class.clone();
                let run = SinkRun {
                    seat,
                    task,
                    class,
                    properties: run,
                    settings,
                    converters,
                };
                spawn(Box::pin(run.run()))
            }
            (converters, _, _) => {
                let error = match converters {
                    Err(errors) => ConnectError::Config(errors),
                    Ok(_) => {
                        ConnectError::failed("the connector is of another kind than its settings")
                    }
                };
                spawn(Box::pin(seat.end(Err(error), Instant::now())))
            }
        };
        RunningTask {
            properties,
            generation: self.generations,
            handle: TaskHandle::new(control, join),
        }
    }

    /// Ends connectors: all their tasks are told first, then awaited one after the other.
    async fn stop_connectors(&mut self, names: Vec<String>) {
        let deadline = Instant::now() + self.shared.config.task_shutdown_graceful_timeout;
        let mut stopping = Vec::new();
        for name in names {
            if let Some(running) = self.running.remove(&name) {
                running
                    .tasks
                    .iter()
                    .for_each(|task| task.handle.tell(Control::Stop));
                stopping.push(running);
            }
        }
        for mut running in stopping {
            for task in running.tasks {
                task.handle.ended(deadline).await;
            }
            running.connector.stop().await;
        }
    }

    async fn delete(&mut self, name: &str) -> Result<(), WorkerError> {
        self.known(name)?;
        let tasks = self
            .configs
            .connectors()
            .get(name)
            .map_or(0, |stored| stored.tasks.len());
        self.configs.remove_connector(name).await?;
        self.stop_connectors(vec![name.to_owned()]).await;
        for topic in self.shared.board.take_topics(name) {
            self.shared.statuses.remove_topic(&topic, name).await;
        }
        self.shared.board.remove(name);
        for task in 0..tasks {
            self.shared.statuses.put_task(name, task, None).await;
        }
        self.shared.statuses.put_connector(name, None).await;
        Ok(())
    }

    fn known(&self, name: &str) -> Result<(), WorkerError> {
        match self.stored(name) {
            Some(_) => Ok(()),
            None => Err(WorkerError::UnknownConnector(name.to_owned())),
        }
    }

    async fn target(&mut self, name: &str, target: TargetState) -> Result<(), WorkerError> {
        self.known(name)?;
        let before = self
            .configs
            .connectors()
            .get(name)
            .map(|stored| stored.target);
        if before == Some(target) {
            return Ok(());
        }
        self.configs.put_target(name, target).await?;
        let control = match target {
            TargetState::Started => Control::Run,
            TargetState::Paused => Control::Pause,
            TargetState::Stopped => Control::Stop,
        };
        match self.running.get(name) {
            Some(running) if control != Control::Stop => {
                running
                    .tasks
                    .iter()
                    .for_each(|task| task.handle.tell(control));
                let state = if control == Control::Run {
                    State::Running
                } else {
                    State::Paused
                };
                self.set_connector(name, state, None).await;
            }
            _ => {
                self.stop_connectors(vec![name.to_owned()]).await;
                self.start_connector(name).await?;
            }
        }
        Ok(())
    }

    async fn restart(
        &mut self,
        name: &str,
        include_tasks: bool,
        only_failed: bool,
    ) -> Result<(), WorkerError> {
        self.known(name)?;
        let failed = self.shared.board.connector_state(name) == Some(State::Failed);
        let is_running = self.running.contains_key(name);
        if failed || !is_running || (include_tasks && !only_failed) {
            self.stop_connectors(vec![name.to_owned()]).await;
            return self.start_connector(name).await;
        }
        if !only_failed && self.renew_connector(name).await? {
            return Ok(());
        }
        let tasks = self
            .running
            .get(name)
            .map_or(0, |running| running.tasks.len());
        for task in 0..tasks {
            let failed = self.shared.board.task_state(name, task) == Some(State::Failed);
            if include_tasks && failed {
                self.restart_task(name, task).await?;
            }
        }
        Ok(())
    }

    /// Starts the connector anew and leaves its tasks alone, unless it wants others now; true if
    /// so, because then everything has been started anew.
    async fn renew_connector(&mut self, name: &str) -> Result<bool, WorkerError> {
        let Some(properties) = self.stored(name) else {
            return Ok(false);
        };
        let opened = self.open_connector(&properties).await;
        if let (Ok((connector, _, tasks)), Some(running)) = (opened, self.running.get_mut(name))
            && running.tasks.iter().map(|task| &task.properties).eq(&tasks)
        {
            let mut old = std::mem::replace(&mut running.connector, connector);
            old.stop().await;
            return Ok(false);
        }
        self.stop_connectors(vec![name.to_owned()]).await;
        self.start_connector(name).await.map(|()| true)
    }

    async fn restart_task(&mut self, name: &str, task: usize) -> Result<(), WorkerError> {
        self.known(name)?;
        let unknown = || WorkerError::UnknownTask {
            connector: name.to_owned(),
            task,
        };
        let properties = {
            let tasks = self.running.get(name).map(|running| &running.tasks);
            tasks
                .and_then(|tasks| tasks.get(task))
                .ok_or_else(unknown)?
                .properties
                .clone()
        };
        self.replace_task(name, task, properties, 0).await;
        Ok(())
    }

    async fn revive(&mut self, name: &str, task: usize, generation: u64, failures: u32) {
        let found = self
            .running
            .get(name)
            .and_then(|running| running.tasks.get(task));
        let Some(found) = found.filter(|found| found.generation == generation) else {
            return;
        };
        let properties = found.properties.clone();
        self.replace_task(name, task, properties, failures).await;
    }

    async fn replace_task(
        &mut self,
        name: &str,
        task: usize,
        properties: Properties,
        failures: u32,
    ) {
        let Some(mut running) = self.running.remove(name) else {
            return;
        };
        if task < running.tasks.len() {
            let old = running.tasks.remove(task);
            old.handle.tell(Control::Stop);
            let deadline = Instant::now() + self.shared.config.task_shutdown_graceful_timeout;
            old.handle.ended(deadline).await;
            let target = self
                .configs
                .connectors()
                .get(name)
                .map(|stored| stored.target);
            let target = target.unwrap_or_default();
            let new = self
                .spawn(name, &running, task, properties, target, failures)
                .await;
            running.tasks.insert(task, new);
        }
        self.running.insert(name.to_owned(), running);
    }

    /// Ends all connectors, then what reads and writes the worker's own topics.
    pub(super) async fn shutdown(&mut self) {
        self.stop_connectors(self.running.keys().cloned().collect())
            .await;
        self.shared.offsets.close().await;
        self.shared.statuses.close().await;
        self.configs.close().await;
    }
}
