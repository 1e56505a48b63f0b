//! `headwater consume`: records to lines.

mod print;
mod start;

use std::collections::HashMap;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::{Args, ValueEnum};

use headwater_client::{
    AutoOffsetReset, Client, Consumer, ConsumerConfig, FetchedBatches, GroupProtocol,
    IsolationLevel, OffsetAndMetadata, TopicPartition,
};

use self::start::{Start, start};
use super::bootstrap::Bootstrap;
use super::output::Format;
use super::partitions::of_topic;
use super::payload::Encoding;
use super::stop::stopped;
use super::times;
use crate::stdout::Stdout;

const POLL: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(super) struct Consume {
    /// The topics to read
    #[arg(required = true)]
    topics: Vec<String>,
    /// One partition, may be given again; all without it
    #[arg(short, long = "partition", conflicts_with = "group")]
    partitions: Vec<i32>,
    /// Where to begin: start, end, an offset or the nearest there is, -N for the last N of each
    /// partition, or @TIME
    #[arg(short, long, visible_alias = "from", default_value = "start", value_parser = start,
        allow_negative_numbers = true)]
    offset: Start,
    /// Where to begin: the first record at or after a time, in ISO 8601 or milliseconds since 1970
    #[arg(short, long, value_name = "TIME", value_parser = times::timestamp,
        conflicts_with_all = ["offset", "group"])]
    timestamp: Option<i64>,
    /// Ends after this many records
    #[arg(short = 'n', long)]
    count: Option<u64>,
    /// Ends at what was the end of the topics at the start; with --group at that of the partitions
    /// that this member has, or where it has none, once the group has committed so far
    #[arg(short = 'e', long)]
    until_end: bool,
    /// Ends once no record has come for so long; with --count, fewer records are a failure
    #[arg(long, value_name = "DURATION", value_parser = times::duration)]
    timeout: Option<Duration>,
    /// Reads as a member of this group, from its committed offsets, and commits
    #[arg(short, long)]
    group: Option<String>,
    /// The group's protocol: classic, or consumer for KIP-848
    #[arg(long, value_enum, default_value_t, requires = "group")]
    group_protocol: Protocol,
    /// Which records of transactions are read
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL")]
    isolation_level: Isolation,
    /// Short for --isolation-level read_committed
    #[arg(long, conflicts_with = "isolation_level")]
    read_committed: bool,
    /// table: the values, json: one object a record, csv: partition, offset, timestamp, key, value
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Prints the key and this before each value; with --format table
    #[arg(short = 'K', long, value_name = "SEPARATOR")]
    key_separator: Option<String>,
    /// How keys are written
    #[arg(long, value_enum, default_value_t, value_name = "ENCODING")]
    key_format: Encoding,
    /// How values are written
    #[arg(long, value_enum, default_value_t, value_name = "ENCODING")]
    value_format: Encoding,
    /// Prints the values' bytes and nothing between them
    #[arg(long, conflicts_with_all = ["format", "key_separator"])]
    raw: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Isolation {
    /// All
    #[default]
    ReadUncommitted,
    /// Those of transactions that are committed
    ReadCommitted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Protocol {
    #[default]
    Classic,
    Consumer,
}

type Ends = HashMap<TopicPartition, i64>;

impl Consume {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        if self.key_separator.is_some() && self.format != Format::Table {
            bail!("--key-separator is for --format table: json and csv have the key by itself");
        }
        let client = self.bootstrap.client().await?;
        let consumer = client.consumer(self.config()?)?;
        let partitions = self.partitions(&client).await?;
        let mut left = match self.until_end {
            true => consumer.end_offsets(&partitions).await?,
            false => Ends::new(),
        };
        match self.group {
            Some(_) => {
                let topics = self.topics.iter().map(String::as_str);
                consumer.subscribe(topics, None)?;
            }
            None => {
                let start = self.timestamp.map_or(self.offset, Start::Timestamp);
                start.assign(&consumer, partitions).await?;
            }
        }
        let read = self.read(&consumer, &mut left).await;
        consumer.close().await;
        read
    }

    fn config(&self) -> anyhow::Result<ConsumerConfig> {
        let is_committed = self.read_committed || self.isolation_level == Isolation::ReadCommitted;
        let auto_offset_reset = match (self.offset, &self.group) {
            (Start::Latest, _) => AutoOffsetReset::Latest,
            (Start::Earliest, _) | (_, None) => AutoOffsetReset::Earliest,
            (_, Some(_)) => bail!(
                "a group begins at its committed offsets: set them with `headwater group \
                 reset-offsets`, or leave --offset at start or end"
            ),
        };
        Ok(ConsumerConfig {
            group_id: self.group.clone(),
            group_protocol: match self.group_protocol {
                Protocol::Classic => GroupProtocol::Classic,
                Protocol::Consumer => GroupProtocol::Consumer,
            },
            enable_auto_commit: false,
            auto_offset_reset,
            isolation_level: match is_committed {
                true => IsolationLevel::ReadCommitted,
                false => IsolationLevel::ReadUncommitted,
            },
            allow_auto_create_topics: false,
            exclude_internal_topics: false,
            ..ConsumerConfig::default()
        })
    }

    async fn partitions(&self, client: &Client) -> anyhow::Result<Vec<TopicPartition>> {
        let mut partitions = Vec::new();
        for topic in &self.topics {
            partitions.extend(of_topic(&client.admin(), topic, &self.partitions).await?);
        }
        Ok(partitions)
    }

    /// Prints until there is enough, or it is asked to end.
    async fn read(&self, consumer: &Consumer, left: &mut Ends) -> anyhow::Result<()> {
        let mut printed = 0;
        let wanted = self.count.unwrap_or(u64::MAX);
        let mut out = std::io::BufWriter::new(Stdout::lock());
        let mut last = Instant::now();
        let stop = stopped()?;
        tokio::pin!(stop);
        while printed < wanted && !(self.until_end && self.is_done(consumer, left).await?) {
            let idle = last.elapsed();
            if let Some(timeout) = self.timeout.filter(|timeout| idle >= *timeout) {
                if self.count.is_some() {
                    bail!("{printed} of {wanted} records came, then none for {timeout:?}");
                }
                break;
            }
            let wait = self
                .timeout
                .map_or(POLL, |timeout| POLL.min(timeout - idle));
            let batches = tokio::select! {
                batches = consumer.poll(wait) => batches?,
                () = &mut stop => break,
            };
            let before = printed;
            let seen = self.print(&mut out, batches, wanted, &mut printed)?;
            out.flush()?;
            if printed > before {
                last = Instant::now();
            }
            // Not the position, which may be beyond what was printed.
            if self.group.is_some() && !seen.is_empty() {
                consumer.commit_offsets(&seen).await?;
            }
        }
        Ok(())
    }

    /// Whether every partition is read up to the end it had at the start. What other members of
    /// the group have is read by them.
    async fn is_done(&self, consumer: &Consumer, left: &mut Ends) -> anyhow::Result<bool> {
        left.retain(|partition, end| {
            *end > 0
                && consumer
                    .position(partition)
                    .is_none_or(|position| position < *end)
        });
        if left.is_empty() || self.group.is_none() {
            return Ok(left.is_empty());
        }
        let assigned = consumer.assignment();
        if !assigned.is_empty() {
            return Ok(!assigned
                .iter()
                .any(|partition| left.contains_key(partition)));
        }
        // It has not got any yet, or there are more members than partitions.
        let partitions: Vec<_> = left.keys().cloned().collect();
        let committed = consumer.committed(&partitions).await?;
        let is_read = |(partition, end): (&TopicPartition, &i64)| {
            committed.get(partition).is_some_and(|at| at.offset >= *end)
        };
        Ok(left.iter().all(is_read))
    }

    /// Prints records up to the number wanted, and returns the offsets behind them.
    fn print(
        &self,
        out: &mut impl Write,
        batches: FetchedBatches,
        wanted: u64,
        printed: &mut u64,
    ) -> anyhow::Result<HashMap<TopicPartition, OffsetAndMetadata>> {
        let mut seen = HashMap::new();
        for record in batches.records()? {
            if *printed == wanted {
                break;
            }
            self.print_record(out, &record)?;
            *printed += 1;
            let partition = TopicPartition::new(record.topic.clone(), record.partition);
            seen.insert(partition, OffsetAndMetadata::new(record.offset + 1));
        }
        Ok(seen)
    }
}
