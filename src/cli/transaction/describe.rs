//! Transactions and producers listed and described.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use serde_json::json;

use headwater_client::admin::{ListTransactionsOptions, TransactionState};

use crate::cli::bootstrap::Bootstrap;
use crate::cli::names::{each_once, one_of};
use crate::cli::output::{Failures, Format, print_rows};
use crate::cli::partitions::of_topic;
use crate::cli::times;

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Only those in this state, such as Ongoing; may be given again
    #[arg(long = "state", value_name = "STATE", value_parser = state)]
    states: Vec<String>,
    /// Only those of this producer; may be given again
    #[arg(long = "producer-id", value_name = "ID")]
    producer_ids: Vec<i64>,
    /// Only those open for longer than this
    #[arg(long, value_name = "DURATION", value_parser = times::duration)]
    running_longer_than: Option<Duration>,
    /// Only transactional ids that match this expression as a whole
    #[arg(long, value_name = "REGEX")]
    pattern: Option<String>,
    /// How the transactions are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Describe {
    /// The transactional ids
    #[arg(required = true)]
    ids: Vec<String>,
    /// How the transactions are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Producers {
    /// The topic
    topic: String,
    /// Only this partition of it; may be given again
    #[arg(short, long = "partition")]
    partitions: Vec<i32>,
    /// How the producers are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

fn state(name: &str) -> Result<String, String> {
    one_of(name, TransactionState::NAMES)
}

impl List {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        let options = ListTransactionsOptions {
            states: self.states,
            producer_ids: self.producer_ids,
            running_longer_than: self.running_longer_than,
            transactional_id_pattern: self.pattern,
        };
        let listed = admin.list_transactions(&options).await?;
        let rows = listed.into_iter().map(|listing| {
            vec![
                json!(listing.transactional_id),
                json!(listing.producer_id),
                json!(listing.state.name()),
            ]
        });
        let header = ["transactional_id", "producer_id", "state"];
        print_rows(self.format, &header, &rows.collect::<Vec<_>>())
    }
}

impl Describe {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        let ids = each_once(self.ids);
        let asked: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut described = admin.describe_transactions(&asked).await?;
        let mut failures = Failures::default();
        let mut rows = Vec::new();
        for id in &ids {
            let Some(transaction) = described.remove(id) else {
                bail!("the broker did not describe the transaction of {id}");
            };
            let Some(transaction) = failures.take(transaction) else {
                continue;
            };
            let partitions = transaction.partitions.iter().map(|at| at.to_string());
            rows.push(vec![
                json!(id),
                json!(transaction.state.name()),
                json!(transaction.producer_id),
                json!(transaction.producer_epoch),
                json!(transaction.coordinator),
                json!(transaction.transaction_timeout.as_millis() as u64),
                json!(transaction.transaction_start_time),
                json!(partitions.collect::<Vec<_>>()),
            ]);
        }
        let header = [
            "transactional_id",
            "state",
            "producer_id",
            "producer_epoch",
            "coordinator",
            "timeout_ms",
            "started",
            "partitions",
        ];
        if self.format == Format::Csv || !rows.is_empty() {
            print_rows(self.format, &header, &rows)?;
        }
        failures.into_result()
    }
}

impl Producers {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        let partitions = of_topic(&admin, &self.topic, &self.partitions).await?;
        let mut described = admin.describe_producers(&partitions).await?;
        let mut failures = Failures::default();
        let mut rows = Vec::new();
        for partition in &partitions {
            let states = described
                .remove(partition)
                .and_then(|states| failures.take(states));
            rows.extend(states.into_iter().flatten().map(|state| {
                vec![
                    json!(&*partition.topic),
                    json!(partition.partition),
                    json!(state.producer_id),
                    json!(state.producer_epoch),
                    json!(state.coordinator_epoch),
                    json!(state.last_sequence),
                    json!(state.last_timestamp),
                    json!(state.current_transaction_start_offset),
                ]
            }));
        }
        let header = [
            "topic",
            "partition",
            "producer_id",
            "producer_epoch",
            "coordinator_epoch",
            "last_sequence",
            "last_timestamp",
            "transaction_start",
        ];
        print_rows(self.format, &header, &rows)?;
        failures.into_result()
    }
}
