//! `headwater group`.

use serde_json::{Value, json};

use crate::cluster::{Cluster, eventually, on_both, unique};

on_both!(
    a_group_is_listed_described_and_deleted,
    offsets_are_reset_in_every_way,
    members_are_shown_and_put_out,
);

/// A topic of one partition with five records, a second apart.
fn topic(cluster: &Cluster) -> String {
    let topic = unique("grouped");
    cluster.ok(&["topic", "create", &topic, "-p", "1"]);
    let records = (1..=5).map(|n| json!({"value": n.to_string(), "timestamp": n * 1000}));
    let input: String = records.map(|record| format!("{record}\n")).collect();
    cluster.ok_with(&["produce", &topic, "-i", "json"], input.as_bytes());
    topic
}

/// A group that has read `count` of the topic's records.
fn group(cluster: &Cluster, topic: &str, count: &str) -> String {
    let group = unique("group");
    cluster.ok(&["consume", topic, "-g", &group, "-n", count]);
    group
}

fn describe(cluster: &Cluster, group: &str) -> Value {
    let mut described = cluster.json(&["group", "describe", group]);
    assert_eq!(described.len(), 1);
    described.remove(0)
}

fn a_group_is_listed_described_and_deleted(cluster: &Cluster) {
    let topic = topic(cluster);
    let group = group(cluster, &topic, "2");
    let listed = cluster.json(&["group", "list", "--state", "Empty"]);
    let found = listed
        .iter()
        .find(|found| found["group"] == json!(group))
        .unwrap();
    assert_eq!(
        (&found["state"], &found["type"]),
        (&json!("Empty"), &json!("classic"))
    );
    let stable = cluster.json(&["group", "list", "--state", "Stable"]);
    assert!(stable.iter().all(|found| found["group"] != json!(group)));

    let described = describe(cluster, &group);
    assert_eq!(described["state"], json!("Empty"));
    assert_eq!(described["lag"], json!(3));
    assert_eq!(
        described["offsets"],
        json!([{"topic": topic, "partition": 0, "offset": 2, "end": 5, "lag": 3, "member": null,
            "client": null, "metadata": null}])
    );
    let table = cluster.ok(&["group", "describe", &group]);
    assert!(table.contains(&topic) && table.contains("Empty"), "{table}");

    cluster.ok(&[
        "group",
        "delete-offsets",
        &group,
        "--topic",
        &format!("{topic}:0"),
    ]);
    // A group without members and offsets may be gone with its last offset.
    let output = cluster.run(&["group", "describe", &group, "--format", "json"], b"");
    if output.status.success() {
        let described: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(described["offsets"], json!([]));
    }
    let group = self::group(cluster, &topic, "1");
    cluster.ok(&["group", "delete", &group]);
    let missing = cluster.fails(&["group", "describe", &group]);
    assert!(missing.contains(&group), "{missing}");
    let again = cluster.fails(&["group", "delete", &group]);
    assert!(again.contains(&group), "{again}");
}

fn offsets_are_reset_in_every_way(cluster: &Cluster) {
    let topic = topic(cluster);
    let group = group(cluster, &topic, "2");
    let reset = |target: &[&str]| {
        let mut arguments = vec!["group", "reset-offsets", &group, "--topic", &topic];
        arguments.extend(target);
        let rows = cluster.json(&arguments);
        assert_eq!(rows.len(), 1, "{target:?}: {rows:?}");
        assert_eq!(rows[0]["topic"], json!(topic));
        (rows[0]["current"].as_i64(), rows[0]["new"].as_i64())
    };
    assert_eq!(reset(&["--to-earliest"]), (Some(2), Some(0)));
    assert_eq!(
        describe(cluster, &group)["lag"],
        json!(3),
        "a dry run changes nothing"
    );
    assert_eq!(reset(&["--to-earliest", "--execute"]), (Some(2), Some(0)));
    assert_eq!(describe(cluster, &group)["lag"], json!(5));
    assert_eq!(reset(&["--to-latest", "--execute"]), (Some(0), Some(5)));
    assert_eq!(
        reset(&["--shift-by", "-2", "--execute"]),
        (Some(5), Some(3))
    );
    assert_eq!(reset(&["--shift-by", "100"]), (Some(3), Some(5)));
    assert_eq!(
        reset(&["--to-offset", "4", "--execute"]),
        (Some(3), Some(4))
    );
    assert_eq!(
        reset(&["--to-datetime", "1970-01-01T00:00:02.000"]),
        (Some(4), Some(1))
    );
    assert_eq!(
        reset(&["--to-datetime", "1970-01-02T00:00:00Z"]),
        (Some(4), Some(5))
    );
    assert_eq!(reset(&["--by-duration", "P1D"]), (Some(4), Some(5)));
    assert_eq!(reset(&["--to-current"]), (Some(4), Some(4)));

    let file = cluster.dir.path().join(format!("{group}.csv"));
    std::fs::write(&file, format!("{topic},0,1\n")).unwrap();
    let from_file = [
        "group",
        "reset-offsets",
        &group,
        "--from-file",
        file.to_str().unwrap(),
        "--execute",
    ];
    assert_eq!(cluster.json(&from_file)[0]["new"], json!(1));
    let all = [
        "group",
        "reset-offsets",
        &group,
        "--all-topics",
        "--to-latest",
        "--execute",
    ];
    assert_eq!(cluster.json(&all)[0]["current"], json!(1));
    // A group to come gets its offsets before its first member.
    let fresh = unique("fresh");
    let ahead = [
        "group",
        "reset-offsets",
        &fresh,
        "--topic",
        &topic,
        "--to-offset",
        "3",
        "--execute",
    ];
    assert_eq!(cluster.json(&ahead)[0]["current"], Value::Null);
    assert_eq!(
        cluster.ok(&["consume", &topic, "-g", &fresh, "-n", "2"]),
        "4\n5\n"
    );
    let nowhere = cluster.fails(&["group", "reset-offsets", &group, "--to-earliest"]);
    assert!(nowhere.contains("--topic"), "{nowhere}");
}

fn members_are_shown_and_put_out(cluster: &Cluster) {
    let topic = topic(cluster);
    let group = unique("lively");
    let _member = cluster.start(&["consume", &topic, "-g", &group]);
    let described = eventually("a member with its partition", || {
        let output = cluster.run(&["group", "describe", &group, "--format", "json"], b"");
        let described: Value = serde_json::from_slice(&output.stdout).ok()?;
        (described["state"] == json!("Stable")
            && described["lag"] == json!(0)
            && described["offsets"][0]["offset"] == json!(5))
        .then_some(described)
    });
    let member = &described["members"][0];
    assert_eq!(member["client"], json!("headwater"));
    assert_eq!(member["topics"], json!([topic]));
    assert_eq!(member["partitions"], json!([format!("{topic}-0")]));
    assert_eq!(described["offsets"][0]["member"], member["member"]);
    let table = cluster.ok(&["group", "describe", &group, "--members"]);
    assert!(
        table.contains(member["member"].as_str().unwrap()),
        "{table}"
    );

    let refused = cluster.fails(&[
        "group",
        "reset-offsets",
        &group,
        "--topic",
        &topic,
        "--to-earliest",
    ]);
    assert!(refused.contains("Stable"), "{refused}");
    let refused = cluster.fails(&["group", "delete", &group]);
    assert!(refused.contains(&group), "{refused}");
    let nobody = cluster.fails(&["group", "remove-members", &group, "--member", "nobody"]);
    assert!(nobody.contains("nobody"), "{nobody}");
    cluster.ok(&["group", "remove-members", &group, "--all"]);
    eventually("another member in its place", || {
        let output = cluster.run(&["group", "describe", &group, "--format", "json"], b"");
        let described: Value = serde_json::from_slice(&output.stdout).ok()?;
        (described["members"][0]["member"] != member["member"]).then_some(())
    });
}
