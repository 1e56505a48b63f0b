//! `headwater topic`: create, list, describe, delete.

use std::collections::HashMap;
use std::io::Write;

use anyhow::bail;
use clap::{Args, Subcommand};

use headwater_client::admin::{ConfigResource, ConfigSource, NewTopic, OffsetSpec};
use headwater_client::consumer::OffsetAndTimestamp;
use headwater_client::{IsolationLevel, TopicPartition};

use super::bootstrap::{Bootstrap, name_and_value};
use super::output::{Format, print_heading, print_rows};
use crate::stdout::Stdout;

#[derive(Debug, Subcommand)]
pub(super) enum Topic {
    /// Create a topic
    Create(Create),
    /// Names of the topics, one a line
    List(List),
    /// Partitions, offsets and configuration of topics
    Describe(Named),
    /// Delete topics and all their records
    Delete(Named),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// The topic's name
    name: String,
    /// How many partitions; the broker's default without it
    #[arg(short, long, value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// A topic configuration, such as cleanup.policy=compact
    #[arg(short, long = "config", value_name = "NAME=VALUE", value_parser = name_and_value)]
    config: Vec<(String, String)>,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Also lists the log's own topics
    #[arg(long)]
    internal: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// The topics' names
    #[arg(required = true)]
    names: Vec<String>,
    /// How the partitions are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

impl Topic {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create(create) => create.run().await,
            Self::List(list) => list.run().await,
            Self::Describe(named) => named.describe().await,
            Self::Delete(named) => named.delete().await,
        }
    }
}

impl Create {
    async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.client()?.admin();
        // -1 asks for the broker's `num.partitions` (KIP-464).
        let mut topic = NewTopic::new(&self.name, self.partitions.unwrap_or(-1));
        for (name, value) in self.config {
            topic = topic.config(name, value);
        }
        let created = admin.create_topic(topic).await?;
        eprintln!(
            "created {} with {} partitions",
            created.name,
            created.partitions.len()
        );
        Ok(())
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.client()?.admin();
        let mut topics = admin.list_topics().await?;
        topics.retain(|topic| self.internal || !topic.is_internal);
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        for topic in topics {
            writeln!(Stdout::lock(), "{}", topic.name)?;
        }
        Ok(())
    }
}

impl Named {
    fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    async fn describe(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.client()?.admin();
        let mut described = admin.describe_topics(&self.names()).await?;
        let mut rows = Vec::new();
        for name in &self.names {
            let topic = match described.remove(name) {
                Some(topic) => topic?,
                None => bail!("the broker did not describe topic {name}"),
            };
            let resource = ConfigResource::Topic(name.clone());
            let mut configs = admin
                .describe_configs(std::slice::from_ref(&resource), Default::default())
                .await?;
            let Some(configs) = configs.remove(&resource) else {
                bail!("the broker did not describe the configuration of {name}");
            };
            let configs = configs?;
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
            let partitions: Vec<_> = topic
                .partitions
                .iter()
                .map(|partition| TopicPartition::new(name.as_str(), partition.partition))
                .collect();
            let of = |spec: OffsetSpec| {
                let wanted: HashMap<_, _> = partitions
                    .iter()
                    .map(|partition| (partition.clone(), spec))
                    .collect();
                let admin = &admin;
                async move {
                    admin
                        .list_offsets(&wanted, IsolationLevel::ReadUncommitted)
                        .await
                }
            };
            let (mut starts, mut ends) =
                (of(OffsetSpec::Earliest).await, of(OffsetSpec::Latest).await);
            for (partition, view) in partitions.iter().zip(&topic.partitions) {
                let offset = |offsets: &mut HashMap<_, _>| match offsets.remove(partition) {
                    Some(Ok(Some(OffsetAndTimestamp { offset, .. }))) => Ok(offset),
                    Some(Err(error)) => Err(error),
                    Some(Ok(None)) | None => Ok(0),
                };
                rows.push(vec![
                    name.clone(),
                    view.partition.to_string(),
                    view.leader
                        .map_or("none".to_owned(), |leader| leader.to_string()),
                    format!("{:?}", view.replicas),
                    format!("{:?}", view.isr),
                    offset(&mut starts)?.to_string(),
                    offset(&mut ends)?.to_string(),
                ]);
            }
        }
        let header = [
            "topic",
            "partition",
            "leader",
            "replicas",
            "isr",
            "start",
            "end",
        ];
        print_rows(self.format, &header, &rows)
    }

    async fn delete(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.client()?.admin();
        for (name, deleted) in admin.delete_topics(&self.names()).await? {
            deleted?;
            eprintln!("deleted {name}");
        }
        Ok(())
    }
}
