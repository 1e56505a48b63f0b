//! The streams part of the demo as a program of its own: delays by airport and hour of the flights
//! that some other program writes to the topics `flights`, `planes` and `airlines`.
//!
//! Start `headwater demo` first, then `cargo run --example flight_delays HOST:PORT` with the address
//! it names. The topology is in `src/demo/delays.rs`.

use anyhow::Context;
use headwater::client::admin::NewTopic;
use headwater::client::{Client, ClientConfig};
use headwater::streams::runtime::{RunningStreams, StreamsConfig};

#[path = "../src/demo/delays.rs"]
mod delays;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let bootstrap = std::env::args()
        .nth(1)
        .context("give the cluster's address, HOST:PORT")?;
    let client = Client::new(ClientConfig::new(&bootstrap))?;

    // Another application than the demo's: it reads the same topics, and keeps state and writes
    // results of its own.
    let application = format!("flight-delays-{}", std::process::id());
    let output = NewTopic::new(&application, 4).config("retention.ms", "-1");
    client.admin().create_topic(output).await?;
    let topology = delays::topology(&application)?;
    println!("{}", topology.describe());
    let dir = tempfile::tempdir()?;
    let config = StreamsConfig::new(application, dir.path()).exactly_once();
    let config = config.topic_config("retention.ms", "-1");
    let streams = RunningStreams::start(&topology, config, client).await?;
    streams.wait_for_input().await?;

    for (node, counted) in streams.counters() {
        println!(
            "{node:40} {:8} records, {} dropped, {} late",
            counted.processed, counted.dropped, counted.late
        );
    }
    streams.close().await?;
    Ok(())
}
