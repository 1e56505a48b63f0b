//! Applications on a log: results, restarts, take-overs.

#![allow(clippy::unwrap_used)] // Helpers of tests may fail by panicking, as tests do.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use headwater_client::{Client, IsolationLevel};
use headwater_streams::codec::{I64, Utf8};
use headwater_streams::dsl::StreamsBuilder;
use headwater_streams::engine::Topology;
use headwater_streams::runtime::{ProcessingGuarantee, StateBackendKind};
use headwater_streams::{RunningStreams, StreamsConfig, StreamsState};
use support::{Reach, await_counts, create, write};

/// Words of lines, counted, through a repartition topic.
fn word_count(prefix: &str) -> Topology {
    let b = StreamsBuilder::new();
    b.stream::<(), String>(format!("{prefix}-lines"))
        .flat_map_values(|line, out| out.extend(line.split(' ').map(str::to_owned)))
        .group_by(|_, word: &String| word.clone())
        .count("counts")
        .to_stream()
        .to(format!("{prefix}-counts"));
    b.build().unwrap()
}

fn config(prefix: &str, dir: &Path) -> StreamsConfig {
    let config = StreamsConfig::new(format!("{prefix}-app"), dir).exactly_once();
    StreamsConfig {
        session_timeout: Duration::from_secs(6),
        ..config
    }
}

async fn topics(client: &Client, prefix: &str) {
    create(client, &format!("{prefix}-lines"), 3).await;
    create(client, &format!("{prefix}-counts"), 2).await;
}

/// Writes lines of the numbers `from..to` and adds their words to `expected`.
async fn write_lines(
    client: &Client,
    prefix: &str,
    range: std::ops::Range<i64>,
    expected: &mut BTreeMap<String, i64>,
) {
    let lines: Vec<(String, String, i64)> = range
        .map(|n| {
            (
                format!("k{n}"),
                format!("w{} w{} all", n % 7, n % 5),
                1_000 + n,
            )
        })
        .collect();
    for (_, line, _) in &lines {
        for word in line.split(' ') {
            *expected.entry(word.to_owned()).or_default() += 1;
        }
    }
    let lines: Vec<(Option<&str>, &str, i64)> = lines
        .iter()
        .map(|(key, line, at)| (Some(key.as_str()), line.as_str(), *at))
        .collect();
    write(client, &format!("{prefix}-lines"), &lines).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_are_counted_over_restarts() {
    count_over_restarts(Reach::Tcp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_are_counted_over_restarts_in_process() {
    count_over_restarts(Reach::InProcess).await;
}

async fn count_over_restarts(reach: Reach) {
    let log = support::log(reach).await;
    let client = log.client();
    let prefix = log.prefix("restart");
    topics(&client, &prefix).await;
    let dir = tempfile::tempdir().unwrap();
    let out = format!("{prefix}-counts");
    let mut expected = BTreeMap::new();
    for round in 0..3 {
        write_lines(
            &client,
            &prefix,
            round * 100..(round + 1) * 100,
            &mut expected,
        )
        .await;
        let config = config(&prefix, dir.path()).threads(2);
        let streams = RunningStreams::start(&word_count(&prefix), config, client.clone())
            .await
            .unwrap();
        streams.wait_running().await.unwrap();
        await_counts(&client, &out, &expected).await;
        let store = streams
            .key_value_store::<String, i64>("counts", Utf8, I64)
            .unwrap();
        // A commit shows in the log first and then in the store.
        let until = Instant::now() + support::PATIENCE;
        while store.get(&"all".to_owned()).unwrap() != expected.get("all").copied() {
            assert!(Instant::now() < until, "the store stays behind");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        streams.close().await.unwrap();
        assert_eq!(streams.state(), StreamsState::Stopped);
        let counters = streams.counters();
        assert_eq!(
            counters
                .get("KSTREAM-FLATMAPVALUES-0000000001")
                .unwrap()
                .processed,
            100
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_in_memory_comes_back_from_the_changelog() {
    let log = support::log(Reach::Tcp).await;
    let client = log.client();
    let prefix = log.prefix("memory");
    topics(&client, &prefix).await;
    let mut expected = BTreeMap::new();
    let dir = tempfile::tempdir().unwrap();
    for round in 0..2 {
        write_lines(
            &client,
            &prefix,
            round * 50..(round + 1) * 50,
            &mut expected,
        )
        .await;
        let config = StreamsConfig {
            state_backend: StateBackendKind::Memory,
            processing_guarantee: ProcessingGuarantee::AtLeastOnce,
            ..config(&prefix, dir.path()).commit_every(Duration::from_millis(50))
        };
        let streams = RunningStreams::start(&word_count(&prefix), config, client.clone())
            .await
            .unwrap();
        await_counts(&client, &format!("{prefix}-counts"), &expected).await;
        streams.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_instance_shares_and_takes_over() {
    let log = support::log(Reach::Tcp).await;
    let client = log.client();
    let prefix = log.prefix("takeover");
    topics(&client, &prefix).await;
    let mut expected = BTreeMap::new();
    write_lines(&client, &prefix, 0..200, &mut expected).await;
    let (one_dir, two_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let topology = word_count(&prefix);
    let one = RunningStreams::start(&topology, config(&prefix, one_dir.path()), client.clone());
    let one = one.await.unwrap();
    let out = format!("{prefix}-counts");
    await_counts(&client, &out, &expected).await;
    assert_eq!(one.store("counts").unwrap().len(), 3);

    let two = RunningStreams::start(&topology, config(&prefix, two_dir.path()), client.clone());
    let two = two.await.unwrap();
    two.wait_running().await.unwrap();
    write_lines(&client, &prefix, 200..400, &mut expected).await;
    await_counts(&client, &out, &expected).await;
    let shared = one.store("counts").unwrap().len() + two.store("counts").unwrap().len();
    assert_eq!(
        shared, 3,
        "every partition of the store is on one of the two"
    );

    // The first goes away: once its session is over, the second has everything.
    one.close().await.unwrap();
    write_lines(&client, &prefix, 400..500, &mut expected).await;
    await_counts(&client, &out, &expected).await;
    assert_eq!(two.store("counts").unwrap().len(), 3);
    two.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_cannot_be_read_stops_the_application_with_its_reason() {
    let log = support::log(Reach::Tcp).await;
    let client = log.client();
    let prefix = log.prefix("poison");
    let (input, out) = (format!("{prefix}-in"), format!("{prefix}-out"));
    create(&client, &input, 1).await;
    create(&client, &out, 1).await;
    write(&client, &input, &[(Some("k"), "not eight bytes", 1)]).await;
    let b = StreamsBuilder::new();
    b.stream::<String, i64>(input).map_values(|v| v + 1).to(out);
    let dir = tempfile::tempdir().unwrap();
    let topology = b.build().unwrap();
    let config = config(&prefix, dir.path());
    let streams = RunningStreams::start(&topology, config, client.clone())
        .await
        .unwrap();
    let error = streams.join().await.unwrap_err().to_string();
    assert!(
        error.contains("cannot decode the value of a record at offset 0"),
        "{error}"
    );
    assert_eq!(streams.state(), StreamsState::Failed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_run_is_refused_at_the_start() {
    let log = support::log(Reach::Tcp).await;
    let client = log.client();
    let prefix = log.prefix("refused");
    let dir = tempfile::tempdir().unwrap();
    let topology = word_count(&prefix);
    let start = |name: &str| {
        let config = StreamsConfig::new(name, dir.path());
        RunningStreams::start(&topology, config, client.clone())
    };
    let error = start("a b").await.err().unwrap().to_string();
    assert!(error.contains("application.id"), "{error}");
    let name = format!("{prefix}-app");
    let error = start(&name).await.err().unwrap().to_string();
    assert!(error.contains("does not exist"), "{error}");

    topics(&client, &prefix).await;
    let running = start(&name).await.unwrap();
    let error = start(&name).await.err().unwrap().to_string();
    assert!(error.contains("locking failed"), "{error}");
    running.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_held_back_are_committed_when_the_cache_is_full() {
    let log = support::log(Reach::InProcess).await;
    let client = log.client();
    let prefix = log.prefix("full");
    let (input, out) = (format!("{prefix}-in"), format!("{prefix}-out"));
    create(&client, &input, 1).await;
    create(&client, &out, 1).await;
    // Each takes more than a hundred bytes of the cache, its key and its slot.
    let keys: Vec<String> = (0..60_000).map(|n| format!("{n:064}")).collect();
    let records: Vec<_> = keys.iter().map(|key| (Some(&**key), "v", 0)).collect();
    write(&client, &input, &records).await;
    let b = StreamsBuilder::new();
    b.stream::<String, String>(input)
        .group_by_key()
        .count("counts")
        .to_stream()
        .to(&*out);
    let dir = tempfile::tempdir().unwrap();
    let config = StreamsConfig {
        processing_guarantee: ProcessingGuarantee::AtLeastOnce,
        cache_max_bytes: 4 << 20,
        ..config(&prefix, dir.path()).commit_every(Duration::from_secs(3_600))
    };
    let topology = b.build().unwrap();
    let streams = RunningStreams::start(&topology, config, client.clone())
        .await
        .unwrap();
    let until = Instant::now() + support::PATIENCE;
    let isolation = IsolationLevel::ReadUncommitted;
    while support::ends(&client, &out, isolation)
        .await
        .values()
        .sum::<i64>()
        == 0
    {
        assert!(Instant::now() < until, "nothing was committed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    streams.close().await.unwrap();
}
