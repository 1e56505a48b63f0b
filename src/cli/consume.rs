//! `headwater consume`: records to lines.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use headwater_client::{
    AutoOffsetReset, Consumer, ConsumerConfig, ConsumerRecord, IsolationLevel, OffsetAndMetadata,
    TopicPartition,
};

use super::bootstrap::Bootstrap;
use super::output::Format;
use crate::stdout::Stdout;

const POLL: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(super) struct Consume {
    /// The topic to read
    topic: String,
    /// One partition; all without it
    #[arg(short, long, conflicts_with = "group")]
    partition: Option<i32>,
    /// Where to begin: start, end, an offset, or @MILLISECONDS since 1970
    #[arg(short, long, default_value = "start", value_parser = start)]
    offset: Start,
    /// Ends after this many records
    #[arg(short = 'n', long)]
    count: Option<u64>,
    /// Ends at what was the end of the topic at the start
    #[arg(short = 'e', long)]
    until_end: bool,
    /// Reads as a member of this group, from its committed offsets, and commits
    #[arg(short, long)]
    group: Option<String>,
    /// Leaves out records of transactions that are not committed
    #[arg(long)]
    read_committed: bool,
    /// table: the values, json: one object a record, csv: partition, offset, timestamp, key, value
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Earliest,
    Latest,
    Offset(i64),
    Timestamp(i64),
}

fn start(text: &str) -> Result<Start, String> {
    let number = |text: &str| {
        let parsed = text.parse().ok().filter(|number: &i64| *number >= 0);
        parsed.ok_or_else(|| format!("{text:?} is not start, end, an offset or @MILLISECONDS"))
    };
    match text {
        "start" => Ok(Start::Earliest),
        "end" => Ok(Start::Latest),
        _ => match text.strip_prefix('@') {
            Some(timestamp) => number(timestamp).map(Start::Timestamp),
            None => number(text).map(Start::Offset),
        },
    }
}

impl Consume {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let client = self.bootstrap.client()?;
        let isolation_level = match self.read_committed {
            true => IsolationLevel::ReadCommitted,
            false => IsolationLevel::ReadUncommitted,
        };
        let consumer = client.consumer(ConsumerConfig {
            group_id: self.group.clone(),
            enable_auto_commit: false,
            auto_offset_reset: match self.offset {
                Start::Latest => AutoOffsetReset::Latest,
                _ => AutoOffsetReset::Earliest,
            },
            isolation_level,
            allow_auto_create_topics: false,
            ..ConsumerConfig::default()
        })?;
        let partitions = self.partitions(&consumer).await?;
        let mut left = match self.until_end {
            true => consumer.end_offsets(&partitions).await?,
            false => HashMap::new(),
        };
        match self.group {
            Some(_) => consumer.subscribe([self.topic.as_str()], None)?,
            None => self.assign(&consumer, partitions).await?,
        }
        let mut printed = 0;
        let wanted = self.count.unwrap_or(u64::MAX);
        let mut out = std::io::BufWriter::new(Stdout::lock());
        while printed < wanted && !(self.until_end && self.is_done(&consumer, &mut left)) {
            let mut seen = HashMap::new();
            for record in consumer.poll(POLL).await?.records()? {
                if printed == wanted {
                    break;
                }
                print(&mut out, self.format, &record)?;
                printed += 1;
                let partition = TopicPartition::new(record.topic.clone(), record.partition);
                seen.insert(partition, OffsetAndMetadata::new(record.offset + 1));
            }
            out.flush()?;
            // Not the position, which may be beyond what was printed.
            if self.group.is_some() && !seen.is_empty() {
                consumer.commit_offsets(&seen).await?;
            }
        }
        consumer.close().await;
        Ok(())
    }

    async fn partitions(&self, consumer: &Consumer) -> anyhow::Result<Vec<TopicPartition>> {
        let count = consumer.partitions_for(&self.topic).await?;
        match self.partition {
            None => Ok((0..count)
                .map(|p| TopicPartition::new(self.topic.as_str(), p))
                .collect()),
            Some(partition) if (0..count).contains(&partition) => {
                Ok(vec![TopicPartition::new(self.topic.as_str(), partition)])
            }
            Some(partition) => {
                bail!(
                    "{} has partitions 0 to {}, not {partition}",
                    self.topic,
                    count - 1
                )
            }
        }
    }

    async fn assign(
        &self,
        consumer: &Consumer,
        partitions: Vec<TopicPartition>,
    ) -> anyhow::Result<()> {
        consumer.assign(partitions.clone())?;
        match self.offset {
            Start::Earliest => consumer.seek_to_beginning(&partitions)?,
            Start::Latest => consumer.seek_to_end(&partitions)?,
            Start::Offset(offset) => {
                for partition in &partitions {
                    consumer.seek(partition, offset)?;
                }
            }
            Start::Timestamp(timestamp) => {
                let times = partitions.iter().map(|p| (p.clone(), timestamp)).collect();
                let found = consumer.offsets_for_times(&times).await?;
                for partition in &partitions {
                    match found.get(partition) {
                        Some(at) => consumer.seek(partition, at.offset)?,
                        None => consumer.seek_to_end(std::slice::from_ref(partition))?,
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether every partition is read up to the end it had at the start.
    fn is_done(&self, consumer: &Consumer, left: &mut HashMap<TopicPartition, i64>) -> bool {
        left.retain(|partition, end| {
            *end > 0
                && consumer
                    .position(partition)
                    .is_none_or(|position| position < *end)
        });
        left.is_empty()
    }
}

fn print(out: &mut impl Write, format: Format, record: &ConsumerRecord) -> anyhow::Result<()> {
    let text = |bytes: &Option<bytes::Bytes>| {
        bytes
            .as_ref()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    match format {
        Format::Table => {
            out.write_all(record.value.as_deref().unwrap_or_default())?;
            out.write_all(b"\n")?;
        }
        Format::Json => {
            let headers: Vec<_> = record
                .headers
                .iter()
                .map(|(name, value)| (name, text(value)))
                .collect();
            let object = serde_json::json!({
                "topic": &*record.topic,
                "partition": record.partition,
                "offset": record.offset,
                "timestamp": record.timestamp,
                "headers": headers,
                "key": text(&record.key),
                "value": text(&record.value),
            });
            writeln!(out, "{object}")?;
        }
        Format::Csv => {
            let mut writer = csv::Writer::from_writer(out);
            writer.write_record([
                record.partition.to_string(),
                record.offset.to_string(),
                record.timestamp.to_string(),
                text(&record.key).unwrap_or_default(),
                text(&record.value).unwrap_or_default(),
            ])?;
            writer.flush().context("cannot print")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_a_word_an_offset_or_a_time() {
        assert_eq!(start("start"), Ok(Start::Earliest));
        assert_eq!(start("end"), Ok(Start::Latest));
        assert_eq!(start("17"), Ok(Start::Offset(17)));
        assert_eq!(
            start("@1357034400000"),
            Ok(Start::Timestamp(1_357_034_400_000))
        );
        assert!(start("-1").is_err());
        assert!(start("@soon").is_err());
    }
}
