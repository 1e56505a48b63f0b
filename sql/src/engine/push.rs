//! Push queries: `SELECT … EMIT CHANGES`.
//!
//! A query whose rows follow one by one from those of its input reads the topic itself, from its
//! start and then on. One with a join or an aggregate runs as a streams application of its own,
//! with its state in memory, which is taken down with the query.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use datafusion::sql::sqlparser::ast;
use futures::{Stream, StreamExt, stream};
use headwater_client::{AutoOffsetReset, Client, Consumer, ConsumerConfig, IsolationLevel};
use headwater_streams::runtime::{RunningStreams, StateBackendKind, StreamsConfig};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::SqlEngine;
use super::result::SqlResult;
use super::views::{application_error, is_internal, source_of};
use crate::SqlError;
use crate::catalog::{all_partitions, partition_count};
use crate::ops::{Calc, Kinds, Record, Rows, ScanPlan};
use crate::plan::{ContinuousQuery, Node};
use crate::topology::{self, Output, QueryCounters};

/// Batches of results that wait for their reader: some thousand rows each. Then the query waits.
const RESULTS: usize = 16;

/// Longest wait of one poll.
const POLL: Duration = Duration::from_millis(500);

impl SqlEngine {
    pub(super) async fn push(&self, query: ast::Query) -> Result<SqlResult, SqlError> {
        let query = self
            .inner
            .planner
            .continuous(&self.catalog(), query, true)
            .await?;
        let schema = Arc::clone(&query.schema);
        let visible = query.sink.columns;
        let rows = if query.is_stateless() {
            self.follow(&query).await?.boxed()
        } else {
            if !source_of(&query).kind.is_append_only() {
                return Err(SqlError::Unsupported(
                    "a join or an aggregate over the changes of a table or view".to_owned(),
                ));
            }
            self.run_for_reader(&query).await?.boxed()
        };
        let rows = rows.filter_map(move |rows| async move {
            match rows.and_then(|rows| shown(&rows, visible)) {
                Ok(batch) if batch.num_rows() == 0 => None,
                other => Some(other),
            }
        });
        Ok(SqlResult {
            tag: "SELECT".to_owned(),
            schema,
            rows: rows.boxed(),
            is_unbounded: true,
        })
    }

    /// Reads the topic of a stateless query.
    async fn follow(
        &self,
        query: &ContinuousQuery,
    ) -> Result<impl Stream<Item = Result<Rows, SqlError>> + use<>, SqlError> {
        let relation = source_of(query);
        let count = partition_count(&self.inner.client, &relation.topic).await?;
        let (plan, steps) = stateless_steps(&query.node);
        let reading = Reading {
            consumer: open(&self.inner.client, &relation.topic, count)?,
            plan,
            steps,
        };
        Ok(stream::unfold(Some(reading), |reading| async {
            let reading = reading?;
            match reading.next().await {
                Ok(rows) => Some((Ok(rows), Some(reading))),
                Err(error) => Some((Err(error), None)),
            }
        }))
    }

    /// Runs a query with state until its reader has gone.
    async fn run_for_reader(
        &self,
        query: &ContinuousQuery,
    ) -> Result<impl Stream<Item = Result<Rows, SqlError>> + use<>, SqlError> {
        for table in &query.single_partition {
            if partition_count(&self.inner.client, &table.topic).await? != 1 {
                return Err(SqlError::InvalidDefinition(format!(
                    "{} {} is joined, and its topic has several partitions; declare its key_format",
                    table.kind, table.name
                )));
            }
        }
        let (sender, receiver) = mpsc::channel(RESULTS);
        let counters = Arc::new(QueryCounters::default());
        let topology = topology::build(query, &Output::Channel(sender), &counters)?;
        let application_id = format!("sql-push-{}", Uuid::new_v4().simple());
        let config = StreamsConfig {
            state_backend: StateBackendKind::Memory,
            ..StreamsConfig::new(&application_id, &self.inner.config.state_dir)
                .commit_every(self.inner.config.commit_interval)
                .topic_config("retention.ms", "-1")
        };
        let application = RunningStreams::start(&topology, config, self.inner.client.clone())
            .await
            .map_err(|e| application_error(&e))?;
        // The topology holds the sender's only copies, so the channel ends with the application.
        drop(topology);
        let query = PushQuery {
            receiver,
            guard: Guard {
                application: Some(Arc::new(application)),
                engine: self.clone(),
                application_id,
            },
        };
        Ok(stream::unfold(Some(query), |query| async {
            let mut query = query?;
            let application = query.guard.application.clone()?;
            tokio::select! {
                rows = query.receiver.recv() => rows.map(|rows| (Ok(rows), Some(query))),
                ended = application.join() => match ended {
                    Ok(()) => None,
                    Err(error) => Some((Err(application_error(&error)), None)),
                },
            }
        }))
    }
}

struct PushQuery {
    receiver: mpsc::Receiver<Rows>,
    guard: Guard,
}

/// Takes an application down when its reader goes.
struct Guard {
    application: Option<Arc<RunningStreams>>,
    engine: SqlEngine,
    application_id: String,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(application) = self.application.take() else {
            return;
        };
        let (engine, application_id) = (self.engine.clone(), self.application_id.clone());
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        runtime.spawn(async move {
            // It was going to be thrown away: how it ended does not matter.
            let _ = application.close().await;
            drop(application);
            if let Err(error) = engine.delete_application(&application_id).await {
                tracing::warn!(application_id, %error, "a push query left topics behind");
            }
        });
    }
}

impl SqlEngine {
    /// Deletes what a push query left in the log and on disk.
    async fn delete_application(&self, application_id: &str) -> Result<(), SqlError> {
        let admin = self.inner.client.admin();
        let topics: Vec<String> = admin
            .list_topics()
            .await?
            .into_iter()
            .map(|t| t.name.to_string())
            .filter(|t| is_internal(t, application_id))
            .collect();
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        if !names.is_empty() {
            admin.delete_topics(&names).await?;
        }
        let path = self.inner.config.state_dir.join(application_id);
        match tokio::fs::remove_dir_all(&path).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(
                SqlError::Application(format!("{}: {error}", path.display())),
            ),
            _ => Ok(()),
        }
    }
}

struct Reading {
    consumer: Consumer,
    plan: Arc<ScanPlan>,
    steps: Vec<Arc<Calc>>,
}

impl Reading {
    async fn next(&self) -> Result<Rows, SqlError> {
        loop {
            let records = match self.consumer.poll(POLL).await {
                Ok(batches) => batches.records()?,
                Err(error) if error.is_retriable() => continue,
                Err(error) => return Err(error.into()),
            };
            if records.is_empty() {
                continue;
            }
            let records: Vec<Record<'_>> = records
                .iter()
                .map(|r| Record {
                    key: r.key.as_deref(),
                    value: r.value.as_deref(),
                    timestamp: r.timestamp,
                    partition: r.partition,
                    offset: r.offset,
                })
                .collect();
            let mut rows = self.plan.scan(&records)?.rows;
            for step in &self.steps {
                rows = step.apply(rows)?;
            }
            return Ok(rows);
        }
    }
}

fn open(client: &Client, topic: &str, count: i32) -> Result<Consumer, SqlError> {
    let consumer = client.consumer(ConsumerConfig {
        enable_auto_commit: false,
        auto_offset_reset: AutoOffsetReset::Earliest,
        isolation_level: IsolationLevel::ReadCommitted,
        allow_auto_create_topics: false,
        max_poll_records: 5_000,
        ..ConsumerConfig::default()
    })?;
    let partitions = all_partitions(topic, count);
    consumer.assign(partitions.clone())?;
    consumer.seek_to_beginning(&partitions)?;
    Ok(consumer)
}

fn stateless_steps(node: &Node) -> (Arc<ScanPlan>, Vec<Arc<Calc>>) {
    match node {
        Node::Scan { plan, .. } => (Arc::clone(plan), Vec::new()),
        Node::Calc { input, calc } => {
            let (plan, mut steps) = stateless_steps(input);
            steps.push(Arc::clone(calc));
            (plan, steps)
        }
        // Only asked of stateless queries.
        Node::Join { input, .. } | Node::Aggregate { input, .. } => stateless_steps(input),
    }
}

/// The visible columns of rows that are there; deletions have no row to show.
fn shown(rows: &Rows, visible: usize) -> Result<RecordBatch, SqlError> {
    let columns: Vec<usize> = (0..visible).collect();
    let rows = match &rows.kinds {
        Kinds::Insert => rows.clone(),
        Kinds::Upsert(bits) => rows.filter(&arrow::array::BooleanArray::new(bits.clone(), None))?,
    };
    Ok(rows.batch.project(&columns)?)
}
