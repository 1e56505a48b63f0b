//! What the threads of an application share.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use headwater_client::Client;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};

use crate::StreamsError;
use crate::engine::{Counters, Plan, Task, TaskConfig, TaskId, Topology, changelog_topic};
use crate::state::{StateBackend, StateError, StoreId, StoreView};

use super::StreamsConfig;
use super::internal_topics::Changelog;
use super::state_dir::StateDir;

pub(super) struct Shared {
    pub(super) config: StreamsConfig,
    pub(super) task_config: TaskConfig,
    pub(super) topology: Topology,
    pub(super) plan: Plan,
    /// The changelog topics, by name.
    pub(super) changelogs: HashMap<String, Changelog>,
    pub(super) client: Client,
    pub(super) backend: Arc<dyn StateBackend>,
    pub(super) state_dir: StateDir,
    /// Committed state by store and partition, for queries.
    pub(super) views: RwLock<BTreeMap<StoreId, StoreView>>,
    counters: Mutex<CounterBook>,
    stopping: AtomicBool,
    pub(super) stop: Notify,
    /// The first failure of a thread.
    pub(super) failure: Mutex<Option<StreamsError>>,
    /// By thread: whether it has all its tasks running.
    pub(super) progress: watch::Sender<Vec<ThreadProgress>>,
}

/// Where a thread stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThreadProgress {
    /// Joining the group, or restoring.
    Starting,
    /// All its tasks run.
    Running,
    /// It has ended.
    Stopped,
    /// It has failed.
    Failed,
}

#[derive(Default)]
struct CounterBook {
    live: BTreeMap<TaskId, Vec<(String, Counters)>>,
    gone: BTreeMap<String, Counters>,
}

impl Shared {
    #[allow(clippy::too_many_arguments)] // Assembled in one place from what start-up made.
    pub(super) fn new(
        config: StreamsConfig,
        task_config: TaskConfig,
        topology: Topology,
        plan: Plan,
        changelogs: HashMap<String, Changelog>,
        client: Client,
        backend: Arc<dyn StateBackend>,
        state_dir: StateDir,
    ) -> Self {
        let threads = vec![ThreadProgress::Starting; config.num_stream_threads];
        Self {
            config,
            task_config,
            topology,
            plan,
            changelogs,
            client,
            backend,
            state_dir,
            views: RwLock::default(),
            counters: Mutex::default(),
            stopping: AtomicBool::new(false),
            stop: Notify::new(),
            failure: Mutex::new(None),
            progress: watch::Sender::new(threads),
        }
    }

    /// Tasks whose state, or some of it, lies in this process's backend.
    pub(super) fn tasks_with_state(&self) -> Result<Vec<TaskId>, StateError> {
        let mut found = Vec::new();
        let now = wall_ms();
        for id in self.plan.tasks.keys() {
            let part = self.topology.subtopologies().get(id.subtopology as usize);
            let stores = part.map_or(&[][..], |part| &part.stores);
            for store in stores
                .iter()
                .filter_map(|at| self.topology.stores().get(*at))
            {
                let topic = changelog_topic(&self.config.application_id, &store.name);
                let store = StoreId {
                    store: store.name.clone(),
                    partition: id.partition,
                };
                let checkpoint = self.backend.open(&store)?.checkpoint()?;
                let changelog = self.changelogs.get(&topic);
                let is_of_use = checkpoint.zip(changelog).is_some_and(|(found, changelog)| {
                    found.topic_id == changelog.id
                        && !changelog.has_outlived(found.confirmed_at, now)
                });
                if is_of_use {
                    found.push(*id);
                    break;
                }
            }
        }
        Ok(found)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(super) fn request_stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stop.notify_waiters();
    }

    pub(super) fn set_progress(&self, thread: usize, now: ThreadProgress) {
        self.progress
            .send_if_modified(|all| match all.get_mut(thread) {
                Some(slot) if *slot != now => {
                    *slot = now;
                    true
                }
                _ => false,
            });
    }

    pub(super) fn fail(&self, error: StreamsError) {
        self.failure.lock().get_or_insert(error);
        self.request_stop();
    }

    pub(super) fn note_counters<'a>(&self, tasks: impl Iterator<Item = &'a Task>) {
        let mut book = self.counters.lock();
        for task in tasks {
            let counters = task
                .counters()
                .map(|(name, counters)| (name.to_owned(), counters));
            book.live.insert(task.id(), counters.collect());
        }
    }

    /// A task has ended: what it counted stays counted.
    pub(super) fn retire_counters(&self, task: &Task) {
        let mut book = self.counters.lock();
        book.live.remove(&task.id());
        for (name, counters) in task.counters() {
            book.gone.entry(name.to_owned()).or_default().add(counters);
        }
    }

    pub(super) fn counters(&self) -> BTreeMap<String, Counters> {
        let book = self.counters.lock();
        let mut sums = book.gone.clone();
        for (name, counters) in book.live.values().flatten() {
            sums.entry(name.clone()).or_default().add(*counters);
        }
        sums
    }
}

/// The wall clock in ms since the epoch.
pub(super) fn wall_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
