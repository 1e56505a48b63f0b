//! Topics created and enlarged.

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use headwater_client::Admin;
use headwater_client::admin::{NewPartitions, NewTopic};

use crate::cli::bootstrap::{Bootstrap, name_and_value};
use crate::cli::output::{Format, print_rows};

#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    /// The topic's name
    name: String,
    /// How many partitions; the broker's default without it
    #[arg(short, long, value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// How many replicas of each; the broker's default without it
    #[arg(short, long, value_parser = clap::value_parser!(i16).range(1..))]
    replication_factor: Option<i16>,
    /// The brokers of each partition, such as 1:2,2:3 for two partitions of two replicas
    #[arg(long, value_name = "BROKERS", value_parser = assignment,
        conflicts_with_all = ["partitions", "replication_factor"])]
    replica_assignment: Option<Assignment>,
    /// A topic configuration, such as cleanup.policy=compact
    #[arg(short, long = "config", value_name = "NAME=VALUE", value_parser = name_and_value)]
    config: Vec<(String, String)>,
    /// Succeeds if there is a topic of that name
    #[arg(long)]
    if_not_exists: bool,
    /// Only tells whether it could be created
    #[arg(long)]
    validate_only: bool,
    /// json: the topic as an object, csv: as a row
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Alter {
    /// The topic's name
    name: String,
    /// How many partitions it is to have then
    #[arg(short, long, value_parser = clap::value_parser!(i32).range(1..))]
    partitions: i32,
    /// The brokers of each new partition, such as 1:2,2:3 for two of two replicas
    #[arg(long, value_name = "BROKERS", value_parser = assignment)]
    replica_assignment: Option<Assignment>,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

/// Brokers of partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assignment(Vec<Vec<i32>>);

fn assignment(text: &str) -> Result<Assignment, String> {
    let wrong =
        || format!("{text:?} is not broker ids with : between replicas and , between partitions");
    let partitions = text.split(',').map(|replicas| {
        let ids = replicas.split(':').map(|id| id.trim().parse::<i32>());
        ids.collect::<Result<Vec<i32>, _>>().map_err(|_| wrong())
    });
    partitions.collect::<Result<_, _>>().map(Assignment)
}

impl Create {
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        // -1 asks for the broker's `num.partitions` (KIP-464).
        let mut topic = match self.replica_assignment.take() {
            Some(Assignment(replicas)) => NewTopic::with_assignments(&self.name, replicas),
            None => NewTopic::new(&self.name, self.partitions.unwrap_or(-1)),
        };
        topic.replication_factor = self.replication_factor.unwrap_or(-1);
        topic.configs = std::mem::take(&mut self.config);
        if self.validate_only {
            for (name, valid) in admin.validate_topics(vec![topic]).await? {
                match valid {
                    Err(error) if self.if_not_exists && is_there(&error) => {
                        return self.exists(&admin).await;
                    }
                    valid => valid?,
                }
                eprintln!("{name} could be created");
                self.print(&name, Value::Null, Value::Null)?;
            }
            return Ok(());
        }
        let created = match admin.create_topic(topic).await {
            Err(error) if self.if_not_exists && is_there(&error) => {
                return self.exists(&admin).await;
            }
            created => created?,
        };
        let count = created.partition_count();
        eprintln!("created {} with {count} partitions", created.name);
        self.print(&created.name, json!(created.id.to_string()), json!(count))
    }

    async fn exists(&self, admin: &Admin) -> anyhow::Result<()> {
        eprintln!("{} exists already", self.name);
        let mut described = admin.describe_topics(&[&self.name]).await?;
        let Some(topic) = described.remove(&self.name) else {
            bail!("the broker did not describe topic {}", self.name);
        };
        let topic = topic?;
        let count = topic.partition_count();
        self.print(&self.name, json!(topic.id.to_string()), json!(count))
    }

    /// People have read the line on stderr.
    fn print(&self, name: &str, id: Value, partition_count: Value) -> anyhow::Result<()> {
        if self.format == Format::Table {
            return Ok(());
        }
        let row = vec![json!(name), id, partition_count];
        print_rows(self.format, &["topic", "id", "partition_count"], &[row])
    }
}

fn is_there(error: &headwater_client::ClientError) -> bool {
    error.code() == Some(headwater_wire::ErrorCode::TopicAlreadyExists)
}

impl Alter {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        let partitions = NewPartitions {
            total: self.partitions,
            assignments: self.replica_assignment.map(|assignment| assignment.0),
        };
        admin.create_partitions(&self.name, partitions).await?;
        eprintln!("{} has {} partitions now", self.name, self.partitions);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_names_the_brokers_of_each_partition() {
        assert_eq!(
            assignment("1:2,2:3"),
            Ok(Assignment(vec![vec![1, 2], vec![2, 3]]))
        );
        assert_eq!(assignment("1"), Ok(Assignment(vec![vec![1]])));
        assert!(assignment("1,").is_err());
        assert!(assignment("one").is_err());
    }
}
