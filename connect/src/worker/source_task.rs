//! Running a source task: poll, convert, write, commit.
//!
//! Per poll of an exactly-once source with `transaction.boundary=poll`: one transaction of its
//! rows and one offset record for each source partition among them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use headwater_client::ClientError;
use tokio::time::{Instant, sleep_until};

use super::convert::Converters;
use super::source_writer::{Offsets, SourceWriter};
use super::status::TaskProgress;
use super::task::{Control, Retry, TaskSeat};
use crate::config::{Properties, SourceSettings, TransactionBoundary};
use crate::data::SourceRecord;
use crate::spi::{ConnectError, SourceProgress, SourceTask, SourceTaskContext};
use crate::store::{TopicRequest, ensure_topic};

/// How much longer than its interval a transaction may be open before the broker aborts it.
const TRANSACTION_GRACE: Duration = Duration::from_secs(60);

/// What one task runs with.
pub(super) struct SourceRun {
    pub(super) seat: TaskSeat,
    pub(super) task: Box<dyn SourceTask>,
    pub(super) properties: Properties,
    pub(super) settings: SourceSettings,
    pub(super) converters: Converters,
}

/// What has been written and not committed yet.
#[derive(Default)]
struct Pending {
    offsets: Offsets,
    records: u64,
    skipped: u64,
    since: Option<Instant>,
    progress: SourceProgress,
}

impl SourceRun {
    pub(super) async fn run(mut self) {
        let started = Instant::now();
        let result = self.run_to_end().await;
        self.seat.end(result, started).await;
    }

    /// How long rows may wait for their commit; none is none at all.
    fn interval(&self) -> Option<Duration> {
        let flush = self.seat.shared.config.offset_flush_interval;
        match self.settings.boundary {
            _ if !self.seat.shared.config.exactly_once_source => Some(flush),
            TransactionBoundary::Poll => None,
            TransactionBoundary::Interval(interval) => Some(interval.unwrap_or(flush)),
        }
    }

    async fn run_to_end(&mut self) -> Result<(), ConnectError> {
        let timeout = self.interval().unwrap_or_default() + TRANSACTION_GRACE;
        let shared = self.seat.shared.clone();
        let connector = self.seat.connector.clone();
        // First of all, even for a paused task: this is what fences an earlier one and ends its
        // transaction, without which others would wait for its timeout.
        let mut writer =
            SourceWriter::open(shared.clone(), connector.clone(), self.seat.task, timeout).await?;
        if !self.seat.may_run().await {
            writer.close().await;
            return Ok(());
        }
        // What an earlier run said of the input's end may not hold any more.
        let progress = self.seat.progress();
        self.seat.set_progress(TaskProgress {
            source: SourceProgress::default(),
            ..progress
        });
        shared.offsets.refresh().await?;
        let offsets = shared.offsets.reader_for(&connector);
        let context = SourceTaskContext {
            offsets,
            connector,
            task: self.seat.task,
        };
        let mut result = self.task.start(context, &self.properties).await;
        if result.is_ok() {
            result = self.pump(&mut writer).await;
        }
        if result.is_err() {
            writer.abort().await;
        }
        self.task.stop().await;
        writer.close().await;
        result
    }

    async fn pump(&mut self, writer: &mut SourceWriter) -> Result<(), ConnectError> {
        let interval = self.interval();
        let mut pending = Pending::default();
        let mut topics = HashSet::new();
        let mut retry = Retry::new(&self.seat.errors);
        loop {
            let due = pending
                .since
                .map(|since| since + interval.unwrap_or_default());
            let polled = tokio::select! {
                biased;
                changed = self.seat.control.changed() => {
                    self.commit(writer, &mut pending).await?;
                    if changed.is_err() || !self.seat.may_run().await {
                        return Ok(());
                    }
                    continue;
                }
                () = until(due) => {
                    self.commit(writer, &mut pending).await?;
                    continue;
                }
                polled = self.task.poll() => polled,
            };
            let records = match polled {
                Ok(records) => records,
                Err(error) => {
                    if self.seat.told() == Control::Run && retry.again(&error).await {
                        continue;
                    }
                    // What came before the failure is whole: keep it.
                    self.commit(writer, &mut pending).await?;
                    return Err(error);
                }
            };
            retry = Retry::new(&self.seat.errors);
            pending.progress = self.task.progress();
            self.write(writer, records, &mut pending, &mut topics)
                .await?;
            let at_end = pending.progress.at_end;
            if interval.is_none() || pending.since.is_none() || at_end {
                self.commit(writer, &mut pending).await?;
            }
        }
    }

    async fn write(
        &mut self,
        writer: &mut SourceWriter,
        records: Vec<SourceRecord>,
        pending: &mut Pending,
        topics: &mut HashSet<Arc<str>>,
    ) -> Result<(), ConnectError> {
        if !records.is_empty() {
            pending.since.get_or_insert_with(Instant::now);
        }
        // Consecutive rows of one source partition share their partition: only the last offset
        // of a run is noted.
        let mut last: Option<SourceRecord> = None;
        for record in records {
            if !topics.contains(&record.topic) {
                create_topic(&self.seat, &self.settings, &record.topic).await?;
                topics.insert(record.topic.clone());
            }
            match self.converters.to_log(&record) {
                Ok(converted) => {
                    writer.write(converted).await?;
                    pending.records += 1;
                }
                Err(failed) => {
                    let what = format!("a row of {:?}", record.source_partition);
                    let error = ConnectError::Convert {
                        what,
                        source: failed.error,
                    };
                    if !self.seat.errors.tolerate_all {
                        return Err(error);
                    }
                    pending.skipped += 1;
                    if self.seat.errors.log {
                        let stage = failed.stage.name();
                        let connector = &*self.seat.connector;
                        tracing::error!(
                            connector,
                            stage,
                            error = error.trace(),
                            "a row is skipped"
                        );
                    }
                }
            }
            if let Some(before) = last.replace(record) {
                let same = last.as_ref().is_some_and(|now| {
                    Arc::ptr_eq(&now.source_partition, &before.source_partition)
                });
                if !same {
                    pending.note(before);
                }
            }
        }
        if let Some(record) = last {
            pending.note(record);
        }
        Ok(())
    }

    async fn commit(
        &mut self,
        writer: &mut SourceWriter,
        pending: &mut Pending,
    ) -> Result<(), ConnectError> {
        if pending.since.is_some() {
            writer.commit(&pending.offsets).await?;
        }
        let committed = std::mem::take(pending);
        pending.progress = committed.progress;
        let mut progress = self.seat.progress();
        progress.records += committed.records;
        progress.skipped += committed.skipped;
        progress.source = committed.progress;
        self.seat.set_progress(progress);
        if committed.since.is_some()
            && let Err(error) = self.task.commit().await
        {
            tracing::warn!(
                connector = &*self.seat.connector,
                error = error.trace(),
                "commit hook"
            );
        }
        Ok(())
    }
}

impl Pending {
    fn note(&mut self, record: SourceRecord) {
        let name = serde_json::Value::Object((*record.source_partition).clone()).to_string();
        self.offsets
            .insert(name, (record.source_partition, record.source_offset));
    }
}

/// Creates the topic by the first group of `topic.creation` that covers it, if it is not there.
async fn create_topic(
    seat: &TaskSeat,
    settings: &SourceSettings,
    topic: &str,
) -> Result<(), ClientError> {
    seat.uses_topic(topic).await;
    let rule = settings.topics.iter().find(|rule| rule.covers(topic));
    let Some(rule) = rule.filter(|_| seat.shared.config.topic_creation_enable) else {
        return Ok(());
    };
    let request = TopicRequest {
        name: topic.to_owned(),
        partitions: rule.partitions,
        replication_factor: rule.replication_factor,
        configs: rule.configs.clone(),
    };
    ensure_topic(&seat.shared.client, &request).await
}

/// Resolves at `due`; never if there is nothing due.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
