//! Offsets by topic id, of several groups at once, and of topics that go.

use headwater_wire::ErrorCode;
use headwater_wire::messages::delete_topics::DeleteTopicsRequest;
use headwater_wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use headwater_wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use headwater_wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use uuid::Uuid;

use crate::node::{GROUP, Node, TOPIC, error};

async fn topic_id(node: &Node) -> Uuid {
    let topic = MetadataRequestTopic {
        name: Some(TOPIC.to_owned()),
        ..Default::default()
    };
    let request = MetadataRequest {
        topics: Some(vec![topic]),
        ..Default::default()
    };
    node.call(12, request).await.topics[0].topic_id
}

#[tokio::test]
async fn newer_clients_name_topics_by_id() {
    let node = Node::start().await;
    let known = topic_id(&node).await;
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
    let request = DeleteTopicsRequest {
        topic_names: vec![TOPIC.to_owned()],
        timeout_ms: 1_000,
        ..Default::default()
    };
    assert_eq!(node.call(5, request).await.responses[0].error_code, 0);
    node.create_topic(TOPIC, &[]).await;
    assert_eq!(node.committed(0).await, Ok(-1));
    let node = node.restart().await;
    assert_eq!(node.committed(0).await, Ok(-1));
}
