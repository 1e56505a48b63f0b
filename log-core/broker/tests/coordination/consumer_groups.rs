//! Groups of the consumer protocol (KIP-848) on a broker.

use std::time::{Duration, Instant};

use headwater_wire::ErrorCode;
use headwater_wire::messages::consumer_group_describe::ConsumerGroupDescribeRequest;
use headwater_wire::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
};
use headwater_wire::messages::describe_groups::DescribeGroupsRequest;
use headwater_wire::messages::list_groups::ListGroupsRequest;
use headwater_wire::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use headwater_wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};

use crate::node::{GROUP, Node, TOPIC, error};

/// Longest time that anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

fn joining(id: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: GROUP.to_owned(),
        member_id: id.to_owned(),
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(Vec::new()),
        subscribed_topic_regex: Some("t.*".to_owned()),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    }
}

fn staying(id: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: GROUP.to_owned(),
        member_id: id.to_owned(),
        member_epoch: epoch,
        ..Default::default()
    }
}

fn partitions(response: &ConsumerGroupHeartbeatResponse) -> usize {
    let topics = response
        .assignment
        .iter()
        .flat_map(|all| &all.topic_partitions);
    topics.map(|topic| topic.partitions.len()).sum()
}

#[tokio::test]
async fn a_member_keeps_its_place_over_a_restart_and_gets_new_topics() {
    let node = Node::start().await;
    let joined = node.call(1, joining("m")).await;
    assert_eq!(
        (error(joined.error_code), joined.member_epoch),
        (ErrorCode::None, 2)
    );
    let before = partitions(&joined);
    assert!(before > 0);
    assert_eq!(node.commit("m", 2, (TOPIC, 0, 5)).await, ErrorCode::None);
    assert_eq!(
        node.commit("m", 9, (TOPIC, 0, 6)).await,
        ErrorCode::StaleMemberEpoch
    );

    let node = node.restart().await;
    let stayed = node.call(1, staying("m", 2)).await;
    assert_eq!(
        (error(stayed.error_code), stayed.member_epoch),
        (ErrorCode::None, 2)
    );
    assert_eq!(node.committed(0).await, Ok(5));

    node.create_topic("t-later", &[]).await;
    let start = Instant::now();
    let mut epoch = 2;
    loop {
        let beat = node.call(1, staying("m", epoch)).await;
        assert_eq!(error(beat.error_code), ErrorCode::None);
        epoch = beat.member_epoch;
        if partitions(&beat) > before {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "the new topic is not assigned");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_group_is_listed_and_described_as_what_it_is() {
    let node = Node::start().await;
    node.call(1, joining("m")).await;
    let listed = node.call(5, ListGroupsRequest::default()).await.groups;
    assert_eq!(
        (&*listed[0].group_type, &*listed[0].group_state),
        ("consumer", "Stable")
    );
    let describe = ConsumerGroupDescribeRequest {
        group_ids: vec![GROUP.to_owned(), "none".to_owned(), String::new()],
        include_authorized_operations: true,
    };
    let mut groups = node.call(1, describe).await.groups;
    groups.sort_by(|a, b| {
        b.members
            .len()
            .cmp(&a.members.len())
            .then(a.group_id.cmp(&b.group_id))
    });
    let codes: Vec<_> = groups.iter().map(|group| error(group.error_code)).collect();
    assert_eq!(
        codes,
        [
            ErrorCode::None,
            ErrorCode::InvalidGroupId,
            ErrorCode::GroupIdNotFound
        ]
    );
    assert_eq!(
        groups[0].members[0].subscribed_topic_regex.as_deref(),
        Some("t.*")
    );
    assert_ne!(groups[0].authorized_operations, i32::MIN);
    let classic = DescribeGroupsRequest {
        groups: vec![GROUP.to_owned()],
        ..Default::default()
    };
    let classic = node.call(6, classic).await.groups;
    assert_eq!(error(classic[0].error_code), ErrorCode::GroupIdNotFound);
}

#[tokio::test]
async fn offsets_are_fetched_by_members_and_deleted_when_unused() {
    let node = Node::start().await;
    node.call(1, joining("m")).await;
    assert_eq!(node.commit("m", 2, (TOPIC, 0, 5)).await, ErrorCode::None);
    let fetch = |member_epoch| OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: GROUP.to_owned(),
            member_id: Some("m".to_owned()),
            member_epoch,
            topics: Some(vec![OffsetFetchRequestTopics {
                name: TOPIC.to_owned(),
                partition_indexes: vec![0],
                ..Default::default()
            }]),
        }],
        ..Default::default()
    };
    let found = node.call(9, fetch(2)).await;
    assert_eq!(found.groups[0].topics[0].partitions[0].committed_offset, 5);
    let stale = node.call(9, fetch(3)).await;
    assert_eq!(
        error(stale.groups[0].error_code),
        ErrorCode::StaleMemberEpoch
    );

    let delete = |name: &str| OffsetDeleteRequest {
        group_id: GROUP.to_owned(),
        topics: vec![OffsetDeleteRequestTopic {
            name: name.to_owned(),
            partitions: vec![OffsetDeleteRequestPartition { partition_index: 0 }],
        }],
    };
    let code = |response: headwater_wire::messages::offset_delete::OffsetDeleteResponse| {
        assert_eq!(error(response.error_code), ErrorCode::None);
        error(response.topics[0].partitions[0].error_code)
    };
    assert_eq!(
        code(node.call(0, delete(TOPIC)).await),
        ErrorCode::GroupSubscribedToTopic
    );
    assert_eq!(
        code(node.call(0, delete("no")).await),
        ErrorCode::UnknownTopicOrPartition
    );
    node.call(1, staying("m", -1)).await;
    assert_eq!(code(node.call(0, delete(TOPIC)).await), ErrorCode::None);
    assert_eq!(node.committed(0).await, Ok(-1));
}
