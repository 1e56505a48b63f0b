//! Topics named twice, by name and by id, or in ways that make no sense.

use headwater_wire::ErrorCode;
use headwater_wire::messages::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use headwater_wire::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use headwater_wire::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use headwater_wire::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, TopicRequest,
};
use headwater_wire::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use uuid::Uuid;

use super::client::{Client, TestBroker};

fn by(name: Option<&str>, id: Uuid) -> MetadataRequestTopic {
    MetadataRequestTopic {
        name: name.map(str::to_owned),
        topic_id: id,
    }
}

async fn metadata(
    client: &mut Client,
    topics: Vec<MetadataRequestTopic>,
    version: i16,
) -> MetadataResponse {
    let request = MetadataRequest {
        topics: Some(topics),
        allow_auto_topic_creation: false,
        ..Default::default()
    };
    client.call(&request, version).await
}

async fn id_of(client: &mut Client, name: &str) -> Uuid {
    let wanted = vec![by(Some(name), Uuid::nil())];
    metadata(client, wanted, 12).await.topics.remove(0).topic_id
}

#[tokio::test]
async fn metadata_is_found_by_id() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let id = id_of(&mut client, "t").await;
    for version in 12..=13 {
        for wanted in [by(None, id), by(Some("t"), id), by(Some("other"), id)] {
            let found = metadata(&mut client, vec![wanted], version)
                .await
                .topics
                .remove(0);
            let found = (found.error_code, found.name.as_deref(), found.topic_id);
            assert_eq!(found, (0, Some("t"), id));
        }
        let all = vec![by(None, id), by(Some("t"), Uuid::nil()), by(None, id)];
        assert_eq!(
            metadata(&mut client, all, version).await.topics.len(),
            1,
            "once"
        );
        let wrong = vec![by(Some("t"), Uuid::from_u128(7))];
        let wrong = metadata(&mut client, wrong, version).await.topics.remove(0);
        assert_eq!(wrong.error_code, ErrorCode::UnknownTopicId.code());
        assert_eq!(wrong.name, None);
        let nothing = metadata(&mut client, vec![by(None, Uuid::nil())], version).await;
        assert_eq!(
            nothing.topics[0].error_code,
            ErrorCode::InvalidRequest.code()
        );
    }
    for version in 10..=11 {
        let early = metadata(&mut client, vec![by(Some("t"), id)], version).await;
        assert_eq!(early.topics[0].error_code, ErrorCode::InvalidRequest.code());
        assert!(early.brokers.is_empty());
    }
}

fn doomed(name: Option<&str>, id: Uuid) -> DeleteTopicState {
    DeleteTopicState {
        name: name.map(str::to_owned),
        topic_id: id,
    }
}

#[tokio::test]
async fn a_topic_to_delete_is_named_once_and_in_one_way() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let id = id_of(&mut client, "t").await;
    let nil = Uuid::nil();
    let invalid = ErrorCode::InvalidRequest.code();
    let mut delete = async |topics: Vec<DeleteTopicState>| {
        let request = DeleteTopicsRequest {
            topics,
            timeout_ms: 10_000,
            ..Default::default()
        };
        let responses = client.call(&request, 6).await.responses;
        let told = responses
            .into_iter()
            .map(|r| (r.error_code, r.name, r.topic_id));
        told.collect::<Vec<_>>()
    };
    let t = || Some("t".to_owned());
    let by_name = doomed(Some("t"), nil);
    let by_id = doomed(None, id);
    let twice = delete(vec![by_name.clone(), by_name.clone()]).await;
    assert_eq!(twice, [(invalid, t(), nil)]);
    let twice = delete(vec![by_id.clone(), by_id.clone()]).await;
    assert_eq!(twice, [(invalid, None, id)]);
    for pair in [[by_name.clone(), by_id.clone()], [by_id.clone(), by_name]] {
        assert_eq!(delete(pair.to_vec()).await, [(invalid, t(), id)]);
    }
    let both = delete(vec![doomed(Some("t"), id)]).await;
    assert_eq!(both, [(invalid, t(), id)]);
    let neither = delete(vec![doomed(None, nil)]).await;
    assert_eq!(neither, [(invalid, None, nil)]);
    assert_eq!(delete(vec![by_id.clone()]).await, [(0, t(), id)]);
    let again = delete(vec![by_id]).await;
    assert_eq!(again, [(ErrorCode::UnknownTopicId.code(), None, id)]);
}

#[tokio::test]
async fn without_time_nothing_is_done() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let timed_out = ErrorCode::RequestTimedOut.code();
    let create = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: "new".to_owned(),
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        }],
        timeout_ms: 0,
        ..Default::default()
    };
    assert_eq!(
        client.call(&create, 7).await.topics[0].error_code,
        timed_out
    );
    let delete = DeleteTopicsRequest {
        topic_names: vec!["t".to_owned()],
        timeout_ms: 0,
        ..Default::default()
    };
    assert_eq!(
        client.call(&delete, 5).await.responses[0].error_code,
        timed_out
    );
    let grow = |name: &str, count, timeout_ms| CreatePartitionsRequest {
        topics: vec![CreatePartitionsTopic {
            name: name.to_owned(),
            count,
            assignments: None,
        }],
        timeout_ms,
        ..Default::default()
    };
    assert_eq!(
        client.call(&grow("t", 2, 0), 3).await.results[0].error_code,
        timed_out
    );
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    let all = vec![by(Some("t"), Uuid::nil()), by(Some("new"), Uuid::nil())];
    let topics = metadata(&mut client, all, 13).await.topics;
    assert_eq!(
        (topics[0].partitions.len(), topics[1].error_code),
        (1, unknown)
    );

    let mut twice = grow("t", 2, 1_000);
    twice.topics.extend(grow("t", 3, 1_000).topics);
    let results = client.call(&twice, 3).await.results;
    assert_eq!(results.len(), 1, "it is answered once");
    assert_eq!(results[0].error_code, ErrorCode::InvalidRequest.code());
    let many = client
        .call(&grow("t", 10_002, 1_000), 3)
        .await
        .results
        .remove(0);
    assert_eq!(many.error_code, ErrorCode::PolicyViolation.code());
}

#[tokio::test]
async fn a_cursor_points_at_something_that_is_asked_for() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("a", 2, &[]).await;
    client.create_topic("b", 2, &[]).await;
    let page = |names: &[&str], topic_name: &str, partition_index| {
        let topics = names.iter().map(|name| TopicRequest {
            name: (*name).to_owned(),
        });
        DescribeTopicPartitionsRequest {
            topics: topics.collect(),
            response_partition_limit: 2,
            cursor: Some(Cursor {
                topic_name: topic_name.to_owned(),
                partition_index,
            }),
        }
    };
    let invalid = ErrorCode::InvalidRequest.code();
    for request in [page(&["b", "a"], "c", 0), page(&["b", "a"], "a", -1)] {
        let response = client.call(&request, 0).await;
        let names = response.topics.iter().map(|topic| topic.name.as_deref());
        assert_eq!(names.collect::<Vec<_>>(), [Some("b"), Some("a")]);
        assert!(
            response
                .topics
                .iter()
                .all(|topic| topic.error_code == invalid)
        );
    }
    let response = client.call(&page(&["b", "a"], "a", 1), 0).await;
    let indexes = response.topics.iter().flat_map(|topic| &topic.partitions);
    let indexes: Vec<_> = indexes.map(|partition| partition.partition_index).collect();
    assert_eq!(indexes, [1, 0]);
    let next = response
        .next_cursor
        .map(|next| (next.topic_name, next.partition_index));
    assert_eq!(next, Some(("b".to_owned(), 1)));
    let all = client.call(&page(&[], "aa", 0), 0).await;
    assert_eq!(
        all.topics.len(),
        1,
        "of all topics, those from the cursor on"
    );
}
