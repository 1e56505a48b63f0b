use headwater_wire::ErrorCode;
use headwater_wire::messages::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use headwater_wire::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use headwater_wire::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use headwater_wire::messages::describe_cluster::DescribeClusterRequest;
use headwater_wire::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, TopicRequest,
};
use headwater_wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};

use super::client::{TestBroker, batch};

fn named(name: &str) -> MetadataRequest {
    let topic = MetadataRequestTopic {
        name: Some(name.into()),
        ..Default::default()
    };
    MetadataRequest {
        topics: Some(vec![topic]),
        ..Default::default()
    }
}

#[tokio::test]
async fn metadata_creates_topics_with_the_default_number_of_partitions() {
    let broker = TestBroker::start_with(|config| config.settings.num_partitions = 3).await;
    let mut client = broker.client().await;
    for version in 0..=13 {
        let name = format!("made-by-{version}");
        let response = client.call(&named(&name), version).await;
        let topic = &response.topics[0];
        assert_eq!(topic.error_code, 0, "version {version}");
        assert_eq!(topic.name.as_deref(), Some(name.as_str()));
        assert_eq!(topic.partitions.len(), 3);
        assert!(
            topic
                .partitions
                .iter()
                .all(|p| p.leader_id == 1 && p.error_code == 0)
        );
        assert_eq!(topic.topic_id.is_nil(), version < 10);
        assert_eq!(response.brokers.len(), 1);
        assert_eq!(
            response.brokers[0].port,
            i32::from(broker.broker.address().port())
        );
    }
    let all = client
        .call(
            &MetadataRequest {
                topics: None,
                ..Default::default()
            },
            9,
        )
        .await;
    assert_eq!(all.topics.len(), 14);
    let none = MetadataRequest {
        topics: Some(Vec::new()),
        ..Default::default()
    };
    assert_eq!(
        client.call(&none, 0).await.topics.len(),
        14,
        "in version 0 that means all"
    );
    assert_eq!(client.call(&none, 1).await.topics.len(), 0);
}

#[tokio::test]
async fn metadata_says_what_is_not_there() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    let request = MetadataRequest {
        allow_auto_topic_creation: false,
        ..named("absent")
    };
    let response = client.call(&request, 9).await;
    let absent = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!(response.topics[0].error_code, absent);
    let response = client.call(&named("not a name"), 9).await;
    assert_eq!(
        response.topics[0].error_code,
        ErrorCode::InvalidTopicException.code()
    );
    let id = uuid::Uuid::from_u128(1);
    let by_id = MetadataRequestTopic {
        topic_id: id,
        ..Default::default()
    };
    let request = MetadataRequest {
        topics: Some(vec![by_id]),
        ..Default::default()
    };
    let response = client.call(&request, 12).await;
    assert_eq!(
        response.topics[0].error_code,
        ErrorCode::UnknownTopicId.code()
    );
    assert_eq!(response.topics[0].topic_id, id);

    let closed = TestBroker::start_with(|config| config.settings.auto_create_topics = false).await;
    let response = closed.client().await.call(&named("absent"), 9).await;
    assert_eq!(response.topics[0].error_code, absent);
}

#[tokio::test]
async fn topics_are_created_as_asked_or_refused_with_a_reason() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("there", 1, &[]).await;
    let topic = |name: &str, partitions: i32, replicas: i16| CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: replicas,
        ..Default::default()
    };
    let config = |name: &str, value: &str| CreatableTopicConfig {
        name: name.into(),
        value: Some(value.into()),
    };
    let assigned = CreatableReplicaAssignment {
        partition_index: 0,
        broker_ids: vec![1],
    };
    let nowhere = CreatableReplicaAssignment {
        partition_index: 0,
        broker_ids: vec![7],
    };
    let cases = [
        (topic("there", 1, 1), ErrorCode::TopicAlreadyExists),
        (topic("a.b", 1, 1), ErrorCode::None),
        (topic("a_b", 1, 1), ErrorCode::InvalidTopicException),
        (topic("", 1, 1), ErrorCode::InvalidTopicException),
        (topic("none", 0, 1), ErrorCode::InvalidPartitions),
        (topic("copies", 1, 2), ErrorCode::InvalidReplicationFactor),
        (topic("defaults", -1, -1), ErrorCode::None),
        (
            CreatableTopic {
                configs: vec![config("retention.ms", "x")],
                ..topic("c", 1, 1)
            },
            ErrorCode::InvalidConfig,
        ),
        (
            CreatableTopic {
                configs: vec![config("no.such", "1")],
                ..topic("c", 1, 1)
            },
            ErrorCode::InvalidConfig,
        ),
        (
            CreatableTopic {
                configs: vec![config("compression.type", "lzma")],
                ..topic("c", 1, 1)
            },
            ErrorCode::InvalidConfig,
        ),
        (
            CreatableTopic {
                assignments: vec![assigned.clone()],
                ..topic("as", -1, -1)
            },
            ErrorCode::None,
        ),
        (
            CreatableTopic {
                assignments: vec![assigned],
                ..topic("as2", 1, 1)
            },
            ErrorCode::InvalidRequest,
        ),
        (
            CreatableTopic {
                assignments: vec![nowhere],
                ..topic("as3", -1, -1)
            },
            ErrorCode::InvalidReplicaAssignment,
        ),
    ];
    for (topic, expected) in cases {
        let name = topic.name.clone();
        let request = CreateTopicsRequest {
            topics: vec![topic],
            ..Default::default()
        };
        let result = client.call(&request, 7).await.topics.remove(0);
        assert_eq!(
            ErrorCode::from_code(result.error_code),
            expected,
            "{name}: {:?}",
            result.error_message
        );
        assert_eq!(result.error_message.is_some(), expected != ErrorCode::None);
    }
    let twice = vec![
        topic("twice", 1, 1),
        topic("twice", 2, 1),
        topic("once", 1, 1),
    ];
    let response = client
        .call(
            &CreateTopicsRequest {
                topics: twice,
                ..Default::default()
            },
            7,
        )
        .await;
    let codes: Vec<i16> = response
        .topics
        .iter()
        .map(|topic| topic.error_code)
        .collect();
    assert_eq!(codes, [0, ErrorCode::InvalidRequest.code()]);
}

#[tokio::test]
async fn validating_creates_nothing_and_every_version_is_answered() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    for version in 2..=7 {
        let topic = CreatableTopic {
            name: "checked".into(),
            num_partitions: 2,
            replication_factor: 1,
            ..Default::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![topic],
            validate_only: true,
            ..Default::default()
        };
        let result = client.call(&request, version).await.topics.remove(0);
        assert_eq!(result.error_code, 0);
        if version >= 5 {
            assert_eq!((result.num_partitions, result.replication_factor), (2, 1));
            let configs = result.configs.expect("configs come with the answer");
            assert!(configs.iter().any(|config| config.name == "cleanup.policy"));
        }
    }
    let request = MetadataRequest {
        allow_auto_topic_creation: false,
        ..named("checked")
    };
    let response = client.call(&request, 9).await;
    assert_eq!(
        response.topics[0].error_code,
        ErrorCode::UnknownTopicOrPartition.code()
    );
}

#[tokio::test]
async fn a_deleted_topic_is_gone_and_its_name_starts_afresh() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    assert_eq!(client.produce("t", 0, batch(&["old"])).await.error_code, 0);
    let by_name = DeleteTopicsRequest {
        topic_names: vec!["t".into()],
        timeout_ms: 1000,
        ..Default::default()
    };
    assert_eq!(client.call(&by_name, 1).await.responses[0].error_code, 0);
    let again = client.call(&by_name, 5).await;
    assert_eq!(
        again.responses[0].error_code,
        ErrorCode::UnknownTopicOrPartition.code()
    );
    let refused = client.produce("t", 0, batch(&["late"])).await;
    assert_eq!(
        refused.error_code,
        ErrorCode::UnknownTopicOrPartition.code()
    );

    client.create_topic("t", 1, &[]).await;
    assert_eq!(client.produce("t", 0, batch(&["new"])).await.base_offset, 0);
    let id = client.call(&named("t"), 12).await.topics[0].topic_id;
    let by_id = DeleteTopicsRequest {
        topics: vec![DeleteTopicState {
            name: None,
            topic_id: id,
        }],
        timeout_ms: 10_000,
        ..Default::default()
    };
    let deleted = client.call(&by_id, 6).await.responses.remove(0);
    assert_eq!(
        (deleted.error_code, deleted.name.as_deref()),
        (0, Some("t"))
    );
    let unknown = client.call(&by_id, 6).await.responses.remove(0);
    assert_eq!(unknown.error_code, ErrorCode::UnknownTopicId.code());
}

#[tokio::test]
async fn partitions_are_added_and_seen_at_once() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 2, &[]).await;
    let grow = |count| CreatePartitionsRequest {
        topics: vec![CreatePartitionsTopic {
            name: "t".into(),
            count,
            assignments: None,
        }],
        timeout_ms: 10_000,
        ..Default::default()
    };
    for version in 0..=3 {
        let result = client.call(&grow(2), version).await.results.remove(0);
        assert_eq!(result.error_code, ErrorCode::InvalidPartitions.code());
    }
    let validated = CreatePartitionsRequest {
        validate_only: true,
        ..grow(5)
    };
    assert_eq!(client.call(&validated, 3).await.results[0].error_code, 0);
    assert_eq!(
        client.call(&named("t"), 9).await.topics[0].partitions.len(),
        2
    );
    assert_eq!(client.call(&grow(5), 3).await.results[0].error_code, 0);
    assert_eq!(
        client.call(&named("t"), 9).await.topics[0].partitions.len(),
        5
    );
    assert_eq!(client.produce("t", 4, batch(&["x"])).await.error_code, 0);
    let mut absent = grow(5);
    absent.topics[0].name = "absent".into();
    let result = client.call(&absent, 3).await.results.remove(0);
    assert_eq!(result.error_code, ErrorCode::UnknownTopicOrPartition.code());
}

#[tokio::test]
async fn topics_are_described_page_by_page() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("a", 3, &[]).await;
    client.create_topic("b", 2, &[]).await;
    let mut request = DescribeTopicPartitionsRequest {
        response_partition_limit: 2,
        ..Default::default()
    };
    let mut seen = Vec::new();
    loop {
        let response = client.call(&request, 0).await;
        for topic in &response.topics {
            for partition in &topic.partitions {
                seen.push((
                    topic.name.clone().unwrap_or_default(),
                    partition.partition_index,
                ));
            }
        }
        let Some(Cursor {
            topic_name,
            partition_index,
        }) = response.next_cursor
        else {
            break;
        };
        request.cursor = Some(Cursor {
            topic_name,
            partition_index,
        });
    }
    let expected = [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)];
    assert_eq!(seen, expected.map(|(name, index)| (name.to_owned(), index)));
    let absent = DescribeTopicPartitionsRequest {
        topics: vec![TopicRequest {
            name: "absent".into(),
        }],
        ..Default::default()
    };
    let response = client.call(&absent, 0).await;
    assert_eq!(
        response.topics[0].error_code,
        ErrorCode::UnknownTopicOrPartition.code()
    );
}

#[tokio::test]
async fn the_cluster_is_described() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    for version in 0..=2 {
        let response = client
            .call(&DescribeClusterRequest::default(), version)
            .await;
        assert_eq!(response.error_code, 0);
        assert_eq!(response.cluster_id, broker.broker.cluster_id());
        assert_eq!(response.controller_id, 1);
        assert_eq!(
            response.brokers[0].port,
            i32::from(broker.broker.address().port())
        );
    }
    let controllers = DescribeClusterRequest {
        endpoint_type: 2,
        ..Default::default()
    };
    let response = client.call(&controllers, 1).await;
    assert_eq!(
        response.error_code,
        ErrorCode::MismatchedEndpointType.code()
    );
}

#[tokio::test]
async fn of_several_faults_of_a_new_topic_the_first_is_told() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("taken", 1, &[]).await;
    let long = "x".repeat(250);
    for (name, expected) in [
        (long.as_str(), ErrorCode::InvalidTopicException),
        ("taken", ErrorCode::TopicAlreadyExists),
        ("free", ErrorCode::InvalidConfig),
    ] {
        let request = CreateTopicsRequest {
            topics: vec![CreatableTopic {
                name: name.into(),
                num_partitions: -5,
                replication_factor: 1,
                configs: vec![CreatableTopicConfig {
                    name: "retention.ms".into(),
                    value: None,
                }],
                ..Default::default()
            }],
            timeout_ms: 5_000,
            validate_only: true,
        };
        let answer = client.call(&request, 7).await.topics.remove(0);
        assert_eq!(ErrorCode::from_code(answer.error_code), expected, "{name}");
    }
    let request = CreatePartitionsRequest {
        topics: vec![CreatePartitionsTopic {
            name: "taken".into(),
            count: 1_000_000,
            assignments: Some(vec![CreatePartitionsAssignment {
                broker_ids: vec![7],
            }]),
        }],
        timeout_ms: 5_000,
        validate_only: true,
    };
    let code = client.call(&request, 3).await.results.remove(0).error_code;
    assert_eq!(code, ErrorCode::InvalidReplicaAssignment.code());
}
