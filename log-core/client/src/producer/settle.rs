//! What becomes of batches that were sent, and of those that never will be.

use std::sync::Arc;

use headwater_wire::ErrorCode;
use rand::Rng;
use tokio::time::{Duration, Instant};

use super::accumulator::{PartitionQueue, QueueState};
use super::batch::Batch;
use super::delivery::Appended;
use super::produce::{self, Answer};
use super::sender::{Sender, Sent};
use super::sequence::{SentAs, Verdict, judge};
use super::split::split;
use crate::error::ClientError;
use crate::retry::exponential;

/// How soon a batch goes out again that came while the transaction before its own was being ended:
/// that usually takes a few milliseconds.
const ENDING_PAUSE: Duration = Duration::from_millis(20);

impl Sender {
    /// Fails everything that waits: there has never been a node to send it to.
    pub(super) fn fail_all(&self, error: &ClientError) {
        for queue in &self.active {
            self.drop_unsent(&mut queue.state.lock(), error, true);
        }
    }

    pub(super) fn produced(
        &mut self,
        node: i32,
        sent: Vec<Sent>,
        result: Result<Option<Vec<Answer>>, ClientError>,
        now: Instant,
    ) {
        if let Some(count) = self.in_flight.get_mut(&node) {
            *count = count.saturating_sub(1);
        }
        match result {
            Ok(None) => {
                for (queue, batch) in sent {
                    self.answered(&queue, batch, Ok(Appended::default()), now);
                }
            }
            Ok(Some(answers)) => {
                let mut answers = answers.into_iter();
                for (queue, batch) in sent {
                    let answer = answers.next().map(|answer| answer.result);
                    let answer =
                        answer.unwrap_or_else(|| Err(produce::unanswered(&queue.partition)));
                    self.answered(&queue, batch, answer, now);
                }
            }
            Err(error) => {
                for (queue, batch) in sent {
                    self.answered(&queue, batch, Err(error.clone()), now);
                }
            }
        }
    }

    /// Takes in what became of a batch that was out.
    pub(super) fn answered(
        &mut self,
        queue: &Arc<PartitionQueue>,
        mut batch: Batch,
        result: Result<Appended, ClientError>,
        now: Instant,
    ) {
        let mut state = queue.state.lock();
        state.in_flight = state.in_flight.saturating_sub(1);
        let error = match result {
            Ok(appended) => {
                if let Some(base) = batch.sequence {
                    state.sequences.acked(base);
                }
                drop(state);
                return self.core.accumulator.settle(batch, Ok(appended));
            }
            Err(error) => error,
        };
        let is_transactional = self.core.transactional.is_some();
        let verdict = match &error {
            ClientError::Broker { code, .. } => {
                let is_sequenced = batch.sequence.is_some();
                let sent = SentAs {
                    is_sequenced,
                    is_first: batch.sent_first,
                };
                judge(*code, sent, is_transactional)
            }
            error if error.is_retriable() => Verdict::Retry,
            _ => Verdict::Fail,
        };
        if matches!(verdict, Verdict::Done) {
            if let Some(base) = batch.sequence {
                state.sequences.acked(base);
            }
            drop(state);
            return self.core.accumulator.settle(batch, Ok(Appended::default()));
        }
        let is_too_large = error.code() == Some(ErrorCode::MessageTooLarge);
        if is_too_large && batch.records > 1 && !self.core.has_failed() {
            return self.halve(queue, &mut state, batch, error);
        }
        let config = &self.core.cluster.config;
        let is_expired = batch.created + self.core.config().delivery_timeout <= now;
        let is_over = batch.attempts > self.core.config().retries;
        if verdict == Verdict::Fail || is_expired || is_over || self.core.has_failed() {
            let error = if is_expired && verdict != Verdict::Fail {
                self.expired(queue, Some(error))
            } else {
                error
            };
            return self.give_up(queue, &mut state, batch, error);
        }
        tracing::debug!(partition = %queue.partition, %error, ?verdict, "sending a batch again");
        self.stale.insert(queue.partition.topic.clone());
        let records = u64::try_from(batch.records).unwrap_or(0);
        self.core.accumulator.counters.record_retries.add(records);
        let (base, max) = (config.retry_backoff, config.retry_backoff_max);
        let pause = match error.code() {
            Some(ErrorCode::ConcurrentTransactions) => ENDING_PAUSE,
            // Spread, so that what failed together does not come back together (KIP-580).
            _ => exponential(base, max, batch.attempts - 1)
                .mul_f64(rand::rng().random_range(0.8..1.2)),
        };
        batch.retry_at = Some(now + pause);
        state.is_restarting |= verdict == Verdict::Restart;
        state.requeue(batch);
    }

    /// Cuts a batch that the broker finds too large, and has its parts sent in its place.
    fn halve(
        &self,
        queue: &Arc<PartitionQueue>,
        state: &mut QueueState,
        batch: Batch,
        error: ClientError,
    ) {
        let accumulator = &self.core.accumulator;
        let size_max = (batch.size() / 2).min(accumulator.config.batch_size);
        let base = batch.sequence;
        match split(batch, &accumulator.batch_options(), size_max) {
            Ok(parts) => {
                let partition = &queue.partition;
                tracing::debug!(%partition, parts = parts.len(), "a batch was too large");
                accumulator.counters.batch_splits.add(1);
                if let Some(base) = base {
                    let bases = parts.iter().filter_map(|part| part.sequence);
                    state.sequences.split(base, bases);
                }
                // From the back: without sequence numbers, each goes before all that is there.
                for part in parts.into_iter().rev() {
                    match base {
                        Some(_) => state.requeue(part),
                        None => state.closed.push_front(part),
                    }
                }
            }
            Err((batch, _)) => self.give_up(queue, state, batch, error),
        }
    }

    /// Fails a batch. Its sequence numbers are a gap from now on, which only a new epoch closes.
    fn give_up(
        &self,
        queue: &Arc<PartitionQueue>,
        state: &mut QueueState,
        batch: Batch,
        error: ClientError,
    ) {
        tracing::debug!(partition = %queue.partition, %error, records = batch.records, "a batch failed");
        if let Some(base) = batch.sequence {
            state.sequences.settle(base);
            if self.core.transactional.is_none() {
                state.is_restarting = true;
            }
        }
        self.core.fail_transaction(&error, batch.sequence.is_some());
        self.core.accumulator.settle(batch, Err(error));
    }

    /// Fails batches whose time is over.
    pub(super) fn expire(&self, queue: &Arc<PartitionQueue>, state: &mut QueueState, now: Instant) {
        let limit = self.core.config().delivery_timeout;
        while state
            .closed
            .front()
            .is_some_and(|batch| batch.created + limit <= now)
        {
            let Some(batch) = state.closed.pop_front() else {
                return;
            };
            let error = self.expired(queue, self.obstacle(queue));
            self.give_up(queue, state, batch, error);
        }
        if state.closed.is_empty()
            && state
                .open
                .as_ref()
                .is_some_and(|b| b.created + limit <= now)
            && let Some(batch) = state.open.take()
        {
            let error = self.expired(queue, self.obstacle(queue));
            self.give_up(queue, state, batch, error);
        }
    }

    /// What keeps a partition's batches from being sent, if it can be told.
    fn obstacle(&self, queue: &PartitionQueue) -> Option<ClientError> {
        let partition = &queue.partition;
        let code = match self.core.cluster.view().partition(partition) {
            Some(view) if view.leader.is_some() => return None,
            Some(_) => ErrorCode::LeaderNotAvailable,
            None => ErrorCode::UnknownTopicOrPartition,
        };
        Some(ClientError::broker(
            format!("finding the leader of {partition}"),
            code,
        ))
    }

    fn expired(&self, queue: &PartitionQueue, cause: Option<ClientError>) -> ClientError {
        ClientError::Timeout {
            operation: format!("delivering to {}", queue.partition),
            after: self.core.config().delivery_timeout,
            cause: cause.map(Arc::new),
        }
    }

    /// Fails the batches that were never sent, and if `all` those to be sent again too.
    pub(super) fn drop_unsent(&self, state: &mut QueueState, error: &ClientError, all: bool) {
        for batch in std::mem::take(&mut state.closed) {
            if batch.sequence.is_none() || all {
                if let Some(base) = batch.sequence {
                    state.sequences.settle(base);
                }
                self.core.accumulator.settle(batch, Err(error.clone()));
            } else {
                state.closed.push_back(batch);
            }
        }
        if let Some(batch) = state.open.take() {
            self.core.accumulator.settle(batch, Err(error.clone()));
        }
    }

    /// Begins a new epoch in a partition, all of whose requests have been answered. The brokers
    /// keep producer state by partition, so the others go on in theirs.
    pub(super) fn restart(&self, queue: &PartitionQueue, state: &mut QueueState) {
        state.is_restarting = false;
        state.sequences.restart();
        for batch in &mut state.closed {
            batch.sequence = None;
        }
        let Some(identity) = &mut state.identity else {
            return;
        };
        match identity.epoch.checked_add(1) {
            Some(epoch) => identity.epoch = epoch,
            None => {
                let error = ClientError::IllegalState(format!(
                    "the epochs of producer id {} are used up in {}",
                    identity.id, queue.partition
                ));
                self.core.fatal.lock().get_or_insert(error);
                self.core.update_gate();
            }
        }
        tracing::debug!(partition = %queue.partition, ?identity, "a new producer epoch begins");
    }
}
