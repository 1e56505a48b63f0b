//! `headwater log-dir`: what is in the directories of logs.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use headwater_client::admin::LogDirDescription;

use super::bootstrap::Bootstrap;
use super::output::{Failures, Format, print_heading, print_json, print_rows};
use super::partitions::of_topic;

#[derive(Debug, Subcommand)]
pub(super) enum LogDir {
    /// Directories of the brokers, their sizes and the partitions in them
    Describe(Describe),
}

#[derive(Debug, Args)]
pub(super) struct Describe {
    /// Only this broker, by its id; may be given again
    #[arg(long = "broker", value_name = "ID")]
    brokers: Vec<i32>,
    /// Only partitions of this topic; may be given again
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// How the partitions are printed; json: one object a directory
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

impl LogDir {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Describe(describe) => describe.run().await,
        }
    }
}

impl Describe {
    async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        let mut brokers = self.brokers;
        if brokers.is_empty() {
            let nodes = admin.describe_cluster().await?.nodes;
            brokers = nodes.into_iter().map(|node| node.id).collect();
        }
        for topic in &self.topics {
            of_topic(&admin, topic, &[]).await?;
        }
        let described = admin.describe_log_dirs(&brokers, None).await?;
        let described: BTreeMap<_, _> = described.into_iter().collect();
        let mut failures = Failures::default();
        let mut rows = Vec::new();
        for (broker, dirs) in described {
            for mut dir in failures.take(dirs).into_iter().flatten() {
                let topics = &self.topics;
                dir.replicas
                    .retain(|at, _| topics.is_empty() || topics.iter().any(|t| **t == *at.topic));
                if self.format == Format::Json {
                    print_json(&object(broker, &dir))?;
                    continue;
                }
                print_heading(self.format, &heading(broker, &dir))?;
                rows.extend(dir.replicas.iter().map(|(at, replica)| {
                    vec![
                        json!(broker),
                        json!(dir.path),
                        json!(&*at.topic),
                        json!(at.partition),
                        json!(replica.size),
                        json!(replica.offset_lag),
                        json!(replica.is_future),
                    ]
                }));
            }
        }
        if self.format == Format::Csv || !rows.is_empty() {
            let header = [
                "broker",
                "dir",
                "topic",
                "partition",
                "size",
                "offset_lag",
                "future",
            ];
            print_rows(self.format, &header, &rows)?;
        }
        failures.into_result()
    }
}

fn heading(broker: i32, dir: &LogDirDescription) -> String {
    let size: i64 = dir.replicas.values().map(|replica| replica.size).sum();
    let room = match (dir.usable_bytes, dir.total_bytes) {
        (Some(usable), Some(total)) => format!(", {usable} of {total} bytes free"),
        _ => String::new(),
    };
    format!(
        "broker {broker}: {}, {} partitions, {size} bytes{room}",
        dir.path,
        dir.replicas.len()
    )
}

fn object(broker: i32, dir: &LogDirDescription) -> Value {
    let partitions = dir.replicas.iter().map(|(at, replica)| {
        json!({
            "topic": &*at.topic,
            "partition": at.partition,
            "size": replica.size,
            "offset_lag": replica.offset_lag,
            "future": replica.is_future,
        })
    });
    json!({
        "broker": broker,
        "dir": dir.path,
        "total_bytes": dir.total_bytes,
        "usable_bytes": dir.usable_bytes,
        "cordoned": dir.is_cordoned,
        "partitions": partitions.collect::<Vec<_>>(),
    })
}
