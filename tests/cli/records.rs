//! `headwater produce` and `headwater consume`.

use std::io::Write;

use serde_json::{Value, json};

use crate::cluster::{Cluster, eventually, on_both, unique};

on_both!(
    lines_become_records_and_lines_again,
    json_makes_the_round_trip_with_everything_in_it,
    bytes_travel_in_hex_base64_and_whole_files,
    reading_begins_where_it_is_told,
    every_codec_is_read_back,
    a_transaction_is_written_whole_or_not_at_all,
    all_is_written_though_nobody_reads_what_is_told,
    what_is_told_has_one_header,
    too_few_records_in_time_are_a_failure,
);

fn topic(cluster: &Cluster, name: &str, partitions: &str) -> String {
    let topic = unique(name);
    cluster.ok(&["topic", "create", &topic, "-p", partitions]);
    topic
}

fn lines_become_records_and_lines_again(cluster: &Cluster) {
    let topic = topic(cluster, "lines", "1");
    let produce = [
        "produce",
        &topic,
        "-K",
        ":",
        "-H",
        "source=test",
        "-t",
        "2026-01-31T12:00:00Z",
        "--format",
        "json",
    ];
    let told = cluster.ok_with(&produce, b"a:one\nb:two:2\nc:");
    let told: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(told.len(), 3);
    assert_eq!(told[2]["offset"], json!(2));
    assert_eq!(cluster.ok(&["consume", &topic, "-e"]), "one\ntwo:2\n\n");
    assert_eq!(
        cluster.ok(&["consume", &topic, "-e", "-K", "=", "-n", "2"]),
        "a=one\nb=two:2\n"
    );
    let records = cluster.json(&["consume", &topic, "-e"]);
    assert_eq!(
        records[1],
        json!({
            "topic": topic, "partition": 0, "offset": 1, "timestamp": 1_769_860_800_000_i64,
            "headers": [["source", "test"]], "key": "b", "key_encoding": "string",
            "value": "two:2", "value_encoding": "string",
        })
    );
    let csv = cluster.ok(&["consume", &topic, "-e", "-n", "1", "--format", "csv"]);
    assert_eq!(csv, "0,0,1769860800000,a,one\n");
    let output = cluster.run(
        &["produce", &topic, "-K", ":"],
        b"d:four\nno separator\ne:five\n",
    );
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("line 2") && told.contains("1 records"),
        "{told}"
    );
    assert_eq!(cluster.ok(&["consume", &topic, "-e", "-o", "3"]), "four\n");
}

fn json_makes_the_round_trip_with_everything_in_it(cluster: &Cluster) {
    let (from, to) = (topic(cluster, "from", "2"), topic(cluster, "to", "2"));
    let records = [
        json!({"partition": 1, "timestamp": 1000, "key": "k", "value": {"n": 1.5},
            "value_encoding": "json", "headers": [["h", "v"], ["h", null], ["b", {"base64": "/w=="}]]}),
        json!({"partition": 0, "timestamp": 2000, "key": null, "value": null}),
        json!({"partition": 1, "timestamp": 3000, "key": "AP8=", "key_encoding": "base64", "value": ""}),
    ];
    let input: String = records.iter().map(|record| format!("{record}\n")).collect();
    cluster.ok_with(&["produce", &from, "-i", "json"], input.as_bytes());
    let read = cluster.ok(&["consume", &from, "-e", "--format", "json"]);
    cluster.ok_with(&["produce", &to, "-i", "json"], read.as_bytes());
    let copied = cluster.ok(&["consume", &to, "-e", "--format", "json"]);
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text
            .replace(&from, &to)
            .lines()
            .map(str::to_owned)
            .collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&copied), sorted(&read));
    let first = cluster.json(&[
        "consume",
        &to,
        "-p",
        "1",
        "-e",
        "-n",
        "1",
        "--value-format",
        "json",
    ]);
    assert_eq!(first[0]["value"], json!({"n": 1.5}));
    assert_eq!(first[0]["headers"], records[0]["headers"]);
    let binary = cluster.json(&["consume", &to, "-p", "1", "-o", "1", "-e"]);
    assert_eq!(binary[0]["key"], json!("AP8="));
    assert_eq!(binary[0]["key_encoding"], json!("base64"));
    assert_eq!(binary[0]["value"], json!(""));
    let misspelt = cluster.run(&["produce", &from, "-i", "json"], b"{\"valeu\": \"a\"}\n");
    let told = String::from_utf8(misspelt.stderr).unwrap();
    assert_eq!(misspelt.status.code(), Some(1), "{told}");
    assert!(told.contains("valeu"), "{told}");
}

fn bytes_travel_in_hex_base64_and_whole_files(cluster: &Cluster) {
    let topic = topic(cluster, "bytes", "1");
    cluster.ok_with(
        &[
            "produce",
            &topic,
            "--value-format",
            "hex",
            "-k",
            "6b",
            "--key-format",
            "hex",
        ],
        b"00ff0a\n",
    );
    cluster.ok_with(&["produce", &topic, "--value-format", "base64"], b"AP8K\n");
    let file = cluster.dir.path().join(format!("{topic}.bin"));
    std::fs::write(&file, b"\x00\xff\n").unwrap();
    cluster.ok(&["produce", &topic, file.to_str().unwrap(), "-i", "raw"]);
    let raw = cluster.run(&["consume", &topic, "-e", "--raw"], b"");
    assert_eq!(raw.stdout, b"\x00\xff\n\x00\xff\n\x00\xff\n");
    let hex = cluster.ok(&["consume", &topic, "-e", "--value-format", "hex"]);
    assert_eq!(hex, "00ff0a\n00ff0a\n00ff0a\n");
    let base64 = cluster.json(&["consume", &topic, "-e", "-n", "1"]);
    assert_eq!(base64[0]["value"], json!("AP8K"));
    assert_eq!(base64[0]["key"], json!("k"));
    let output = cluster.run(&["produce", &topic, "--value-format", "hex"], b"0g\n");
    assert_eq!(output.status.code(), Some(1));
}

fn reading_begins_where_it_is_told(cluster: &Cluster) {
    let topic = topic(cluster, "start", "1");
    for (value, time) in [("a", "1000"), ("b", "2000"), ("c", "3000"), ("d", "4000")] {
        cluster.ok_with(&["produce", &topic, "-t", time], value.as_bytes());
    }
    let consume = |start: &[&str]| {
        let mut arguments = vec!["consume", &topic, "-e"];
        arguments.extend(start);
        cluster.ok(&arguments).replace('\n', "")
    };
    assert_eq!(consume(&[]), "abcd");
    assert_eq!(consume(&["-o", "2"]), "cd");
    assert_eq!(consume(&["--from", "-3"]), "bcd");
    assert_eq!(consume(&["-o", "-9"]), "abcd");
    assert_eq!(consume(&["-o", "9"]), "");
    assert_eq!(consume(&["--timestamp", "2500"]), "cd");
    assert_eq!(consume(&["-o", "@1970-01-01T00:00:04Z"]), "d");
    assert_eq!(consume(&["-o", "@1970-01-01"]), "abcd");
    assert_eq!(consume(&["-o", "end"]), "");
    assert_eq!(consume(&["-n", "1"]), "a");
    let wrong = cluster.fails(&["consume", &topic, "-p", "7", "-e"]);
    assert!(wrong.contains('7') && wrong.contains(&topic), "{wrong}");
}

fn every_codec_is_read_back(cluster: &Cluster) {
    let topic = topic(cluster, "codecs", "1");
    let line = "compress me ".repeat(200);
    let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    let with_levels = ["gzip:9", "lz4:3", "zstd:19"];
    for codec in codecs.iter().chain(&with_levels) {
        cluster.ok_with(
            &["produce", &topic, "-z", codec, "-a", "1"],
            line.as_bytes(),
        );
    }
    let read = cluster.ok(&["consume", &topic, "-e"]);
    assert_eq!(read, format!("{line}\n").repeat(8));
    for wrong in ["gzip:77", "snappy:1"] {
        let told = cluster.fails(&["produce", &topic, "-z", wrong]);
        assert!(told.contains("level"), "{told}");
    }
    cluster.ok_with(&["produce", &topic, "-Z", "-k", "k"], b"\n");
    let last = cluster.json(&["consume", &topic, "-e", "-o", "8"]);
    assert_eq!(last[0]["value"], Value::Null);
}

fn a_transaction_is_written_whole_or_not_at_all(cluster: &Cluster) {
    let (topic, id) = (topic(cluster, "transaction", "1"), unique("id"));
    cluster.ok_with(&["produce", &topic, "--transactional-id", &id], b"a\nb\n");
    let produce = ["produce", &topic, "--transactional-id", &id, "-K", ":"];
    let output = cluster.run(&produce, b"k:c\nno separator\n");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("aborted") && told.contains("line 2"),
        "{told}"
    );
    let committed = [
        "consume",
        &topic,
        "-e",
        "--isolation-level",
        "read_committed",
    ];
    assert_eq!(cluster.ok(&committed), "a\nb\n");
    assert!(cluster.ok(&["consume", &topic, "-e"]).starts_with("a\nb\n"));

    // What the broker refuses shows when the transaction is committed.
    let (compacted, id) = (unique("compacted"), unique("refused"));
    let create = [
        "topic",
        "create",
        &compacted,
        "-c",
        "cleanup.policy=compact",
    ];
    cluster.ok(&create);
    let refused = cluster.run(
        &["produce", &compacted, "--transactional-id", &id],
        b"keyless\n",
    );
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        told.contains("aborted") && told.contains(&compacted),
        "{told}"
    );
    eventually("the end of the transaction", || {
        let described = cluster.json(&["transaction", "describe", &id]);
        let state = &described[0]["state"];
        assert_ne!(*state, json!("CompleteCommit"));
        (*state == json!("CompleteAbort")).then_some(())
    });
}

fn all_is_written_though_nobody_reads_what_is_told(cluster: &Cluster) {
    let input: String = (0..3000).map(|n| format!("{n}\n")).collect();
    for transaction in [false, true] {
        let (topic, id) = (topic(cluster, "unread", "1"), unique("unread"));
        let mut produce = vec!["produce", &topic, "--format", "json"];
        if transaction {
            produce.extend(["--transactional-id", &id]);
        }
        let mut child = cluster.command(&produce).spawn().unwrap();
        drop(child.stdout.take());
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        let read = cluster.ok(&["consume", &topic, "-e", "--read-committed"]);
        assert_eq!(read, input, "in a transaction: {transaction}");
    }
}

fn what_is_told_has_one_header(cluster: &Cluster) {
    let topic = topic(cluster, "told", "1");
    let input: String = (0..2500).map(|n| format!("{n}\n")).collect();
    let id = unique("told");
    let produce = ["produce", &topic, "--format", "csv"];
    for more in [&[][..], &["--transactional-id", &id]] {
        let told = cluster.ok_with(&[&produce, more].concat(), input.as_bytes());
        let lines: Vec<_> = told.lines().collect();
        assert_eq!(lines[0], "topic,partition,offset,timestamp");
        assert_eq!(lines.len(), 2501);
        let rows = lines[1..].iter();
        assert!(
            rows.clone()
                .all(|row| row.starts_with(&format!("{topic},0,")))
        );
    }
    // A transaction that is aborted has written nothing, and tells of nothing.
    let bad = [input.as_str(), "no separator\n"]
        .concat()
        .replace('0', "0:");
    let aborted = ["--transactional-id", &id, "-K", ":"];
    let output = cluster.run(&[&produce[..], &aborted].concat(), bad.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
}

fn too_few_records_in_time_are_a_failure(cluster: &Cluster) {
    let topic = topic(cluster, "few", "1");
    cluster.ok_with(&["produce", &topic], b"one\n");
    assert_eq!(
        cluster.ok(&["consume", &topic, "--timeout", "300ms"]),
        "one\n"
    );
    let few = cluster.fails(&["consume", &topic, "-n", "2", "--timeout", "300ms"]);
    assert!(few.contains("1 of 2"), "{few}");
}
