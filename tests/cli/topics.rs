//! `headwater topic`.

use serde_json::{Value, json};

use crate::cluster::{Cluster, eventually, on_both, unique};

on_both!(
    topics_are_made_described_enlarged_and_deleted,
    records_are_deleted_before_an_offset,
    an_assignment_names_the_brokers,
);

fn describe(cluster: &Cluster, topic: &str) -> Value {
    let mut described = cluster.json(&["topic", "describe", topic]);
    assert_eq!(described.len(), 1);
    described.remove(0)
}

fn topics_are_made_described_enlarged_and_deleted(cluster: &Cluster) {
    let topic = unique("topic");
    let valid = ["topic", "create", &topic, "-p", "2", "--validate-only"];
    cluster.ok(&valid);
    let create = [
        "topic",
        "create",
        &topic,
        "-p",
        "2",
        "-c",
        "retention.ms=60000",
        "-c",
        "cleanup.policy=compact",
    ];
    let created = cluster.json(&create);
    assert_eq!(created[0]["topic"], json!(topic));
    assert_eq!(created[0]["partition_count"], json!(2));
    let again = cluster.fails(&create);
    assert!(
        again.contains(&topic) && again.contains("exists"),
        "{again}"
    );
    cluster.ok(&["topic", "create", &topic, "--if-not-exists"]);

    let listed = cluster.ok(&["topic", "list"]);
    assert!(listed.lines().any(|line| line == topic), "{listed}");
    let listed = cluster.json(&["topic", "list"]);
    let found = listed
        .iter()
        .find(|found| found["topic"] == json!(topic))
        .unwrap();
    assert_eq!(found["partition_count"], json!(2));
    assert_eq!(found["id"], created[0]["id"]);

    let described = describe(cluster, &topic);
    let twice = cluster.json(&["topic", "describe", &topic, &topic]);
    assert_eq!(twice.len(), 1);
    assert_eq!(described["replication_factor"], json!(1));
    assert_eq!(described["internal"], json!(false));
    assert_eq!(described["configs"]["retention.ms"], json!("60000"));
    assert_eq!(described["configs"]["cleanup.policy"], json!("compact"));
    let partitions = described["partitions"].as_array().unwrap();
    assert_eq!(partitions.len(), 2);
    assert_eq!(partitions[1]["partition"], json!(1));
    assert_eq!(partitions[1]["start"], json!(0));
    assert_eq!(partitions[1]["end"], json!(0));
    assert_eq!(partitions[1]["isr"], partitions[1]["replicas"]);
    let table = cluster.ok(&["topic", "describe", &topic]);
    assert!(table.contains("retention.ms=60000"), "{table}");

    cluster.ok(&["topic", "alter", &topic, "-p", "4"]);
    eventually("four partitions", || {
        (describe(cluster, &topic)["partition_count"] == json!(4)).then_some(())
    });
    let fewer = cluster.fails(&["topic", "alter", &topic, "-p", "1"]);
    assert!(fewer.contains(&topic), "{fewer}");

    cluster.ok(&["topic", "delete", &topic]);
    eventually("the end of the topic", || {
        let listed = cluster.ok(&["topic", "list"]);
        (!listed.lines().any(|line| line == topic)).then_some(())
    });
    let missing = cluster.fails(&["topic", "describe", &topic]);
    assert!(missing.contains(&topic), "{missing}");
    cluster.fails(&["topic", "delete", &topic]);
    cluster.ok(&["topic", "delete", &topic, "--if-exists"]);
}

fn records_are_deleted_before_an_offset(cluster: &Cluster) {
    let topic = unique("trimmed");
    cluster.ok(&["topic", "create", &topic, "-p", "2"]);
    let lines = "one\ntwo\nthree\nfour\n";
    cluster.ok_with(&["produce", &topic, "-p", "0"], lines.as_bytes());
    cluster.ok_with(&["produce", &topic, "-p", "1"], lines.as_bytes());
    let deleted = cluster.json(&[
        "topic",
        "delete-records",
        &topic,
        "-p",
        "0",
        "--before",
        "3",
    ]);
    assert_eq!(
        deleted,
        [json!({"topic": topic, "partition": 0, "start": 3})]
    );
    assert_eq!(cluster.ok(&["consume", &topic, "-p", "0", "-e"]), "four\n");
    let beyond = cluster.fails(&[
        "topic",
        "delete-records",
        &topic,
        "-p",
        "0",
        "--before",
        "9",
    ]);
    assert!(beyond.contains(&topic), "{beyond}");
    let file = cluster.dir.path().join(format!("{topic}.json"));
    let offsets = json!({"partitions": [{"topic": topic, "partition": 1, "offset": -1}]});
    std::fs::write(&file, offsets.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let deleted = cluster.json(&["topic", "delete-records", "--from-file", file]);
    assert_eq!(
        deleted,
        [json!({"topic": topic, "partition": 1, "start": 4})]
    );
    let ends = &describe(cluster, &topic)["partitions"];
    assert_eq!((&ends[1]["start"], &ends[1]["end"]), (&json!(4), &json!(4)));
}

fn an_assignment_names_the_brokers(cluster: &Cluster) {
    let nodes = &cluster.json(&["cluster", "describe"])[0]["nodes"];
    let node = nodes[0]["node"].to_string();
    let topic = unique("assigned");
    let assignment = format!("{node},{node},{node}");
    cluster.ok(&[
        "topic",
        "create",
        &topic,
        "--replica-assignment",
        &assignment,
    ]);
    let described = describe(cluster, &topic);
    assert_eq!(described["partition_count"], json!(3));
    assert_eq!(
        described["partitions"][2]["replicas"],
        json!([nodes[0]["node"]])
    );
    let nobody = unique("nobody");
    let refused = cluster.fails(&["topic", "create", &nobody, "--replica-assignment", "4711"]);
    assert!(refused.contains(&nobody), "{refused}");
}
