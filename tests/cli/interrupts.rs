//! Commands that are asked to end before they are done.

use std::io::{Read, Write};
use std::process::Command;

use serde_json::{Value, json};

use crate::cluster::{Cluster, Running, eventually, on_both, unique};

on_both!(
    what_was_read_is_written_or_aborted,
    a_member_says_that_it_leaves,
);

/// Asks the command to end. Returns its exit code and what it told.
fn terminate(running: &mut Running) -> (Option<i32>, String) {
    let pid = running.0.id().to_string();
    let asked = Command::new("sh")
        .args(["-c", "kill -TERM \"$0\"", &pid])
        .status();
    assert!(asked.unwrap().success());
    let mut told = String::new();
    let mut stderr = running.0.stderr.take().unwrap();
    stderr.read_to_string(&mut told).unwrap();
    (running.0.wait().unwrap().code(), told)
}

fn what_was_read_is_written_or_aborted(cluster: &Cluster) {
    for transaction in [false, true] {
        let (topic, id) = (unique("interrupted"), unique("interrupted"));
        cluster.ok(&["topic", "create", &topic, "-p", "1"]);
        let mut produce = vec!["produce", &topic];
        if transaction {
            produce.extend(["--transactional-id", &id]);
        }
        let mut running = cluster.start(&produce);
        // Its input does not end, so that it is waiting for more.
        let mut stdin = running.0.stdin.take().unwrap();
        stdin.write_all(b"one\ntwo\n").unwrap();
        eventually("both records", || {
            (cluster.ok(&["consume", &topic, "-e"]) == "one\ntwo\n").then_some(())
        });
        let (code, told) = terminate(&mut running);
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains("interrupted"), "{told}");
        assert_eq!(told.contains("aborted"), transaction, "{told}");
        let stays = if transaction { "" } else { "one\ntwo\n" };
        let committed = ["consume", &topic, "-e", "--read-committed"];
        assert_eq!(cluster.ok(&committed), stays);
        drop(stdin);
    }
}

fn a_member_says_that_it_leaves(cluster: &Cluster) {
    let (topic, group) = (unique("left"), unique("left"));
    cluster.ok(&["topic", "create", &topic, "-p", "1"]);
    cluster.ok_with(&["produce", &topic], b"one\n");
    let describe = || -> Option<Value> {
        let output = cluster.run(&["group", "describe", &group, "--format", "json"], b"");
        serde_json::from_slice(&output.stdout).ok()
    };
    let mut member = cluster.start(&["consume", &topic, "-g", &group]);
    eventually("a member that has read all", || {
        let described = describe()?;
        (described["offsets"][0]["offset"] == json!(1)).then_some(())
    });
    let (code, told) = terminate(&mut member);
    assert_eq!((code, told.as_str()), (Some(0), ""));
    let left = describe().unwrap();
    assert_eq!(
        (&left["state"], &left["members"]),
        (&json!("Empty"), &json!([]))
    );
}
