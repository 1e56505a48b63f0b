//! Topics, configurations, records and groups, looked after.

use std::collections::HashMap;
use std::time::Duration;

use crate::support::{cluster, unique, until};
use headwater_client::admin::{
    ConfigChange, ConfigEntry, ConfigResource, ConfigSource, DescribeConfigsOptions, GroupState,
    ListGroupsOptions, NewTopic, OffsetSpec,
};
use headwater_client::{
    Admin, AutoOffsetReset, ClientError, ConsumerConfig, IsolationLevel, OffsetAndMetadata,
    ProducerConfig, TopicPartition,
};
use headwater_wire::ErrorCode;

#[tokio::test]
async fn topics_come_and_go() {
    let cluster = cluster().await;
    let admin = cluster.client.admin();
    let name = unique("topic");
    let created = admin
        .create_topic(NewTopic::new(&name, 3))
        .await
        .expect("created");
    assert_eq!(
        (&*created.name, created.partition_count()),
        (name.as_str(), 3)
    );
    assert!(
        created
            .partitions
            .iter()
            .all(|partition| partition.leader.is_some())
    );
    assert!(!created.id.is_nil());

    let again = admin
        .create_topic(NewTopic::new(&name, 3))
        .await
        .expect_err("there already");
    assert_eq!(again.code(), Some(ErrorCode::TopicAlreadyExists));
    let listed = admin.list_topics().await.expect("listed");
    assert!(listed.iter().any(|topic| *topic.name == *name));

    admin.create_partitions(&name, 5).await.expect("enlarged");
    let described = admin
        .describe_topics(&[&name, "no-such-topic-here"])
        .await
        .expect("asked");
    assert_eq!(
        described[&name]
            .as_ref()
            .map(|topic| topic.partition_count())
            .ok(),
        Some(5)
    );
    let missing = described["no-such-topic-here"]
        .as_ref()
        .expect_err("missing");
    assert_eq!(missing.code(), Some(ErrorCode::UnknownTopicOrPartition));
    let fewer = admin.create_partitions(&name, 2).await.expect_err("fewer");
    assert_eq!(fewer.code(), Some(ErrorCode::InvalidPartitions));

    let deleted = admin
        .delete_topics(&[&name, "no-such-topic-here"])
        .await
        .expect("asked");
    assert!(deleted[&name].is_ok());
    assert!(deleted["no-such-topic-here"].is_err());
    until("the end of the topic", || async {
        let listed = admin.list_topics().await.expect("listed");
        listed.iter().all(|topic| *topic.name != *name)
    })
    .await;
}

#[tokio::test]
async fn many_topics_are_created_at_once_each_with_its_result() {
    let cluster = cluster().await;
    let admin = cluster.client.admin();
    let names: Vec<String> = (0..4).map(|_| unique("many")).collect();
    let mut topics: Vec<NewTopic> = names.iter().map(|name| NewTopic::new(name, 2)).collect();
    topics.push(NewTopic::new("not a legal name", 1));
    topics.push(NewTopic::new(unique("bad"), 1).config("no.such.config", "1"));
    let results = admin.create_topics(topics).await.expect("asked");
    assert_eq!(results.len(), 6);
    assert!(names.iter().all(|name| results[name].is_ok()));
    let refused: Vec<_> = results
        .values()
        .filter_map(|result| result.as_ref().err())
        .collect();
    assert_eq!(refused.len(), 2);
    let illegal = results["not a legal name"].as_ref().expect_err("illegal");
    assert_eq!(illegal.code(), Some(ErrorCode::InvalidTopicException));
}

#[tokio::test]
async fn configurations_are_read_as_they_were_set() {
    let cluster = cluster().await;
    let admin = cluster.client.admin();
    let name = unique("configured");
    let topic = NewTopic::new(&name, 1).config("retention.ms", "-1");
    admin
        .create_topic(topic.config("cleanup.policy", "compact"))
        .await
        .expect("created");
    let resource = ConfigResource::Topic(name.clone());
    let entries = configs(&admin, &resource).await.expect("described");
    let entry = |name: &str| {
        entries
            .iter()
            .find(|entry| entry.name == name)
            .expect("an entry")
    };
    assert_eq!(entry("retention.ms").value.as_deref(), Some("-1"));
    assert_eq!(entry("retention.ms").source, ConfigSource::Topic);
    assert_eq!(entry("cleanup.policy").value.as_deref(), Some("compact"));
    assert_eq!(entry("max.message.bytes").source, ConfigSource::Default);
    let missing = ConfigResource::Topic(unique("no-such"));
    let error = configs(&admin, &missing).await.expect_err("missing");
    assert_eq!(error.code(), Some(ErrorCode::UnknownTopicOrPartition));
}

async fn configs(
    admin: &Admin,
    resource: &ConfigResource,
) -> Result<Vec<ConfigEntry>, ClientError> {
    let options = DescribeConfigsOptions::default();
    let described = admin
        .describe_configs(std::slice::from_ref(resource), options)
        .await;
    described
        .expect("asked")
        .remove(resource)
        .expect("an answer")
}

#[tokio::test]
async fn configurations_are_altered_one_by_one() {
    let cluster = cluster().await;
    let admin = cluster.client.admin();
    let name = unique("altered");
    let topic = NewTopic::new(&name, 1).config("retention.ms", "1000");
    admin
        .create_topic(topic.config("max.message.bytes", "5000"))
        .await
        .expect("created");
    let resource = ConfigResource::Topic(name);
    let changes = vec![
        ConfigChange::Set {
            name: "retention.ms".to_owned(),
            value: "2000".to_owned(),
        },
        ConfigChange::Delete {
            name: "max.message.bytes".to_owned(),
        },
    ];
    let altered = admin
        .incremental_alter_configs(&[(resource.clone(), changes)], false)
        .await
        .expect("asked");
    assert!(altered[&resource].is_ok());
    until("the change", || async {
        let entries = configs(&admin, &resource).await.expect("described");
        let find = |name: &str| entries.iter().find(|entry| entry.name == name).cloned();
        find("retention.ms").is_some_and(|entry| entry.value.as_deref() == Some("2000"))
            && find("max.message.bytes").is_some_and(|e| e.source == ConfigSource::Default)
    })
    .await;
    let impossible = vec![ConfigChange::Set {
        name: "retention.ms".to_owned(),
        value: "soon".to_owned(),
    }];
    let refused = admin
        .incremental_alter_configs(&[(resource.clone(), impossible)], false)
        .await
        .expect("asked");
    let error = refused[&resource].as_ref().expect_err("impossible");
    assert_eq!(error.code(), Some(ErrorCode::InvalidConfig), "{error}");
}

#[tokio::test]
async fn records_are_deleted_up_to_an_offset() {
    let cluster = cluster().await;
    let topic = cluster.topic("trimmed", 2).await;
    let producer = cluster
        .client
        .producer(ProducerConfig::default())
        .expect("a producer");
    for partition in 0..2 {
        for _ in 0..50 {
            producer
                .append(&topic, partition, -1, None, Some(b"v"), &[])
                .expect("room");
        }
    }
    producer.close().await.expect("acknowledged");
    let [one, other] = [0, 1].map(|index| TopicPartition::new(topic.as_str(), index));
    let none = TopicPartition::new(topic.as_str(), 7);
    let admin = cluster.client.admin();
    let before = HashMap::from([(one.clone(), 30), (other.clone(), -1)]);
    let deleted = admin.delete_records(&before).await.expect("asked");
    assert_eq!(deleted[&one].as_ref().ok(), Some(&30));
    assert_eq!(deleted[&other].as_ref().ok(), Some(&50));
    let wanted = HashMap::from([(one.clone(), OffsetSpec::Earliest)]);
    let listed = admin
        .list_offsets(&wanted, IsolationLevel::ReadUncommitted)
        .await;
    let earliest = listed[&one].as_ref().ok().and_then(|found| found.as_ref());
    assert_eq!(earliest.map(|found| found.offset), Some(30));
    let beyond = admin
        .delete_records(&HashMap::from([(one.clone(), 500)]))
        .await
        .expect("asked");
    let error = beyond[&one].as_ref().expect_err("beyond the end");
    assert_eq!(error.code(), Some(ErrorCode::OffsetOutOfRange));
    assert!(!deleted.contains_key(&none));
}

#[tokio::test]
async fn groups_are_listed_described_and_deleted() {
    let cluster = cluster().await;
    let topic = cluster.topic("grouped", 2).await;
    let group = unique("grouped");
    let admin = cluster.client.admin();
    let config = ConsumerConfig {
        auto_offset_reset: AutoOffsetReset::Earliest,
        ..ConsumerConfig::new(&group)
    };
    let consumer = cluster.client.consumer(config).expect("a consumer");
    consumer.subscribe([topic.as_str()], None).expect("a group");
    until("an assignment", || async {
        consumer
            .poll(Duration::from_millis(10))
            .await
            .expect("a poll");
        consumer.assignment().len() == 2
    })
    .await;
    let listed = admin
        .list_groups(&ListGroupsOptions::default())
        .await
        .expect("listed");
    let listing = listed
        .iter()
        .find(|listing| listing.group_id == group)
        .expect("listed");
    assert_eq!(
        (listing.protocol_type.as_str(), &listing.state),
        ("consumer", &GroupState::Stable)
    );
    let described = admin.describe_groups(&[&group]).await.expect("asked");
    let description = described[&group].as_ref().expect("described");
    assert_eq!(description.state, GroupState::Stable);
    assert_eq!(description.protocol, "range");
    assert_eq!(description.members.len(), 1);
    assert_eq!(description.members[0].assignment.len(), 2);
    let refused = admin.delete_groups(&[&group]).await.expect("asked");
    let error = refused[&group].as_ref().expect_err("not empty");
    assert_eq!(error.code(), Some(ErrorCode::NonEmptyGroup));
    consumer.close().await;

    let partition = TopicPartition::new(topic.as_str(), 0);
    let offsets = HashMap::from([(partition.clone(), OffsetAndMetadata::with_metadata(7, "x"))]);
    let altered = admin
        .alter_group_offsets(&group, &offsets)
        .await
        .expect("asked");
    assert!(altered[&partition].is_ok());
    let wanted = [partition.clone(), TopicPartition::new(topic.as_str(), 1)];
    let read = admin
        .list_group_offsets(&group, Some(&wanted), true)
        .await
        .expect("read");
    assert_eq!(read.get(&partition), offsets.get(&partition));
    let deleted = admin.delete_groups(&[&group]).await.expect("asked");
    assert!(deleted[&group].is_ok());
    let read = admin
        .list_group_offsets(&group, None, false)
        .await
        .expect("read");
    assert!(read.is_empty());
}

#[tokio::test]
async fn the_cluster_tells_of_itself() {
    let cluster = cluster().await;
    let description = cluster
        .client
        .admin()
        .describe_cluster()
        .await
        .expect("described");
    assert!(!description.cluster_id.is_empty());
    assert_eq!(description.nodes.len(), 1);
    assert!(
        cluster
            .bootstrap
            .ends_with(&format!(":{}", description.nodes[0].port))
    );
}
