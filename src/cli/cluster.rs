//! `headwater cluster`: nodes, the metadata quorum, leaders and reassignments.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use headwater_client::TopicPartition;
use headwater_client::admin::{ElectionType, ReplicaState};

use super::bootstrap::Bootstrap;
use super::output::{Failures, Format, print_heading, print_json, print_rows};

#[derive(Debug, Subcommand)]
pub(super) enum Cluster {
    /// The cluster's id, controller and nodes
    Describe(Printed),
    /// The quorum that keeps the metadata: its leader, voters and observers
    Quorum(Printed),
    /// Give partitions back to their preferred leaders, or any leader to those without
    ElectLeaders(ElectLeaders),
    /// Reassignments of partitions that are under way
    Reassignments(Printed),
}

#[derive(Debug, Args)]
pub(super) struct Printed {
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Debug, Args)]
pub(super) struct ElectLeaders {
    /// Takes also replicas that have lost records, where none in sync is left
    #[arg(long)]
    unclean: bool,
    /// A partition, TOPIC:PARTITION; all without any
    #[arg(value_name = "TOPIC:PARTITION", value_parser = partition)]
    partitions: Vec<TopicPartition>,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

fn partition(text: &str) -> Result<TopicPartition, String> {
    let split = text.rsplit_once(':');
    let parsed = split.and_then(|(topic, index)| Some((topic, index.parse().ok()?)));
    match parsed {
        Some((topic, index)) => Ok(TopicPartition::new(topic, index)),
        None => Err(format!("{text:?} is not TOPIC:PARTITION")),
    }
}

impl Cluster {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Describe(printed) => printed.nodes().await,
            Self::Quorum(printed) => printed.quorum().await,
            Self::ElectLeaders(elect) => elect.run().await,
            Self::Reassignments(printed) => printed.reassignments().await,
        }
    }
}

impl Printed {
    async fn nodes(self) -> anyhow::Result<()> {
        let cluster = self.bootstrap.admin().await?.describe_cluster().await?;
        let rows = cluster.nodes.iter().map(|node| {
            vec![
                json!(node.id),
                json!(node.host),
                json!(node.port),
                json!(node.rack),
                json!(cluster.controller == Some(node.id)),
            ]
        });
        let rows: Vec<_> = rows.collect();
        let header = ["node", "host", "port", "rack", "controller"];
        if self.format == Format::Json {
            let nodes = rows.iter().map(|row| super::output::object(&header, row));
            return print_json(&json!({
                "cluster": cluster.cluster_id,
                "controller": cluster.controller,
                "nodes": nodes.collect::<Vec<_>>(),
            }));
        }
        print_heading(self.format, &format!("cluster {}", cluster.cluster_id))?;
        print_rows(self.format, &header, &rows)
    }

    async fn quorum(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        let quorum = admin.describe_metadata_quorum().await?;
        let row = |role: &str, state: &ReplicaState| -> Vec<Value> {
            let is_leader = quorum.leader == Some(state.replica_id);
            let lag = state
                .log_end_offset
                .map(|end| (quorum.high_watermark - end).max(0));
            vec![
                json!(state.replica_id),
                json!(if is_leader { "leader" } else { role }),
                json!(state.log_end_offset),
                json!(lag),
                json!(state.last_fetch_timestamp),
                json!(state.last_caught_up_timestamp),
            ]
        };
        let voters = quorum.voters.iter().map(|state| row("voter", state));
        let observers = quorum.observers.iter().map(|state| row("observer", state));
        let rows: Vec<_> = voters.chain(observers).collect();
        let header = [
            "node",
            "role",
            "log_end_offset",
            "lag",
            "last_fetch",
            "last_caught_up",
        ];
        if self.format == Format::Json {
            let nodes = rows.iter().map(|row| super::output::object(&header, row));
            return print_json(&json!({
                "leader": quorum.leader,
                "leader_epoch": quorum.leader_epoch,
                "high_watermark": quorum.high_watermark,
                "nodes": nodes.collect::<Vec<_>>(),
            }));
        }
        let heading = format!(
            "epoch {}, high watermark {}",
            quorum.leader_epoch, quorum.high_watermark
        );
        print_heading(self.format, &heading)?;
        print_rows(self.format, &header, &rows)
    }

    async fn reassignments(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        let found = admin.list_partition_reassignments(None).await?;
        let rows = found.into_iter().map(|(at, reassignment)| {
            vec![
                json!(&*at.topic),
                json!(at.partition),
                json!(reassignment.replicas),
                json!(reassignment.adding_replicas),
                json!(reassignment.removing_replicas),
            ]
        });
        let header = ["topic", "partition", "replicas", "adding", "removing"];
        print_rows(self.format, &header, &rows.collect::<Vec<_>>())
    }
}

impl ElectLeaders {
    async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        let election = match self.unclean {
            true => ElectionType::Unclean,
            false => ElectionType::Preferred,
        };
        let partitions = Some(self.partitions.as_slice()).filter(|named| !named.is_empty());
        let elected = admin.elect_leaders(election, partitions).await?;
        let elected: BTreeMap<_, _> = elected.into_iter().collect();
        let mut failures = Failures::default();
        if elected.is_empty() {
            eprintln!("every partition has the right leader already");
        }
        for (partition, elected) in elected {
            match elected {
                Err(error)
                    if error.code() == Some(headwater_wire::ErrorCode::ElectionNotNeeded) =>
                {
                    eprintln!("{partition} has the right leader already");
                }
                elected => {
                    if failures.take(elected).is_some() {
                        eprintln!("{partition} has a new leader");
                    }
                }
            }
        }
        failures.into_result()
    }
}
