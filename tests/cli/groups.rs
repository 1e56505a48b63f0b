//! `headwater group`.

use std::time::Instant;

use serde_json::{Value, json};

use crate::cluster::{Cluster, PATIENCE, eventually, on_both, unique};

on_both!(
    a_group_is_listed_described_and_deleted,
    offsets_are_reset_in_every_way,
    members_are_shown_and_put_out,
    a_member_reads_to_the_end_of_what_it_has,
    what_is_not_there_is_told_at_once,
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
    let twice = cluster.json(&["group", "describe", &group, &group]);
    assert_eq!(twice, [described]);
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
        let other = described["members"][0]["member"].as_str()?;
        (member["member"] != *other).then_some(())
    });
}

fn a_member_reads_to_the_end_of_what_it_has(cluster: &Cluster) {
    let (topic, group) = (unique("shared"), unique("shared"));
    cluster.ok(&["topic", "create", &topic, "-p", "2"]);
    for partition in ["0", "1"] {
        cluster.ok_with(&["produce", &topic, "-p", partition], b"one\n");
    }
    let _member = cluster.start(&["consume", &topic, "-g", &group]);
    eventually("a member that has read all", || {
        let output = cluster.run(&["group", "describe", &group, "--format", "json"], b"");
        let described: Value = serde_json::from_slice(&output.stdout).ok()?;
        let offsets = described["offsets"].as_array()?;
        let are_read = offsets.iter().all(|offset| offset["lag"] == json!(0));
        (offsets.len() == 2 && are_read).then_some(())
    });
    // It gets one of the partitions, and the other never.
    assert_eq!(cluster.ok(&["consume", &topic, "-g", &group, "-e"]), "");
}

fn what_is_not_there_is_told_at_once(cluster: &Cluster) {
    let (topic, absent) = (topic(cluster), unique("absent"));
    let group = group(cluster, &topic, "2");
    let file = cluster.dir.path().join("absent.csv");
    std::fs::write(&file, format!("{topic},0,1\n{absent},0,1\n")).unwrap();
    let from_file = ["--from-file", file.to_str().unwrap()];
    let began = Instant::now();
    let reset = [&["group", "reset-offsets", &group][..], &from_file].concat();
    let told = cluster.fails(&reset);
    assert!(told.contains(&absent), "{told}");

    let named = |topic: &str| json!({"topic": topic, "partition": 0, "offset": 2});
    let records = json!({"partitions": [named(&topic), named(&absent)]});
    std::fs::write(&file, records.to_string()).unwrap();
    let output = cluster.run(
        &[
            &["topic", "delete-records", "--format", "json"][..],
            &from_file,
        ]
        .concat(),
        b"",
    );
    // What could be done is done.
    assert_eq!(output.status.code(), Some(1));
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(done["start"], json!(2));
    for arguments in [
        &["topic", "delete-records", &absent, "--before", "1"][..],
        &["consume", &absent, "-e"],
        &["transaction", "producers", &absent],
        &["transaction", "find-hanging", "--topic", &absent],
        &["transaction", "abort", &absent, "0", "--start-offset", "0"],
        &[
            "transaction",
            "abort",
            &absent,
            "0",
            "--producer-id",
            "1",
            "--producer-epoch",
            "0",
        ],
        &["log-dir", "describe", "--topic", &absent],
        &[
            "group",
            "reset-offsets",
            &group,
            "--topic",
            &absent,
            "--to-earliest",
        ],
        &["group", "delete-offsets", &group, "--topic", &absent],
    ] {
        let told = cluster.fails(arguments);
        assert!(told.contains(&absent), "{arguments:?}: {told}");
    }
    let told = cluster.fails(&["transaction", "find-hanging", "--broker", "4711"]);
    assert!(told.contains("4711"), "{told}");
    assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());

    let both = [&reset[..], &["--all-topics"]].concat();
    assert_eq!(cluster.run(&both, b"").status.code(), Some(2));
    let list = ["group", "list", "--state", "Bogus"];
    assert_eq!(cluster.run(&list, b"").status.code(), Some(2));
    let create = ["topic", "create", &topic, "--if-not-exists"];
    for more in [&[][..], &["--validate-only"]] {
        let there = cluster.json(&[&create[..], more].concat());
        assert_eq!(there[0]["partition_count"], json!(1), "{there:?}");
    }
    // Offsets go with their topic, and nobody waits for its end.
    cluster.ok(&["topic", "delete", &topic]);
    let began = Instant::now();
    eventually("the end of the offsets", || {
        let output = cluster.run(&["group", "describe", &group, "--format", "json"], b"");
        let described: Value = serde_json::from_slice(&output.stdout).ok()?;
        (described["offsets"] == json!([])).then_some(())
    });
    assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());
}
