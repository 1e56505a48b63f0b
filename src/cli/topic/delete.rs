//! Topics deleted, and records.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use serde::Deserialize;
use serde_json::json;

use headwater_client::{Admin, TopicPartition};

use crate::cli::bootstrap::Bootstrap;
use crate::cli::output::{Failures, Format, print_rows};
use crate::cli::partitions::{absent, is_absent, of_topic};

#[derive(Debug, Args)]
pub(in crate::cli) struct Delete {
    /// The topics' names
    #[arg(required = true)]
    names: Vec<String>,
    /// Succeeds for topics that do not exist
    #[arg(long)]
    if_exists: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DeleteRecords {
    /// The topic
    #[arg(required_unless_present = "from_file", requires = "before")]
    topic: Option<String>,
    /// Partitions of it; all without any
    #[arg(short, long = "partition", requires = "topic")]
    partitions: Vec<i32>,
    /// The offset of the first record that stays, or end for none
    #[arg(long, value_name = "OFFSET", value_parser = before)]
    before: Option<i64>,
    /// A JSON file in place of the above: {"partitions": [{"topic": T, "partition": P, "offset": O}]}
    #[arg(long, value_name = "FILE", conflicts_with_all = ["topic", "before"])]
    from_file: Option<PathBuf>,
    /// How the partitions are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

/// Stands for the high watermark.
const END: i64 = -1;

fn before(text: &str) -> Result<i64, String> {
    match text {
        "end" => Ok(END),
        _ => text
            .parse()
            .ok()
            .filter(|offset| *offset >= 0)
            .ok_or_else(|| format!("{text:?} is neither an offset nor end")),
    }
}

impl Delete {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let mut failures = Failures::default();
        let deleted: BTreeMap<_, _> = admin.delete_topics(&names).await?.into_iter().collect();
        for (name, deleted) in deleted {
            match deleted {
                Err(error) if self.if_exists && is_absent(&error) => {
                    eprintln!("there is no {name}");
                }
                deleted => {
                    if failures.take(deleted).is_some() {
                        eprintln!("deleted {name}");
                    }
                }
            }
        }
        failures.into_result()
    }
}

/// As Kafka's own tool has it.
#[derive(Debug, Deserialize)]
struct OffsetsFile {
    partitions: Vec<OffsetOfFile>,
}

#[derive(Debug, Deserialize)]
struct OffsetOfFile {
    topic: String,
    partition: i32,
    offset: i64,
}

impl DeleteRecords {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        let mut offsets = self.offsets(&admin).await?;
        let mut failures = Failures::default();
        for gone in absent(&admin, offsets.keys()).await? {
            offsets.remove(&gone);
            failures.take::<(), _>(Err(anyhow!("{gone} does not exist")));
        }
        let deleted: BTreeMap<_, _> = admin.delete_records(&offsets).await?.into_iter().collect();
        let mut rows = Vec::new();
        for (partition, start) in deleted {
            if let Some(start) = failures.take(start) {
                rows.push(vec![
                    json!(&*partition.topic),
                    json!(partition.partition),
                    json!(start),
                ]);
            }
        }
        let header = ["topic", "partition", "start"];
        let printed = match rows.is_empty() && self.format == Format::Table {
            true => Ok(()),
            false => print_rows(self.format, &header, &rows),
        };
        failures.after(printed)
    }

    async fn offsets(&self, admin: &Admin) -> anyhow::Result<HashMap<TopicPartition, i64>> {
        if let Some(path) = &self.from_file {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let file: OffsetsFile = serde_json::from_str(&text).with_context(|| {
                format!("{} does not name offsets of partitions", path.display())
            })?;
            let offsets = file.partitions.into_iter();
            return Ok(offsets
                .map(|at| (TopicPartition::new(at.topic, at.partition), at.offset))
                .collect());
        }
        let (Some(topic), Some(before)) = (&self.topic, self.before) else {
            bail!("name a topic and --before, or a file");
        };
        let partitions = of_topic(admin, topic, &self.partitions).await?;
        Ok(partitions.into_iter().map(|at| (at, before)).collect())
    }
}
