//! Logs in which somebody left a marker under the epoch of a coordinator that never was: the
//! transactions of its producer go on.

use std::path::Path;
use std::sync::Arc;

use headwater_env::{RealDisk, SystemClock};
use headwater_storage::{
    AppendOrigin, KnownPartition, LogConfig, Storage, StorageOptions, TopicPartitionId,
};
use headwater_wire::ErrorCode;
use headwater_wire::records::{ControlMarker, RecordBatch, TransactionResult, control_batch};

use crate::administration::{mark_as, offsets_place, producers};
use crate::node::{Node, Producer, TOPIC, now};

/// What no coordinator has on a single node.
const FOREIGN: i32 = 7;

/// Appends a marker to one partition of a broker that is stopped.
fn leave_marker(data_dir: &Path, id: TopicPartitionId, producer: Producer) {
    let disk = Arc::new(RealDisk::new());
    let owner = Storage::owner(disk.clone(), data_dir).expect("the directory is readable");
    let owner = owner.expect("the directory was used");
    let options = StorageOptions::new(data_dir, owner.cluster_id, owner.node_id);
    let clock = Arc::new(SystemClock::new());
    let storage = Storage::open(disk, clock, options).expect("the broker is stopped");
    let found = std::fs::read_dir(data_dir.join("partitions")).expect("a directory");
    let known = found.map(|entry| {
        let name = entry.expect("an entry").file_name();
        let name = name.to_string_lossy();
        KnownPartition {
            id: TopicPartitionId::parse(&name).expect("a partition"),
            name: name.into_owned(),
            config: LogConfig::default(),
        }
    });
    let known: Vec<_> = known.collect();
    storage.recover(&known).expect("nothing is damaged");
    let log = storage.partition(&id).expect("it was written to");
    let marker = ControlMarker {
        result: TransactionResult::Abort,
        coordinator_epoch: FOREIGN,
    };
    let mut bytes = control_batch(marker, producer.id, producer.epoch, now()).expect("a marker");
    let batch = RecordBatch::split_from(&mut bytes).expect("sound");
    let batch = batch.expect("whole");
    log.append(&[batch], AppendOrigin::Coordinator)
        .expect("it was the highest epoch once");
    storage.shutdown().expect("the storage stops in order");
}

async fn restart_with_marker(node: Node, place: (&str, i32), producer: Producer) -> Node {
    let id = TopicPartitionId {
        topic: node.topic_id(place.0).await,
        partition: place.1,
    };
    node.restart_after(|dir| leave_marker(dir, id, producer))
        .await
}

#[tokio::test]
async fn transactions_in_a_partition_with_a_foreign_marker_end() {
    let node = Node::start().await;
    let producer = node.init(600_000).await.expect("a producer");
    node.add(producer, 0).await;
    node.produce(producer, (0, 0), "a").await;
    assert_eq!(node.end(producer, true).await, ErrorCode::None);
    node.becomes_visible(0, &["a"]).await;

    let node = restart_with_marker(node, (TOPIC, 0), producer).await;
    assert_eq!(node.add(producer, 0).await, ErrorCode::None);
    assert_eq!(node.produce(producer, (0, 1), "b").await, ErrorCode::None);
    assert_eq!(node.end(producer, true).await, ErrorCode::None);
    node.becomes_visible(0, &["a", "b"]).await;
    let producer = node.init(600_000).await.expect("let in");
    node.produce_in(12, producer, (0, 0), "c").await;
    node.end_v2(producer, true).await.expect("committed");
    node.becomes_visible(0, &["a", "b", "c"]).await;
}

#[tokio::test]
async fn offsets_beside_a_foreign_marker_are_committed() {
    let node = Node::start().await;
    let producer = node.init(600_000).await.expect("a producer");
    node.add_offsets(producer).await;
    assert_eq!(node.txn_commit(producer, 0, 5).await, ErrorCode::None);
    assert_eq!(node.end(producer, true).await, ErrorCode::None);
    node.becomes_committed(0, 5).await;

    let node = restart_with_marker(node, offsets_place(), producer).await;
    assert_eq!(node.add_offsets(producer).await, ErrorCode::None);
    assert_eq!(node.txn_commit(producer, 0, 9).await, ErrorCode::None);
    assert_eq!(node.end(producer, true).await, ErrorCode::None);
    node.becomes_committed(0, 9).await;
}

#[tokio::test]
async fn what_hangs_beside_a_foreign_marker_is_ended_by_an_administrator() {
    let node = Node::start().await;
    let producer = node.init(600_000).await.expect("a producer");
    node.produce_in(12, producer, (0, 0), "a").await;
    node.produce_in(12, producer, (0, 1), "b").await;
    let node = restart_with_marker(node, (TOPIC, 0), producer).await;
    node.produce_in(12, producer, (0, 2), "c").await;
    let found = producers(&node, TOPIC, 0).await;
    let told = found.active_producers[0].coordinator_epoch;
    assert_eq!(told, FOREIGN);
    assert!(found.active_producers[0].current_txn_start_offset >= 0);
    for (epoch, expected) in [
        (FOREIGN + 1, ErrorCode::TransactionCoordinatorFenced),
        (-1, ErrorCode::TransactionCoordinatorFenced),
        (told, ErrorCode::None),
        (0, ErrorCode::None),
    ] {
        let code = mark_as(&node, epoch, producer, (TOPIC, 0)).await;
        assert_eq!(code, expected, "epoch {epoch}");
    }
    let found = producers(&node, TOPIC, 0).await;
    assert_eq!(found.active_producers[0].current_txn_start_offset, -1);
}
