//! `headwater produce`: lines to records.

use std::io::BufRead;

use anyhow::Context;
use clap::Args;

use headwater_client::{ProducerConfig, ProducerRecord};

use super::bootstrap::{Bootstrap, name_and_value};

/// A line may be this long, in bytes; a longer one is refused, not cut.
const LINE_BYTES_MAX: usize = 1 << 20;

#[derive(Debug, Args)]
pub(super) struct Produce {
    /// The topic to write to
    topic: String,
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
    #[command(flatten)]
    bootstrap: Bootstrap,
}

impl Produce {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let client = self.bootstrap.client()?;
        let producer = client.producer(ProducerConfig::default())?;
        let mut input = std::io::stdin().lock();
        let mut line = Vec::new();
        let mut sent = 0_u64;
        let ended = loop {
            line.clear();
            match self.next(&mut input, &mut line, sent + 1) {
                Ok(None) => break Ok(()),
                Ok(Some(record)) => match producer.send(record).await {
                    // How it ends shows in `flush`; awaiting each would send one at a time.
                    Ok(_sending) => sent += 1,
                    Err(error) => {
                        break Err(anyhow::Error::from(error).context(format!("line {}", sent + 1)));
                    }
                },
                Err(error) => break Err(error),
            }
        };
        // Also what came before a bad line.
        producer.flush().await?;
        producer.close().await?;
        ended.with_context(|| format!("stopped after {sent} records, which are acknowledged"))
    }

    /// The record of the next line; none at the end of the input.
    fn next(
        &self,
        input: &mut impl BufRead,
        line: &mut Vec<u8>,
        number: u64,
    ) -> anyhow::Result<Option<ProducerRecord>> {
        // The producer's own tasks go on meanwhile.
        let read = tokio::task::block_in_place(|| read_line(input, line));
        if !read.with_context(|| format!("cannot read line {number}"))? {
            return Ok(None);
        }
        self.record(line, number).map(Some)
    }

    fn record(&self, line: &[u8], number: u64) -> anyhow::Result<ProducerRecord> {
        let (key, value) = match &self.key_separator {
            None => (self.key.as_ref().map(|key| key.as_bytes()), line),
            Some(separator) => {
                let at = line
                    .windows(separator.len().max(1))
                    .position(|window| window == separator.as_bytes())
                    .with_context(|| format!("line {number} has no {separator:?}"))?;
                (Some(&line[..at]), &line[at + separator.len()..])
            }
        };
        let mut record = ProducerRecord::new(self.topic.as_str(), value.to_vec());
        if let Some(key) = key {
            record = record.key(key.to_vec());
        }
        if let Some(partition) = self.partition {
            record = record.partition(partition);
        }
        for (name, value) in &self.headers {
            record = record.header(name, value.clone());
        }
        Ok(record)
    }
}

/// Reads up to a line feed, which is left out; false at the end of the input.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> anyhow::Result<bool> {
    loop {
        let available = input.fill_buf()?;
        if available.is_empty() {
            return Ok(!line.is_empty());
        }
        let end = memchr::memchr(b'\n', available);
        let taken = end.unwrap_or(available.len());
        anyhow::ensure!(
            line.len() + taken <= LINE_BYTES_MAX,
            "it is longer than {LINE_BYTES_MAX} bytes"
        );
        line.extend_from_slice(&available[..taken]);
        input.consume(taken + usize::from(end.is_some()));
        if end.is_some() {
            return Ok(true);
        }
    }
}
