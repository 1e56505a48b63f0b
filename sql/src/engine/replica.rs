//! A copy of a table or view in memory, following its topic: what pull queries read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use bytes::Bytes;
use headwater_client::{
    AutoOffsetReset, Client, Consumer, ConsumerConfig, IsolationLevel, TopicPartition,
};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::SqlError;
use crate::catalog::{Relation, all_partitions, partition_count};
use crate::ops::Record;

/// How long a poll waits for records before it looks whether it should go on.
const POLL: Duration = Duration::from_millis(500);

struct Row {
    value: Bytes,
    timestamp: i64,
    partition: i32,
    offset: i64,
}

type Decoded = (u64, Vec<&'static str>, RecordBatch);

#[derive(Default)]
struct Rows {
    by_key: BTreeMap<Bytes, Row>,
    /// Grows with every change.
    version: u64,
    /// The rows as last decoded.
    decoded: Option<Decoded>,
}

#[derive(Clone, Default)]
struct Progress {
    positions: HashMap<TopicPartition, i64>,
    failure: Option<String>,
}

/// Rows by key, as committed in the topic.
pub(super) struct Replica {
    relation: Arc<Relation>,
    client: Client,
    partitions: Vec<TopicPartition>,
    rows: Arc<Mutex<Rows>>,
    progress: watch::Receiver<Progress>,
    task: AbortHandle,
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Replica {
    /// Starts to follow the topic of `relation` from its beginning.
    pub(super) async fn start(client: &Client, relation: Arc<Relation>) -> Result<Self, SqlError> {
        let count = partition_count(client, &relation.topic).await?;
        let partitions = all_partitions(&relation.topic, count);
        let consumer = client.consumer(ConsumerConfig {
            enable_auto_commit: false,
            auto_offset_reset: AutoOffsetReset::Earliest,
            isolation_level: IsolationLevel::ReadCommitted,
            allow_auto_create_topics: false,
            max_poll_records: 5_000,
            ..ConsumerConfig::default()
        })?;
        consumer.assign(partitions.clone())?;
        consumer.seek_to_beginning(&partitions)?;
        let rows = Arc::new(Mutex::new(Rows::default()));
        let (sender, progress) = watch::channel(Progress::default());
        let task = tokio::spawn(follow(
            consumer,
            partitions.clone(),
            Arc::clone(&rows),
            sender,
        ));
        Ok(Self {
            relation,
            client: client.clone(),
            partitions,
            rows,
            progress,
            task: task.abort_handle(),
        })
    }

    /// Whether it has stopped following.
    pub(super) fn has_failed(&self) -> bool {
        self.progress.borrow().failure.is_some() || self.task.is_finished()
    }

    /// The rows with everything that was committed when this was called.
    ///
    /// # Errors
    /// [`SqlError::Application`] if they are not there within `timeout`.
    pub(super) async fn snapshot(
        &self,
        pseudo: &BTreeSet<&'static str>,
        timeout: Duration,
    ) -> Result<RecordBatch, SqlError> {
        let admin = self.client.admin();
        let end_offsets = admin
            .end_offsets(&self.partitions, IsolationLevel::ReadCommitted)
            .await?;
        let mut progress = self.progress.clone();
        let reached = |p: &Progress| {
            p.failure.is_some()
                || end_offsets.iter().all(|(partition, end)| {
                    *end <= 0 || p.positions.get(partition).is_some_and(|at| at >= end)
                })
        };
        let wait = async { progress.wait_for(reached).await.map(|p| p.failure.clone()) };
        let failure = match tokio::time::timeout(timeout, wait).await {
            Ok(Ok(failure)) => failure,
            Ok(Err(_)) => Some("its reader has stopped".to_owned()),
            Err(_) => Some(format!("it is not restored after {} s", timeout.as_secs())),
        };
        if let Some(reason) = failure {
            return Err(SqlError::Application(format!(
                "{} {} cannot be read: {reason}",
                self.relation.kind, self.relation.name
            )));
        }
        let (rows, relation, pseudo) = (
            Arc::clone(&self.rows),
            Arc::clone(&self.relation),
            pseudo.clone(),
        );
        tokio::task::spawn_blocking(move || decode(&rows, &relation, &pseudo))
            .await
            .map_err(|e| SqlError::Application(e.to_string()))?
    }
}

fn decode(
    rows: &Mutex<Rows>,
    relation: &Relation,
    pseudo: &BTreeSet<&'static str>,
) -> Result<RecordBatch, SqlError> {
    let mut rows = rows.lock();
    let names: Vec<&'static str> = pseudo.iter().copied().collect();
    if let Some((version, decoded_names, batch)) = &rows.decoded
        && *version == rows.version
        && *decoded_names == names
    {
        return Ok(batch.clone());
    }
    let all: Vec<usize> = (0..relation.schema(pseudo).fields().len()).collect();
    let scan = relation.scan(pseudo, &all);
    let records: Vec<Record<'_>> = rows
        .by_key
        .iter()
        .map(|(key, row)| Record {
            key: Some(key),
            value: Some(&row.value),
            timestamp: row.timestamp,
            partition: row.partition,
            offset: row.offset,
        })
        .collect();
    let scanned = scan.scan(&records)?;
    if let Some(reason) = scanned.reason {
        tracing::warn!(
            relation = relation.name,
            bad = scanned.bad,
            reason,
            "bad rows left out"
        );
    }
    let batch = scanned.rows.batch;
    rows.decoded = Some((rows.version, names, batch.clone()));
    Ok(batch)
}

async fn follow(
    consumer: Consumer,
    partitions: Vec<TopicPartition>,
    rows: Arc<Mutex<Rows>>,
    sender: watch::Sender<Progress>,
) {
    loop {
        if let Err(error) = take_in(&consumer, &rows).await {
            if error.is_retriable() {
                tracing::debug!(%error, "reading a table again");
                continue;
            }
            tracing::warn!(%error, "a table can no longer be followed");
            sender.send_modify(|p| p.failure = Some(error.to_string()));
            return;
        }
        sender.send_modify(|p| {
            for partition in &partitions {
                if let Some(position) = consumer.position(partition) {
                    p.positions.insert(partition.clone(), position);
                }
            }
        });
    }
}

async fn take_in(
    consumer: &Consumer,
    rows: &Mutex<Rows>,
) -> Result<(), headwater_client::ClientError> {
    let batches = consumer.poll(POLL).await?;
    if batches.is_empty() {
        return Ok(());
    }
    let records = batches.records()?;
    let mut rows = rows.lock();
    for record in records {
        let Some(key) = record.key else { continue };
        match record.value {
            // Copies, since a slice would hold on to its whole batch.
            Some(value) => {
                let row = Row {
                    value: Bytes::copy_from_slice(&value),
                    timestamp: record.timestamp,
                    partition: record.partition,
                    offset: record.offset,
                };
                rows.by_key.insert(Bytes::copy_from_slice(&key), row);
            }
            None => {
                rows.by_key.remove(&key);
            }
        }
    }
    rows.version += 1;
    Ok(())
}
