//! The producer as its users see it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::join_all;
use headwater_wire::ErrorCode;
use headwater_wire::records::{BatchBuilder, Header};
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::config::ProducerConfig;
use super::core::Core;
use super::delivery::Delivery;
use super::metrics::ProducerMetrics;
use super::partitioner::{StickyPartitioner, partition_for_key};
use super::record::{AppendError, ProducerRecord};
use super::sender::Sender;
use crate::cluster::{Cluster, Topics};
use crate::error::ClientError;
use crate::metadata::TopicView;

/// Writes records to topics: batched, idempotent, and in transactions if it has a
/// `transactional.id`.
///
/// Cheap to clone; clones are the same producer. Records that are still in it when the last clone
/// is dropped are sent, but nobody learns what becomes of them: call [`close`](Self::close).
#[derive(Clone)]
pub struct Producer {
    inner: Arc<Inner>,
}

struct Inner {
    core: Arc<Core>,
    sticky: Mutex<HashMap<Arc<str>, StickyPartitioner>>,
    sender: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        shut(&self.core);
    }
}

/// Takes no more records; the sender ends once it has none left.
fn shut(core: &Core) {
    core.is_closing.store(true, Ordering::Release);
    core.update_gate();
    core.accumulator.wake.notify_one();
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer")
            .field("config", self.core().config())
            .finish_non_exhaustive()
    }
}

impl Producer {
    pub(crate) fn new(cluster: Arc<Cluster>, config: ProducerConfig) -> Result<Self, ClientError> {
        config.validate()?;
        let runtime = cluster.runtime.clone();
        let core = Arc::new(Core::new(cluster, config));
        let sender = runtime.spawn(Sender::new(core.clone()).run());
        let sender = Mutex::new(Some(sender));
        Ok(Self {
            inner: Arc::new(Inner {
                core,
                sticky: Mutex::default(),
                sender,
            }),
        })
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.inner.core
    }

    /// Appends a record to its batch, waiting for metadata and for room if need be, at most
    /// `max.block.ms` in all. The returned [`Delivery`] resolves once the record is acknowledged.
    ///
    /// # Errors
    /// [`ClientError::RecordTooLarge`], [`ClientError::Timeout`] for metadata or room, and what
    /// forbids writing: no transaction begun, one that must be aborted, a closed producer.
    pub async fn send(&self, record: ProducerRecord) -> Result<Delivery, ClientError> {
        let core = self.core();
        core.check_gate()?;
        let mut record = record;
        for interceptor in &core.config().interceptors {
            record = interceptor.on_send(record);
        }
        let headers: Vec<Header<'_>> = record
            .headers
            .iter()
            .map(|(key, value)| Header {
                key,
                value: value.as_deref(),
            })
            .collect();
        let key = record.key.as_deref();
        let value = record.value.as_deref();
        let size = BatchBuilder::record_size_max(key, value, &headers);
        let partition = match record.partition {
            Some(partition) => {
                self.check_partition(&record.topic, partition).await?;
                partition
            }
            None => self.choose_partition(&record.topic, key, size).await?,
        };
        let queue = core.accumulator.queue(&record.topic, partition)?;
        let timestamp = record.timestamp.unwrap_or_else(now_ms);
        let waiting = async {
            loop {
                let appended = {
                    let mut state = queue.state.lock();
                    // The wait for metadata or for room may have outlasted the transaction.
                    core.check_gate()?;
                    core.accumulator
                        .append(&queue, &mut state, timestamp, key, value, &headers)
                        .map(|index| (index, state.open.as_ref().map(|open| open.outcome.clone())))
                };
                match appended {
                    Ok((index, Some(outcome))) => {
                        let partition = queue.partition.clone();
                        return Ok(Delivery {
                            outcome,
                            partition,
                            index,
                            timestamp,
                        });
                    }
                    Ok((_, None)) => return Err(ClientError::Closed("the producer")),
                    Err(AppendError::Rejected(error)) => return Err(error),
                    Err(AppendError::QueueFull(_)) => {
                        let started = Instant::now();
                        core.accumulator.memory.has_room(size).await;
                        core.accumulator
                            .counters
                            .buffer_waits
                            .add(started.elapsed());
                    }
                }
            }
        };
        let limit = core.config().max_block;
        tokio::time::timeout(limit, waiting)
            .await
            .unwrap_or_else(|_| {
                Err(ClientError::Timeout {
                    operation: format!("waiting for room for a record of {}", queue.partition),
                    after: limit,
                    cause: None,
                })
            })
    }

    /// Fails at once for a partition that the topic does not have, rather than when its delivery
    /// times out.
    async fn check_partition(&self, topic: &Arc<str>, partition: i32) -> Result<(), ClientError> {
        if self.topic(topic).await?.partition(partition).is_some() {
            return Ok(());
        }
        let core = self.core();
        let limit = core.config().request_timeout.min(core.config().max_block);
        let named = [topic.clone()];
        core.cluster
            .refresh(&core.channel, Topics::Named(&named), false, limit)
            .await?;
        if self.topic(topic).await?.partition(partition).is_some() {
            return Ok(());
        }
        let operation = format!("finding partition {partition} of {topic}");
        Err(ClientError::broker(
            operation,
            ErrorCode::UnknownTopicOrPartition,
        ))
    }

    async fn choose_partition(
        &self,
        topic: &Arc<str>,
        key: Option<&[u8]>,
        size: usize,
    ) -> Result<i32, ClientError> {
        let view = self.topic(topic).await?;
        let count = view.partition_count();
        let config = self.core().config();
        if let Some(key) = key.filter(|_| !config.partitioner_ignore_keys) {
            return Ok(partition_for_key(key, count));
        }
        let available = || {
            let backlog = self.core().accumulator.backlog(topic);
            let is_adaptive = config.partitioner_adaptive_partitioning_enable;
            let led = view.partitions.iter().filter(|p| p.leader.is_some());
            let led = led.map(|p| p.partition);
            led.map(|p| (p, if is_adaptive { backlog(p) } else { 0 }))
                .collect()
        };
        let mut sticky = self.inner.sticky.lock();
        let batch_size = config.batch_size;
        Ok(match sticky.get_mut(topic) {
            Some(sticky) => sticky.next(available, count, size, batch_size),
            None => sticky
                .entry(topic.clone())
                .or_default()
                .next(available, count, size, batch_size),
        })
    }

    async fn topic(&self, topic: &Arc<str>) -> Result<Arc<TopicView>, ClientError> {
        let core = self.core();
        if let Some(view) = core.cluster.view().topics.get(topic) {
            return Ok(view.clone());
        }
        core.cluster
            .topic(&core.channel, topic, true, core.config().max_block)
            .await
    }

    /// Number of partitions of a topic; waits for metadata at most `max.block.ms`.
    ///
    /// # Errors
    /// [`ClientError::Timeout`] if the topic is not there by then.
    pub async fn partitions_for(&self, topic: &str) -> Result<i32, ClientError> {
        self.topic(&topic.into())
            .await
            .map(|view| view.partition_count())
    }

    /// Waits until `buffer.memory` has room again, after [`AppendError::QueueFull`].
    pub async fn has_room(&self) {
        self.core()
            .accumulator
            .memory
            .has_room(self.core().config().max_request_size)
            .await;
    }

    /// Sends everything appended so far without lingering, and waits until each batch is
    /// acknowledged or has failed.
    ///
    /// # Errors
    /// The first failure of any batch since the last flush, those awaited through a [`Delivery`]
    /// included.
    pub async fn flush(&self) -> Result<(), ClientError> {
        self.settle_all().await;
        self.core().accumulator.take_failure().map_or(Ok(()), Err)
    }

    /// As [`flush`](Self::flush), and fails after `limit`; what is on its way stays on its way.
    ///
    /// # Errors
    /// As for `flush`, or [`ClientError::Timeout`].
    pub async fn flush_within(&self, limit: Duration) -> Result<(), ClientError> {
        let flushed = tokio::time::timeout(limit, self.flush()).await;
        flushed.unwrap_or_else(|_| {
            Err(ClientError::Timeout {
                operation: "flushing the producer".to_owned(),
                after: limit,
                cause: None,
            })
        })
    }

    /// Waits until every batch that exists now is settled.
    pub(super) async fn settle_all(&self) {
        let _flushing = Flushing::begin(self.core());
        join_all(self.core().accumulator.incomplete()).await;
    }

    /// Sends what is left, waits for it, and ends the producer. An open transaction stays open
    /// until it times out or the transactional id is taken over: commit or abort first.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub async fn close(&self) -> Result<(), ClientError> {
        let flushed = self.flush().await;
        shut(self.core());
        let sender = self.inner.sender.lock().take();
        if let Some(sender) = sender {
            // The sender cannot panic, and nobody aborts it: it ends when it has nothing left.
            let _ = sender.await;
        }
        flushed
    }

    /// As [`close`](Self::close), but what is not acknowledged within `limit` fails with
    /// [`ClientError::Closed`], though it may have reached the log.
    ///
    /// # Errors
    /// As [`flush_within`](Self::flush_within).
    pub async fn close_within(&self, limit: Duration) -> Result<(), ClientError> {
        let flushed = self.flush_within(limit).await;
        if flushed.is_ok() {
            return self.close().await;
        }
        shut(self.core());
        let sender = self.inner.sender.lock().take();
        if let Some(sender) = sender {
            sender.abort();
            let _ = sender.await;
        }
        self.core()
            .accumulator
            .abandon(&ClientError::Closed("the producer"));
        flushed
    }

    /// What the producer has counted since it was made.
    pub fn metrics(&self) -> ProducerMetrics {
        let accumulator = &self.core().accumulator;
        let mut metrics = accumulator.counters.snapshot();
        metrics.buffer_available_bytes = accumulator.memory.available();
        metrics.batches_incomplete = accumulator.incomplete_count();
        metrics
    }

    /// How long the calls that wait may take at most (`max.block.ms`).
    pub fn max_block(&self) -> Duration {
        self.core().config().max_block
    }
}

/// Keeps batches from lingering for as long as it lives, however the flush ends.
struct Flushing<'a>(&'a Core);

impl<'a> Flushing<'a> {
    fn begin(core: &'a Core) -> Self {
        core.flushes.fetch_add(1, Ordering::AcqRel);
        core.accumulator.wake.notify_one();
        Self(core)
    }
}

impl Drop for Flushing<'_> {
    fn drop(&mut self) {
        self.0.flushes.fetch_sub(1, Ordering::AcqRel);
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
