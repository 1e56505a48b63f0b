//! Exactly-once over kill -9: an application in a process of its own, killed again and again.

#![allow(clippy::unwrap_used)] // Helpers of tests may fail by panicking, as tests do.

mod support;

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use headwater_streams::dsl::{KTable, StreamsBuilder, TimeWindows};
use headwater_streams::engine::Topology;
use headwater_streams::{RunningStreams, StreamsConfig};
use support::{await_counts, create, write};

/// Two joins' worth of work: a table, a repartition, a count and a windowed count.
fn topology(prefix: &str) -> Topology {
    let b = StreamsBuilder::new();
    let rows: KTable<String, String> = b.table(format!("{prefix}-rows"), "rows");
    let named = b
        .stream::<String, String>(format!("{prefix}-in"))
        .join(&rows, |value, row| format!("{row}.{value}"));
    named
        .group_by(|_, value: &String| value.clone())
        .count("counts")
        .to(format!("{prefix}-counts"));
    named
        .group_by_key()
        .windowed_by(TimeWindows::of(Duration::from_secs(1)).grace(Duration::from_secs(3600)))
        .count("windows")
        .to_stream()
        .select_key(|key, _| format!("{}@{}", key.key, key.window.start))
        .to(format!("{prefix}-windows"));
    b.build().unwrap()
}

/// What the child process runs, if this is one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(prefix) = std::env::var("KILL_PREFIX") else {
        return;
    };
    let bootstrap = std::env::var("KILL_BOOTSTRAP").unwrap();
    let dir = std::env::var("KILL_DIR").unwrap();
    let config = StreamsConfig::new(format!("{prefix}-app"), dir)
        .exactly_once()
        .threads(2);
    let client = support::tcp(&bootstrap);
    let streams = RunningStreams::start(&topology(&prefix), config, client)
        .await
        .unwrap();
    streams.join().await.unwrap();
}

fn spawn(prefix: &str, bootstrap: &str, dir: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env("KILL_PREFIX", prefix)
        .env("KILL_BOOTSTRAP", bootstrap)
        .env("KILL_DIR", dir)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

const KILLS: u64 = 8;
const ROUND: i64 = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_survive_kills_at_any_moment() {
    let log = support::log(support::Reach::Tcp).await;
    let client = log.client();
    let prefix = log.prefix("kill");
    let (input, rows) = (format!("{prefix}-in"), format!("{prefix}-rows"));
    let (counts, windows) = (format!("{prefix}-counts"), format!("{prefix}-windows"));
    for topic in [&input, &rows, &counts, &windows] {
        create(&client, topic, 2).await;
    }
    let keys: Vec<String> = (0..10).map(|n| format!("k{n}")).collect();
    let table: Vec<_> = keys
        .iter()
        .map(|key| (Some(key.as_str()), "row", 0))
        .collect();
    write(&client, &rows, &table).await;
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().to_str().unwrap();
    let mut expected: BTreeMap<String, i64> = BTreeMap::new();
    let mut expected_windows: BTreeMap<String, i64> = BTreeMap::new();
    for round in 0..KILLS {
        let from = i64::try_from(round).unwrap() * ROUND;
        let records: Vec<(String, String, i64)> = (from..from + ROUND)
            .map(|n| {
                (
                    format!("k{}", n % 12),
                    format!("v{}", n % 17),
                    (n * 37) % 5_000,
                )
            })
            .collect();
        for (key, value, at) in records.iter().filter(|(key, _, _)| keys.contains(key)) {
            *expected.entry(format!("row.{value}")).or_default() += 1;
            *expected_windows
                .entry(format!("{key}@{}", at / 1000 * 1000))
                .or_default() += 1;
        }
        let records: Vec<_> = records
            .iter()
            .map(|(k, v, at)| (Some(k.as_str()), v.as_str(), *at))
            .collect();
        let mut child = spawn(&prefix, log.bootstrap(), dir);
        write(&client, &input, &records).await;
        // A different moment each time: joining, restoring, processing, committing.
        tokio::time::sleep(Duration::from_millis(60 + round * 97 % 700)).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let mut child = spawn(&prefix, log.bootstrap(), dir);
    await_counts(&client, &counts, &expected).await;
    await_counts(&client, &windows, &expected_windows).await;
    child.kill().unwrap();
    child.wait().unwrap();
    log.shutdown().await;
}
