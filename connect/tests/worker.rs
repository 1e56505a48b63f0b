//! Connectors run by a worker on a real broker: both ways, over restarts and over crashes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's helpers fail as its asserts do"
)]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use headwater_connect::worker::{State, WorkerConfig, WorkerError};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use support::{Log, Process, lines, path_in, properties, worker_config};

/// Rows of `key,n`, in files of CSV, and the JSON they must become.
fn write_rows(dir: &Path, files: usize, rows: usize) -> Vec<String> {
    let mut expected = Vec::new();
    for file in 0..files {
        let mut csv = String::from("key,n\n");
        for row in 0..rows {
            let n = file * rows + row;
            let key = format!("k{}", n % 7);
            writeln!(csv, "{key},{n}").unwrap();
            expected.push(format!("{{\"key\":\"{key}\",\"n\":{n}}}"));
        }
        std::fs::write(dir.join(format!("rows-{file}.csv")), csv).unwrap();
    }
    expected
}

fn source(dir: &Path, extra: &[(&str, &str)]) -> headwater_connect::config::Properties {
    let files = path_in(dir, "rows-*.csv");
    let mut all = properties(&[
        ("connector.class", "FileStreamSource"),
        ("files", &files),
        ("format", "csv"),
        ("topic", "rows"),
        ("key.fields", "key"),
        ("batch.size", "37"),
        ("topic.creation.default.partitions", "3"),
        ("topic.creation.default.replication.factor", "1"),
    ]);
    all.extend(properties(extra));
    all
}

fn sink(dir: &Path, extra: &[(&str, &str)]) -> headwater_connect::config::Properties {
    let file = path_in(dir, "out.jsonl");
    let mut all = properties(&[
        (
            "connector.class",
            "org.apache.kafka.connect.file.FileStreamSinkConnector",
        ),
        ("topics", "rows"),
        ("file", &file),
        (
            "value.converter",
            "org.apache.kafka.connect.storage.StringConverter",
        ),
    ]);
    all.extend(properties(extra));
    all
}

/// Every expected line once, and those of a key in the order of the input.
fn check_lines(found: &[String], expected: &[String]) {
    let by_key = |lines: &[String]| -> BTreeMap<String, Vec<String>> {
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in lines {
            let key = line.split(',').next().unwrap_or_default();
            all.entry(key.to_owned()).or_default().push(line.clone());
        }
        all
    };
    assert_eq!(by_key(found), by_key(expected));
}

fn put(process: &Process, name: &str, properties: headwater_connect::config::Properties) {
    process
        .run(process.worker.put_connector(name, properties))
        .unwrap();
}

fn source_is_done(process: &Process) {
    process.until("the end of the source", |worker| {
        worker
            .progress("source")
            .first()
            .is_some_and(|task| task.source.at_end)
    });
}

#[test]
fn rows_go_from_files_through_the_log_to_a_file() {
    let (log, dir) = (Log::start(), tempfile::tempdir().unwrap());
    let expected = write_rows(dir.path(), 2, 300);
    let out = path_in(dir.path(), "out.jsonl");
    let process = Process::start(&log, worker_config());
    put(&process, "source", source(dir.path(), &[]));
    source_is_done(&process);
    let progress = process.worker.progress("source")[0];
    assert_eq!((progress.records, progress.source.rows), (600, 600));
    assert_eq!(progress.source.bytes, progress.source.bytes_total);
    put(&process, "sink", sink(dir.path(), &[]));
    process.until("all lines", |_| lines(&out).len() >= expected.len());
    check_lines(&lines(&out), &expected);
    assert_eq!(process.worker.topics("sink"), ["rows"]);

    let offsets = process
        .run(process.worker.offsets("source"))
        .unwrap()
        .offsets;
    assert_eq!(offsets.len(), 2);
    assert!(
        offsets
            .iter()
            .all(|at| at.offset.as_ref().unwrap()["rows"] == 300),
        "{offsets:?}"
    );
    process.until("the sink's commit", |worker| {
        let offsets = process.run(worker.offsets("sink")).unwrap().offsets;
        offsets.len() == 3 && worker.progress("sink")[0].records == 600
    });
    process.run(process.worker.shutdown());
    let late = process.run(process.worker.offsets("source"));
    assert!(matches!(late, Err(WorkerError::ShuttingDown)), "{late:?}");
    drop(process);

    // Nothing is read or written again after a restart.
    let process = Process::start(&log, worker_config());
    assert_eq!(process.worker.connectors(), ["sink", "source"]);
    source_is_done(&process);
    process.until("the sink to run", |worker| {
        worker.status("sink").unwrap().tasks[0].state == State::Running.name()
    });
    assert_eq!(process.worker.progress("source")[0].records, 0);
    check_lines(&lines(&out), &expected);
}

/// One run with a kill after each of these delays, in milliseconds.
fn run_with_kills(config: &WorkerConfig, boundary: &str, delays: &[u64]) {
    let (log, dir) = (Log::start(), tempfile::tempdir().unwrap());
    let expected = write_rows(dir.path(), 3, 500);
    let out = path_in(dir.path(), "out.jsonl");
    let boundary = [("transaction.boundary", boundary)];
    for delay in delays {
        let process = Process::start(&log, config.clone());
        put(&process, "source", source(dir.path(), &boundary));
        put(&process, "sink", sink(dir.path(), &[]));
        // Not a wait for anything: the moment of the crash.
        std::thread::sleep(std::time::Duration::from_millis(*delay));
        process.kill();
    }
    let process = Process::start(&log, config.clone());
    put(&process, "source", source(dir.path(), &boundary));
    put(&process, "sink", sink(dir.path(), &[]));
    source_is_done(&process);
    process.until("all lines", |_| lines(&out).len() >= expected.len());
    drop(process);
    check_lines(&lines(&out), &expected);
}

/// The runner's cases are the crashes' moments; they are few because each costs some seconds.
fn with_random_kills(cases: u32, test: impl Fn(&[u64])) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let delays = prop::collection::vec(0u64..400, 4);
    runner
        .run(&delays, |delays| {
            test(&delays);
            Ok(())
        })
        .unwrap();
}

#[test]
fn exactly_once_over_crashes_with_a_transaction_for_each_poll() {
    with_random_kills(2, |delays| run_with_kills(&worker_config(), "poll", delays));
}

#[test]
fn exactly_once_over_crashes_with_transactions_by_interval() {
    with_random_kills(1, |delays| {
        run_with_kills(&worker_config(), "interval", delays)
    });
}

#[test]
fn at_least_once_loses_nothing() {
    let (log, dir) = (Log::start(), tempfile::tempdir().unwrap());
    let expected = write_rows(dir.path(), 2, 400);
    let out = path_in(dir.path(), "out.jsonl");
    let config = WorkerConfig {
        exactly_once_source: false,
        ..worker_config()
    };
    for delay in [30, 120] {
        let process = Process::start(&log, config.clone());
        put(&process, "source", source(dir.path(), &[]));
        std::thread::sleep(std::time::Duration::from_millis(delay));
        process.kill();
    }
    let process = Process::start(&log, config);
    let error = process.run(process.worker.put_connector(
        "strict",
        source(dir.path(), &[("exactly.once.support", "required")]),
    ));
    assert!(
        matches!(error, Err(WorkerError::InvalidConfig(_))),
        "{error:?}"
    );
    source_is_done(&process);
    put(&process, "sink", sink(dir.path(), &[]));
    process.until("all rows", |_| {
        let mut found = lines(&out);
        found.sort();
        found.dedup();
        found.len() == expected.len()
    });
}

#[test]
fn pausing_stopping_and_resuming_keep_the_place() {
    let (log, dir) = (Log::start(), tempfile::tempdir().unwrap());
    let expected = write_rows(dir.path(), 1, 100);
    let out = path_in(dir.path(), "out.jsonl");
    let process = Process::start(&log, worker_config());
    put(&process, "source", source(dir.path(), &[]));
    put(&process, "sink", sink(dir.path(), &[]));
    process.until("the first lines", |_| lines(&out).len() == 100);
    let worker = &process.worker;
    process.run(worker.pause("sink")).unwrap();
    process.run(worker.stop("source")).unwrap();
    process.until("the sink to pause", |worker| {
        worker.status("sink").unwrap().tasks[0].state == State::Paused.name()
    });
    let status = worker.status("source").unwrap();
    assert_eq!(
        (status.connector.state.as_str(), status.tasks.len()),
        ("STOPPED", 0)
    );
    std::fs::write(dir.path().join("rows-1.csv"), "key,n\nk0,100\nk1,101\n").unwrap();
    drop(process);

    // Target states outlive the process.
    let process = Process::start(&log, worker_config());
    let worker = &process.worker;
    assert_eq!(worker.status("source").unwrap().connector.state, "STOPPED");
    process.until("the sink to pause again", |worker| {
        worker.status("sink").unwrap().tasks[0].state == State::Paused.name()
    });
    process.run(worker.resume("source")).unwrap();
    source_is_done(&process);
    assert_eq!(lines(&out).len(), 100);
    process.run(worker.resume("sink")).unwrap();
    process.until("the last lines", |_| lines(&out).len() == 102);
    check_lines(&lines(&out)[..100], &expected);

    process.run(worker.delete_connector("source")).unwrap();
    assert_eq!(worker.connectors(), ["sink"]);
    let error = process.run(worker.pause("source"));
    assert!(
        matches!(error, Err(WorkerError::UnknownConnector(_))),
        "{error:?}"
    );
}

#[test]
fn a_failed_task_tells_why_and_a_restart_mends_it() {
    let (log, dir) = (Log::start(), tempfile::tempdir().unwrap());
    write_rows(dir.path(), 1, 10);
    std::fs::write(dir.path().join("rows-1.csv"), "key,n\nk0\n").unwrap();
    let process = Process::start(&log, worker_config());
    put(
        &process,
        "source",
        source(dir.path(), &[("types", "n:long,key:string")]),
    );
    process.until("the failure", |worker| {
        worker.status("source").unwrap().tasks[0].state == State::Failed.name()
    });
    let status = process.worker.status("source").unwrap();
    let trace = status.tasks[0].trace.clone().unwrap();
    assert!(
        trace.contains("rows-1.csv, row 1 (at byte 6): it has 1 fields"),
        "{trace}"
    );
    assert_eq!(status.connector.state, State::Running.name());
    std::fs::write(dir.path().join("rows-1.csv"), "key,n\nk0,10\n").unwrap();
    process
        .run(process.worker.restart("source", true, true))
        .unwrap();
    source_is_done(&process);
    assert_eq!(process.worker.progress("source")[0].source.rows, 11);

    put(
        &process,
        "foreign",
        sink(dir.path(), &[("file", &path_in(dir.path(), "rows-0.csv"))]),
    );
    process.until("the refusal", |worker| {
        worker.status("foreign").unwrap().tasks[0].state == State::Failed.name()
    });
    let trace = process.worker.status("foreign").unwrap().tasks[0]
        .trace
        .clone()
        .unwrap();
    assert!(trace.contains("have never been committed"), "{trace}");
}

#[test]
fn a_sink_waits_for_the_file_of_a_task_that_is_slow_to_end() {
    let (log, dir) = (Log::start(), tempfile::tempdir().unwrap());
    let expected = write_rows(dir.path(), 1, 10);
    let out = path_in(dir.path(), "out.jsonl");
    let process = Process::start(&log, worker_config());
    put(&process, "source", source(dir.path(), &[]));
    source_is_done(&process);
    // As a write that has not ended does.
    let writing = std::fs::File::create(&out).unwrap();
    writing.lock().unwrap();
    let delay = [("errors.retry.delay.max.ms", "20")];
    put(&process, "sink", sink(dir.path(), &delay));
    process.until("the failure", |worker| {
        let tasks = worker.status("sink").unwrap().tasks;
        let trace = tasks.first().and_then(|task| task.trace.as_deref());
        trace.is_some_and(|trace| trace.contains("being written by another"))
    });
    drop(writing);
    process.until("all lines", |_| lines(&out).len() >= expected.len());
    check_lines(&lines(&out), &expected);
}

#[test]
fn records_that_cannot_be_converted_become_dead_letters() {
    let (log, dir) = (Log::start(), tempfile::tempdir().unwrap());
    let (input, out, dead) = (
        path_in(dir.path(), "in"),
        path_in(dir.path(), "out"),
        path_in(dir.path(), "dead"),
    );
    std::fs::write(&input, "{\"a\":1}\nnot json\n{\"a\":2}\n").unwrap();
    let process = Process::start(&log, worker_config());
    put(
        &process,
        "source",
        properties(&[
            ("connector.class", "FileStreamSource"),
            ("file", &input),
            ("topic", "rows"),
            ("tail", "false"),
            ("value.converter", "StringConverter"),
        ]),
    );
    put(
        &process,
        "sink",
        properties(&[
            ("connector.class", "FileStreamSink"),
            ("topics.regex", "ro.s"),
            ("file", &out),
            ("errors.tolerance", "all"),
            ("errors.deadletterqueue.topic.name", "dead"),
            ("errors.deadletterqueue.topic.replication.factor", "1"),
            ("errors.deadletterqueue.context.headers.enable", "true"),
        ]),
    );
    process.until("the good lines", |_| lines(&out).len() == 2);
    assert_eq!(lines(&out), ["{\"a\":1}", "{\"a\":2}"]);
    process.until("the account", |worker| {
        worker.progress("sink")[0].skipped == 1
    });
    assert_eq!(process.worker.progress("sink")[0].records, 2);
    put(
        &process,
        "undertaker",
        properties(&[
            ("connector.class", "FileStreamSink"),
            ("topics", "dead"),
            ("file", &dead),
            ("value.converter", "StringConverter"),
        ]),
    );
    process.until("the dead letter", |_| !lines(&dead).is_empty());
    assert_eq!(lines(&dead), ["not json"]);
}
