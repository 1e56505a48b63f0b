//! The programs in `examples/` run and print what their data says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

/// Runs an example on an embedded log, in the folder of the project.
fn output(name: &str, arguments: &[&str]) -> String {
    // Cargo builds the examples before it runs tests, beside the binary.
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_headwater"))
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

#[test]
fn word_count_counts_the_words_of_airport_names() {
    let printed = output("word_count", &[]);
    let mut counts = std::collections::HashMap::new();
    for row in csv::Reader::from_path("examples/data/airports.csv")
        .unwrap()
        .records()
    {
        for word in row.unwrap()[1].split_whitespace() {
            *counts.entry(word.to_lowercase()).or_insert(0) += 1;
        }
    }
    let lines: Vec<_> = printed
        .lines()
        .map(|line| line.trim().split_once(' ').unwrap())
        .collect();
    assert_eq!(lines.len(), 10);
    for (count, word) in lines {
        assert_eq!(count.parse::<i32>().unwrap(), counts[word], "{word}");
    }
}

#[test]
fn continuous_sql_counts_every_flight() {
    let printed = output("continuous_sql", &[]);
    let flights: i64 = printed
        .lines()
        .filter_map(|line| line.split('|').nth(2)?.trim().parse::<i64>().ok())
        .sum();
    assert_eq!(flights, 5000, "{printed}");
}

#[test]
fn custom_connector_counts_planes() {
    let printed = output("custom_connector", &[]);
    let first = printed.lines().next().unwrap();
    assert_eq!(first.trim(), "1630 BOEING");
}
