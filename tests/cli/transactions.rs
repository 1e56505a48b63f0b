//! `headwater transaction`.

use headwater_client::{Client, ClientConfig, ProducerConfig, ProducerRecord};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::cluster::{Cluster, eventually, on_both, unique};

on_both!(
    transactions_are_listed_described_and_fenced,
    an_open_transaction_is_aborted_in_its_partition,
);

fn topic(cluster: &Cluster) -> String {
    let topic = unique("transactions");
    cluster.ok(&["topic", "create", &topic, "-p", "1"]);
    topic
}

fn transactions_are_listed_described_and_fenced(cluster: &Cluster) {
    let (topic, id) = (topic(cluster), unique("id"));
    cluster.ok_with(&["produce", &topic, "--transactional-id", &id], b"a\n");
    let described = || cluster.json(&["transaction", "describe", &id]).remove(0);
    let done = eventually("the end of the transaction", || {
        let described = described();
        (described["state"] == json!("CompleteCommit")).then_some(described)
    });
    assert_eq!(done["timeout_ms"], json!(60_000));
    assert_eq!(
        cluster.json(&["transaction", "describe", &id, &id]).len(),
        1
    );
    let listed = cluster.json(&["transaction", "list", "--state", "CompleteCommit"]);
    let found = listed
        .iter()
        .find(|found| found["transactional_id"] == json!(id))
        .unwrap();
    assert_eq!(found["producer_id"], done["producer_id"]);
    let other = cluster.json(&["transaction", "list", "--producer-id", "987654321"]);
    assert!(other.is_empty(), "{other:?}");

    cluster.ok(&["transaction", "fence", &id]);
    let epoch = described()["producer_epoch"].as_i64().unwrap();
    assert!(epoch > done["producer_epoch"].as_i64().unwrap());
    let missing = cluster.fails(&["transaction", "describe", &unique("nobody")]);
    assert!(missing.contains("nobody"), "{missing}");
}

fn an_open_transaction_is_aborted_in_its_partition(cluster: &Cluster) {
    let (topic, id) = (topic(cluster), unique("open"));
    let runtime = Runtime::new().unwrap();
    let producer = runtime.block_on(async {
        let client = Client::new(ClientConfig::new(cluster.bootstrap())).unwrap();
        let producer = client.producer(ProducerConfig::transactional(&id)).unwrap();
        producer.init_transactions().await.unwrap();
        producer.begin_transaction().unwrap();
        let record = ProducerRecord::new(topic.as_str(), "open");
        producer.send(record).await.unwrap().await.unwrap();
        producer
    });
    let open = cluster.json(&["transaction", "describe", &id]).remove(0);
    assert_eq!(open["state"], json!("Ongoing"));
    assert_eq!(open["partitions"], json!([format!("{topic}-0")]));
    let producers = cluster.json(&["transaction", "producers", &topic]);
    assert_eq!(producers[0]["producer_id"], open["producer_id"]);
    assert_eq!(producers[0]["transaction_start"], json!(0));
    // Its coordinator knows of it, so it does not hang.
    let find = [
        "transaction",
        "find-hanging",
        "--topic",
        &topic,
        "--max-transaction-timeout",
        "0s",
    ];
    assert!(cluster.json(&find).is_empty());

    let wrong = cluster.fails(&["transaction", "abort", &topic, "0", "--start-offset", "7"]);
    assert!(wrong.contains('7') && wrong.contains(&topic), "{wrong}");
    cluster.ok(&["transaction", "abort", &topic, "0", "--start-offset", "0"]);
    let producers = cluster.json(&["transaction", "producers", &topic]);
    assert_eq!(producers[0]["transaction_start"], json!(null));
    assert_eq!(
        cluster.ok(&["consume", &topic, "-e", "--read-committed"]),
        ""
    );
    drop(producer);
}
