//! What a user is told when something is wrong.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, unique};

#[test]
fn an_address_where_nobody_answers_is_told_soon() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap().to_string();
    drop(closed);
    for bootstrap in [address.as_str(), silent.as_str()] {
        for arguments in [&["topic", "list"][..], &["consume", "t"], &["produce", "t"]] {
            let asked = Instant::now();
            let output = Command::new(env!("CARGO_BIN_EXE_headwater"))
                .args(arguments)
                .args(["--bootstrap", bootstrap])
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let told = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{told}");
            assert!(
                asked.elapsed() < Duration::from_secs(10),
                "{:?}",
                asked.elapsed()
            );
            assert!(
                told.contains(bootstrap) && told.contains("--bootstrap"),
                "{told}"
            );
            assert!(output.stdout.is_empty());
        }
    }
}

#[test]
fn a_reader_that_leaves_ends_the_command_quietly() {
    let cluster = Cluster::ours();
    let topic = unique("long");
    cluster.ok(&["topic", "create", &topic, "-p", "1"]);
    let lines: String = (0..20_000)
        .map(|n| format!("line {n} {}\n", "x".repeat(50)))
        .collect();
    cluster.ok_with(&["produce", &topic], lines.as_bytes());
    let mut child = cluster.start(&["consume", &topic, "-e"]);
    let stdout = child.0.stdout.take().unwrap();
    let mut first = String::new();
    BufReader::new(stdout).read_line(&mut first).unwrap();
    assert!(first.starts_with("line 0 "));
    let status = child.0.wait().unwrap();
    let mut told = String::new();
    let stderr = child.0.stderr.take().unwrap();
    std::io::Read::read_to_string(&mut { stderr }, &mut told).unwrap();
    assert!(status.success(), "{told}");
    assert_eq!(told, "");
}

#[test]
fn wrong_arguments_are_told_with_their_own_code() {
    let cluster = Cluster::ours();
    let wrong: [&[&str]; 7] = [
        &["topic", "create"],
        &["group", "reset-offsets", "g"],
        &[
            "group",
            "reset-offsets",
            "g",
            "--to-earliest",
            "--to-latest",
        ],
        &["consume", "t", "-o", "soon"],
        &["consume", "t", "--timeout", "5"],
        &["produce", "t", "-z", "rar"],
        &["config", "set", "topic", "t", "novalue"],
    ];
    for arguments in wrong {
        let output = cluster.run(arguments, b"");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn several_failures_are_all_told_and_the_rest_is_done() {
    let cluster = Cluster::ours();
    let (there, missing) = (unique("there"), unique("missing"));
    cluster.ok(&["topic", "create", &there, "-p", "1"]);
    let output = cluster.run(&["topic", "delete", &there, &missing, "also-missing"], b"");
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains(&missing) && told.contains("also-missing"),
        "{told}"
    );
    assert!(told.contains("2 of 3 failed"), "{told}");
    let listed = cluster.ok(&["topic", "list"]);
    assert!(!listed.lines().any(|line| line == there), "{listed}");
}
