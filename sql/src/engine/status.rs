//! How far the views are.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::Ordering;

use headwater_client::{IsolationLevel, TopicPartition};
use headwater_streams::runtime::StreamsState;

use super::SqlEngine;
use super::views::{RunningView, application_error};
use crate::SqlError;
use crate::catalog::all_partitions;

/// What a view is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewState {
    /// Joining its group or restoring its state.
    Starting,
    /// Following its inputs.
    Running,
    /// Stopped by a failure; [`ViewStatus::problem`] says which.
    Failed,
    /// Stopped in order.
    Stopped,
}

impl fmt::Display for ViewState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ViewState::Starting => "starting",
            ViewState::Running => "running",
            ViewState::Failed => "failed",
            ViewState::Stopped => "stopped",
        })
    }
}

/// How far a view is, and what it has counted since the engine started.
#[derive(Debug, Clone)]
pub struct ViewStatus {
    /// Name of the view.
    pub name: String,
    /// What it is doing.
    pub state: ViewState,
    /// `application.id` of its streams application, which is also its consumer group.
    pub application_id: String,
    /// Committed offset of each partition of its source topics, tables included. What lies below
    /// has been read, but may still be on its way; see [`SqlEngine::has_committed`].
    pub positions: BTreeMap<TopicPartition, i64>,
    /// Records of all its inputs, those between its own stages included, that are not committed.
    pub lag: i64,
    /// Rows read from the stream.
    pub rows: u64,
    /// Results written.
    pub results: u64,
    /// Rows that came behind the watermark of a closed window and were left out.
    pub late: u64,
    /// Records that were no row and were left out.
    pub bad: u64,
    /// Why it failed, or else what was wrong with the last bad record.
    pub problem: Option<String>,
}

impl SqlEngine {
    /// How far a view is.
    ///
    /// # Errors
    /// [`SqlError::UnknownRelation`] if there is no such view, else [`SqlError::Log`].
    pub async fn view_status(&self, name: &str) -> Result<ViewStatus, SqlError> {
        let view = self.inner.views.read().get(name).cloned();
        let view =
            view.ok_or_else(|| SqlError::UnknownRelation(format!("view {name} does not exist")))?;
        let committed = self.committed(&view).await?;
        let internal = format!("{}-", view.application_id);
        let positions = committed
            .iter()
            .filter(|(partition, _)| !partition.topic.starts_with(&internal))
            .map(|(partition, offset)| (partition.clone(), *offset))
            .collect();
        let admin = self.inner.client.admin();
        let ends = admin
            .end_offsets(&inputs(&view), IsolationLevel::ReadCommitted)
            .await?;
        let lag = ends
            .iter()
            .map(|(partition, end)| (end - committed.get(partition).copied().unwrap_or(0)).max(0))
            .sum();
        let failure = view.failure();
        let state = match (&failure, view.application.as_ref().map(|a| a.state())) {
            (Some(_), _) | (_, None) => ViewState::Failed,
            (_, Some(StreamsState::Running)) => ViewState::Running,
            (_, Some(StreamsState::Rebalancing)) => ViewState::Starting,
            // One that has just failed is about to say why.
            (_, Some(StreamsState::Stopped | StreamsState::Failed)) => ViewState::Stopped,
        };
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let last_bad = view.counters.last_bad.lock().clone();
        Ok(ViewStatus {
            name: name.to_owned(),
            state,
            application_id: view.application_id.clone(),
            positions,
            lag,
            rows: count(&view.counters.rows),
            results: count(&view.counters.results),
            late: count(&view.counters.late),
            bad: count(&view.counters.bad),
            problem: failure.or(last_bad),
        })
    }

    /// How far all views are, in order of their names.
    ///
    /// # Errors
    /// [`SqlError::Log`].
    pub async fn view_statuses(&self) -> Result<Vec<ViewStatus>, SqlError> {
        let mut names: Vec<String> = self.inner.views.read().keys().cloned().collect();
        names.sort();
        let mut statuses = Vec::with_capacity(names.len());
        for name in names {
            match self.view_status(&name).await {
                Ok(status) => statuses.push(status),
                // Dropped meanwhile.
                Err(SqlError::UnknownRelation(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(statuses)
    }

    /// Whether everything below `ends` is committed in the view `name`: read from its sources,
    /// through all its stages, and visible in its topic. Partitions that the view does not read are
    /// passed over.
    ///
    /// # Errors
    /// [`SqlError::UnknownRelation`] if there is no such view, [`SqlError::Application`] with the
    /// reason if it has failed and never will, else [`SqlError::Log`].
    pub async fn has_committed(
        &self,
        name: &str,
        ends: &HashMap<TopicPartition, i64>,
    ) -> Result<bool, SqlError> {
        let view = self.inner.views.read().get(name).cloned();
        let view =
            view.ok_or_else(|| SqlError::UnknownRelation(format!("view {name} does not exist")))?;
        if let Some(reason) = view.failure() {
            return Err(SqlError::Application(format!(
                "view {name} has stopped: {reason}"
            )));
        }
        match &view.application {
            Some(application) => {
                let committed = application.has_committed(ends).await;
                committed.map_err(|error| application_error(&error))
            }
            None => Ok(false),
        }
    }

    async fn committed(
        &self,
        view: &RunningView,
    ) -> Result<HashMap<TopicPartition, i64>, SqlError> {
        let admin = self.inner.client.admin();
        let offsets = admin
            .list_group_offsets(&view.application_id, None, true)
            .await?;
        Ok(offsets
            .into_iter()
            .map(|(partition, at)| (partition, at.offset))
            .collect())
    }
}

/// The partitions that a view reads, those of its repartition topics included.
fn inputs(view: &RunningView) -> Vec<TopicPartition> {
    let Some(application) = &view.application else {
        return Vec::new();
    };
    application
        .source_topics()
        .iter()
        .flat_map(|(topic, count)| all_partitions(topic, *count))
        .collect()
}
