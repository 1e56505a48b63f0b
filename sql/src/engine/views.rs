//! Materialized views: each a streams application that keeps its topic up to date.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion::sql::sqlparser::ast;
use headwater_client::admin::NewTopic;
use headwater_streams::runtime::{RunningStreams, StreamsConfig};
use parking_lot::Mutex;

use super::result::SqlResult;
use super::{Definitions, SqlEngine};
use crate::SqlError;
use crate::catalog::{
    Catalog, Column, Relation, RelationKind, StoredStatement, ensure_topic, partition_count,
};
use crate::format::KeyFormat;
use crate::plan::{ContinuousQuery, Node};
use crate::topology::{self, Output, QueryCounters};

/// A view with the application that keeps it.
pub(super) struct RunningView {
    sequence: u64,
    pub(super) application_id: String,
    pub(super) counters: Arc<QueryCounters>,
    inputs: Vec<String>,
    pub(super) application: Option<Arc<RunningStreams>>,
    /// Why it does not run.
    failure: Arc<Mutex<Option<String>>>,
}

/// A view that is planned and checked, not started yet.
struct Planned {
    relation: Relation,
    query: ContinuousQuery,
    partitions: i32,
}

impl RunningView {
    /// Names of the relations it reads.
    pub(super) fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// Why it does not run, if it does not.
    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }

    /// Stops it after a last commit.
    pub(super) async fn stop(&self) -> Result<(), SqlError> {
        match &self.application {
            None => Ok(()),
            Some(application) => application.close().await.map_err(|e| application_error(&e)),
        }
    }
}

/// An error with what caused it, in one line.
pub(super) fn application_error(error: &dyn std::error::Error) -> SqlError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    SqlError::Application(text)
}

/// The application of a view. The sequence number keeps a view apart from an earlier one of its
/// name, whose offsets and topics must not be taken for its own. It comes first: whatever the names
/// of views, none is a prefix of another's.
fn application_id(view: &str, sequence: u64) -> String {
    format!("sql-{sequence}-{view}")
}

/// Whether the streams runtime made this topic for the application.
pub(super) fn is_internal(topic: &str, application_id: &str) -> bool {
    let name = topic.strip_prefix(application_id);
    name.and_then(|name| name.strip_prefix('-'))
        .is_some_and(|name| name.ends_with("-changelog") || name.ends_with("-repartition"))
}

impl SqlEngine {
    pub(super) async fn create_view(
        &self,
        name: &str,
        if_not_exists: bool,
        options: &[(String, String)],
        query: ast::Query,
        text: &str,
    ) -> Result<SqlResult, SqlError> {
        const TAG: &str = "CREATE MATERIALIZED VIEW";
        let mut definitions = self.inner.definitions.lock().await;
        if self.catalog().find(name).is_some() {
            if if_not_exists {
                return Ok(SqlResult::done(TAG));
            }
            return Err(SqlError::AlreadyExists(name.to_owned()));
        }
        let planned = self.plan_view(name, options, query).await?;
        if partition_count(&self.inner.client, name).await.is_ok() {
            return Err(SqlError::AlreadyExists(format!(
                "topic {name}, which the view would write,"
            )));
        }
        let stored = StoredStatement::new(definitions.next_sequence, name, text);
        definitions.log.put(&stored).await?;
        definitions.next_sequence += 1;
        let relation = planned.relation.clone();
        match self.start_view(planned, stored.sequence).await {
            Ok(view) => {
                self.inner
                    .views
                    .write()
                    .insert(name.to_owned(), Arc::new(view));
                self.publish(relation);
                Ok(SqlResult::done(TAG))
            }
            Err(error) => {
                // Nobody has seen the view, so its statement goes with it.
                self.take_down(&definitions, &stored).await?;
                Err(error)
            }
        }
    }

    /// Starts a view again whose statement is in the log. What keeps it from running is kept with
    /// it, and does not keep the engine from starting.
    pub(super) async fn resume_view(
        &self,
        stored: &StoredStatement,
        name: &str,
        options: &[(String, String)],
        query: ast::Query,
    ) -> Result<(), SqlError> {
        let mut inputs = Vec::new();
        let started = match self.plan_view(name, options, query).await {
            Ok(planned) => {
                inputs = planned.query.inputs();
                self.publish(planned.relation.clone());
                self.start_view(planned, stored.sequence).await
            }
            Err(error) => Err(error),
        };
        let view = started.unwrap_or_else(|error| {
            tracing::error!(view = name, %error, "a view cannot be resumed");
            RunningView {
                sequence: stored.sequence,
                application_id: application_id(name, stored.sequence),
                counters: Arc::default(),
                inputs,
                application: None,
                failure: Arc::new(Mutex::new(Some(error.to_string()))),
            }
        });
        self.inner
            .views
            .write()
            .insert(name.to_owned(), Arc::new(view));
        Ok(())
    }

    pub(super) async fn drop_view(
        &self,
        definitions: &Definitions,
        name: &str,
    ) -> Result<(), SqlError> {
        let view = self.inner.views.write().remove(name);
        let Some(view) = view else { return Ok(()) };
        let sequence = view.sequence;
        if let Err(error) = view.stop().await {
            // Its state is about to be deleted; a failure to save it is no reason to keep it.
            tracing::warn!(view = name, %error, "a view did not stop in order");
        }
        std::mem::drop(view);
        self.take_down(definitions, &StoredStatement::new(sequence, name, ""))
            .await
    }

    /// Completes the removal of a view that a crash interrupted.
    pub(super) async fn finish_drop(&self, stored: &StoredStatement) -> Result<(), SqlError> {
        let definitions = self.inner.definitions.lock().await;
        self.take_down(&definitions, stored).await
    }

    /// Deletes the topics and the state of a view that does not run, then its statement. Marked in
    /// the log first, so that a restart completes it.
    async fn take_down(
        &self,
        definitions: &Definitions,
        stored: &StoredStatement,
    ) -> Result<(), SqlError> {
        let marked = stored.clone().being_dropped();
        definitions.log.put(&marked).await?;
        let application_id = application_id(&stored.name, stored.sequence);
        let admin = self.inner.client.admin();
        let topics: Vec<String> = admin
            .list_topics()
            .await?
            .into_iter()
            .map(|t| t.name.to_string())
            .filter(|t| *t == stored.name || is_internal(t, &application_id))
            .collect();
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        if !names.is_empty() {
            for (_, deleted) in admin.delete_topics(&names).await? {
                deleted?;
            }
        }
        remove_state(self.inner.config.state_dir.join(&application_id)).await?;
        definitions.remove(&stored.name).await
    }

    async fn plan_view(
        &self,
        name: &str,
        options: &[(String, String)],
        query: ast::Query,
    ) -> Result<Planned, SqlError> {
        let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if !name.chars().all(is_legal) || name.starts_with('_') {
            return Err(SqlError::InvalidDefinition(format!(
                "view {name}: its topic has its name, so it is made of letters, digits, '.', '-' \
                 and '_', not in front"
            )));
        }
        let catalog = self.catalog();
        let query = self
            .inner
            .planner
            .continuous(&catalog, query, false)
            .await?;
        for table in &query.single_partition {
            let count = partition_count(&self.inner.client, &table.topic).await?;
            if count != 1 {
                return Err(SqlError::InvalidDefinition(format!(
                    "{} {} is joined, and its topic {} has {count} partitions: the stream must be \
                     partitioned as it is; declare how its keys are written, key_format = 'string' \
                     or 'json'",
                    table.kind, table.name, table.topic
                )));
            }
        }
        let partitions = self.view_partitions(&catalog, &query, options).await?;
        let relation = view_relation(name, &query);
        Ok(Planned {
            relation,
            query,
            partitions,
        })
    }

    async fn view_partitions(
        &self,
        catalog: &Catalog,
        query: &ContinuousQuery,
        options: &[(String, String)],
    ) -> Result<i32, SqlError> {
        let mut partitions = None;
        for (option, value) in options {
            match option.as_str() {
                "partitions" => {
                    let count = value
                        .parse::<i32>()
                        .ok()
                        .filter(|n| (1..=1_000).contains(n));
                    partitions = Some(count.ok_or_else(|| {
                        SqlError::InvalidDefinition(format!("partitions = {value}: 1 to 1000"))
                    })?);
                }
                other => {
                    return Err(SqlError::InvalidDefinition(format!(
                        "unknown option {other} of a view; there is partitions"
                    )));
                }
            }
        }
        if let Some(partitions) = partitions {
            return Ok(partitions);
        }
        let stream = query.inputs().into_iter().next().unwrap_or_default();
        partition_count(&self.inner.client, &catalog.get(&stream)?.topic).await
    }

    async fn start_view(&self, planned: Planned, sequence: u64) -> Result<RunningView, SqlError> {
        let Planned {
            relation,
            query,
            partitions,
        } = planned;
        let policy = match relation.kind {
            RelationKind::View => "compact",
            _ => "delete",
        };
        let topic = NewTopic::new(relation.topic.as_str(), partitions)
            .config("cleanup.policy", policy)
            .config("retention.ms", "-1");
        ensure_topic(&self.inner.client, topic).await?;
        let counters = Arc::new(QueryCounters::default());
        let output = Output::Topic(relation.topic.clone());
        let topology = topology::build(&query, &output, &counters)?;
        let config = &self.inner.config;
        let application_id = application_id(&relation.name, sequence);
        let streams = StreamsConfig::new(&application_id, &config.state_dir)
            .exactly_once()
            .threads(config.threads_per_view)
            .commit_every(config.commit_interval)
            .topic_config("retention.ms", "-1");
        let application = RunningStreams::start(&topology, streams, self.inner.client.clone())
            .await
            .map_err(|e| application_error(&e))?;
        let application = Arc::new(application);
        let failure = Arc::new(Mutex::new(None));
        watch(&relation.name, &application, &failure);
        Ok(RunningView {
            sequence,
            application_id,
            counters,
            inputs: query.inputs(),
            application: Some(application),
            failure,
        })
    }
}

/// Keeps why the application failed, should it.
fn watch(view: &str, application: &Arc<RunningStreams>, failure: &Arc<Mutex<Option<String>>>) {
    let (view, application, failure) = (
        view.to_owned(),
        Arc::clone(application),
        Arc::clone(failure),
    );
    tokio::spawn(async move {
        if let Err(error) = application.join().await {
            let error = application_error(&error);
            tracing::error!(view, %error, "a view has stopped");
            *failure.lock() = Some(error.to_string());
        }
    });
}

fn view_relation(name: &str, query: &ContinuousQuery) -> Relation {
    let columns = query
        .schema
        .fields()
        .iter()
        .map(|f| Column {
            name: f.name().clone(),
            data_type: f.data_type().clone(),
            not_null: false,
        })
        .collect();
    let (kind, key) = match &query.key {
        None => (RelationKind::AppendView, Vec::new()),
        Some(key) if key.is_visible => (RelationKind::View, key.names.clone()),
        Some(_) => (RelationKind::View, Vec::new()),
    };
    Relation {
        name: name.to_owned(),
        kind,
        topic: name.to_owned(),
        columns,
        key,
        key_format: (kind == RelationKind::View).then_some(KeyFormat::Json),
        watermark: None,
    }
}

async fn remove_state(path: PathBuf) -> Result<(), SqlError> {
    // The application's last threads may still be closing their files.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        match tokio::fs::remove_dir_all(&path).await {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) if tokio::time::Instant::now() > deadline => {
                return Err(SqlError::Application(format!(
                    "the state in {} cannot be removed: {error}",
                    path.display()
                )));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// The relation whose rows a query follows.
pub(super) fn source_of(query: &ContinuousQuery) -> &Relation {
    let mut node = &query.node;
    loop {
        match node {
            Node::Scan { relation, .. } => return relation,
            Node::Calc { input, .. } | Node::Join { input, .. } | Node::Aggregate { input, .. } => {
                node = input
            }
        }
    }
}
