//! What administrators ask of one node that makes more sense on many, and features.

use headwater_wire::ErrorCode;
use headwater_wire::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use headwater_wire::messages::api_versions::ApiVersionsRequest;
use headwater_wire::messages::describe_cluster::DescribeClusterRequest;
use headwater_wire::messages::describe_quorum::{
    DescribeQuorumRequest, PartitionRequest, TopicRequest,
};
use headwater_wire::messages::elect_leaders::{ElectLeadersRequest, TopicPartitions};
use headwater_wire::messages::list_partition_reassignments::ListPartitionReassignmentsRequest;
use headwater_wire::messages::update_features::{FeatureUpdateKey, UpdateFeaturesRequest};

use super::client::{Client, TestBroker};

fn election(kind: i8, topic: &str, partitions: &[i32]) -> ElectLeadersRequest {
    ElectLeadersRequest {
        election_type: kind,
        topic_partitions: Some(vec![TopicPartitions {
            topic: topic.to_owned(),
            partitions: partitions.to_vec(),
        }]),
        ..Default::default()
    }
}

#[tokio::test]
async fn leaders_are_where_they_should_be() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 2, &[]).await;
    for (version, kind) in [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1)] {
        let response = client.call(&election(kind, "t", &[0, 1, 9]), version).await;
        assert_eq!(response.error_code, 0);
        let results = &response.replica_election_results[0].partition_result;
        let codes: Vec<_> = results.iter().map(|result| result.error_code).collect();
        let not_needed = ErrorCode::ElectionNotNeeded.code();
        let unknown = ErrorCode::UnknownTopicOrPartition.code();
        assert_eq!(codes, [not_needed, not_needed, unknown]);
    }
    let unknown = client.call(&election(7, "t", &[0]), 2).await;
    let code = ErrorCode::InvalidRequest.code();
    let each = unknown.replica_election_results[0].partition_result[0].error_code;
    assert_eq!((unknown.error_code, each), (code, code));
    let absent = client.call(&election(0, "absent", &[0]), 2).await;
    assert_eq!(
        absent.replica_election_results[0].partition_result[0].error_code,
        ErrorCode::UnknownTopicOrPartition.code()
    );
    let all = ElectLeadersRequest {
        topic_partitions: None,
        ..Default::default()
    };
    let all = client.call(&all, 2).await;
    assert_eq!(all.replica_election_results.len(), 1);
    assert!(all.replica_election_results[0].partition_result.is_empty());
}

async fn reassign(client: &mut Client, partition: i32, replicas: Option<Vec<i32>>) -> i16 {
    let request = AlterPartitionReassignmentsRequest {
        topics: vec![ReassignableTopic {
            name: "t".to_owned(),
            partitions: vec![ReassignablePartition {
                partition_index: partition,
                replicas,
            }],
        }],
        ..Default::default()
    };
    let mut codes = Vec::new();
    for version in 0..=1 {
        let response = client.call(&request, version).await;
        assert_eq!((response.error_code, response.error_message), (0, None));
        codes.push(response.responses[0].partitions[0].error_code);
    }
    assert_eq!(codes[0], codes[1]);
    codes[0]
}

#[tokio::test]
async fn a_partition_can_only_be_where_it_is() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    assert_eq!(reassign(&mut client, 0, Some(vec![1])).await, 0);
    let invalid = ErrorCode::InvalidReplicaAssignment.code();
    for replicas in [vec![2], vec![1, 2], vec![1, 1], vec![], vec![-1]] {
        assert_eq!(reassign(&mut client, 0, Some(replicas)).await, invalid);
    }
    let nothing = ErrorCode::NoReassignmentInProgress.code();
    assert_eq!(reassign(&mut client, 0, None).await, nothing);
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!(reassign(&mut client, 5, Some(vec![1])).await, unknown);
    let listed = client
        .call(&ListPartitionReassignmentsRequest::default(), 0)
        .await;
    assert_eq!((listed.error_code, listed.topics), (0, vec![]));
}

fn quorum_of(topic: &str, partition_index: i32) -> DescribeQuorumRequest {
    DescribeQuorumRequest {
        topics: vec![TopicRequest {
            topic_name: topic.to_owned(),
            partitions: vec![PartitionRequest { partition_index }],
        }],
    }
}

#[tokio::test]
async fn the_quorum_is_this_node_and_moves_on() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    let mut before = -1;
    for version in 0..=2 {
        let request = quorum_of("__cluster_metadata", 0);
        let response = client.call(&request, version).await;
        let quorum = &response.topics[0].partitions[0];
        assert_eq!((response.error_code, quorum.error_code), (0, 0));
        assert_eq!(quorum.leader_id, 1);
        assert!(quorum.leader_epoch > 0);
        assert!(quorum.high_watermark > before, "what is agreed on grows");
        before = quorum.high_watermark;
        assert_eq!(quorum.current_voters.len(), 1);
        let voter = &quorum.current_voters[0];
        assert_eq!(voter.replica_id, 1);
        assert!(voter.log_end_offset >= quorum.high_watermark);
        if version >= 2 {
            let port = i32::from(response.nodes[0].listeners[0].port);
            assert_eq!(port, i32::from(broker.broker.address().port()));
        }
        client.create_topic(&format!("t{version}"), 1, &[]).await;
    }
    for (topic, partition) in [("t", 0), ("__cluster_metadata", 1)] {
        let response = client.call(&quorum_of(topic, partition), 2).await;
        assert_eq!(
            response.topics[0].partitions[0].error_code,
            ErrorCode::UnknownTopicOrPartition.code()
        );
    }
}

#[tokio::test]
async fn only_brokers_are_described() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    for version in 0..=2 {
        let response = client
            .call(&DescribeClusterRequest::default(), version)
            .await;
        assert_eq!((response.error_code, response.brokers.len()), (0, 1));
        assert_eq!(response.controller_id, 1);
    }
    let mismatched = ErrorCode::MismatchedEndpointType;
    for (kind, error) in [(2, mismatched), (0, ErrorCode::UnsupportedEndpointType)] {
        let request = DescribeClusterRequest {
            endpoint_type: kind,
            ..Default::default()
        };
        let response = client.call(&request, 1).await;
        assert_eq!(ErrorCode::from_code(response.error_code), error);
        assert!(response.brokers.is_empty());
    }
}

fn feature(name: &str, level: i16, upgrade_type: i8) -> UpdateFeaturesRequest {
    UpdateFeaturesRequest {
        feature_updates: vec![FeatureUpdateKey {
            feature: name.to_owned(),
            max_version_level: level,
            upgrade_type,
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// Epoch of the features, and the level of `transaction.version` with its highest.
async fn finalized(client: &mut Client) -> (i64, i16, i16) {
    let request = ApiVersionsRequest {
        client_software_name: "test".to_owned(),
        client_software_version: "1".to_owned(),
    };
    let response = client.call(&request, 4).await;
    let name = "transaction.version";
    let level = response.finalized_features.iter().find(|f| f.name == name);
    let range = response.supported_features.iter().find(|f| f.name == name);
    (
        response.finalized_features_epoch,
        level.expect("it is finalized").max_version_level,
        range.expect("it is supported").max_version,
    )
}

#[tokio::test]
async fn features_are_what_the_cluster_agreed_on() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    let (epoch, level, highest) = finalized(&mut client).await;
    assert_eq!(level, highest, "a new cluster has the newest of all");
    let invalid = ErrorCode::InvalidUpdateVersion.code();
    let refused = [
        feature("transaction.version", highest + 1, 1),
        feature("transaction.version", -1, 2),
        feature("transaction.version", highest, 0),
        feature("metadata.version", 29, 3),
        feature("group.version", 0, 2),
        feature("no.such", 1, 1),
    ];
    for version in 1..=2 {
        for request in &refused {
            let response = client.call(request, version).await;
            assert_eq!(response.error_code, invalid, "{request:?}");
            assert!(response.error_message.is_some());
        }
        let same = client
            .call(&feature("transaction.version", highest, 1), version)
            .await;
        assert_eq!(same.error_code, 0);
        assert_eq!(same.results.len(), usize::from(version == 1));
    }
    assert_eq!(finalized(&mut client).await, (epoch, level, highest));
}

#[tokio::test]
async fn a_lower_level_outlives_the_process() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    let (epoch, level, highest) = finalized(&mut client).await;
    let lowest = 1;
    if level > lowest {
        let up = client
            .call(&feature("transaction.version", lowest, 1), 2)
            .await;
        assert_eq!(up.error_code, ErrorCode::InvalidUpdateVersion.code());
    }
    let only_checked = UpdateFeaturesRequest {
        validate_only: true,
        ..feature("transaction.version", lowest, 2)
    };
    assert_eq!(client.call(&only_checked, 2).await.error_code, 0);
    assert_eq!(finalized(&mut client).await, (epoch, level, highest));
    let down = client
        .call(&feature("transaction.version", lowest, 2), 2)
        .await;
    assert_eq!(down.error_code, 0);
    let (later, now, _) = finalized(&mut client).await;
    assert_eq!((later > epoch, now), (level > lowest, lowest));
    let broker = broker.restart().await;
    let mut client = broker.client().await;
    assert_eq!(finalized(&mut client).await, (later, lowest, highest));
}
