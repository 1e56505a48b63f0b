//! The programs in `examples/` run and print what their data says: on a log of their own, and on a
//! node over TCP.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A node as a process, which ends with this.
struct Served {
    process: Child,
    kafka: String,
}

impl Served {
    fn on(data_dir: &Path) -> Self {
        let mut process = headwater("serve", data_dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let told = lines.next().unwrap().unwrap();
        Self {
            process,
            kafka: told.split_whitespace().last().unwrap().to_owned(),
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn headwater(noun: &str, data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
    command.arg(noun).arg("--data-dir").arg(data_dir);
    for listener in ["--listen", "--sql-listen", "--connect-listen"] {
        command.args([listener, "127.0.0.1:0"]);
    }
    command
}

/// What an example prints, in the folder of the project.
fn output(name: &str, arguments: &[&str]) -> String {
    // Cargo builds the examples before it runs tests, beside the binary.
    let program = Path::new(env!("CARGO_BIN_EXE_headwater"))
        .with_file_name("examples")
        .join(name);
    let output = Command::new(&program).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{} ended with {}: {errors}",
        program.display(),
        output.status
    );
    String::from_utf8(output.stdout).unwrap()
}

/// What it prints on a log of its own, and on a node over TCP.
fn outputs(name: &str) -> [String; 2] {
    let dir = tempfile::tempdir().unwrap();
    let node = Served::on(dir.path());
    [output(name, &[]), output(name, &[&node.kafka])]
}

#[test]
fn word_count_counts_the_words_of_airport_names() {
    let mut counts = HashMap::new();
    let airports = csv::Reader::from_path("examples/data/airports.csv");
    for row in airports.unwrap().records() {
        for word in row.unwrap()[1].split_whitespace() {
            *counts.entry(word.to_lowercase()).or_insert(0) += 1;
        }
    }
    for printed in outputs("word_count") {
        let lines: Vec<_> = printed
            .lines()
            .map(|line| line.trim().split_once(' ').unwrap())
            .collect();
        assert_eq!(lines.len(), 10);
        for (count, word) in lines {
            assert_eq!(count.parse::<i32>().unwrap(), counts[word], "{word}");
        }
    }
}

#[test]
fn continuous_sql_counts_every_flight() {
    for printed in outputs("continuous_sql") {
        let flights: i64 = printed
            .lines()
            .filter_map(|line| line.split('|').nth(2)?.trim().parse::<i64>().ok())
            .sum();
        assert_eq!(flights, 5000, "{printed}");
    }
}

#[test]
fn custom_connector_counts_planes() {
    for printed in outputs("custom_connector") {
        let first = printed.lines().next().unwrap();
        assert_eq!(first.trim(), "1630 BOEING");
    }
}

#[test]
fn flight_delays_takes_every_flight_of_the_demo() {
    const FLIGHTS: usize = 500;
    let (input, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for table in [
        "airlines.csv",
        "airports.csv",
        "planes.csv",
        "weather.csv.gz",
    ] {
        std::fs::copy(
            Path::new("examples/data").join(table),
            input.path().join(table),
        )
        .unwrap();
    }
    let january = std::fs::read_to_string("examples/data/flights-2013-01.csv").unwrap();
    let first: Vec<_> = january.lines().take(FLIGHTS + 1).collect();
    std::fs::write(input.path().join("flights.csv"), first.join("\n")).unwrap();
    let data_dir = work.path().join("data");
    let demo = headwater("demo", &data_dir)
        .arg("--exit")
        .arg("--input")
        .arg(input.path())
        .arg("--out")
        .arg(work.path().join("out"))
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(demo.success());

    let node = Served::on(&data_dir);
    let printed = output("flight_delays", &[&node.kafka]);
    assert!(printed.starts_with("Topologies:"), "{printed}");
    let aggregated = printed
        .lines()
        .find(|line| line.starts_with("KSTREAM-AGGREGATE"))
        .unwrap();
    let expected = format!("{FLIGHTS} records, 0 dropped, 0 late");
    assert!(aggregated.ends_with(&expected), "{printed}");
}
