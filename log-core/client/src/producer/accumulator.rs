//! Batches in the making, one queue per partition.
//!
//! Per record: one encode into the batch's buffer, a size check, and the queue's lock, which an
//! [`AppendGuard`](super::AppendGuard) takes once for many records. Allocation, accounting and
//! waking the sender happen per batch.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater_wire::records::{BATCH_HEADER_LEN, BatchBuilder, BatchOptions, Header};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::batch::Batch;
use super::config::ProducerConfig;
use super::delivery::{BatchResult, Outcome};
use super::interceptor::AcknowledgedBatch;
use super::memory::Memory;
use super::metrics::Counters;
use super::record::AppendError;
use super::sequence::{Identity, Sequences};
use crate::TopicPartition;
use crate::error::ClientError;

/// What a new batch takes of `buffer.memory`; it takes more as it grows.
const FIRST_RESERVATION: usize = 16 << 10;

/// One partition's batches: those in the making, those to send, and the count of those in flight.
pub(crate) struct PartitionQueue {
    pub(crate) partition: TopicPartition,
    pub(crate) state: Mutex<QueueState>,
}

#[derive(Default)]
pub(crate) struct QueueState {
    /// Takes records.
    pub(crate) open: Option<Batch>,
    /// Full or to be sent again, in sending order.
    pub(crate) closed: VecDeque<Batch>,
    pub(crate) in_flight: usize,
    pub(crate) sequences: Sequences,
    /// The identity that the partition's sequence numbers belong to.
    pub(crate) identity: Option<Identity>,
    /// A new epoch begins once nothing is in flight.
    pub(crate) is_restarting: bool,
    /// Whether the sender has the queue on its list.
    pub(crate) is_listed: bool,
}

impl QueueState {
    /// Whether there is nothing to send and nothing to wait for.
    pub(crate) fn is_idle(&self) -> bool {
        self.open.is_none() && self.closed.is_empty() && self.in_flight == 0
    }

    /// Puts a batch that failed back among those to be sent, in the order of first sending.
    pub(crate) fn requeue(&mut self, batch: Batch) {
        let rank = |batch: &Batch| batch.sequence.map(|base| self.sequences.rank(base));
        let position = match rank(&batch) {
            Some(own) => self
                .closed
                .iter()
                .position(|other| rank(other).is_none_or(|other| other > own))
                .unwrap_or(self.closed.len()),
            // Without sequence numbers there is no telling; before those never sent.
            None => self
                .closed
                .iter()
                .take_while(|other| other.attempts > 0)
                .count(),
        };
        self.closed.insert(position, batch);
    }
}

/// A topic's queues, by partition.
type Queues = Vec<Option<Arc<PartitionQueue>>>;

/// All queues of a producer, and what they share.
pub(crate) struct Accumulator {
    pub(crate) config: ProducerConfig,
    pub(crate) memory: Memory,
    /// Wakes the sender.
    pub(crate) wake: Notify,
    topics: RwLock<HashMap<Arc<str>, Queues>>,
    /// Queues that have something again, for the sender to take.
    listed: Mutex<Vec<Arc<PartitionQueue>>>,
    /// Batches not yet settled, for flushes to wait for.
    incomplete: Mutex<HashMap<u64, Outcome>>,
    next_ticket: AtomicU64,
    pub(crate) counters: Counters,
    /// The first failure since the last flush.
    failure: Mutex<Option<ClientError>>,
}

/// Partitions that a topic may have. Kafka's own practical limit is far below.
const PARTITIONS_MAX: i32 = 1 << 20;

impl Accumulator {
    pub(crate) fn new(config: ProducerConfig) -> Self {
        Self {
            memory: Memory::new(config.buffer_memory),
            config,
            wake: Notify::new(),
            topics: RwLock::default(),
            listed: Mutex::default(),
            incomplete: Mutex::default(),
            next_ticket: AtomicU64::new(0),
            counters: Counters::default(),
            failure: Mutex::new(None),
        }
    }

    /// The queue of a partition, made if need be.
    ///
    /// # Errors
    /// If there can be no such partition.
    pub(crate) fn queue(
        &self,
        topic: &str,
        partition: i32,
    ) -> Result<Arc<PartitionQueue>, ClientError> {
        let index = usize::try_from(partition)
            .ok()
            .filter(|_| partition < PARTITIONS_MAX);
        let Some(index) = index else {
            return Err(ClientError::IllegalState(format!(
                "{topic} has no partition {partition}"
            )));
        };
        if let Some(Some(queue)) = self.topics.read().get(topic).and_then(|all| all.get(index)) {
            return Ok(queue.clone());
        }
        let mut topics = self.topics.write();
        let name: Arc<str> = match topics.get_key_value(topic) {
            Some((name, _)) => name.clone(),
            None => topic.into(),
        };
        let queues = topics.entry(name.clone()).or_default();
        if queues.len() <= index {
            queues.resize(index + 1, None);
        }
        let Some(slot) = queues.get_mut(index) else {
            return Err(ClientError::IllegalState(format!(
                "{topic} has no partition {partition}"
            )));
        };
        let queue = slot.get_or_insert_with(|| {
            let partition = TopicPartition::new(name, partition);
            Arc::new(PartitionQueue {
                partition,
                state: Mutex::default(),
            })
        });
        Ok(queue.clone())
    }

    /// Every queue there is.
    pub(crate) fn queues(&self) -> Vec<Arc<PartitionQueue>> {
        self.topics
            .read()
            .values()
            .flatten()
            .flatten()
            .cloned()
            .collect()
    }

    /// The queues that have got something since the last call.
    pub(crate) fn take_listed(&self) -> Vec<Arc<PartitionQueue>> {
        std::mem::take(&mut *self.listed.lock())
    }

    /// Appends a record to the partition's open batch, or to a new one. Returns the record's place
    /// in the batch. The caller holds the queue's lock: `state`.
    #[inline]
    pub(crate) fn append(
        &self,
        queue: &Arc<PartitionQueue>,
        state: &mut QueueState,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<i32, AppendError> {
        let most = BatchBuilder::record_size_max(key, value, headers);
        if let Some(batch) = &mut state.open {
            let reserved = batch.reserved;
            if let Some(builder) = batch.builder() {
                let size = builder.size_in_bytes() + most;
                if size <= self.config.batch_size
                    && size <= reserved
                    && let Ok(index) = builder.append(timestamp, key, value, headers)
                {
                    batch.records = index + 1;
                    return Ok(index);
                }
            }
        }
        self.append_slow(queue, state, most, timestamp, (key, value, headers))
    }

    /// Makes room in the open batch, or opens another, and appends.
    #[cold]
    fn append_slow(
        &self,
        queue: &Arc<PartitionQueue>,
        state: &mut QueueState,
        most: usize,
        timestamp: i64,
        (key, value, headers): (Option<&[u8]>, Option<&[u8]>, &[Header<'_>]),
    ) -> Result<i32, AppendError> {
        if most + BATCH_HEADER_LEN > self.config.max_request_size {
            return Err(AppendError::Rejected(ClientError::RecordTooLarge {
                partition: queue.partition.clone(),
                size: most + BATCH_HEADER_LEN,
                limit: self.config.max_request_size,
            }));
        }
        if let Some(mut batch) = state.open.take() {
            match self.grow(&mut batch, most) {
                Grown::Fits => {
                    state.open = Some(batch);
                }
                Grown::Full => self.close(state, batch),
                Grown::NoMemory => {
                    // It goes out now: that is what makes room.
                    self.close(state, batch);
                    self.wake.notify_one();
                    return Err(AppendError::QueueFull(self.memory.limit()));
                }
            }
        }
        if state.open.is_none() {
            state.open = Some(self.open(&queue.partition, most)?);
            if !state.is_listed {
                state.is_listed = true;
                self.listed.lock().push(queue.clone());
            }
            self.wake.notify_one();
        }
        let Some(batch) = &mut state.open else {
            return Err(AppendError::QueueFull(self.memory.limit()));
        };
        let appended = batch
            .builder()
            .map(|builder| builder.append(timestamp, key, value, headers));
        match appended {
            Some(Ok(index)) => {
                batch.records = index + 1;
                Ok(index)
            }
            Some(Err(error)) => Err(AppendError::Rejected(ClientError::Protocol {
                operation: format!("appending to {}", queue.partition),
                reason: error.to_string(),
            })),
            None => Err(AppendError::QueueFull(self.memory.limit())),
        }
    }

    fn grow(&self, batch: &mut Batch, most: usize) -> Grown {
        let needed = batch.size() + most;
        // A batch that is not yet begun takes any record that fits into a request.
        if needed > self.config.batch_size && batch.records > 0 {
            return Grown::Full;
        }
        if needed <= batch.reserved {
            return Grown::Fits;
        }
        let target = (batch.reserved * 2).min(self.config.batch_size).max(needed);
        if !self.memory.try_take(target - batch.reserved) {
            return Grown::NoMemory;
        }
        batch.reserved = target;
        Grown::Fits
    }

    /// Moves a batch to those that are to be sent, giving back what it did not use.
    pub(crate) fn close(&self, state: &mut QueueState, mut batch: Batch) {
        self.shrink(&mut batch);
        state.closed.push_back(batch);
        self.wake.notify_one();
    }

    /// Gives back the memory that a batch reserved and does not use.
    pub(crate) fn shrink(&self, batch: &mut Batch) {
        let unused = batch.reserved.saturating_sub(batch.size());
        batch.reserved -= unused;
        self.memory.release(unused);
    }

    /// How batches are written.
    pub(crate) fn batch_options(&self) -> BatchOptions {
        BatchOptions {
            compression: self.config.compression,
            compression_level: self.config.compression_level,
            is_transactional: self.config.transactional_id.is_some(),
            ..BatchOptions::default()
        }
    }

    fn open(&self, partition: &TopicPartition, most: usize) -> Result<Batch, AppendError> {
        let reserved = FIRST_RESERVATION
            .min(self.config.batch_size)
            .max(most + BATCH_HEADER_LEN);
        if !self.memory.try_take(reserved) {
            self.wake.notify_one();
            return Err(AppendError::QueueFull(self.memory.limit()));
        }
        let capacity = reserved.saturating_sub(BATCH_HEADER_LEN);
        let builder = BatchBuilder::with_capacity(self.batch_options(), capacity);
        let ticket = self.next_ticket.fetch_add(1, Ordering::Relaxed);
        let batch = Batch::new(partition.clone(), builder, reserved, ticket, Instant::now());
        self.incomplete.lock().insert(ticket, batch.outcome.clone());
        Ok(batch)
    }

    /// Ends a batch: its memory is free, its records' senders and flushes are told.
    pub(crate) fn settle(&self, batch: Batch, result: BatchResult) {
        let took = batch.created.elapsed();
        let records = u64::try_from(batch.records).unwrap_or(0);
        match &result {
            Ok(_) => {
                self.counters.records_sent.add(records);
                self.counters.bytes_sent.add_size(batch.size());
                self.counters.batches.add(took);
            }
            Err(error) => {
                self.counters.record_errors.add(records);
                self.failure.lock().get_or_insert_with(|| error.clone());
            }
        }
        for interceptor in &self.config.interceptors {
            interceptor.on_acknowledgement(&AcknowledgedBatch {
                partition: &batch.partition,
                record_count: batch.records,
                base_offset: result.as_ref().map(|appended| appended.base_offset),
                took,
            });
        }
        let (ticket, reserved) = (batch.ticket, batch.reserved);
        if batch.finish(result) {
            self.incomplete.lock().remove(&ticket);
        }
        self.memory.release(reserved);
    }

    /// Fails every batch that has not been sent or is to be sent again, once nothing sends any more.
    pub(crate) fn abandon(&self, error: &ClientError) {
        for queue in self.queues() {
            let mut state = queue.state.lock();
            let closed = std::mem::take(&mut state.closed);
            for batch in closed.into_iter().chain(state.open.take()) {
                self.settle(batch, Err(error.clone()));
            }
        }
    }

    /// How many batches are not settled.
    pub(crate) fn incomplete_count(&self) -> usize {
        self.incomplete.lock().len()
    }

    /// Batches that wait for each partition of a topic, as far as they can be told without a wait.
    pub(crate) fn backlog(&self, topic: &str) -> impl Fn(i32) -> usize {
        let queues = self.topics.read().get(topic).cloned().unwrap_or_default();
        move |partition| {
            let index = usize::try_from(partition).unwrap_or(usize::MAX);
            let queue = queues.get(index).and_then(Option::as_ref);
            let state = queue.and_then(|queue| queue.state.try_lock());
            state.map_or(0, |state| state.closed.len() + state.in_flight)
        }
    }

    /// The batches that are not settled.
    pub(crate) fn incomplete(&self) -> Vec<Outcome> {
        self.incomplete.lock().values().cloned().collect()
    }

    /// The first failure since it was last taken.
    pub(crate) fn take_failure(&self) -> Option<ClientError> {
        self.failure.lock().take()
    }
}

enum Grown {
    Fits,
    Full,
    NoMemory,
}

#[cfg(test)]
mod tests;
