//! Transactions ended by an administrator.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use clap::Args;

use headwater_client::admin::AbortTransactionSpec;
use headwater_client::{Admin, TopicPartition};

use crate::cli::bootstrap::Bootstrap;
use crate::cli::output::Failures;
use crate::cli::partitions::of_topic;

#[derive(Debug, Args)]
pub(in crate::cli) struct Abort {
    /// The topic
    topic: String,
    /// The partition
    partition: i32,
    /// Where the transaction begins in the partition, as find-hanging tells
    #[arg(long, value_name = "OFFSET", required_unless_present = "producer_id",
        conflicts_with_all = ["producer_id", "producer_epoch", "coordinator_epoch"])]
    start_offset: Option<i64>,
    /// The producer's id, in place of where the transaction begins
    #[arg(long, value_name = "ID", requires = "producer_epoch")]
    producer_id: Option<i64>,
    /// The producer's epoch
    #[arg(long, value_name = "EPOCH", requires = "producer_id")]
    producer_epoch: Option<i16>,
    /// The epoch of the producer's coordinator
    #[arg(
        long,
        value_name = "EPOCH",
        requires = "producer_id",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    coordinator_epoch: i32,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Fence {
    /// The transactional ids
    #[arg(required = true)]
    ids: Vec<String>,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

impl Abort {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        let mut named = of_topic(&admin, &self.topic, &[self.partition]).await?;
        let Some(partition) = named.pop() else {
            bail!("there is no partition {} of {}", self.partition, self.topic);
        };
        let spec = match (self.start_offset, self.producer_id, self.producer_epoch) {
            (Some(offset), ..) => open_at(&admin, partition, offset).await?,
            (None, Some(producer_id), Some(producer_epoch)) => AbortTransactionSpec {
                partition,
                producer_id,
                producer_epoch,
                coordinator_epoch: self.coordinator_epoch,
            },
            _ => bail!("name --start-offset, or --producer-id and --producer-epoch"),
        };
        admin.abort_transaction(&spec).await?;
        eprintln!(
            "aborted producer {} in {}",
            spec.producer_id, spec.partition
        );
        Ok(())
    }
}

/// The transaction that is open in `partition` since `offset`.
async fn open_at(
    admin: &Admin,
    partition: TopicPartition,
    offset: i64,
) -> anyhow::Result<AbortTransactionSpec> {
    let asked = [partition.clone()];
    let mut described = admin.describe_producers(&asked).await?;
    let Some(states) = described.remove(&partition) else {
        bail!("the broker did not describe the producers of {partition}");
    };
    let state = states?
        .into_iter()
        .find(|state| state.current_transaction_start_offset == Some(offset));
    let Some(state) = state else {
        bail!("no transaction is open in {partition} since offset {offset}");
    };
    Ok(AbortTransactionSpec {
        partition,
        producer_id: state.producer_id,
        producer_epoch: i16::try_from(state.producer_epoch)
            .with_context(|| format!("producer epoch {} is out of range", state.producer_epoch))?,
        // A producer without markers yet has no coordinator epoch; 0 is below every other.
        coordinator_epoch: state.coordinator_epoch.unwrap_or_default(),
    })
}

impl Fence {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        let ids: Vec<&str> = self.ids.iter().map(String::as_str).collect();
        let fenced: BTreeMap<_, _> = admin.fence_producers(&ids).await?.into_iter().collect();
        let mut failures = Failures::default();
        for (id, fenced) in fenced {
            if let Some(fenced) = failures.take(fenced) {
                let (producer, epoch) = (fenced.producer_id, fenced.producer_epoch);
                eprintln!("fenced {id}: producer {producer} is at epoch {epoch} now");
            }
        }
        failures.into_result()
    }
}
