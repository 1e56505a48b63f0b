//! The parts of the job, started in their order, and how far each is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use headwater_client::admin::NewTopic;
use headwater_client::{Admin, ClientError, IsolationLevel};
use headwater_connect::worker::Worker;
use headwater_streams::engine::Counters;
use headwater_streams::runtime::{RunningStreams, StreamsConfig, StreamsState};
use headwater_wire::ErrorCode;
use parking_lot::Mutex;

use super::connectors::{self, Connector};
use super::delays;
use super::input::Input;
use super::position::{Ends, ends};
use super::{LOOK, RESULT_FILE, result_file, views};
use crate::node::Node;

const APPLICATION: &str = "demo-delays";

/// Partitions of every topic, which makes flights and the tables they are joined with match.
const PARTITIONS: i32 = 4;

const TABLES: [&str; 4] = ["airlines", "airports", "planes", "weather"];
const FLIGHTS: &str = "flights";
const RESULT: &str = "delays_by_origin_hour";

/// What the name of the application's one aggregation begins with.
const AGGREGATION: &str = "KSTREAM-AGGREGATE-";

/// How far the job is, as of the last commits.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// Bytes of the flights' files read and committed, and how many there are.
    pub(super) bytes: u64,
    pub(super) bytes_total: u64,
    /// Flights committed to the log, over all runs.
    pub(super) flights: u64,
    /// Records each part has worked on since this start.
    pub(super) stages: Vec<(&'static str, u64)>,
    /// Records that came after their window had closed.
    pub(super) late: u64,
    /// Whether all that was there at the start is committed in the results.
    pub(super) is_done: bool,
}

/// The running job.
pub(super) struct Job {
    streams: RunningStreams,
    sources: Vec<&'static str>,
    sink: &'static str,
    /// What the sink writes.
    file: PathBuf,
    reached: Mutex<Reached>,
}

/// What is known to be behind us, so that it is not asked again.
#[derive(Debug, Default)]
struct Reached {
    flights: Option<Ends>,
    stages: bool,
}

impl Job {
    /// Starts everything, the flights only once the tables are committed. Begun before, it goes on.
    pub(super) async fn start(
        node: &Node,
        input: &Input,
        out: &Path,
        mut waiting: impl FnMut(),
    ) -> anyhow::Result<Self> {
        create_topics(&node.client().admin()).await?;
        let tables = connectors::tables(input);
        let mut sources: Vec<_> = tables.iter().map(|connector| connector.name).collect();
        for connector in tables {
            put(node.connect(), connector).await?;
        }
        while !are_at_end(node.connect(), &sources)? {
            waiting();
            tokio::time::sleep(LOOK).await;
        }
        let config = StreamsConfig::new(APPLICATION, node.streams_dir())
            .exactly_once()
            .topic_config("retention.ms", "-1");
        let topology = delays::topology(RESULT).context("the delays application does not build")?;
        let streams = RunningStreams::start(&topology, config, node.client().clone())
            .await
            .context("the delays application does not start")?;
        for statement in views::STATEMENTS {
            node.sql().execute(statement).await?.collect().await?;
        }
        let file = out.join(RESULT_FILE);
        let sink = connectors::sink(&file);
        let sink_name = sink.name;
        put(node.connect(), sink).await?;
        let flights = connectors::flights(input);
        sources.push(flights.name);
        put(node.connect(), flights).await?;
        Ok(Self {
            streams,
            sources,
            sink: sink_name,
            file,
            reached: Mutex::default(),
        })
    }

    /// Stops the streams application after a last commit.
    pub(super) async fn stop(&self) -> anyhow::Result<()> {
        self.streams
            .close()
            .await
            .context("the delays application did not end in order")
    }

    /// The ten worst airline-hours as rows of text under their column names.
    pub(super) async fn ten_worst(&self, node: &Node) -> anyhow::Result<Vec<Vec<String>>> {
        let result = node.sql().execute(views::TEN_WORST).await?;
        let names = result
            .schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        let mut rows = vec![names];
        for batch in result.collect().await? {
            rows.extend(text_rows(&batch)?);
        }
        Ok(rows)
    }

    /// How far everything is.
    ///
    /// # Errors
    /// If a part has failed.
    pub(super) async fn progress(&self, node: &Node) -> anyhow::Result<Progress> {
        let at_end = are_at_end(node.connect(), &self.sources)?;
        check(node.connect(), self.sink)?;
        let counters = self.streams.counters();
        let of = |worker: &Worker, name: &str| worker.progress(name).into_iter().next();
        let flights = self
            .sources
            .last()
            .and_then(|name| of(node.connect(), name));
        let flights = flights.unwrap_or_default();
        let mut stages = vec![
            ("source", flights.records),
            ("streams", counted(&counters, AGGREGATION)),
        ];
        let mut late = counters.values().map(|node| node.late).sum();
        for name in views::VIEWS {
            let view = node.sql().view_status(name).await?;
            late += view.late;
            stages.push((name, view.rows));
        }
        let sink = of(node.connect(), self.sink).unwrap_or_default();
        stages.push(("sink", sink.records));
        Ok(Progress {
            bytes: flights.source.bytes,
            bytes_total: flights.source.bytes_total,
            flights: flights.source.rows,
            stages,
            late,
            is_done: at_end && self.is_committed(node).await?,
        })
    }

    /// Whether every flight is committed in the sink and in both views: each stage in its order
    /// has committed its position at the end of what the one before it has committed.
    async fn is_committed(&self, node: &Node) -> anyhow::Result<bool> {
        let admin = node.client().admin();
        if self.streams.state() == StreamsState::Failed {
            self.streams
                .join()
                .await
                .context("the delays application has failed")?;
        }
        let known = self.reached.lock().flights.clone();
        let flights = match known {
            Some(ends) => ends,
            None => {
                let ends = ends(&admin, &[FLIGHTS], IsolationLevel::ReadUncommitted).await?;
                self.reached.lock().flights = Some(ends.clone());
                ends
            }
        };
        let stages = self.reached.lock().stages;
        if !stages {
            if !self.streams.has_committed(&flights).await? {
                return Ok(false);
            }
            self.reached.lock().stages = true;
        }
        let results = ends(&admin, &[RESULT], IsolationLevel::ReadUncommitted).await?;
        let group = format!("connect-{}", self.sink);
        if !result_file::is_committed(&admin, &group, &results, &self.file).await? {
            return Ok(false);
        }
        for view in views::VIEWS {
            if !node.sql().has_committed(view, &flights).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Records that the nodes whose names begin with `prefix` have processed.
fn counted(counters: &BTreeMap<String, Counters>, prefix: &str) -> u64 {
    let nodes = counters.iter().filter(|(name, _)| name.starts_with(prefix));
    nodes.map(|(_, node)| node.processed).sum()
}

fn text_rows(batch: &RecordBatch) -> anyhow::Result<Vec<Vec<String>>> {
    let options = FormatOptions::default().with_null("-");
    let columns = batch.columns().iter();
    let columns: Vec<_> = columns
        .map(|column| ArrayFormatter::try_new(column, &options))
        .collect::<Result<_, _>>()?;
    let row = |at| {
        columns
            .iter()
            .map(|column| column.value(at).to_string())
            .collect()
    };
    Ok((0..batch.num_rows()).map(row).collect())
}

async fn create_topics(admin: &Admin) -> anyhow::Result<()> {
    let topic = |name: &str| NewTopic::new(name, PARTITIONS).config("retention.ms", "-1");
    let tables = TABLES
        .iter()
        .map(|name| topic(name).config("cleanup.policy", "compact"));
    let topics = tables.chain([topic(FLIGHTS), topic(RESULT)]).collect();
    for (name, created) in admin.create_topics(topics).await? {
        match created {
            Ok(_) => {}
            Err(ClientError::Broker {
                code: ErrorCode::TopicAlreadyExists,
                ..
            }) => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot create the topic {name}"));
            }
        }
    }
    Ok(())
}

async fn put(worker: &Worker, connector: Connector) -> anyhow::Result<()> {
    let name = connector.name;
    let put = worker
        .put_connector(name, connector.config.into_iter().collect())
        .await;
    put.with_context(|| format!("the connector {name} does not start"))?;
    Ok(())
}

/// Whether all these sources have committed the end of their input.
fn are_at_end(worker: &Worker, names: &[&str]) -> anyhow::Result<bool> {
    let mut at_end = true;
    for name in names {
        check(worker, name)?;
        let tasks = worker.progress(name);
        at_end &= !tasks.is_empty() && tasks.iter().all(|task| task.source.at_end);
    }
    Ok(at_end)
}

/// Fails if the connector or one of its tasks has.
fn check(worker: &Worker, name: &str) -> anyhow::Result<()> {
    // It has no status before it has started.
    let Ok(status) = worker.status(name) else {
        return Ok(());
    };
    let tasks = status.tasks.iter().map(|task| task.trace.as_deref());
    if let Some(trace) = tasks
        .chain([status.connector.trace.as_deref()])
        .flatten()
        .next()
    {
        bail!("the connector {name} has failed: {trace}");
    }
    Ok(())
}
