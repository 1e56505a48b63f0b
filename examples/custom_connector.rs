//! A sink of one's own: it keeps count of the planes of each manufacturer, and prints the largest.
//!
//! `cargo run --example custom_connector` runs on an embedded log, `cargo run --example
//! custom_connector HOST:PORT` on a cluster. The planes come from the file source.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use headwater::client::admin::NewTopic;
use headwater::connect::Plugins;
use headwater::connect::config::{ConfigDef, ConfigKey, Properties};
use headwater::connect::data::{SinkRecord, Value};
use headwater::connect::spi::{
    ConnectError, ConnectorConfig, SinkConnector, SinkOffsets, SinkTask, SinkTaskContext,
};
use headwater::connect::worker::{Worker, WorkerConfig};
use headwater::node::connect_or_embed;
use tokio::sync::watch;

/// Planes of each manufacturer; whoever waits for them is told of each change.
type Tally = watch::Sender<BTreeMap<String, u64>>;

/// Longest wait for the planes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The connector: says what it can be set to and makes its one task.
struct CountSink(Tally, Properties);

impl ConnectorConfig for CountSink {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new([ConfigKey::string("field", None)
            .required()
            .doc("The field to count by.")])
    }
}

#[async_trait]
impl SinkConnector for CountSink {
    async fn start(&mut self, properties: &Properties) -> Result<(), ConnectError> {
        self.1.clone_from(properties);
        Ok(())
    }

    fn task_configs(&self, _max_tasks: usize) -> Result<Vec<Properties>, ConnectError> {
        Ok(vec![self.1.clone()])
    }

    fn task(&self) -> Box<dyn SinkTask> {
        Box::new(CountTask {
            tally: self.0.clone(),
            field: String::new(),
        })
    }
}

/// The task: takes records in batches. What it keeps is in memory only, so it starts from the
/// beginning each time; a sink that writes somewhere would return `positions` once that is durable.
struct CountTask {
    tally: Tally,
    field: String,
}

#[async_trait]
impl SinkTask for CountTask {
    async fn start(
        &mut self,
        _context: SinkTaskContext,
        properties: &Properties,
    ) -> Result<(), ConnectError> {
        self.field = properties.get("field").cloned().unwrap_or_default();
        Ok(())
    }

    async fn put(&mut self, records: &[SinkRecord]) -> Result<(), ConnectError> {
        self.tally.send_modify(|tally| {
            for record in records {
                if let Some(Value::String(name)) = record.value.value.field(&self.field) {
                    *tally.entry(name.to_string()).or_default() += 1;
                }
            }
        });
        Ok(())
    }

    async fn pre_commit(&mut self, positions: SinkOffsets) -> Result<SinkOffsets, ConnectError> {
        Ok(positions)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let bootstrap = std::env::args().nth(1);
    let dir = tempfile::tempdir()?;
    let (client, node) = connect_or_embed(bootstrap.as_deref(), dir.path()).await?;
    let run = std::process::id();
    let topic = format!("planes-{run}");
    client
        .admin()
        .create_topic(NewTopic::new(&topic, 2))
        .await?;

    let tally = Tally::default();
    let (counted, group) = (tally.clone(), format!("custom-{run}"));
    let worker = Worker::start(
        WorkerConfig {
            plugins: Plugins::default().with_sink("CountSink", "1", move || {
                Box::new(CountSink(counted.clone(), Properties::default()))
            }),
            config_storage_topic: format!("{group}-configs"),
            offset_storage_topic: format!("{group}-offsets"),
            status_storage_topic: format!("{group}-status"),
            group_id: group.clone(),
            ..WorkerConfig::default()
        },
        client,
    )
    .await?;
    let source = [
        ("connector.class", "FileStreamSource"),
        ("file", "examples/data/planes.csv"),
        ("format", "csv"),
        ("key.fields", "tailnum"),
        ("topic", &topic),
    ];
    let sink = [
        ("connector.class", "CountSink"),
        ("topics", &topic),
        ("field", "manufacturer"),
    ];
    worker
        .put_connector(&format!("{group}-planes"), properties(&source))
        .await?;
    worker
        .put_connector(&format!("{group}-count"), properties(&sink))
        .await?;

    let planes = csv::Reader::from_path("examples/data/planes.csv")?
        .into_records()
        .count() as u64;
    let mut tally = tally.subscribe();
    let all = tally.wait_for(|tally| tally.values().sum::<u64>() == planes);
    let Ok(counted) = tokio::time::timeout(PATIENCE, all).await else {
        let statuses = worker
            .connectors()
            .into_iter()
            .map(|name| worker.status(&name));
        let statuses: Vec<_> = statuses.collect::<Result<_, _>>()?;
        anyhow::bail!("not all planes were counted: {statuses:?}");
    };
    let mut sums: Vec<_> = counted?.clone().into_iter().collect();
    sums.sort_by_key(|(name, count)| (u64::MAX - count, name.clone()));
    for (name, count) in sums.iter().take(10) {
        println!("{count:5} {name}");
    }

    worker.shutdown().await;
    match node {
        Some(node) => node.shutdown().await,
        None => Ok(()),
    }
}

fn properties(settings: &[(&str, &str)]) -> Properties {
    settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
