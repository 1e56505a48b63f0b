//! A committed transaction is whole after a power cut, also where single records may be lost.

use std::sync::Arc;

use futures::future::join;
use headwater_broker::Environment;
use headwater_env::sim::{SimDisk, Survival};
use headwater_wire::ErrorCode;

use crate::node::{Node, TOPIC};

fn on(disk: &SimDisk) -> Environment {
    Environment {
        disk: Arc::new(disk.clone()),
        ..Environment::default()
    }
}

#[tokio::test]
async fn what_is_committed_while_its_coordinator_is_loaded_survives() {
    let dir = Arc::new(tempfile::tempdir().expect("a temporary directory"));
    let disk = SimDisk::new();
    let node = Node::start_in(&dir, on(&disk)).await;
    node.create_topic(TOPIC, &[("durability", "relaxed")]).await;
    let producer = node.init(60_000).await.expect("a producer");
    assert_eq!(node.add(producer, 0).await, ErrorCode::None);
    assert_eq!(node.produce(producer, (0, 0), "a").await, ErrorCode::None);
    // As after kill -9: what was written is there, synced or not.
    let killed = disk.image();
    let node = Node::start_in(&dir, on(&killed)).await;
    // Nothing has run since the start, so the coordinator is not loaded yet.
    let requests = join(
        node.produce(producer, (0, 1), "b"),
        node.end(producer, true),
    );
    assert_eq!(requests.await, (ErrorCode::None, ErrorCode::None));
    let at_commit = killed.image();
    at_commit.crash(Survival::Nothing);
    let node = Node::start_in(&dir, on(&at_commit)).await;
    node.becomes_visible(0, &["a", "b"]).await;
}

#[tokio::test]
async fn a_committed_transaction_in_relaxed_partitions_survives() {
    let dir = Arc::new(tempfile::tempdir().expect("a temporary directory"));
    let disk = SimDisk::new();
    let node = Node::start_in(&dir, on(&disk)).await;
    node.create_topic(TOPIC, &[("durability", "relaxed")]).await;
    let producer = node.init(60_000).await.expect("a producer");
    for partition in [0, 1] {
        assert_eq!(node.add(producer, partition).await, ErrorCode::None);
        let produced = node.produce(producer, (partition, 0), "a").await;
        assert_eq!(produced, ErrorCode::None);
    }
    assert_eq!(node.end(producer, true).await, ErrorCode::None);
    let at_commit = disk.image();
    node.becomes_visible(0, &["a"]).await;
    node.becomes_visible(1, &["a"]).await;
    let at_marker = disk.image();

    for image in [at_commit, at_marker] {
        image.crash(Survival::Nothing);
        let node = Node::start_in(&dir, on(&image)).await;
        node.becomes_visible(0, &["a"]).await;
        node.becomes_visible(1, &["a"]).await;
    }
}
