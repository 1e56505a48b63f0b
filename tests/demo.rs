//! The demo as a process: killed at random moments it ends as an undisturbed run does, and both as
//! a plain fold over its input says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Flights of the test's input: enough for many commits, few enough for a debug build.
const FLIGHTS: usize = 3000;

/// Longest an undisturbed run may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(180);

#[derive(Debug, Clone, PartialEq, Default)]
struct Sums {
    flights: i64,
    cancelled: i64,
    mean: Option<f64>,
    max: Option<i64>,
    seats: i64,
}

/// The first flights of January in two files, one with CRLF, with the tables they need.
fn input(folder: &Path) {
    for table in [
        "airlines.csv",
        "airports.csv",
        "planes.csv",
        "weather.csv.gz",
    ] {
        std::fs::copy(Path::new("examples/data").join(table), folder.join(table)).unwrap();
    }
    let january = std::fs::read_to_string("examples/data/flights-2013-01.csv").unwrap();
    let lines: Vec<_> = january.lines().take(FLIGHTS + 1).collect();
    let (first, second) = lines[1..].split_at(FLIGHTS / 2);
    let file = |rows: &[&str], end: &str| {
        let rows = [&lines[..1], rows].concat();
        rows.iter()
            .map(|row| format!("{row}{end}"))
            .collect::<String>()
    };
    std::fs::write(folder.join("flights-1.csv"), file(first, "\n")).unwrap();
    std::fs::write(folder.join("flights-2.csv"), file(second, "\r\n")).unwrap();
}

/// The expected result, by plain maps over the files.
fn fold(folder: &Path) -> BTreeMap<(String, String), Sums> {
    let seats: BTreeMap<String, i64> = csv::Reader::from_path(folder.join("planes.csv"))
        .unwrap()
        .records()
        .map(Result::unwrap)
        .filter_map(|row| Some((row[0].to_owned(), row[6].parse().ok()?)))
        .collect();
    let mut sums: BTreeMap<(String, String), (Sums, i64, i64)> = BTreeMap::new();
    for name in ["flights-1.csv", "flights-2.csv"] {
        for row in csv::Reader::from_path(folder.join(name)).unwrap().records() {
            let row = row.unwrap();
            let hour = format!("{}:00:00Z", &row[18][..13]);
            let (sum, delayed, delay) = sums.entry((row[12].to_owned(), hour)).or_default();
            sum.flights += 1;
            sum.cancelled += i64::from(&row[3] == "NA");
            sum.seats += seats.get(&row[11]).copied().unwrap_or(0);
            if let Ok(minutes) = row[5].parse::<i64>() {
                *delayed += 1;
                *delay += minutes;
                sum.max = sum.max.max(Some(minutes));
            }
        }
    }
    let finish = |(key, (mut sum, delayed, delay)): (_, (Sums, i64, i64))| {
        sum.mean = (delayed > 0).then(|| delay as f64 / delayed as f64);
        (key, sum)
    };
    sums.into_iter().map(finish).collect()
}

/// The last line of each key; each has more flights than the one before.
fn results(out: &Path) -> BTreeMap<(String, String), Sums> {
    let mut last: BTreeMap<_, Sums> = BTreeMap::new();
    let text = std::fs::read_to_string(out.join("delays_by_origin_hour.jsonl")).unwrap();
    for line in text.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        let sums = Sums {
            flights: row["flights"].as_i64().unwrap(),
            cancelled: row["cancelled"].as_i64().unwrap(),
            mean: row["mean_dep_delay"].as_f64(),
            max: row["max_dep_delay"].as_i64(),
            seats: row["seats"].as_i64().unwrap(),
        };
        let key = (text("origin"), text("hour"));
        let before = last.get(&key).map_or(0, |sums| sums.flights);
        assert!(
            sums.flights > before,
            "{key:?} went from {before} to {} flights",
            sums.flights
        );
        last.insert(key, sums);
    }
    last
}

fn demo(input: &Path, work: &Path) -> Child {
    let address = "127.0.0.1:0";
    Command::new(env!("CARGO_BIN_EXE_headwater"))
        .args([
            "demo",
            "--exit",
            "--listen",
            address,
            "--sql-listen",
            address,
        ])
        .args(["--connect-listen", address])
        .arg("--input")
        .arg(input)
        .arg("--data-dir")
        .arg(work.join("data"))
        .arg("--out")
        .arg(work.join("out"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// Waits until the process ends by itself; false if it had to be killed after `patience`.
fn ends_within(child: &mut Child, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "the demo ended with {status}");
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    false
}

#[test]
fn killed_at_any_moment_it_ends_with_the_results_of_an_undisturbed_run() {
    let folder = tempfile::tempdir().unwrap();
    input(folder.path());
    let expected = fold(folder.path());

    let undisturbed = tempfile::tempdir().unwrap();
    let started = Instant::now();
    assert!(ends_within(
        &mut demo(folder.path(), undisturbed.path()),
        PATIENCE
    ));
    let took = started.elapsed();
    assert_eq!(results(&undisturbed.path().join("out")), expected);

    let work = tempfile::tempdir().unwrap();
    let mut chance = StdRng::seed_from_u64(7);
    for _ in 0..4 {
        let moment = took.mul_f64(chance.random_range(0.1..0.9));
        ends_within(&mut demo(folder.path(), work.path()), moment);
    }
    assert!(ends_within(&mut demo(folder.path(), work.path()), PATIENCE));
    assert_eq!(results(&work.path().join("out")), expected);

    // Once more, and nothing changes.
    let file = work.path().join("out/delays_by_origin_hour.jsonl");
    let before = std::fs::read(&file).unwrap();
    assert!(ends_within(&mut demo(folder.path(), work.path()), PATIENCE));
    assert_eq!(std::fs::read(&file).unwrap(), before);
}
