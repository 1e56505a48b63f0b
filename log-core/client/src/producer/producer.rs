//! The producer as its users see it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::join_all;
use headwater_wire::ErrorCode;
use headwater_wire::records::{BatchBuilder, Header};
use parking_lot::{Mutex, MutexGuard};
use tokio::task::JoinHandle;

use super::accumulator::{PartitionQueue, QueueState};
use super::config::ProducerConfig;
use super::core::{Core, Transactional};
use super::delivery::Delivery;
use super::partitioner::{StickyPartitioner, partition_for_key};
use super::record::{AppendError, ProducerRecord};
use super::sender::Sender;
use super::transactions;
use crate::cluster::{Cluster, Topics};
use crate::consumer::ConsumerGroupMetadata;
use crate::error::ClientError;
use crate::metadata::TopicView;
use crate::{OffsetAndMetadata, TopicPartition};

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

    fn core(&self) -> &Arc<Core> {
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
                        core.accumulator.memory.has_room(size).await;
                        core.check_gate()?;
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
        if let Some(key) = key {
            return Ok(partition_for_key(key, count));
        }
        let available = || {
            let led = view
                .partitions
                .iter()
                .filter(|partition| partition.leader.is_some());
            led.map(|partition| partition.partition).collect()
        };
        let mut sticky = self.inner.sticky.lock();
        let batch_size = self.core().config().batch_size;
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

    /// Encodes a record straight into its partition's batch, without waiting and without a future
    /// per record. What becomes of it is told by [`flush`](Self::flush) and
    /// [`commit_transaction`](Self::commit_transaction).
    ///
    /// `timestamp` is in milliseconds since the epoch. For more than a few records of a partition,
    /// [`appender`](Self::appender) saves the look-up and the lock.
    ///
    /// # Errors
    /// [`AppendError::QueueFull`]: await [`has_room`](Self::has_room) and append again.
    /// [`AppendError::Rejected`]: the record, or the producer's state, is to blame.
    pub fn append(
        &self,
        topic: &str,
        partition: i32,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<(), AppendError> {
        let core = self.core();
        core.check_gate()?;
        let queue = core.accumulator.queue(topic, partition)?;
        let mut state = queue.state.lock();
        core.accumulator
            .append(&queue, &mut state, timestamp, key, value, headers)
            .map(|_| ())
    }

    /// A handle to append many records to one partition.
    ///
    /// # Errors
    /// If there can be no such partition; whether it exists is only found out by sending.
    pub fn appender(&self, topic: &str, partition: i32) -> Result<PartitionAppender, ClientError> {
        let queue = self.core().accumulator.queue(topic, partition)?;
        Ok(PartitionAppender {
            producer: self.clone(),
            queue,
        })
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

    /// Waits until every batch that exists now is settled.
    async fn settle_all(&self) {
        let _flushing = Flushing::begin(self.core());
        join_all(self.core().accumulator.incomplete()).await;
    }

    fn transactional(&self) -> Result<&Transactional, ClientError> {
        self.core().transactional.as_ref().ok_or_else(|| {
            ClientError::IllegalState("transactions need a transactional.id".to_owned())
        })
    }

    /// Takes the transactional id over: ends whatever an earlier producer left open, fences it,
    /// and gets an epoch. To be called once, before the first transaction.
    ///
    /// # Errors
    /// A timeout after `max.block.ms`, after which it may be called again; or the coordinator's
    /// refusal, such as an invalid `transaction.timeout.ms`.
    pub async fn init_transactions(&self) -> Result<(), ClientError> {
        let core = self.core();
        let transactional = self.transactional()?;
        let _calls = transactional.calls.lock().await;
        let identity = match core.ask_identity(None, core.config().max_block).await {
            Ok(identity) => identity,
            Err(error) => {
                if !error.is_retriable() {
                    transactional.state.lock().fail_for_good(&error);
                }
                return Err(error);
            }
        };
        core.set_identity(identity);
        transactional.state.lock().initialized();
        core.update_gate();
        Ok(())
    }

    /// Begins a transaction: everything sent from now on belongs to it. Asks nobody.
    ///
    /// # Errors
    /// If the last one has not ended, or the producer has failed.
    pub fn begin_transaction(&self) -> Result<(), ClientError> {
        let transactional = self.transactional()?;
        transactional.state.lock().begin()?;
        self.core().accumulator.take_failure();
        self.core().update_gate();
        Ok(())
    }

    /// Makes a consumer group's offsets part of the transaction: they are committed if it is.
    ///
    /// `group` fences: offsets of a member that has lost its partitions are refused (KIP-447). Take
    /// it from [`Consumer::group_metadata`](crate::Consumer::group_metadata).
    ///
    /// # Errors
    /// After any error but a timeout the transaction must be aborted; see
    /// [`ClientError::is_rebalanced`] and [`ClientError::is_fatal`].
    pub async fn send_offsets_to_transaction(
        &self,
        offsets: &HashMap<TopicPartition, OffsetAndMetadata>,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), ClientError> {
        let core = self.core();
        let transactional = self.transactional()?;
        let _calls = transactional.calls.lock().await;
        transactional.state.lock().check_open()?;
        if offsets.is_empty() {
            return Ok(());
        }
        let sent = async {
            transactions::add_offsets(core, &group.group_id).await?;
            transactional.state.lock().offsets_added();
            transactions::commit_offsets(core, offsets, group).await
        };
        sent.await.inspect_err(|error| self.call_failed(error))
    }

    /// Commits: sends what is left, waits until all of it is acknowledged, and has the coordinator
    /// commit. When it returns, the commit is decided and durable; consumers under read_committed
    /// see it a moment later.
    ///
    /// # Errors
    /// [`ClientError::TransactionMustAbort`] if a record could not be written; a timeout after
    /// `max.block.ms`, after which it may be called again; or what ends the producer.
    pub async fn commit_transaction(&self) -> Result<(), ClientError> {
        let core = self.core();
        let transactional = self.transactional()?;
        let _calls = transactional.calls.lock().await;
        transactional.state.lock().begin_commit()?;
        core.update_gate();
        self.settle_all().await;
        self.partitions_added(transactional).await;
        let ending = {
            let mut state = transactional.state.lock();
            // Refused if a batch has failed meanwhile.
            state.begin_commit()?;
            state.ending()?
        };
        if ending.tell {
            transactions::end(core, true)
                .await
                .inspect_err(|error| self.call_failed(error))?;
        }
        transactional.state.lock().ended();
        core.update_gate();
        Ok(())
    }

    /// Aborts: drops what was not sent yet, waits for what was, and has the coordinator abort.
    ///
    /// # Errors
    /// A timeout after `max.block.ms`, after which it may be called again; or what ends the
    /// producer.
    pub async fn abort_transaction(&self) -> Result<(), ClientError> {
        let core = self.core();
        let transactional = self.transactional()?;
        let _calls = transactional.calls.lock().await;
        transactional.state.lock().begin_abort()?;
        core.update_gate();
        core.accumulator.wake.notify_one();
        self.settle_all().await;
        self.partitions_added(transactional).await;
        let ending = transactional.state.lock().ending()?;
        if ending.tell {
            transactions::end(core, false)
                .await
                .inspect_err(|error| self.call_failed(error))?;
        }
        transactional.state.lock().ended();
        if ending.bump {
            let identity = *core.identity.lock();
            let asked = core.ask_identity(identity, core.config().max_block).await;
            core.set_identity(asked.inspect_err(|error| self.call_failed(error))?);
            transactional.state.lock().initialized();
        }
        core.accumulator.take_failure();
        core.update_gate();
        Ok(())
    }

    /// Waits for an AddPartitionsToTxn under way: it must not land in the next transaction.
    async fn partitions_added(&self, transactional: &Transactional) {
        loop {
            let changed = transactional.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if !transactional.state.lock().is_adding() {
                return;
            }
            changed.await;
        }
    }

    /// A transactional call failed. A timeout leaves the state as it is: the call may be repeated.
    fn call_failed(&self, error: &ClientError) {
        if !matches!(error, ClientError::Timeout { .. }) {
            self.core().fail_transaction(error, false);
        }
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

/// One partition to append to.
#[derive(Clone)]
pub struct PartitionAppender {
    producer: Producer,
    queue: Arc<PartitionQueue>,
}

impl std::fmt::Debug for PartitionAppender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PartitionAppender")
            .field(&self.queue.partition)
            .finish()
    }
}

impl PartitionAppender {
    /// The partition.
    pub fn partition(&self) -> &TopicPartition {
        &self.queue.partition
    }

    /// Locks the partition for a run of appends. Hold it briefly and never across an await: the
    /// sender needs it too.
    ///
    /// # Errors
    /// If the producer takes no records now; see [`Producer::append`].
    pub fn lock(&self) -> Result<AppendGuard<'_>, ClientError> {
        self.producer.core().check_gate()?;
        Ok(AppendGuard {
            appender: self,
            state: self.queue.state.lock(),
        })
    }
}

/// A partition locked for appending.
pub struct AppendGuard<'a> {
    appender: &'a PartitionAppender,
    state: MutexGuard<'a, QueueState>,
}

impl std::fmt::Debug for AppendGuard<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AppendGuard")
            .field(&self.appender.queue.partition)
            .finish()
    }
}

impl AppendGuard<'_> {
    /// Encodes a record into the partition's batch; `timestamp` is in milliseconds since the epoch.
    ///
    /// # Errors
    /// [`AppendError::QueueFull`]: drop the guard, await [`Producer::has_room`], lock again and
    /// append the same record. [`AppendError::Rejected`]: the record is too large.
    #[inline]
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<(), AppendError> {
        let PartitionAppender { producer, queue } = self.appender;
        let accumulator = &producer.core().accumulator;
        accumulator
            .append(queue, &mut self.state, timestamp, key, value, headers)
            .map(|_| ())
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
