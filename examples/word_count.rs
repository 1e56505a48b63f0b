//! Counts the words in the names of the airports of the United States.
//!
//! `cargo run --example word_count` runs on an embedded log, `cargo run --example word_count
//! HOST:PORT` on a cluster: Headwater's or Kafka's.

use std::ops::ControlFlow;

use anyhow::Context;
use headwater::client::admin::NewTopic;
use headwater::client::{ProducerConfig, ProducerRecord};
use headwater::node::connect_or_embed;
use headwater::streams::codec::{I64, Utf8};
use headwater::streams::dsl::StreamsBuilder;
use headwater::streams::runtime::{RunningStreams, StreamsConfig};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let bootstrap = std::env::args().nth(1);
    let dir = tempfile::tempdir()?;
    let (client, node) = connect_or_embed(bootstrap.as_deref(), dir.path()).await?;

    // Names of their own, so that the program can run twice on one cluster.
    let run = std::process::id();
    let (lines, counts) = (format!("lines-{run}"), format!("word-counts-{run}"));
    client
        .admin()
        .create_topic(NewTopic::new(&lines, 2))
        .await?;
    client
        .admin()
        .create_topic(NewTopic::new(&counts, 2))
        .await?;

    let builder = StreamsBuilder::new();
    builder
        .stream::<(), String>(lines.as_str())
        .flat_map_values(|line, words| {
            for word in line.split_whitespace() {
                words.push(word.to_lowercase());
            }
        })
        .group_by(|_, word| word.clone())
        .count("counts")
        .to(counts.as_str());
    let config = StreamsConfig::new(format!("word-count-{run}"), dir.path().join("state"));
    let config = config.exactly_once();
    let streams = RunningStreams::start(&builder.build()?, config, client.clone()).await?;

    let producer = client.producer(ProducerConfig::default())?;
    let mut airports = csv::Reader::from_path("examples/data/airports.csv")
        .context("run this in the folder of the project")?;
    for airport in airports.records() {
        let name = airport?.get(1).unwrap_or_default().to_owned();
        // What fails shows in `flush`.
        drop(
            producer
                .send(ProducerRecord::new(lines.as_str(), name))
                .await?,
        );
    }
    producer.flush().await?;
    streams.wait_for_input().await?;

    let mut words = Vec::new();
    streams
        .key_value_store("counts", Utf8, I64)?
        .for_each(|word, count| {
            words.push((count, word));
            ControlFlow::Continue(())
        })?;
    words.sort_by(|a, b| b.cmp(a));
    for (count, word) in words.iter().take(10) {
        println!("{count:5} {word}");
    }

    streams.close().await?;
    match node {
        Some(node) => node.shutdown().await,
        None => Ok(()),
    }
}
