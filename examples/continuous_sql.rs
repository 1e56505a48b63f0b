//! A view that follows a topic: flights of January 2013 by airline, as they come in.
//!
//! `cargo run --example continuous_sql` runs on an embedded log, `cargo run --example
//! continuous_sql HOST:PORT` on a cluster.

use anyhow::Context;
use futures::StreamExt;
use headwater::client::admin::NewTopic;
use headwater::client::{ProducerConfig, ProducerRecord};
use headwater::node::connect_or_embed;
use headwater::sql::{SqlConfig, SqlEngine};

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

    // What is committed shows in the view; wait until every flight is.
    let query = format!("SELECT sum(flights) AS flights FROM {view} HAVING sum(flights) = {sent}");
    loop {
        let mut rows = engine.execute(&query).await?.rows;
        if rows
            .next()
            .await
            .transpose()?
            .is_some_and(|batch| batch.num_rows() == 1)
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }

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
