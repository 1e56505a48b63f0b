//! The task that keeps a consumer's buffers filled: finds positions, fetches, asks for leaders.
//!
//! One fetch per node asks for every partition that wants data. The broker holds it back until
//! there is some, so a partition that comes to want data meanwhile goes into another, over another
//! connection; there are at most [`LANES`] per node.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::Instant;

use super::assigned::{Position, Todo, TodoKind};
use super::config::AutoOffsetReset;
use super::core::Core;
use super::epochs::{self, Checked, ToCheck};
use super::fetch::{self, Answer, Wanted};
use super::session::Session;
use crate::TopicPartition;
use crate::cluster::Topics;
use crate::error::ClientError;
use crate::group_offsets;
use crate::list_offsets::{EARLIEST, LATEST, Listed, list_offsets};
use crate::metadata::ClusterView;
use crate::transport::Channel;

/// Fetches under way to one node at a time.
const LANES: usize = 3;

/// A fetch is sent once this share of the prefetch bound is free, so that fetches stay large.
const FREE_SHARE: usize = 4;

enum Event {
    Fetched {
        node: i32,
        lane: usize,
        reserved: usize,
        view: Arc<ClusterView>,
        wanted: Vec<Wanted>,
        session: Session,
        result: Result<Answer, ClientError>,
    },
    Committed {
        todo: Vec<Todo>,
        result: Result<group_offsets::Offsets, ClientError>,
    },
    Ends {
        todo: Vec<Todo>,
        listed: Listed,
    },
    Checked {
        positions: Vec<ToCheck>,
        checked: Vec<Checked>,
    },
    Refreshed(Result<(), ClientError>),
}

pub(crate) struct Fetcher {
    pub(super) core: Arc<Core>,
    lanes: Arc<[Channel; LANES]>,
    /// Lanes in use, by node.
    busy: HashMap<i32, [bool; LANES]>,
    /// The sessions of lanes that are not in use, by node and lane.
    sessions: HashMap<(i32, usize), Session>,
    /// Bytes that fetches under way may bring.
    reserved: usize,
    events: FuturesUnordered<BoxFuture<'static, Event>>,
    pub(super) stale: HashSet<Arc<str>>,
    is_refreshing: bool,
    refresh_at: Instant,
}

impl Fetcher {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        let lanes = std::array::from_fn(|_| Channel::new(core.cluster.clone()));
        Self {
            core,
            lanes: Arc::new(lanes),
            busy: HashMap::new(),
            sessions: HashMap::new(),
            reserved: 0,
            events: FuturesUnordered::new(),
            stale: HashSet::new(),
            is_refreshing: false,
            refresh_at: Instant::now(),
        }
    }

    /// Runs until it is aborted.
    pub(crate) async fn run(mut self) {
        loop {
            // A node of this process may answer at once; others must get their turn all the same.
            tokio::task::consume_budget().await;
            let next = self.start(Instant::now());
            let timer = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(event) = self.events.next() => {
                    self.handle(event);
                    while let Some(Some(event)) = self.events.next().now_or_never() {
                        self.handle(event);
                    }
                }
                () = self.core.fetch.notified() => {}
                () = timer => {}
            }
        }
    }

    /// Starts all that is to be done now. Returns when to look again.
    fn start(&mut self, now: Instant) -> Option<Instant> {
        let partition_bytes = self.core.config.max_partition_fetch_bytes;
        let (todo, mut next) = self.core.assigned.lock().todo(now, partition_bytes);
        let mut find_committed = Vec::new();
        let mut find_ends = Vec::new();
        let mut fetches: HashMap<i32, Vec<Wanted>> = HashMap::new();
        let mut checks: HashMap<i32, Vec<ToCheck>> = HashMap::new();
        let view = self.core.cluster.view();
        for todo in todo {
            match todo.kind {
                TodoKind::FindCommitted if self.core.group.is_none() => self.reset(&todo),
                TodoKind::FindCommitted => find_committed.push(todo),
                TodoKind::FindEnd(AutoOffsetReset::None) => {
                    let partition = todo.partition.clone();
                    self.core.assigned.lock().set_busy(&todo.partition, todo.id);
                    self.core.fail(ClientError::NoOffset { partition });
                }
                TodoKind::FindEnd(_) => find_ends.push(todo),
                TodoKind::Fetch(offset) => match view.leader(&todo.partition) {
                    Some(node) if to_check(&view, &todo).is_some() => {
                        checks
                            .entry(node)
                            .or_default()
                            .extend(to_check(&view, &todo));
                    }
                    Some(node) => {
                        let wanted = Wanted {
                            partition: todo.partition,
                            id: todo.id,
                            offset,
                        };
                        fetches.entry(node).or_default().push(wanted);
                    }
                    None => {
                        self.stale.insert(todo.partition.topic.clone());
                    }
                },
            }
        }
        self.find_committed(find_committed);
        self.find_ends(find_ends);
        for (node, positions) in checks {
            self.check(node, positions);
        }
        for (node, wanted) in fetches {
            self.fetch(node, wanted, &view);
        }
        if let Some(refresh_at) = self.refresh(now) {
            next = Some(next.map_or(refresh_at, |next| next.min(refresh_at)));
        }
        next
    }

    /// There is no committed offset: the configuration says where to begin.
    pub(super) fn reset(&self, todo: &Todo) {
        let to = Position::Reset(self.core.config.auto_offset_reset);
        self.core
            .assigned
            .lock()
            .found(&todo.partition, todo.id, to);
        self.core.fetch.notify_one();
    }

    fn set_busy(&self, todo: &[Todo]) {
        let mut assigned = self.core.assigned.lock();
        for todo in todo {
            assigned.set_busy(&todo.partition, todo.id);
        }
    }

    fn find_committed(&mut self, todo: Vec<Todo>) {
        if todo.is_empty() {
            return;
        }
        self.set_busy(&todo);
        let core = self.core.clone();
        self.events.push(
            async move {
                let partitions: Vec<TopicPartition> =
                    todo.iter().map(|todo| todo.partition.clone()).collect();
                let result = match &core.group {
                    Some(group) => group.committed(&core, Some(&partitions)).await,
                    None => Ok(group_offsets::Offsets::new()),
                };
                Event::Committed { todo, result }
            }
            .boxed(),
        );
    }

    fn find_ends(&mut self, todo: Vec<Todo>) {
        if todo.is_empty() {
            return;
        }
        self.set_busy(&todo);
        let core = self.core.clone();
        self.events.push(
            async move {
                let wanted = todo.iter().map(|todo| {
                    let which = match todo.kind {
                        TodoKind::FindEnd(AutoOffsetReset::Earliest) => EARLIEST,
                        TodoKind::FindEnd(AutoOffsetReset::ByDuration(age)) => before_now(age),
                        _ => LATEST,
                    };
                    (todo.partition.clone(), which)
                });
                let (isolation, limit) =
                    (core.config.isolation_level, core.config.default_api_timeout);
                let wanted = wanted.collect();
                let listed = list_offsets(
                    &core.cluster,
                    &core.channel,
                    wanted,
                    isolation,
                    limit,
                    limit,
                )
                .await;
                Event::Ends { todo, listed }
            }
            .boxed(),
        );
    }

    /// Asks a leader in a new epoch whether its log is the one that was read.
    fn check(&mut self, node: i32, positions: Vec<ToCheck>) {
        {
            let mut assigned = self.core.assigned.lock();
            for position in &positions {
                assigned.set_busy(&position.partition, position.id);
            }
        }
        let core = self.core.clone();
        self.events.push(
            async move {
                let checked = epochs::check(&core, node, &positions).await;
                Event::Checked { positions, checked }
            }
            .boxed(),
        );
    }

    fn fetch(&mut self, node: i32, wanted: Vec<Wanted>, view: &Arc<ClusterView>) {
        let config = &self.core.config;
        let lanes = self.busy.entry(node).or_default();
        let Some(lane) = lanes.iter().position(|busy| !busy) else {
            return;
        };
        let held = self.core.assigned.lock().buffered_bytes() + self.reserved;
        let free = config.prefetch_bytes.saturating_sub(held);
        if free < config.prefetch_bytes / FREE_SHARE || free == 0 {
            return;
        }
        let most = config
            .max_partition_fetch_bytes
            .saturating_mul(wanted.len());
        let reserved = free.min(config.fetch_max_bytes).min(most);
        {
            let mut assigned = self.core.assigned.lock();
            for wanted in &wanted {
                assigned.set_busy(&wanted.partition, wanted.id);
            }
        }
        if let Some(busy) = lanes.get_mut(lane) {
            *busy = true;
        }
        self.reserved += reserved;
        let mut session = self.sessions.remove(&(node, lane)).unwrap_or_default();
        let (core, all, view) = (self.core.clone(), self.lanes.clone(), view.clone());
        self.events.push(
            async move {
                let started = Instant::now();
                let result = match all.get(lane) {
                    Some(channel) => {
                        let config = &core.config;
                        let most = reserved;
                        fetch::call(channel, config, &view, node, &wanted, most, &mut session).await
                    }
                    None => Err(ClientError::UnknownNode(node)),
                };
                match &result {
                    Ok(answer) => {
                        core.counters.fetches.add(started.elapsed());
                        core.counters
                            .bytes_fetched
                            .add_size(fetch::bytes_in(&answer.response));
                    }
                    Err(_) => core.counters.fetch_failures.add(1),
                }
                Event::Fetched {
                    node,
                    lane,
                    reserved,
                    view,
                    wanted,
                    session,
                    result,
                }
            }
            .boxed(),
        );
    }

    /// Asks metadata of topics whose leaders are not known or have moved.
    fn refresh(&mut self, now: Instant) -> Option<Instant> {
        if self.is_refreshing || self.stale.is_empty() {
            return None;
        }
        if self.refresh_at > now {
            return Some(self.refresh_at);
        }
        self.is_refreshing = true;
        let core = self.core.clone();
        let topics: Vec<Arc<str>> = self.stale.drain().collect();
        self.events.push(
            async move {
                let allow = core.config.allow_auto_create_topics;
                let limit = core.config.request_timeout;
                let topics = Topics::Named(&topics);
                let refreshed = core
                    .cluster
                    .refresh(&core.channel, topics, allow, limit)
                    .await;
                Event::Refreshed(refreshed.map(|_| ()))
            }
            .boxed(),
        );
        None
    }

    fn handle(&mut self, event: Event) {
        let now = Instant::now();
        let retry_at = now + self.core.cluster.config.retry_backoff;
        match event {
            Event::Fetched {
                node,
                lane,
                reserved,
                view,
                wanted,
                session,
                result,
            } => {
                self.reserved -= reserved;
                self.sessions.insert((node, lane), session);
                if let Some(busy) = self
                    .busy
                    .get_mut(&node)
                    .and_then(|lanes| lanes.get_mut(lane))
                {
                    *busy = false;
                }
                match result {
                    Ok(answer) => {
                        let outcomes = fetch::outcomes(&self.core.config, &view, &wanted, answer);
                        for (wanted, outcome) in wanted.iter().zip(outcomes) {
                            self.take_in(wanted, outcome, retry_at);
                        }
                    }
                    Err(error) => {
                        for wanted in &wanted {
                            self.elsewhere(wanted, &error, retry_at);
                        }
                    }
                }
            }
            Event::Committed { todo, result } => self.take_committed(todo, result, retry_at),
            Event::Ends { todo, listed } => self.take_ends(todo, listed, retry_at),
            Event::Checked { positions, checked } => {
                self.take_checked(positions, checked, retry_at);
            }
            Event::Refreshed(result) => {
                self.is_refreshing = false;
                self.refresh_at = retry_at;
                if let Err(error) = result {
                    tracing::debug!(%error, "metadata could not be refreshed");
                    self.core.tell_if_unreachable(&error);
                }
            }
        }
    }
}

/// The position to be checked before the fetch, if the leader is of an epoch in which it has not
/// been.
fn to_check(view: &ClusterView, todo: &Todo) -> Option<ToCheck> {
    let TodoKind::Fetch(offset) = todo.kind else {
        return None;
    };
    let leader_epoch = view.partition(&todo.partition)?.leader_epoch;
    let epochs = todo.epochs?;
    (leader_epoch > epochs.read.max(epochs.checked)).then(|| ToCheck {
        partition: todo.partition.clone(),
        id: todo.id,
        offset,
        epoch: epochs.read,
        leader_epoch,
    })
}

/// The time that long ago, in milliseconds since the epoch.
fn before_now(age: Duration) -> i64 {
    let then = SystemTime::now().checked_sub(age);
    let since = then.and_then(|then| then.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
