//! An application that runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use headwater_client::Client;
use parking_lot::Mutex;

use crate::StreamsError;
use crate::codec::Codec;
use crate::dsl::TimeWindows;
use crate::engine::{Counters, TaskConfig, Topology};
use crate::state::{
    ClaimedBackend, MemoryBackend, SledBackend, StateBackend, StateError, StoreView,
};

use super::assignment::TaskAssignor;
use super::query::{ReadOnlyStore, ReadOnlyWindowStore};
use super::shared::{Shared, ThreadProgress};
use super::state_dir::StateDir;
use super::{StateBackendKind, StreamsConfig, internal_topics, thread};

/// What an application is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamsState {
    /// Joining its group, dividing tasks or restoring state.
    Rebalancing,
    /// Every thread has joined, and every task it was given works.
    Running,
    /// It was closed.
    Stopped,
    /// It has failed; [`RunningStreams::join`] says why.
    Failed,
}

/// An application that runs on this process. Dropping it asks its threads to stop but does not wait;
/// [`close`](Self::close) does.
pub struct RunningStreams {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// How often the backend makes what was written to it durable.
const FLUSH_INTERVAL: Duration = Duration::from_secs(10);

impl RunningStreams {
    /// Creates the internal topics that are missing and starts the threads.
    ///
    /// # Errors
    /// [`StreamsError`] if a setting makes no sense, a source topic is missing, internal topics do
    /// not fit, or the state directory is in use.
    pub async fn start(
        topology: &Topology,
        config: StreamsConfig,
        client: Client,
    ) -> Result<Self, StreamsError> {
        config.validate()?;
        let state_dir = StateDir::open(&config.state_dir, &config.application_id)?;
        let admin = client.admin();
        let sizes = internal_topics::source_sizes(&admin, topology, &config.application_id).await?;
        let plan = topology.plan(&config.application_id, |topic| sizes.get(topic).copied())?;
        let changelogs = internal_topics::ensure(&admin, &plan, &config).await?;
        let backend = open_backend(&config, &state_dir).await?;
        let backend = Arc::new(ClaimedBackend::new(backend));
        let task_config = task_config(&config, topology, plan.tasks.len());
        let shared = Arc::new(Shared::new(
            config,
            task_config,
            topology.clone(),
            plan,
            changelogs,
            client,
            backend,
            state_dir,
        ));
        let running = Self {
            shared: shared.clone(),
            threads: Mutex::default(),
        };
        let process = shared.state_dir.process_id().to_string();
        let with_state = shared.tasks_with_state()?;
        let assignor = TaskAssignor::new(&shared.plan.tasks, process, with_state);
        for index in 0..shared.config.num_stream_threads {
            running.spawn(index, assignor.clone())?;
        }
        running.flush_behind();
        Ok(running)
    }

    fn spawn(&self, index: usize, assignor: Arc<TaskAssignor>) -> Result<(), StreamsError> {
        let name = format!(
            "{}-StreamThread-{}",
            self.shared.config.application_id,
            index + 1
        );
        let shared = self.shared.clone();
        let lost = name.clone();
        // Its own runtime, so that the thread outlives that of the caller in good order.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let spawned = runtime.and_then(|runtime| {
            std::thread::Builder::new().name(name).spawn(move || {
                runtime.block_on(thread::run(shared, index, assignor));
            })
        });
        match spawned {
            Ok(thread) => {
                self.threads.lock().push(thread);
                Ok(())
            }
            Err(error) => {
                self.shared.request_stop();
                tracing::error!(%error, "cannot start a thread");
                Err(StreamsError::ThreadLost(lost))
            }
        }
    }

    /// Syncs the backend from time to time, on a thread where that stalls nobody.
    fn flush_behind(&self) {
        let shared = self.shared.clone();
        tokio::spawn(async move {
            while !shared.is_stopping() {
                tokio::select! {
                    () = tokio::time::sleep(FLUSH_INTERVAL) => {}
                    () = shared.stop.notified() => break,
                }
                flush(shared.backend.clone()).await;
            }
        });
    }

    /// What the application is doing.
    pub fn state(&self) -> StreamsState {
        state_of(&self.shared.progress.borrow())
    }

    /// Waits until every task given to this process works.
    ///
    /// # Errors
    /// The failure, if the application stops instead.
    pub async fn wait_running(&self) -> Result<(), StreamsError> {
        let mut progress = self.shared.progress.subscribe();
        loop {
            let state = state_of(&progress.borrow_and_update());
            match state {
                StreamsState::Running => return Ok(()),
                StreamsState::Stopped | StreamsState::Failed => return self.outcome(),
                StreamsState::Rebalancing => {}
            }
            if progress.changed().await.is_err() {
                return self.outcome();
            }
        }
    }

    /// Waits until the application has stopped.
    ///
    /// # Errors
    /// Why it failed, if it did.
    pub async fn join(&self) -> Result<(), StreamsError> {
        let mut progress = self.shared.progress.subscribe();
        let ended = |all: &Vec<ThreadProgress>| {
            all.iter()
                .all(|one| matches!(one, ThreadProgress::Stopped | ThreadProgress::Failed))
        };
        let _ = progress.wait_for(ended).await;
        let threads = std::mem::take(&mut *self.threads.lock());
        let joined = tokio::task::spawn_blocking(move || {
            let lost = threads.into_iter().find_map(|thread| {
                let name = thread.thread().name().unwrap_or_default().to_owned();
                thread.join().is_err().then_some(name)
            });
            lost.map_or(Ok(()), |name| Err(StreamsError::ThreadLost(name)))
        });
        match joined.await {
            Ok(joined) => joined?,
            Err(_) => return Err(StreamsError::ThreadLost("the joining thread".to_owned())),
        }
        flush(self.shared.backend.clone()).await;
        self.outcome()
    }

    fn outcome(&self) -> Result<(), StreamsError> {
        self.shared.failure.lock().take().map_or(Ok(()), Err)
    }

    /// Commits, writes state to the backend, and stops all threads. The process stays a member of
    /// its group for the session timeout, so that its tasks wait for it to come back.
    ///
    /// # Errors
    /// Why it failed, if it did.
    pub async fn close(&self) -> Result<(), StreamsError> {
        self.shared.request_stop();
        self.join().await
    }

    /// What the nodes have counted on this process, by name.
    pub fn counters(&self) -> BTreeMap<String, Counters> {
        self.shared.counters()
    }

    pub(super) fn application_id(&self) -> &str {
        &self.shared.config.application_id
    }

    pub(super) fn client(&self) -> &Client {
        &self.shared.client
    }

    /// The topology.
    pub fn topology(&self) -> &Topology {
        &self.shared.topology
    }

    /// Names in the log of the topics that the application reads, with their partitions.
    pub fn source_topics(&self) -> &BTreeMap<String, i32> {
        &self.shared.plan.partitions
    }

    /// The partitions of a store that are on this process, as of the last commits.
    ///
    /// # Errors
    /// [`StreamsError::NoStore`] if there is none.
    pub fn store(&self, name: &str) -> Result<Vec<StoreView>, StreamsError> {
        let views = self.shared.views.read();
        let views: Vec<StoreView> = views
            .values()
            .filter(|view| view.id().store == name)
            .cloned()
            .collect();
        if views.is_empty() {
            return Err(StreamsError::NoStore(name.to_owned()));
        }
        Ok(views)
    }

    /// A store of keys and values on this process.
    ///
    /// # Errors
    /// [`StreamsError::NoStore`] if there is none.
    pub fn key_value_store<K, V>(
        &self,
        name: &str,
        key: impl Codec<K> + 'static,
        value: impl Codec<V> + 'static,
    ) -> Result<ReadOnlyStore<K, V>, StreamsError> {
        Ok(ReadOnlyStore::new(
            self.store(name)?,
            Arc::new(key),
            Arc::new(value),
        ))
    }

    /// A store of windows on this process.
    ///
    /// # Errors
    /// [`StreamsError::NoStore`] if there is none.
    pub fn window_store<K, V>(
        &self,
        name: &str,
        windows: TimeWindows,
        key: impl Codec<K> + 'static,
        value: impl Codec<V> + 'static,
    ) -> Result<ReadOnlyWindowStore<K, V>, StreamsError> {
        let (key, value) = (Arc::new(key), Arc::new(value));
        Ok(ReadOnlyWindowStore::new(
            self.store(name)?,
            key,
            value,
            windows.size_ms(),
        ))
    }
}

impl Drop for RunningStreams {
    fn drop(&mut self) {
        self.shared.request_stop();
    }
}

fn state_of(threads: &[ThreadProgress]) -> StreamsState {
    if threads.contains(&ThreadProgress::Failed) {
        StreamsState::Failed
    } else if threads.iter().all(|one| *one == ThreadProgress::Stopped) {
        StreamsState::Stopped
    } else if threads.iter().all(|one| *one == ThreadProgress::Running) {
        StreamsState::Running
    } else {
        StreamsState::Rebalancing
    }
}

async fn open_backend(
    config: &StreamsConfig,
    state_dir: &StateDir,
) -> Result<Arc<dyn StateBackend>, StreamsError> {
    match config.state_backend {
        StateBackendKind::Memory => Ok(Arc::new(MemoryBackend::new())),
        StateBackendKind::Sled => {
            let path = state_dir.stores();
            let opened = tokio::task::spawn_blocking(move || SledBackend::open(&path)).await;
            let opened = opened.unwrap_or_else(|error| {
                Err(StateError::Backend {
                    store: "all stores".to_owned(),
                    action: "opening",
                    source: Box::new(error),
                })
            });
            Ok(Arc::new(opened?))
        }
    }
}

/// The byte budget of the process, divided among the stores of its tasks.
fn task_config(config: &StreamsConfig, topology: &Topology, tasks: usize) -> TaskConfig {
    let parts = topology.subtopologies();
    let tasks_of_part = tasks.div_ceil(parts.len().max(1));
    let stores: usize = parts
        .iter()
        .map(|part| part.stores.len() * tasks_of_part)
        .sum();
    TaskConfig {
        skip_undecodable: config.skip_undecodable,
        caching: config.cache_max_bytes > 0,
        cache_bytes: config.cache_bytes() / stores.max(1),
        max_task_idle_ms: config.max_task_idle.map_or(-1, |idle| {
            i64::try_from(idle.as_millis()).unwrap_or(i64::MAX)
        }),
        ..TaskConfig::new(&config.application_id)
    }
}

async fn flush(backend: Arc<dyn StateBackend>) {
    let flushed = tokio::task::spawn_blocking(move || backend.flush()).await;
    if let Ok(Err(error)) = flushed {
        // The changelog has everything; the next restore takes longer.
        tracing::warn!(%error, "state was not flushed");
    }
}
