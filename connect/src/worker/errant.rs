//! Records that a sink cannot take: skipped, logged and kept as dead letters, or the end of the
//! task.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use headwater_client::{ClientError, ConsumerRecord, Producer, ProducerConfig, ProducerRecord};
use parking_lot::Mutex;

use super::Shared;
use super::convert::Stage;
use crate::config::{ErrorSettings, Properties, SinkSettings};
use crate::data::SinkRecord;
use crate::spi::{ConnectError, ErrantRecordReporter};
use crate::store::{TopicRequest, ensure_topic};

/// Deals with the bad records of one sink task.
pub(super) struct Errant {
    connector: Arc<str>,
    task: usize,
    class: String,
    errors: ErrorSettings,
    queue: Option<DeadLetterQueue>,
    state: Mutex<Batch>,
}

/// The batch being put: dead letters are the bytes of the log, not what was made of them.
#[derive(Default)]
struct Batch {
    records: Vec<ConsumerRecord>,
    /// What the task has reported in the put under way: if that fails, the same records come
    /// again, and those it reports then are the ones that count.
    reported: Option<Vec<(ConsumerRecord, ConnectError)>>,
    skipped: u64,
}

struct DeadLetterQueue {
    topic: Arc<str>,
    with_context: bool,
    producer: Producer,
}

impl Errant {
    pub(super) async fn open(
        shared: &Shared,
        connector: Arc<str>,
        task: usize,
        class: String,
        errors: ErrorSettings,
        settings: &SinkSettings,
    ) -> Result<Self, ClientError> {
        let mut queue = None;
        if let Some(topic) = &settings.dead_letter_topic {
            let nodes = shared.client.admin().describe_cluster().await?.nodes.len();
            let nodes = i16::try_from(nodes).unwrap_or(i16::MAX).max(1);
            let request = TopicRequest {
                name: topic.clone(),
                partitions: 1,
                replication_factor: settings.dead_letter_replication.min(nodes),
                configs: Properties::new(),
            };
            ensure_topic(&shared.client, &request).await?;
            queue = Some(DeadLetterQueue {
                topic: topic.as_str().into(),
                with_context: settings.dead_letter_headers,
                producer: shared.client.producer(ProducerConfig::default())?,
            });
        }
        Ok(Self {
            connector,
            task,
            class,
            errors,
            queue,
            state: Mutex::default(),
        })
    }

    /// Takes note of the batch that is about to be put.
    pub(super) fn begin(&self, records: Vec<ConsumerRecord>) {
        self.state.lock().records = records;
    }

    /// A try at putting the batch begins.
    pub(super) fn begin_put(&self) {
        self.state.lock().reported = Some(Vec::new());
    }

    /// The put has succeeded: skips what the task has reported in it.
    pub(super) async fn put_succeeded(&self) -> Result<(), ConnectError> {
        let reported = self.state.lock().reported.take();
        for (record, error) in reported.unwrap_or_default() {
            self.skip(&record, Stage::TaskPut, &self.class, error)
                .await?;
        }
        Ok(())
    }

    /// The put has failed: what the task has reported in it is forgotten.
    pub(super) fn put_failed(&self) {
        self.state.lock().reported = None;
    }

    /// How many records have been skipped since the last call.
    pub(super) fn take_skipped(&self) -> u64 {
        std::mem::take(&mut self.state.lock().skipped)
    }

    /// Skips a record, or gives the error back if none may be skipped.
    pub(super) async fn skip(
        &self,
        record: &ConsumerRecord,
        stage: Stage,
        class: &str,
        error: ConnectError,
    ) -> Result<(), ConnectError> {
        if !self.errors.tolerate_all {
            return Err(error);
        }
        if self.errors.log {
            self.log(record, stage, &error);
        }
        if let Some(queue) = &self.queue {
            let letter = self.letter(queue, record, stage, class, &error);
            // Failures of what is on its way are told by the flush before the commit.
            queue.producer.send(letter).await.map(drop)?;
        }
        self.state.lock().skipped += 1;
        Ok(())
    }

    fn log(&self, record: &ConsumerRecord, stage: Stage, error: &ConnectError) {
        let (connector, task, stage) = (&*self.connector, self.task, stage.name());
        if self.errors.log_messages {
            tracing::error!(
                connector, task, stage, topic = &*record.topic, partition = record.partition,
                offset = record.offset, key = ?record.key, value = ?record.value,
                error = error.trace(), "a record is skipped"
            );
        } else {
            tracing::error!(
                connector,
                task,
                stage,
                error = error.trace(),
                "a record is skipped"
            );
        }
    }

    fn letter(
        &self,
        queue: &DeadLetterQueue,
        record: &ConsumerRecord,
        stage: Stage,
        class: &str,
        error: &ConnectError,
    ) -> ProducerRecord {
        let mut headers = record.headers.clone();
        if queue.with_context {
            let mut add = |name: &str, value: String| {
                headers.push((format!("__connect.errors.{name}"), Some(Bytes::from(value))));
            };
            add("topic", record.topic.to_string());
            add("partition", record.partition.to_string());
            add("offset", record.offset.to_string());
            add("connector.name", self.connector.to_string());
            add("task.id", self.task.to_string());
            add("stage", stage.name().to_owned());
            add("class.name", class.to_owned());
            add("exception.class.name", exception(error).to_owned());
            add("exception.message", error.to_string());
            add("exception.stacktrace", error.trace());
        }
        ProducerRecord {
            topic: queue.topic.clone(),
            partition: None,
            timestamp: Some(record.timestamp).filter(|timestamp| *timestamp >= 0),
            key: record.key.clone(),
            value: record.value.clone(),
            headers,
        }
    }

    /// Waits until all dead letters are in the log: the offsets behind them may be committed then.
    pub(super) async fn flush(&self) -> Result<(), ClientError> {
        match &self.queue {
            Some(queue) => queue.producer.flush().await,
            None => Ok(()),
        }
    }

    pub(super) async fn close(&self) {
        if let Some(queue) = &self.queue
            && let Err(error) = queue.producer.close().await
        {
            tracing::warn!(%error, connector = &*self.connector, "dead letters may be missing");
        }
    }
}

fn exception(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::Convert { .. } => "ConvertError",
        ConnectError::Retriable { .. } => "RetriableError",
        _ => "ConnectError",
    }
}

#[async_trait]
impl ErrantRecordReporter for Errant {
    async fn report(&self, record: &SinkRecord, error: ConnectError) -> Result<(), ConnectError> {
        if !self.errors.tolerate_all {
            return Err(error);
        }
        let (raw, error) = {
            let mut state = self.state.lock();
            let same = |raw: &&ConsumerRecord| {
                raw.offset == record.offset
                    && raw.partition == record.partition
                    && raw.topic == record.topic
            };
            let Some(raw) = state.records.iter().find(same).cloned() else {
                return Err(error);
            };
            if let Some(reported) = &mut state.reported {
                reported.push((raw, error));
                return Ok(());
            }
            (raw, error)
        };
        self.skip(&raw, Stage::TaskPut, &self.class, error).await
    }
}
