//! Offsets by topic id, of several groups at once, and of topics that go.

use std::sync::Arc;

use headwater_broker::Environment;
use headwater_env::Disk;
use headwater_env::sim::{Fault, SimDisk, Survival};
use headwater_wire::ErrorCode;
use headwater_wire::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest;
use headwater_wire::messages::delete_topics::DeleteTopicsRequest;
use headwater_wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use headwater_wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::node::{GROUP, Node, TOPIC, error};

#[tokio::test]
async fn newer_clients_name_topics_by_id() {
    let node = Node::start().await;
    let known = node.topic_id(TOPIC).await;
    let unknown = Uuid::from_u128(7);
    let commit = |topic_id| OffsetCommitRequestTopic {
        topic_id,
        partitions: vec![OffsetCommitRequestPartition {
            committed_offset: 5,
            ..Default::default()
        }],
        ..Default::default()
    };
    let request = OffsetCommitRequest {
        group_id: GROUP.to_owned(),
        topics: vec![commit(unknown), commit(known)],
        ..Default::default()
    };
    let committed = node.call(10, request).await.topics;
    let code_of = |id| {
        let topic = committed
            .iter()
            .find(|topic| topic.topic_id == id)
            .expect("an answer");
        error(topic.partitions[0].error_code)
    };
    assert_eq!(code_of(known), ErrorCode::None);
    assert_eq!(code_of(unknown), ErrorCode::UnknownTopicId);

    let wanted = |topic_id| OffsetFetchRequestTopics {
        topic_id,
        partition_indexes: vec![0],
        ..Default::default()
    };
    for topics in [Some(vec![wanted(unknown), wanted(known)]), None] {
        let asks_for_all = topics.is_none();
        let groups = vec![OffsetFetchRequestGroup {
            group_id: GROUP.to_owned(),
            topics,
            ..Default::default()
        }];
        let request = OffsetFetchRequest {
            groups,
            ..Default::default()
        };
        let found = node.call(10, request).await.groups.remove(0).topics;
        let known = found
            .iter()
            .find(|topic| topic.topic_id == known)
            .expect("an answer");
        assert_eq!(known.partitions[0].committed_offset, 5);
        let unknown = found.iter().find(|topic| topic.topic_id == unknown);
        let code = unknown.map(|topic| error(topic.partitions[0].error_code));
        assert_eq!(code, (!asks_for_all).then_some(ErrorCode::UnknownTopicId));
    }
}

#[tokio::test]
async fn a_group_that_is_refused_is_told_of_no_topics() {
    let node = Node::start().await;
    let heartbeat = ConsumerGroupHeartbeatRequest {
        group_id: GROUP.to_owned(),
        member_id: "m".to_owned(),
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(vec![TOPIC.to_owned()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    };
    assert_eq!(node.call(1, heartbeat).await.error_code, 0);
    let wanted = OffsetFetchRequestTopics {
        topic_id: Uuid::from_u128(7),
        partition_indexes: vec![0],
        ..Default::default()
    };
    let group = OffsetFetchRequestGroup {
        group_id: GROUP.to_owned(),
        member_id: Some("nobody".to_owned()),
        member_epoch: 1,
        topics: Some(vec![wanted]),
    };
    let request = OffsetFetchRequest {
        groups: vec![group],
        ..Default::default()
    };
    let refused = node.call(10, request).await.groups.remove(0);
    assert_eq!(error(refused.error_code), ErrorCode::UnknownMemberId);
    assert_eq!(refused.topics, []);
}

#[tokio::test]
async fn several_groups_are_asked_for_at_once() {
    let node = Node::start().await;
    node.commit("", -1, (TOPIC, 0, 3)).await;
    let groups = [GROUP, "a", "b", "c"].map(|group| OffsetFetchRequestGroup {
        group_id: group.to_owned(),
        topics: None,
        ..Default::default()
    });
    let request = OffsetFetchRequest {
        groups: groups.into(),
        ..Default::default()
    };
    let found = node.call(8, request).await.groups;
    assert_eq!(found.len(), 4);
    for group in found {
        assert_eq!(
            (group.error_code, group.topics.is_empty()),
            (0, group.group_id != GROUP)
        );
    }
}

#[tokio::test]
async fn a_topic_made_anew_has_no_offsets() {
    let node = Node::start().await;
    node.commit("", -1, (TOPIC, 0, 3)).await;
    assert_eq!(node.committed(0).await, Ok(3));
    delete(&node, TOPIC).await;
    node.create_topic(TOPIC, &[]).await;
    assert_eq!(node.committed(0).await, Ok(-1));
    let node = node.restart().await;
    assert_eq!(node.committed(0).await, Ok(-1));
}

async fn delete(node: &Node, topic: &str) {
    let request = DeleteTopicsRequest {
        topic_names: vec![topic.to_owned()],
        timeout_ms: 1_000,
        ..Default::default()
    };
    assert_eq!(node.call(5, request).await.responses[0].error_code, 0);
}

fn on(disk: &SimDisk) -> Environment {
    Environment {
        disk: Arc::new(disk.clone()),
        ..Environment::default()
    }
}

#[tokio::test]
async fn a_node_that_ends_while_a_topic_is_deleted_leaves_no_offsets_for_the_next() {
    let dir = Arc::new(tempfile::tempdir().expect("a temporary directory"));
    let disk = SimDisk::new();
    let node = Node::start_in(&dir, on(&disk)).await;
    node.create_topic(TOPIC, &[]).await;
    node.commit("", -1, (TOPIC, 0, 3)).await;
    let images = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&images);
    disk.observe(Box::new(move |_, _, image| seen.lock().push(image.image())));
    delete(&node, TOPIC).await;
    disk.stop_observing();
    let images = std::mem::take(&mut *images.lock());
    let mut anew = 0;
    for image in images {
        image.crash(Survival::Nothing);
        let node = Node::start_in(&dir, on(&image)).await;
        if node.topic_id(TOPIC).await.is_nil() {
            node.create_topic(TOPIC, &[]).await;
            assert_eq!(node.committed(0).await, Ok(-1));
            anew += 1;
        } else {
            assert_eq!(node.committed(0).await, Ok(3), "it is not deleted");
        }
    }
    assert!(anew > 0);
}

#[tokio::test]
async fn files_of_a_deleted_topic_that_do_not_go_at_first_go_later() {
    let dir = Arc::new(tempfile::tempdir().expect("a temporary directory"));
    let disk = SimDisk::new();
    let node = Node::start_in(&dir, on(&disk)).await;
    node.create_topic(TOPIC, &[]).await;
    let producer = node.init(60_000).await.expect("a producer");
    assert_eq!(node.add(producer, 0).await, ErrorCode::None);
    assert_eq!(node.produce(producer, (0, 0), "a").await, ErrorCode::None);
    let partition = format!("{}-0", node.topic_id(TOPIC).await);
    let files = dir.path().join("partitions").join(&partition);
    assert!(disk.exists(&files).expect("a directory is looked for"));
    disk.inject(Fault::Remove, &partition, 2);
    delete(&node, TOPIC).await;
    // Each deletion of another topic has what is left tried again.
    for _ in 0..1_000 {
        if !disk.exists(&files).expect("a directory is looked for") {
            return;
        }
        node.create_topic("other", &[]).await;
        delete(&node, "other").await;
    }
    panic!("the files are still there");
}

#[tokio::test]
async fn a_topic_that_is_deleted_while_offsets_are_loaded_takes_them_along() {
    let dir = Arc::new(tempfile::tempdir().expect("a temporary directory"));
    let disk = SimDisk::new();
    let node = Node::start_in(&dir, on(&disk)).await;
    node.create_topic(TOPIC, &[]).await;
    assert_eq!(node.commit("", -1, (TOPIC, 0, 3)).await, ErrorCode::None);
    // A commit that finds no room has the coordinator load anew, and that fails the first time.
    disk.inject(Fault::Read, "partitions", 1);
    disk.set_capacity(Some(disk.used_bytes()));
    assert_ne!(node.commit("", -1, (TOPIC, 0, 4)).await, ErrorCode::None);
    disk.set_capacity(None);
    delete(&node, TOPIC).await;
    node.create_topic(TOPIC, &[]).await;
    node.becomes_committed(0, -1).await;
    assert_eq!(node.commit("", -1, (TOPIC, 0, 1)).await, ErrorCode::None);
    assert_eq!(node.committed(0).await, Ok(1));
}

#[tokio::test]
async fn nobody_waits_for_offsets_that_cannot_be_read() {
    let dir = Arc::new(tempfile::tempdir().expect("a temporary directory"));
    let disk = SimDisk::new();
    let node = Node::start_in(&dir, on(&disk)).await;
    node.create_topic(TOPIC, &[]).await;
    assert_eq!(node.commit("", -1, (TOPIC, 0, 3)).await, ErrorCode::None);
    disk.inject(Fault::Read, "partitions", 1_000_000);
    disk.set_capacity(Some(disk.used_bytes()));
    assert_ne!(node.commit("", -1, (TOPIC, 0, 4)).await, ErrorCode::None);
    disk.set_capacity(None);
    for _ in 0..2 {
        assert_eq!(
            node.committed(0).await,
            Err(ErrorCode::CoordinatorLoadInProgress)
        );
    }
}
