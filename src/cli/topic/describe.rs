//! Topics listed and described.

use std::collections::HashMap;
use std::io::Write;

use anyhow::bail;
use clap::Args;
use serde_json::{Map, Value, json};

use headwater_client::admin::{
    ConfigEntry, ConfigResource, ConfigSource, OffsetSpec, PartitionDescription, TopicDescription,
};
use headwater_client::{Admin, ClientError, IsolationLevel, TopicPartition};

use crate::cli::bootstrap::Bootstrap;
use crate::cli::names::each_once;
use crate::cli::output::{Failures, Format, object, print_heading, print_json, print_rows};
use crate::stdout::Stdout;

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Also lists the log's own topics
    #[arg(long)]
    internal: bool,
    /// table: names, one a line; json and csv also tell ids and numbers of partitions
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Describe {
    /// The topics' names; all but the log's own without any
    names: Vec<String>,
    /// How the partitions are printed; json: one object a topic
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

impl List {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let mut topics = self.bootstrap.admin().await?.list_topics().await?;
        topics.retain(|topic| self.internal || !topic.is_internal);
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        if self.format == Format::Table {
            let mut out = Stdout::lock();
            for topic in topics {
                writeln!(out, "{}", topic.name)?;
            }
            return Ok(());
        }
        let header = [
            "topic",
            "id",
            "partition_count",
            "replication_factor",
            "internal",
        ];
        let rows = topics.iter().map(|topic| {
            let replicas = topic
                .partitions
                .first()
                .map_or(0, |first| first.replicas.len());
            vec![
                json!(&*topic.name),
                json!(topic.id.to_string()),
                json!(topic.partitions.len()),
                json!(replicas),
                json!(topic.is_internal),
            ]
        });
        print_rows(self.format, &header, &rows.collect::<Vec<_>>())
    }
}

const HEADER: [&str; 9] = [
    "topic",
    "partition",
    "leader",
    "leader_epoch",
    "replicas",
    "isr",
    "offline",
    "start",
    "end",
];

impl Describe {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        let mut names = each_once(self.names);
        if names.is_empty() {
            let topics = admin.list_topics().await?;
            let topics = topics.iter().filter(|topic| !topic.is_internal);
            names = topics.map(|topic| topic.name.to_string()).collect();
        }
        let asked: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut described = admin.describe_topics(&asked).await?;
        let mut failures = Failures::default();
        let mut rows = Vec::new();
        for name in &names {
            let topic = match described.remove(name) {
                Some(topic) => failures.take(topic),
                None => bail!("the broker did not describe topic {name}"),
            };
            let Some(topic) = topic else { continue };
            let configs = configs(&admin, name).await?;
            let partitions = partitions(&admin, &topic).await?;
            if self.format == Format::Json {
                print_json(&of_topic(&topic, &configs, &partitions))?;
                continue;
            }
            let set: Vec<_> = configs
                .iter()
                .filter(|config| config.source == ConfigSource::Topic)
                .map(|config| format!("{}={}", config.name, config.value.as_deref().unwrap_or("")))
                .collect();
            let set = match set.is_empty() {
                true => "default configuration".to_owned(),
                false => set.join(" "),
            };
            print_heading(self.format, &format!("{name}: id {}, {set}", topic.id))?;
            rows.extend(partitions);
        }
        if self.format != Format::Json && !rows.is_empty() {
            print_rows(self.format, &HEADER, &rows)?;
        }
        failures.into_result()
    }
}

fn of_topic(topic: &TopicDescription, configs: &[ConfigEntry], rows: &[Vec<Value>]) -> Value {
    let set = configs
        .iter()
        .filter(|config| config.source == ConfigSource::Topic)
        .map(|config| (config.name.clone(), json!(config.value)));
    let partitions = rows.iter().map(|row| {
        let header = HEADER.get(1..).unwrap_or_default();
        object(header, row.get(1..).unwrap_or_default())
    });
    let replicas = topic
        .partitions
        .first()
        .map_or(0, |first| first.replicas.len());
    json!({
        "topic": &*topic.name,
        "id": topic.id.to_string(),
        "internal": topic.is_internal,
        "partition_count": topic.partition_count(),
        "replication_factor": replicas,
        "configs": set.collect::<Map<_, _>>(),
        "partitions": partitions.collect::<Vec<_>>(),
    })
}

async fn configs(admin: &Admin, name: &str) -> anyhow::Result<Vec<ConfigEntry>> {
    let resource = ConfigResource::Topic(name.to_owned());
    let mut described = admin
        .describe_configs(std::slice::from_ref(&resource), Default::default())
        .await?;
    match described.remove(&resource) {
        Some(configs) => Ok(configs?),
        None => bail!("the broker did not describe the configuration of {name}"),
    }
}

/// A row for each partition, in the order of [`HEADER`].
async fn partitions(admin: &Admin, topic: &TopicDescription) -> anyhow::Result<Vec<Vec<Value>>> {
    let led = topic
        .partitions
        .iter()
        .filter(|partition| partition.leader.is_some());
    let led: Vec<_> = led
        .map(|partition| TopicPartition::new(topic.name.clone(), partition.partition))
        .collect();
    let starts = offsets(admin, &led, OffsetSpec::Earliest).await?;
    let ends = offsets(admin, &led, OffsetSpec::Latest).await?;
    let row = |view: &PartitionDescription| {
        let at = TopicPartition::new(topic.name.clone(), view.partition);
        vec![
            json!(&*topic.name),
            json!(view.partition),
            json!(view.leader),
            json!(view.leader_epoch),
            json!(view.replicas),
            json!(view.isr),
            json!(view.offline_replicas),
            json!(starts.get(&at)),
            json!(ends.get(&at)),
        ]
    };
    Ok(topic.partitions.iter().map(row).collect())
}

async fn offsets(
    admin: &Admin,
    partitions: &[TopicPartition],
    spec: OffsetSpec,
) -> Result<HashMap<TopicPartition, i64>, ClientError> {
    let wanted = partitions.iter().map(|at| (at.clone(), spec)).collect();
    let listed = admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted);
    let found = listed.await.into_iter();
    found
        .map(|(at, offset)| Ok((at, offset?.map_or(0, |found| found.offset))))
        .collect()
}
