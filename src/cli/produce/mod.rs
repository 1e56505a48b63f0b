//! `headwater produce`: lines, JSON objects or whole files to records.

mod input;

use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use headwater_client::producer::Delivery;
use headwater_client::{Acks, Producer, ProducerConfig, RecordMetadata};
use headwater_wire::records::Compression;
use tokio::io::BufReader;

use self::input::{Input, Source};
use super::bootstrap::{Bootstrap, name_and_value};
use super::output::{Format, print_more_rows, print_rows};
use super::payload::Encoding;
use super::stop::{Interrupted, stopped};
use super::times;
use crate::stdout::Closed;

/// So many records may wait to be told as acknowledged.
const UNTOLD: usize = 1000;

/// So many bytes of input are read at once.
const READ_BYTES: usize = 64 << 10;

#[derive(Debug, Args)]
pub(super) struct Produce {
    /// The topic to write to
    topic: String,
    /// Files to read in place of standard input
    files: Vec<PathBuf>,
    /// What the input is: lines of values, lines of JSON objects as consume prints them, or one
    /// value that is all of the input
    #[arg(short, long, value_enum, default_value_t)]
    input: Input,
    /// The partition; without it the key's hash decides, or any if there is no key
    #[arg(short, long)]
    partition: Option<i32>,
    /// Splits each line into key and value at the first of this
    #[arg(short = 'K', long, value_name = "SEPARATOR")]
    key_separator: Option<String>,
    /// The key of every record
    #[arg(short, long, conflicts_with = "key_separator")]
    key: Option<String>,
    /// A header of every record
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", value_parser = name_and_value)]
    headers: Vec<(String, String)>,
    /// The time of every record
    #[arg(short, long, value_name = "TIME", value_parser = times::timestamp)]
    timestamp: Option<i64>,
    /// How keys are written
    #[arg(long, value_enum, default_value_t, value_name = "ENCODING")]
    key_format: Encoding,
    /// How values are written
    #[arg(long, value_enum, default_value_t, value_name = "ENCODING")]
    value_format: Encoding,
    /// Takes empty values for none, which are tombstones in a compacted topic
    #[arg(short = 'Z', long)]
    empty_as_null: bool,
    /// Ends after this many records
    #[arg(short = 'n', long)]
    count: Option<u64>,
    /// How the batches are compressed: none, gzip, snappy, lz4 or zstd, with a level such as zstd:9
    #[arg(short = 'z', long, default_value = "none", value_name = "CODEC[:LEVEL]",
        value_parser = compression)]
    compression: (Compression, Option<i32>),
    /// Who must have a record before it counts as written
    #[arg(short, long, value_enum, default_value_t)]
    acks: AcksArgument,
    /// Writes everything in one transaction of this id, or nothing
    #[arg(long, value_name = "ID")]
    transactional_id: Option<String>,
    /// How long a record may take to be acknowledged
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = times::duration)]
    timeout: Duration,
    /// Prints where each record has been written: of every 1000 once they are acknowledged, and at
    /// the end; in a transaction only once that is committed
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum AcksArgument {
    /// Nobody
    #[value(name = "0")]
    None,
    /// The leader
    #[value(name = "1")]
    Leader,
    /// Every replica in sync
    #[default]
    All,
}

/// Whether the codec has the level shows when the producer is made.
fn compression(text: &str) -> Result<(Compression, Option<i32>), String> {
    let (name, level) = match text.split_once(':') {
        Some((name, level)) => (name, Some(level)),
        None => (text, None),
    };
    let level = level.map(str::parse::<i32>).transpose();
    let level = level.map_err(|_| format!("{text:?} has no number for its level"))?;
    let codec = Compression::from_name(name).ok_or_else(|| {
        let known: Vec<_> = Compression::ALL.iter().map(|codec| codec.name()).collect();
        format!("{name:?} is not one of {}", known.join(", "))
    })?;
    Ok((codec, level))
}

impl Produce {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let client = self.bootstrap.client().await?;
        let producer = client.producer(self.config())?;
        if self.transactional_id.is_some() {
            producer.init_transactions().await?;
            producer.begin_transaction()?;
        }
        let mut written = Written::new(self.format, self.transactional_id.is_some());
        let ended = self.write(&producer, &mut written).await;
        let sent = written.sent;
        if self.transactional_id.is_none() {
            // Also what came before a bad line.
            let flushed = producer.flush().await;
            let told = written.tell().await;
            flushed?;
            told?;
            producer.close().await?;
            return ended
                .with_context(|| format!("stopped after {sent} records, which are acknowledged"));
        }
        let ended = match ended {
            Ok(()) => producer.commit_transaction().await.map_err(Into::into),
            ended => ended,
        };
        if let Err(error) = ended {
            let told = match producer.abort_transaction().await {
                Ok(()) => format!("aborted the transaction of {sent} records"),
                Err(other) => format!("the transaction of {sent} records is left open: {other}"),
            };
            return Err(error.context(told));
        }
        written.tell().await?;
        Ok(producer.close().await?)
    }

    fn config(&self) -> ProducerConfig {
        let defaults = ProducerConfig::default();
        let acks = match self.acks {
            AcksArgument::None => Acks::None,
            AcksArgument::Leader => Acks::Leader,
            AcksArgument::All => Acks::All,
        };
        // A record that a broker would take is not refused here: its own limit is Kafka's.
        let buffer_memory = defaults.buffer_memory.max(2 * input::RECORD_BYTES_MAX);
        ProducerConfig {
            acks,
            enable_idempotence: acks == Acks::All,
            compression: self.compression.0,
            compression_level: self.compression.1,
            max_request_size: input::RECORD_BYTES_MAX + (1 << 20),
            buffer_memory,
            transactional_id: self.transactional_id.clone(),
            request_timeout: defaults.request_timeout.min(self.timeout / 2),
            delivery_timeout: self.timeout.max(Duration::from_millis(100)),
            max_block: self.timeout.min(defaults.max_block),
            ..defaults
        }
    }

    async fn write(&self, producer: &Producer, written: &mut Written) -> anyhow::Result<()> {
        let mut stop = std::pin::pin!(stopped()?);
        if self.files.is_empty() {
            let input = std::io::stdin().as_fd().try_clone_to_owned()?;
            let stop = stop.as_mut();
            return self
                .write_all(producer, written, input.into(), "", stop)
                .await;
        }
        for path in &self.files {
            let name = format!("{}: ", path.display());
            let file =
                File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
            self.write_all(producer, written, file, &name, stop.as_mut())
                .await?;
        }
        Ok(())
    }

    async fn write_all(
        &self,
        producer: &Producer,
        written: &mut Written,
        input: File,
        name: &str,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> anyhow::Result<()> {
        let input = BufReader::with_capacity(READ_BYTES, tokio::fs::File::from_std(input));
        let mut source = Source::new(self, input);
        while self.count.is_none_or(|count| written.sent < count) {
            let next = tokio::select! {
                biased;
                () = stop.as_mut() => return Err(Interrupted.into()),
                next = source.next() => next,
            };
            let Some(record) = next.with_context(|| format!("{name}{}", source.place()))? else {
                break;
            };
            let sent = producer.send(record).await;
            let delivery = sent.with_context(|| format!("{name}{}", source.place()))?;
            written.note(delivery).await?;
        }
        Ok(())
    }
}

/// Records that were sent, told in their order once they are acknowledged, or where they are of a
/// transaction, at its end.
struct Written {
    format: Option<Format>,
    is_told_at_the_end: bool,
    sent: u64,
    waiting: VecDeque<Delivery>,
    acknowledged: Vec<RecordMetadata>,
    is_begun: bool,
}

impl Written {
    fn new(format: Option<Format>, is_told_at_the_end: bool) -> Self {
        Self {
            format,
            is_told_at_the_end,
            sent: 0,
            waiting: VecDeque::new(),
            acknowledged: Vec::new(),
            is_begun: false,
        }
    }

    async fn note(&mut self, delivery: Delivery) -> anyhow::Result<()> {
        self.sent += 1;
        // How it ends shows in `flush`; awaiting each would send one at a time.
        if self.format.is_some() {
            self.waiting.push_back(delivery);
        }
        if self.waiting.len() >= UNTOLD {
            self.collect().await?;
            if !self.is_told_at_the_end {
                self.print()?;
            }
        }
        Ok(())
    }

    /// Waits for all that were sent, and tells of them.
    async fn tell(&mut self) -> anyhow::Result<()> {
        let collected = self.collect().await;
        self.print()?;
        collected
    }

    async fn collect(&mut self) -> anyhow::Result<()> {
        let mut failed = None;
        for delivery in self.waiting.drain(..) {
            match delivery.await {
                Ok(metadata) => self.acknowledged.push(metadata),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    /// Prints what is acknowledged. Without a reader it goes on silently: what is printed does not
    /// decide what is written.
    fn print(&mut self) -> anyhow::Result<()> {
        let Some(format) = self.format else {
            return Ok(());
        };
        let told = std::mem::take(&mut self.acknowledged);
        let header = ["topic", "partition", "offset", "timestamp"];
        if told.is_empty() && !std::mem::replace(&mut self.is_begun, true) {
            return self.printed(print_rows(format, &header, &[]));
        }
        for some in told.chunks(UNTOLD) {
            let rows: Vec<_> = some.iter().map(row).collect();
            let printed = match std::mem::replace(&mut self.is_begun, true) {
                true => print_more_rows(format, &header, &rows),
                false => print_rows(format, &header, &rows),
            };
            self.printed(printed)?;
            if self.format.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn printed(&mut self, printed: anyhow::Result<()>) -> anyhow::Result<()> {
        match printed {
            Err(error) if Closed::caused(&error) => {
                self.format = None;
                Ok(())
            }
            printed => printed,
        }
    }
}

fn row(of: &RecordMetadata) -> Vec<Value> {
    vec![
        json!(&*of.partition.topic),
        json!(of.partition.partition),
        json!(of.offset),
        json!(of.timestamp),
    ]
}
