//! The task that sends batches: decides what goes where, and takes the answers in.
//!
//! One pass looks at every partition that has something, takes at most one batch of each (Kafka
//! takes one per partition and request), and sends one request per node, until nothing more may
//! go: each node has `max.in.flight.requests.per.connection` requests at most. Then it waits for
//! an append, an answer or a timer.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Duration, Instant};

use super::accumulator::{PartitionQueue, QueueState};
use super::batch::Batch;
use super::core::Core;
use super::produce::{self, Answer, ToSend};
use super::sequence::Identity;
use crate::TopicPartition;
use crate::cluster::Topics;
use crate::error::ClientError;

/// The least time given to a request: one that runs out of it costs the others their connection.
const CALL_LIMIT_MIN: Duration = Duration::from_millis(10);

/// A batch that is out, and where it belongs.
pub(super) type Sent = (Arc<PartitionQueue>, Batch);

enum Event {
    Produced {
        node: i32,
        sent: Vec<Sent>,
        result: Result<Option<Vec<Answer>>, ClientError>,
    },
    Refreshed(Result<(), ClientError>),
    Identified(Result<Identity, ClientError>),
    Added(Result<(), ClientError>),
}

/// What one look over the queues found.
#[derive(Default)]
struct Round {
    requests: HashMap<i32, (usize, Vec<ToSend>)>,
    /// Topics of partitions without a known leader.
    leaderless: HashSet<Arc<str>>,
    needs_identity: bool,
    /// When to look again if nothing happens before.
    next: Option<Instant>,
}

impl Round {
    fn look_at(&mut self, at: Instant) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }
}

pub(crate) struct Sender {
    pub(super) core: Arc<Core>,
    pub(super) active: Vec<Arc<PartitionQueue>>,
    pub(super) in_flight: HashMap<i32, usize>,
    events: FuturesUnordered<BoxFuture<'static, Event>>,
    is_refreshing: bool,
    /// Topics to ask metadata of although a leader is known: it turned out not to be.
    pub(super) stale: HashSet<Arc<str>>,
    refresh_at: Instant,
    is_identifying: bool,
    identify_at: Instant,
    /// Where the next pass begins, so that a full request does not always serve the same.
    turn: usize,
}

impl Sender {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        let now = Instant::now();
        Self {
            core,
            active: Vec::new(),
            in_flight: HashMap::new(),
            events: FuturesUnordered::new(),
            is_refreshing: false,
            stale: HashSet::new(),
            refresh_at: now,
            is_identifying: false,
            identify_at: now,
            turn: 0,
        }
    }

    /// Runs until the producer is closed and everything is settled.
    pub(crate) async fn run(mut self) {
        loop {
            let next = self.pass(Instant::now());
            let is_closing = self.core.is_closing.load(Ordering::Acquire);
            if is_closing && self.active.is_empty() && self.in_flight.values().all(|n| *n == 0) {
                return;
            }
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
                () = self.core.accumulator.wake.notified() => {}
                () = timer => {}
            }
        }
    }

    /// Sends all that may go now. Returns when to look again if nothing happens before.
    fn pass(&mut self, now: Instant) -> Option<Instant> {
        loop {
            self.active.extend(self.core.accumulator.take_listed());
            let mut round = self.look(now);
            let requests = std::mem::take(&mut round.requests);
            let has_sent = !requests.is_empty();
            for (node, (_, batches)) in requests {
                self.send(node, batches);
            }
            self.refresh(&mut round, now);
            self.identify(&mut round, now);
            self.add_partitions();
            if !has_sent {
                return round.next;
            }
        }
    }

    fn look(&mut self, now: Instant) -> Round {
        let mut round = Round::default();
        let view = self.core.cluster.view();
        let unsent_failure = self.core.unsent_failure();
        let has_failed = self.core.has_failed();
        let nothing_lingers = self.core.flushes.load(Ordering::Acquire) > 0
            || self.core.is_closing.load(Ordering::Acquire)
            || self.core.accumulator.memory.is_starved();
        let count = self.active.len();
        self.turn = self.turn.wrapping_add(1);
        let mut idle = Vec::new();
        for step in 0..count {
            let index = (self.turn + step) % count;
            let Some(queue) = self.active.get(index).cloned() else {
                continue;
            };
            let mut state = queue.state.lock();
            if let Some(error) = &unsent_failure {
                self.drop_unsent(&mut state, error, has_failed);
            }
            self.expire(&queue, &mut state, now);
            if state.is_restarting && state.in_flight == 0 {
                self.restart(&queue, &mut state);
            }
            if state.is_idle() {
                state.is_listed = false;
                idle.push(index);
                continue;
            }
            let Some(size) = self.ready(&state, now, nothing_lingers, &mut round) else {
                continue;
            };
            let Some(node) = view.leader(&queue.partition) else {
                round.leaderless.insert(queue.partition.topic.clone());
                continue;
            };
            let busy = self.in_flight.get(&node).copied().unwrap_or(0);
            let (bytes, batches) = round.requests.entry(node).or_default();
            let config = self.core.config();
            let is_over = *bytes + size > config.max_request_size && !batches.is_empty();
            if busy >= config.max_in_flight_requests_per_connection || is_over {
                continue;
            }
            if config.enable_idempotence && state.identity.is_none() {
                state.identity = *self.core.identity.lock();
                if state.identity.is_none() {
                    round.needs_identity = true;
                    continue;
                }
            }
            if let Some(transactional) = &self.core.transactional
                && !transactional.state.lock().may_send(&queue.partition)
            {
                continue;
            }
            if let Some(to_send) = self.take(&queue, &mut state) {
                *bytes += size;
                batches.push(to_send);
            }
        }
        round.requests.retain(|_, (_, batches)| !batches.is_empty());
        idle.sort_unstable();
        for index in idle.into_iter().rev() {
            self.active.swap_remove(index);
        }
        round
    }

    /// The size of the batch that may go now, if one may.
    fn ready(
        &self,
        state: &QueueState,
        now: Instant,
        nothing_lingers: bool,
        round: &mut Round,
    ) -> Option<usize> {
        let config = self.core.config();
        if let Some(first) = state.closed.front() {
            round.look_at(first.created + config.delivery_timeout);
            if state.is_restarting {
                return None;
            }
            if let Some(retry_at) = first.retry_at.filter(|at| *at > now) {
                round.look_at(retry_at);
                return None;
            }
            let is_new = first.sequence.is_none();
            if state.identity.is_some() && !state.sequences.may_send(is_new, state.in_flight) {
                return None;
            }
            // A retry waits until all before it are in the log, so that order is kept.
            let waits = first
                .sequence
                .is_some_and(|base| !state.sequences.is_first(base));
            return (!waits).then(|| first.size());
        }
        let open = state.open.as_ref()?;
        round.look_at(open.created + config.delivery_timeout);
        if state.is_restarting {
            return None;
        }
        if state.identity.is_some() && !state.sequences.may_send(true, state.in_flight) {
            return None;
        }
        let lingers_until = open.created + config.linger;
        if nothing_lingers || open.size() >= config.batch_size || lingers_until <= now {
            return Some(open.size());
        }
        round.look_at(lingers_until);
        None
    }

    /// Takes the batch at the head, with its sequence number.
    fn take(&self, queue: &Arc<PartitionQueue>, state: &mut QueueState) -> Option<ToSend> {
        let mut batch = match state.closed.pop_front() {
            Some(batch) => batch,
            None => {
                let mut batch = state.open.take()?;
                self.core.accumulator.shrink(&mut batch);
                batch
            }
        };
        if state.identity.is_some() && batch.sequence.is_none() {
            batch.sequence = Some(state.sequences.assign(batch.records));
        }
        batch.sent_first = batch
            .sequence
            .is_none_or(|base| state.sequences.is_first(base));
        batch.attempts += 1;
        batch.retry_at = None;
        state.in_flight += 1;
        Some(ToSend {
            queue: queue.clone(),
            batch,
            identity: state.identity,
        })
    }

    /// Compresses and sends one request.
    fn send(&mut self, node: i32, batches: Vec<ToSend>) {
        let mut sent: Vec<Sent> = Vec::with_capacity(batches.len());
        let mut parts: Vec<(TopicPartition, Bytes)> = Vec::with_capacity(batches.len());
        for ToSend {
            queue,
            mut batch,
            identity,
        } in batches
        {
            match batch.build(identity) {
                Ok(bytes) => {
                    parts.push((queue.partition.clone(), bytes));
                    sent.push((queue, batch));
                }
                Err(error) => {
                    let error = ClientError::Protocol {
                        operation: format!("building a batch for {}", queue.partition),
                        reason: error.to_string(),
                    };
                    self.answered(&queue, batch, Err(error), Instant::now());
                }
            }
        }
        if sent.is_empty() {
            return;
        }
        *self.in_flight.entry(node).or_default() += 1;
        let limit = self.call_limit(&sent, Instant::now());
        let core = self.core.clone();
        self.events.push(
            async move {
                let started = Instant::now();
                let result = produce::call(&core, node, parts, limit).await;
                let counters = &core.accumulator.counters;
                match &result {
                    Ok(_) => counters.requests.add(started.elapsed()),
                    Err(_) => counters.request_errors.add(1),
                }
                Event::Produced { node, sent, result }
            }
            .boxed(),
        );
    }

    /// How long a request may take: no longer than the first of its batches has.
    fn call_limit(&self, sent: &[Sent], now: Instant) -> Duration {
        let config = self.core.config();
        let oldest = sent.iter().map(|(_, batch)| batch.created).min();
        let left = oldest
            .map(|created| (created + config.delivery_timeout).saturating_duration_since(now));
        left.map_or(config.request_timeout, |left| {
            left.clamp(CALL_LIMIT_MIN, config.request_timeout.max(CALL_LIMIT_MIN))
        })
    }

    fn handle(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Produced { node, sent, result } => self.produced(node, sent, result, now),
            Event::Refreshed(result) => {
                self.is_refreshing = false;
                if let Err(error) = result {
                    tracing::debug!(%error, "metadata could not be refreshed");
                    if error.is_unreachable() {
                        self.fail_all(&error);
                    }
                }
                self.refresh_at = now + self.core.cluster.config.retry_backoff;
            }
            Event::Identified(result) => {
                self.is_identifying = false;
                self.identify_at = now + self.core.cluster.config.retry_backoff;
                match result {
                    Ok(identity) => *self.core.identity.lock() = Some(identity),
                    Err(error) if error.is_retriable() => {
                        tracing::debug!(%error, "no producer id yet");
                    }
                    Err(error) => {
                        self.core.fatal.lock().get_or_insert(error);
                        self.core.update_gate();
                    }
                }
            }
            Event::Added(result) => {
                if let Some(transactional) = &self.core.transactional {
                    transactional.state.lock().added(result.is_ok());
                    if let Err(error) = result {
                        self.core.fail_transaction(&error, false);
                    }
                    transactional.changed.notify_waiters();
                }
            }
        }
    }

    /// Asks metadata of the topics whose leaders are not known.
    fn refresh(&mut self, round: &mut Round, now: Instant) {
        round.leaderless.extend(self.stale.iter().cloned());
        if self.is_refreshing || round.leaderless.is_empty() {
            return;
        }
        if self.refresh_at > now {
            round.look_at(self.refresh_at);
            return;
        }
        self.is_refreshing = true;
        self.stale.clear();
        let core = self.core.clone();
        let topics: Vec<Arc<str>> = round.leaderless.drain().collect();
        self.events.push(
            async move {
                let limit = core.config().request_timeout;
                let topics = Topics::Named(&topics);
                let refreshed = core
                    .cluster
                    .refresh(&core.channel, topics, true, limit)
                    .await;
                Event::Refreshed(refreshed.map(|_| ()))
            }
            .boxed(),
        );
    }

    /// Asks for a producer id. Transactional producers have theirs from `init_transactions`.
    fn identify(&mut self, round: &mut Round, now: Instant) {
        if !round.needs_identity || self.is_identifying || self.core.transactional.is_some() {
            return;
        }
        if self.identify_at > now {
            round.look_at(self.identify_at);
            return;
        }
        self.is_identifying = true;
        let core = self.core.clone();
        self.events.push(
            async move { Event::Identified(core.ask_identity(None, core.config().max_block).await) }
                .boxed(),
        );
    }

    /// Tells the transaction's coordinator of partitions that have batches now.
    fn add_partitions(&mut self) {
        let Some(transactional) = &self.core.transactional else {
            return;
        };
        let Some(partitions) = transactional.state.lock().take_wanted() else {
            return;
        };
        let core = self.core.clone();
        self.events.push(
            async move {
                Event::Added(super::transactions::add_partitions(&core, &partitions).await)
            }
            .boxed(),
        );
    }
}
