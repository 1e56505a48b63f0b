//! A view that follows a topic: flights of January 2013 by airline, as they come in.
//!
//! `cargo run --example continuous_sql` runs on an embedded log, `cargo run --example
//! continuous_sql HOST:PORT` on a cluster.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context;
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use futures::StreamExt;
use headwater::client::admin::NewTopic;
use headwater::client::{ProducerConfig, ProducerRecord};
use headwater::node::connect_or_embed;
use headwater::sql::{SqlConfig, SqlEngine};

/// Longest wait for the view.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let bootstrap = std::env::args().nth(1);
    let dir = tempfile::tempdir()?;
    let (client, node) = connect_or_embed(bootstrap.as_deref(), dir.path()).await?;
    let topic = format!("departures_{}", std::process::id());
    client
        .admin()
        .create_topic(NewTopic::new(&topic, 4).config("retention.ms", "-1"))
        .await?;

    // A node has an engine already; on another cluster this process brings one.
    let engine = match &node {
        Some(node) => node.sql().clone(),
        None => SqlEngine::start(SqlConfig::new(dir.path().join("sql")), client.clone()).await?,
    };
    let view = format!("{topic}_by_carrier");
    for statement in [
        format!(
            "CREATE STREAM {topic} (carrier VARCHAR, delay BIGINT) \
             WITH (topic = '{topic}', format = 'json')"
        ),
        format!(
            "CREATE MATERIALIZED VIEW {view} AS \
             SELECT carrier, count(*) AS flights, avg(delay) AS mean_delay \
             FROM {topic} GROUP BY carrier"
        ),
    ] {
        engine.execute(&statement).await?.collect().await?;
    }

    let producer = client.producer(ProducerConfig::default())?;
    let mut flights = csv::Reader::from_path("examples/data/flights-2013-01.csv")
        .context("run this in the folder of the project")?;
    let mut sent = 0_i64;
    for flight in flights.records().take(5000) {
        let flight = flight?;
        let (delay, carrier) = (flight[5].parse::<i64>().ok(), &flight[9]);
        let row = serde_json::json!({ "carrier": carrier, "delay": delay });
        // What fails shows in `flush`.
        drop(
            producer
                .send(ProducerRecord::new(topic.as_str(), row.to_string()))
                .await?,
        );
        sent += 1;
    }
    producer.flush().await?;

    // The view's own changes say when every flight is in it.
    let changes = format!("SELECT carrier, flights FROM {view} EMIT CHANGES");
    let mut changes = engine.execute(&changes).await?.rows;
    let mut counted: HashMap<String, i64> = HashMap::new();
    let followed = async {
        while counted.values().sum::<i64>() < sent {
            let batch = changes.next().await.context("the view has ended")??;
            let (carriers, counts) = (batch.column(0), batch.column(1));
            let counts = counts.as_primitive::<Int64Type>().values();
            for (carrier, count) in carriers.as_string::<i32>().iter().zip(counts) {
                counted.insert(carrier.unwrap_or_default().to_owned(), *count);
            }
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, followed)
        .await
        .context("not all flights came to the view")??;

    let worst = format!("SELECT * FROM {view} ORDER BY mean_delay DESC");
    let batches = engine.execute(&worst).await?.collect().await?;
    println!("{}", arrow::util::pretty::pretty_format_batches(&batches)?);

    engine
        .execute(&format!("DROP MATERIALIZED VIEW {view}"))
        .await?;
    match node {
        Some(node) => node.shutdown().await,
        None => Ok(engine.shutdown().await?),
    }
}
