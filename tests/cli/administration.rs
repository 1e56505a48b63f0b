//! `headwater config`, `log-dir`, `cluster` and `feature`.

use serde_json::{Value, json};

use crate::cluster::{Cluster, eventually, on_both, unique};

on_both!(
    configurations_are_set_and_taken_away,
    brokers_tell_their_configurations,
    loggers_have_levels,
    log_directories_tell_what_is_in_them,
    the_cluster_and_its_features_are_told,
);

fn configurations_are_set_and_taken_away(cluster: &Cluster) {
    let topic = unique("configured");
    cluster.ok(&["topic", "create", &topic, "-p", "1"]);
    assert!(
        cluster
            .json(&["config", "describe", "topic", &topic])
            .is_empty()
    );
    let set = [
        "config",
        "set",
        "topic",
        &topic,
        "retention.ms=1000",
        "cleanup.policy=compact",
    ];
    cluster.ok(&set);
    let names = || -> Vec<(Value, Value)> {
        let described = cluster.json(&["config", "describe", "topic", &topic]);
        described
            .into_iter()
            .map(|c| (c["name"].clone(), c["value"].clone()))
            .collect()
    };
    let expect = |expected: &[(&str, &str)]| {
        let expected: Vec<_> = expected.iter().map(|(n, v)| (json!(n), json!(v))).collect();
        eventually("the configuration", || (names() == expected).then_some(()));
    };
    expect(&[("cleanup.policy", "compact"), ("retention.ms", "1000")]);
    cluster.ok(&["config", "append", "topic", &topic, "cleanup.policy=delete"]);
    expect(&[
        ("cleanup.policy", "compact,delete"),
        ("retention.ms", "1000"),
    ]);
    cluster.ok(&[
        "config",
        "subtract",
        "topic",
        &topic,
        "cleanup.policy=compact",
    ]);
    expect(&[("cleanup.policy", "delete"), ("retention.ms", "1000")]);
    let misspelt = cluster.fails(&["config", "delete", "topic", &topic, "retention"]);
    assert!(
        misspelt.contains("no configuration retention"),
        "{misspelt}"
    );
    cluster.ok(&[
        "config",
        "set",
        "topic",
        &topic,
        "retention.ms=5",
        "--validate-only",
    ]);
    cluster.ok(&["config", "delete", "topic", &topic, "cleanup.policy"]);
    expect(&[("retention.ms", "1000")]);

    let one = [
        "config",
        "describe",
        "topic",
        &topic,
        "retention.ms",
        "--synonyms",
        "--documentation",
    ];
    let one = cluster.json(&one);
    assert_eq!(one[0]["source"], json!("DYNAMIC_TOPIC_CONFIG"));
    assert_eq!(one[0]["type"], json!("LONG"));
    assert_eq!(one[0]["synonyms"][0]["value"], json!("1000"));
    assert!(one[0]["documentation"].is_string());
    let refused = cluster.fails(&["config", "set", "topic", &topic, "retention.ms=soon"]);
    assert!(refused.contains("retention.ms"), "{refused}");
    let unknown = cluster.fails(&["config", "set", "topic", &topic, "no.such=1"]);
    assert!(unknown.contains("no.such"), "{unknown}");
    cluster.fails(&["config", "describe", "topic", &topic, "no.such"]);
    let listed = cluster.json(&["config", "list"]);
    assert!(
        listed.contains(&json!({"entity": "topic", "name": topic})),
        "{listed:?}"
    );
}

fn node(cluster: &Cluster) -> String {
    cluster.json(&["cluster", "describe"])[0]["nodes"][0]["node"].to_string()
}

fn brokers_tell_their_configurations(cluster: &Cluster) {
    let node = node(cluster);
    let all = cluster.json(&["config", "describe", "broker", &node, "--all"]);
    assert!(
        all.iter()
            .any(|config| config["name"] == json!("num.partitions")),
        "{all:?}"
    );
    let missing = cluster.fails(&["config", "describe", "broker", "4711"]);
    assert!(missing.contains("4711"), "{missing}");
    let wrong = cluster.fails(&["config", "describe", "broker", "one"]);
    assert!(wrong.contains("one"), "{wrong}");
}

fn loggers_have_levels(cluster: &Cluster) {
    let node = node(cluster);
    let levels = || cluster.json(&["config", "describe", "broker-logger", &node]);
    let root = levels().into_iter().find(|l| l["name"] == json!("root"));
    let root = root.expect("there is a root logger")["value"].clone();
    let logger = levels().into_iter().find(|l| l["name"] != json!("root"));
    let logger = logger.expect("there are other loggers")["name"].clone();
    let logger = logger.as_str().unwrap();
    let now = || {
        let described = cluster.json(&["config", "describe", "broker-logger", &node, logger]);
        assert_eq!(
            described[0]["source"],
            json!("DYNAMIC_BROKER_LOGGER_CONFIG")
        );
        assert_eq!(described[0]["read_only"], json!(false));
        described[0]["value"].clone()
    };
    let change = |verb: &str, what: &str| {
        cluster.ok(&["config", verb, "broker-logger", &node, what]);
    };
    change("set", &format!("{logger}=TRACE"));
    assert_eq!(now(), json!("TRACE"));
    change("delete", logger);
    assert_ne!(now(), json!("TRACE"));
    let refused = |verb: &str, what: &str| {
        let said = cluster.fails(&["config", verb, "broker-logger", &node, what]);
        assert!(said.contains(what.split('=').next().unwrap()), "{said}");
    };
    refused("set", "no.such=INFO");
    refused("set", "root=LOUD");
    refused("delete", "root");
    cluster.fails(&["config", "append", "broker-logger", &node, "root=INFO"]);
    let after = levels().into_iter().find(|l| l["name"] == json!("root"));
    assert_eq!(after.map(|after| after["value"].clone()), Some(root));
}

fn log_directories_tell_what_is_in_them(cluster: &Cluster) {
    let topic = unique("stored");
    cluster.ok(&["topic", "create", &topic, "-p", "2"]);
    cluster.ok_with(&["produce", &topic, "-p", "1"], "x".repeat(5000).as_bytes());
    let dirs = cluster.json(&[
        "log-dir",
        "describe",
        "--topic",
        &topic,
        "--broker",
        &node(cluster),
    ]);
    assert_eq!(dirs.len(), 1);
    assert!(dirs[0]["dir"].is_string());
    let partitions = dirs[0]["partitions"].as_array().unwrap();
    assert_eq!(partitions.len(), 2);
    assert!(partitions[1]["size"].as_i64().unwrap() >= 5000);
    assert_eq!(partitions[1]["offset_lag"], json!(0));
    assert_eq!(partitions[1]["future"], json!(false));
    let table = cluster.ok(&["log-dir", "describe", "--topic", &topic]);
    assert!(table.contains(&topic), "{table}");
    cluster.fails(&["log-dir", "describe", "--broker", "4711"]);
}

fn the_cluster_and_its_features_are_told(cluster: &Cluster) {
    let described = cluster.json(&["cluster", "describe"]);
    assert!(described[0]["cluster"].is_string());
    let node = &described[0]["nodes"][0];
    let (host, port) = cluster.bootstrap().rsplit_once(':').unwrap();
    assert_eq!(node["port"].to_string(), port);
    if host == "127.0.0.1" {
        assert!(["127.0.0.1", "localhost"].contains(&node["host"].as_str().unwrap()));
    }
    let quorum = cluster.json(&["cluster", "quorum"]);
    assert_eq!(quorum[0]["nodes"][0]["role"], json!("leader"));
    let features = cluster.json(&["feature", "describe"]);
    let version = features
        .iter()
        .find(|f| f["feature"] == json!("transaction.version"));
    assert!(version.unwrap()["level"].as_i64().is_some(), "{features:?}");
    let refused = cluster.fails(&["feature", "update", "--upgrade", "no.such.feature=1"]);
    assert!(refused.contains("no.such.feature"), "{refused}");
    assert!(cluster.json(&["cluster", "reassignments"]).is_empty());
    let topic = unique("led");
    cluster.ok(&["topic", "create", &topic, "-p", "1"]);
    cluster.ok(&["cluster", "elect-leaders", &format!("{topic}:0")]);
    let missing = cluster.fails(&["cluster", "elect-leaders", &format!("{topic}:9")]);
    assert!(missing.contains(&topic), "{missing}");
}
