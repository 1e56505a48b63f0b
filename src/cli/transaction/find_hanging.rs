//! Transactions that keep a partition's last stable offset back for ever.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use serde_json::json;

use headwater_client::admin::{ListTransactionsOptions, ProducerState};
use headwater_client::{Admin, ClientError, TopicPartition};

use crate::cli::bootstrap::Bootstrap;
use crate::cli::output::{Failures, Format, print_rows};
use crate::cli::times;

#[derive(Debug, Args)]
pub(in crate::cli) struct FindHanging {
    /// Only partitions of this topic; may be given again
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Only partitions that this broker leads
    #[arg(long, value_name = "ID")]
    broker: Option<i32>,
    /// The largest transaction.timeout.ms of any producer: younger transactions are let be
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = times::duration)]
    max_transaction_timeout: Duration,
    /// How the transactions are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

type Open = (TopicPartition, ProducerState);

impl FindHanging {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        let partitions = self.partitions(&admin).await?;
        let mut failures = Failures::default();
        let mut open: Vec<Open> = Vec::new();
        let oldest = i64::try_from(self.max_transaction_timeout.as_millis()).unwrap_or(i64::MAX);
        let before = chrono::Utc::now().timestamp_millis().saturating_sub(oldest);
        for (partition, states) in admin.describe_producers(&partitions).await? {
            let states = failures.take(states).into_iter().flatten();
            let states = states.filter(|state| {
                state.current_transaction_start_offset.is_some()
                    && state.last_timestamp.is_some_and(|last| last < before)
            });
            open.extend(states.map(|state| (partition.clone(), state)));
        }
        let mut hanging = hanging(&admin, open).await?;
        hanging.sort_by(|(a, _), (b, _)| a.cmp(b));
        let rows = hanging.into_iter().map(|(at, state)| {
            vec![
                json!(&*at.topic),
                json!(at.partition),
                json!(state.producer_id),
                json!(state.producer_epoch),
                json!(state.coordinator_epoch),
                json!(state.current_transaction_start_offset),
                json!(state.last_timestamp),
            ]
        });
        let header = [
            "topic",
            "partition",
            "producer_id",
            "producer_epoch",
            "coordinator_epoch",
            "transaction_start",
            "last_timestamp",
        ];
        print_rows(self.format, &header, &rows.collect::<Vec<_>>())?;
        failures.into_result()
    }

    async fn partitions(&self, admin: &Admin) -> anyhow::Result<Vec<TopicPartition>> {
        if let Some(broker) = self.broker {
            let nodes = admin.describe_cluster().await?.nodes;
            if !nodes.iter().any(|node| node.id == broker) {
                return Err(ClientError::UnknownNode(broker).into());
            }
        }
        let topics = admin.list_topics().await?;
        for name in &self.topics {
            if !topics.iter().any(|topic| *topic.name == **name) {
                bail!("there is no topic {name}");
            }
        }
        let mut partitions = Vec::new();
        for topic in topics {
            if !self.topics.is_empty() && !self.topics.iter().any(|name| **name == *topic.name) {
                continue;
            }
            let led = topic.partitions.iter().filter(|partition| {
                partition.leader.is_some()
                    && self
                        .broker
                        .is_none_or(|broker| partition.leader == Some(broker))
            });
            partitions.extend(
                led.map(|partition| TopicPartition::new(topic.name.clone(), partition.partition)),
            );
        }
        Ok(partitions)
    }
}

/// Those of `open` whose producer no coordinator knows, or whose transaction there no longer has
/// the partition in it.
async fn hanging(admin: &Admin, open: Vec<Open>) -> anyhow::Result<Vec<Open>> {
    if open.is_empty() {
        return Ok(open);
    }
    let producer_ids: HashSet<i64> = open.iter().map(|(_, state)| state.producer_id).collect();
    let options = ListTransactionsOptions {
        producer_ids: producer_ids.into_iter().collect(),
        ..ListTransactionsOptions::default()
    };
    let listed = admin.list_transactions(&options).await?;
    let ids: HashMap<i64, String> = listed
        .into_iter()
        .map(|listing| (listing.producer_id, listing.transactional_id))
        .collect();
    let asked: Vec<&str> = ids.values().map(String::as_str).collect();
    let described = admin.describe_transactions(&asked).await?;
    let is_known = |(at, state): &Open| {
        let id = ids.get(&state.producer_id);
        match id.and_then(|id| described.get(id)) {
            Some(Ok(transaction)) => transaction.partitions.contains(at),
            // What could not be told is not taken to be hanging.
            Some(Err(error)) => {
                error.code() != Some(headwater_wire::ErrorCode::TransactionalIdNotFound)
            }
            None => false,
        }
    };
    Ok(open.into_iter().filter(|open| !is_known(open)).collect())
}
