use std::collections::BTreeMap;

use uuid::Uuid;

use super::{ClusterImage, Command, CommandError, ConfigKind, NewTopic, Outcome};

fn topic(name: &str, id: u128, partitions: usize) -> Command {
    Command::CreateTopic(NewTopic {
        name: name.into(),
        id: Uuid::from_u128(id),
        replicas: vec![vec![1]; partitions],
        configs: BTreeMap::new(),
    })
}

#[test]
fn a_topic_lives_from_creation_to_deletion() {
    let mut image = ClusterImage::default();
    assert_eq!(image.apply(1, &topic("a", 7, 2)), Outcome::Done);
    assert_eq!(
        image.apply(2, &topic("a", 8, 2)),
        Outcome::Rejected(CommandError::TopicExists { name: "a".into() })
    );
    assert_eq!(
        image.apply(3, &topic("b", 7, 2)),
        Outcome::Rejected(CommandError::TopicIdTaken {
            id: Uuid::from_u128(7),
            name: "a".into()
        })
    );
    let id = Uuid::from_u128(7);
    let add = Command::AddPartitions {
        id,
        expected: 2,
        replicas: vec![vec![1]],
    };
    assert_eq!(image.apply(4, &add), Outcome::Done);
    assert_eq!(
        image.apply(5, &add),
        Outcome::Rejected(CommandError::PartitionCountChanged {
            name: "a".into(),
            expected: 2,
            actual: 3
        })
    );
    assert_eq!(
        image.topic("a").map(|topic| topic.partition_count()),
        Some(3)
    );
    assert_eq!(image.apply(6, &Command::DeleteTopic { id }), Outcome::Done);
    assert!(image.topic("a").is_none());
    assert_eq!(
        image.apply(7, &Command::DeleteTopic { id }),
        Outcome::Rejected(CommandError::UnknownTopic { id })
    );
    assert_eq!(
        image.apply(8, &topic("a", 9, 1)),
        Outcome::Done,
        "the name is free again"
    );
}

#[test]
fn configs_are_set_and_returned_to_their_defaults() {
    let mut image = ClusterImage::default();
    let id = Uuid::from_u128(1);
    image.apply(1, &topic("a", 1, 1));
    let set = BTreeMap::from([("retention.ms".to_owned(), Some("-1".to_owned()))]);
    image.apply(2, &Command::ChangeTopicConfig { id, changes: set });
    assert_eq!(image.topic("a").map(|t| t.configs.len()), Some(1));
    let unset = BTreeMap::from([("retention.ms".to_owned(), None)]);
    image.apply(3, &Command::ChangeTopicConfig { id, changes: unset });
    assert_eq!(image.topic("a").map(|t| t.configs.len()), Some(0));
}

#[test]
fn what_is_not_a_topic_is_configured_by_kind_and_name() {
    let mut image = ClusterImage::default();
    let change = |name: &str, value: Option<&str>| Command::ChangeConfig {
        kind: ConfigKind::Broker,
        name: name.into(),
        changes: BTreeMap::from([("log.retention.ms".to_owned(), value.map(str::to_owned))]),
    };
    image.apply(1, &change("", Some("1")));
    image.apply(2, &change("1", Some("2")));
    let brokers = image.configs.of(ConfigKind::Broker);
    assert_eq!(brokers.len(), 2);
    assert_eq!(brokers["1"]["log.retention.ms"], "2");
    assert!(image.configs.of(ConfigKind::Group).is_empty());
    image.apply(3, &change("1", None));
    image.apply(4, &change("never set", None));
    let left: Vec<_> = image.configs.brokers.keys().collect();
    assert_eq!(left, [""], "what sets nothing is not there");
}

#[test]
fn producer_ids_go_only_to_the_broker_that_is_registered_and_never_twice() {
    let mut image = ClusterImage::default();
    let register = Command::RegisterBroker {
        id: 1,
        incarnation: Uuid::from_u128(1),
        host: "h".into(),
        port: 9092,
        rack: None,
    };
    let take = |epoch, count| Command::AllocateProducerIds {
        broker_id: 1,
        broker_epoch: epoch,
        count,
    };
    assert_eq!(
        image.apply(1, &take(0, 10)),
        Outcome::Rejected(CommandError::StaleBroker { id: 1, epoch: 0 })
    );
    assert_eq!(image.apply(2, &register), Outcome::BrokerEpoch(2));
    assert_eq!(
        image.apply(3, &take(2, 10)),
        Outcome::ProducerIds {
            first: 0,
            count: 10
        }
    );
    assert_eq!(
        image.apply(4, &take(2, 10)),
        Outcome::ProducerIds {
            first: 10,
            count: 10
        }
    );
    assert!(matches!(
        image.apply(5, &take(2, 0)),
        Outcome::Rejected(CommandError::ProducerIds { .. })
    ));
    assert_eq!(
        image.apply(6, &register),
        Outcome::BrokerEpoch(6),
        "a restart is a new epoch"
    );
    assert!(matches!(
        image.apply(7, &take(2, 1)),
        Outcome::Rejected(CommandError::StaleBroker { .. })
    ));
}

#[test]
fn only_the_first_cluster_id_counts_and_the_image_survives_serialisation() {
    let mut image = ClusterImage::default();
    let format = |id: &str| Command::FormatCluster {
        cluster_id: id.into(),
    };
    assert_eq!(image.apply(1, &format("x")), Outcome::ClusterId("x".into()));
    assert_eq!(image.apply(2, &format("y")), Outcome::ClusterId("x".into()));
    image.apply(3, &topic("a", 1, 3));
    let bytes = serde_json::to_vec(&image).unwrap_or_default();
    let back: ClusterImage = serde_json::from_slice(&bytes).expect("what was written reads back");
    assert_eq!(back, image);
}
