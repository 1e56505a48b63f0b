//! Members and groups.

use bytes::Bytes;
use headwater_wire::ErrorCode;
use headwater_wire::messages::delete_groups::DeleteGroupsRequest;
use headwater_wire::messages::describe_groups::DescribeGroupsRequest;
use headwater_wire::messages::find_coordinator::FindCoordinatorRequest;
use headwater_wire::messages::heartbeat::HeartbeatRequest;
use headwater_wire::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use headwater_wire::messages::list_groups::ListGroupsRequest;
use headwater_wire::messages::sync_group::SyncGroupRequest;

use crate::node::{GROUP, Node, TOPIC, error};

#[tokio::test]
async fn this_node_coordinates_everything() {
    let node = Node::start().await;
    for (key_type, expected) in [(0, 0), (1, 0), (2, ErrorCode::InvalidRequest.code())] {
        let old = FindCoordinatorRequest {
            key: "x".to_owned(),
            key_type,
            ..Default::default()
        };
        let old = node.call(3, old).await;
        assert_eq!(old.error_code, expected);
        let keys = vec!["a".to_owned(), "b".to_owned()];
        let new = FindCoordinatorRequest {
            key_type,
            coordinator_keys: keys,
            ..Default::default()
        };
        let found = node.call(4, new).await.coordinators;
        assert_eq!((found.len(), found[1].key.as_str()), (2, "b"));
        assert_eq!(
            (found[0].error_code, found[0].node_id),
            (expected, old.node_id)
        );
        assert_eq!(found[0].port, old.port);
    }
}

#[tokio::test]
async fn a_group_forms_is_seen_and_goes() {
    let node = Node::start().await;
    let nobody = node.call(5, ListGroupsRequest::default()).await;
    assert_eq!((nobody.error_code, nobody.groups.len()), (0, 0));
    let id = node.stable_group().await;
    let heartbeat = HeartbeatRequest {
        group_id: GROUP.to_owned(),
        generation_id: 1,
        member_id: id.clone(),
        group_instance_id: None,
    };
    assert_eq!(node.call(4, heartbeat).await.error_code, 0);
    let listed = node.call(5, ListGroupsRequest::default()).await.groups;
    assert_eq!(
        (listed[0].group_id.as_str(), listed[0].group_state.as_str()),
        (GROUP, "Stable")
    );
    let request = DescribeGroupsRequest {
        groups: vec![GROUP.to_owned(), "other".to_owned()],
        include_authorized_operations: true,
    };
    let described = node.call(5, request).await.groups;
    let group = described
        .iter()
        .find(|group| group.group_id == GROUP)
        .expect("it is there");
    assert_eq!(group.members[0].client_host, "/127.0.0.1");
    assert_eq!(group.members[0].member_assignment, Bytes::from("all"));
    assert!(group.authorized_operations > 0);
    assert!(described.iter().any(|group| group.group_state == "Dead"));

    let delete = || DeleteGroupsRequest {
        groups_names: vec![GROUP.to_owned()],
    };
    let refused = node.call(2, delete()).await.results[0].error_code;
    assert_eq!(error(refused), ErrorCode::NonEmptyGroup);
    let members = vec![MemberIdentity {
        member_id: id,
        ..Default::default()
    }];
    let leave = LeaveGroupRequest {
        group_id: GROUP.to_owned(),
        members,
        ..Default::default()
    };
    assert_eq!(node.call(5, leave).await.members[0].error_code, 0);
    assert_eq!(node.call(2, delete()).await.results[0].error_code, 0);
    assert!(
        node.call(5, ListGroupsRequest::default())
            .await
            .groups
            .is_empty()
    );
}

#[tokio::test]
async fn a_join_waits_for_the_other_members() {
    let node = Node::start().await;
    let first = node.stable_group().await;
    let asked = node.join(None, "").await;
    let second = node.join(None, &asked.member_id);
    let (second, first) = tokio::join!(second, node.join(None, &first));
    assert_eq!((first.generation_id, second.generation_id), (2, 2));
    assert_eq!(first.members.len(), 2);
}

#[tokio::test]
async fn commits_are_fenced_and_topics_have_to_exist() {
    let node = Node::start().await;
    let id = node.stable_group().await;
    assert_eq!(node.commit(&id, 1, (TOPIC, 0, 7)).await, ErrorCode::None);
    assert_eq!(
        node.commit(&id, 0, (TOPIC, 0, 8)).await,
        ErrorCode::IllegalGeneration
    );
    let unknown = ErrorCode::UnknownTopicOrPartition;
    assert_eq!(node.commit(&id, 1, (TOPIC, 2, 7)).await, unknown);
    assert_eq!(node.commit(&id, 1, ("nothing", 0, 7)).await, unknown);
    assert_eq!(node.committed(0).await, Ok(7));
    assert_eq!(node.committed(1).await, Ok(-1));
}

#[tokio::test]
async fn a_sync_says_which_protocol_it_follows_before_anything_else() {
    let node = Node::start().await;
    let request = |protocol_type: Option<&str>| SyncGroupRequest {
        group_id: GROUP.to_owned(),
        member_id: "nobody".to_owned(),
        protocol_type: protocol_type.map(str::to_owned),
        protocol_name: Some("range".to_owned()),
        ..Default::default()
    };
    for (version, protocol_type, expected) in [
        (5, None, ErrorCode::InconsistentGroupProtocol),
        (5, Some("consumer"), ErrorCode::UnknownMemberId),
        (4, None, ErrorCode::UnknownMemberId),
    ] {
        let response = node.call(version, request(protocol_type)).await;
        assert_eq!(error(response.error_code), expected);
    }
}
