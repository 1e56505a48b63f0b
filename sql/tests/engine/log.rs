//! A log with the topics of the flights, and an engine on it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use headwater_broker::{Broker, BrokerConfig, Environment};
use headwater_client::admin::{NewTopic, OffsetSpec};
use headwater_client::{
    Client, ClientConfig, IsolationLevel, ProducerConfig, ProducerRecord, TopicPartition,
};
use headwater_sql::{SqlConfig, SqlEngine};
use tempfile::TempDir;

pub(crate) const FLIGHTS: &str = "CREATE STREAM flights (carrier VARCHAR, origin VARCHAR, \
     dep_time BIGINT, dep_delay BIGINT, time_hour TIMESTAMP, \
     WATERMARK FOR _timestamp AS _timestamp - INTERVAL '400' DAY) \
     WITH (topic = 'flights', format = 'json')";
pub(crate) const AIRLINES: &str = "CREATE TABLE airlines (carrier VARCHAR PRIMARY KEY, name VARCHAR) \
     WITH (topic = 'airlines', format = 'json', key_format = 'string')";
pub(crate) const WEATHER: &str = "CREATE TABLE weather (origin VARCHAR, time_hour TIMESTAMP, \
     visib DOUBLE, PRIMARY KEY (origin, time_hour)) WITH (topic = 'weather', format = 'json')";
pub(crate) const WORST_AIRLINE_HOURS: &str = "CREATE MATERIALIZED VIEW worst_airline_hours AS \
     SELECT a.name AS airline, window_start AS hour, count(*) AS flights, \
     avg(dep_delay) AS mean_dep_delay \
     FROM TUMBLE(flights, _timestamp, INTERVAL '1 hour') f \
     JOIN airlines a ON f.carrier = a.carrier GROUP BY a.name, window_start";
pub(crate) const DELAYS_BY_VISIBILITY: &str = "CREATE MATERIALIZED VIEW delays_by_visibility AS \
     SELECT CAST(floor(w.visib) AS INTEGER) AS miles, count(*) AS flights, \
     count(*) FILTER (WHERE f.dep_time IS NULL) AS cancelled, avg(f.dep_delay) AS mean_dep_delay \
     FROM flights f JOIN weather w ON f.origin = w.origin AND f.time_hour = w.time_hour \
     GROUP BY CAST(floor(w.visib) AS INTEGER)";

/// Longest a test waits for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct Log {
    broker: Broker,
    pub(crate) directory: TempDir,
}

impl Log {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = BrokerConfig::new(directory.path().join("log"), "127.0.0.1:0");
        config.settings.offsets_topic_partitions = 2;
        config.settings.transaction_topic_partitions = 2;
        let broker = Broker::start(config, Environment::default()).await.unwrap();
        let log = Self { broker, directory };
        log.create("flights", 3, &[]).await;
        log.create("airlines", 2, &[("cleanup.policy", "compact")])
            .await;
        log.create("weather", 1, &[("cleanup.policy", "compact")])
            .await;
        log
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(ClientConfig::new(&self.broker.address().to_string())).unwrap()
    }

    pub(crate) async fn engine(&self) -> SqlEngine {
        let config = SqlConfig::new(self.directory.path().join("sql"));
        SqlEngine::start(config, self.client()).await.unwrap()
    }

    pub(crate) async fn create(&self, topic: &str, partitions: i32, configs: &[(&str, &str)]) {
        let mut new = NewTopic::new(topic, partitions).config("retention.ms", "-1");
        for (name, value) in configs {
            new = new.config(*name, *value);
        }
        self.client().admin().create_topic(new).await.unwrap();
    }

    /// Produces records of key, value and timestamp; done once they are in the log.
    pub(crate) async fn produce(&self, topic: &str, records: &[(String, Option<String>, i64)]) {
        let producer = self.client().producer(ProducerConfig::default()).unwrap();
        let mut deliveries = Vec::new();
        for (key, value, timestamp) in records {
            let mut record = ProducerRecord::new(topic, Vec::new())
                .key(key.clone().into_bytes())
                .timestamp(*timestamp);
            record.value = value.clone().map(|v| v.into_bytes().into());
            deliveries.push(producer.send(record).await.unwrap());
        }
        for delivery in deliveries {
            delivery.await.unwrap();
        }
        producer.close().await.unwrap();
    }

    pub(crate) async fn ends(&self, topics: &[(&str, i32)]) -> HashMap<TopicPartition, i64> {
        let wanted = topics
            .iter()
            .flat_map(|(t, n)| (0..*n).map(|p| (TopicPartition::new(*t, p), OffsetSpec::Latest)))
            .collect();
        let ends = self
            .client()
            .admin()
            .list_offsets(&wanted, IsolationLevel::ReadCommitted)
            .await;
        ends.into_iter()
            .map(|(p, end)| (p, end.unwrap().unwrap().offset))
            .collect()
    }

    /// Waits until a view has committed everything that is in its inputs now.
    pub(crate) async fn wait_for(&self, engine: &SqlEngine, view: &str) {
        let ends = self
            .ends(&[("flights", 3), ("airlines", 2), ("weather", 1)])
            .await;
        let deadline = Instant::now() + DEADLINE;
        while !engine.has_committed(view, &ends).await.unwrap() {
            let status = engine.view_status(view).await.unwrap();
            assert!(Instant::now() < deadline, "{view} is behind: {status:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn stop(self) {
        self.broker.shutdown().await;
    }
}

const HOUR: i64 = 3_600_000;
pub(crate) const START: i64 = 1_357_034_400_000;

pub(crate) fn hour(n: i64) -> String {
    let at = chrono::DateTime::from_timestamp_millis(START + n * HOUR).unwrap();
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Two airlines, and the weather at EWR for ten hours.
pub(crate) async fn produce_tables(log: &Log) {
    let airlines = [("UA", "United Air Lines Inc."), ("B6", "JetBlue Airways")].map(|(c, n)| {
        let value = format!(r#"{{"carrier":"{c}","name":"{n}"}}"#);
        (c.to_owned(), Some(value), 0)
    });
    log.produce("airlines", &airlines).await;
    let weather: Vec<_> = (0..10)
        .map(|n| {
            let key = format!(r#"{{"origin":"EWR","time_hour":"{}"}}"#, hour(n));
            let value = format!(
                r#"{{"origin":"EWR","time_hour":"{}","visib":{}}}"#,
                hour(n),
                10.0 - n as f64 / 4.0
            );
            (key, Some(value), 0)
        })
        .collect();
    log.produce("weather", &weather).await;
}

/// Flights `range`: carriers, origins and delays in turns, one a minute.
pub(crate) async fn produce_flights(log: &Log, range: std::ops::Range<i64>) {
    let flights: Vec<_> = range
        .map(|n| {
            let carrier = ["UA", "B6", "XX"][(n % 3) as usize];
            let origin = ["EWR", "JFK"][(n % 2) as usize];
            let timestamp = START + n * 60_000;
            let delay = if n % 7 == 0 { "null".to_owned() } else { (n % 50 - 10).to_string() };
            let value = format!(
                r#"{{"carrier":"{carrier}","origin":"{origin}","dep_time":{delay},"dep_delay":{delay},"time_hour":"{}"}}"#,
                hour(n / 60)
            );
            (carrier.to_owned(), Some(value), timestamp)
        })
        .collect();
    log.produce("flights", &flights).await;
}

/// The rows of a query as text, one string a row.
pub(crate) async fn rows(engine: &SqlEngine, sql: &str) -> Vec<String> {
    let batches = engine.execute(sql).await.unwrap().collect().await.unwrap();
    lines(&batches)
}

pub(crate) fn lines(batches: &[arrow::array::RecordBatch]) -> Vec<String> {
    let options = arrow::util::display::FormatOptions::new().with_null("null");
    let mut lines = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = batch
                .columns()
                .iter()
                .map(|c| {
                    let f = arrow::util::display::ArrayFormatter::try_new(c, &options).unwrap();
                    f.value(row).to_string()
                })
                .collect();
            lines.push(cells.join(" | "));
        }
    }
    lines
}
