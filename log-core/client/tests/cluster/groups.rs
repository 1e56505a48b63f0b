//! Groups: partitions shared, handed over, committed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::diary::{Diary, poll_until, shares};
use crate::support::{Cluster, cluster, read, text, unique, until};
use async_trait::async_trait;
use bytes::Bytes;
use headwater_client::consumer::assignor::{RoundRobinAssignor, StickyAssignor, TopicPartitions};
use headwater_client::{
    Assignor, AutoOffsetReset, ClientError, ConsumerConfig, MemberAssignment, MemberSubscription,
    OffsetAndMetadata, ProducerConfig, TopicPartition,
};

fn config(group: &str) -> ConsumerConfig {
    ConsumerConfig {
        auto_offset_reset: AutoOffsetReset::Earliest,
        heartbeat_interval: Duration::from_millis(200),
        session_timeout: Duration::from_secs(6),
        ..ConsumerConfig::new(group)
    }
}

pub(crate) async fn fill(cluster: &Cluster, topic: &str, partitions: i32, each: usize) {
    let producer = cluster
        .client
        .producer(ProducerConfig::default())
        .expect("a producer");
    for partition in 0..partitions {
        for index in 0..each {
            let value = format!("{partition}:{index}");
            producer
                .append(topic, partition, -1, None, Some(value.as_bytes()), &[])
                .expect("room");
        }
    }
    producer.close().await.expect("acknowledged");
}

#[tokio::test]
async fn members_share_partitions_and_hand_them_over() {
    let cluster = cluster().await;
    let topic = cluster.topic("shared", 4).await;
    let group = unique("shared");
    let diary = Arc::new(Diary::default());
    let first = cluster.client.consumer(config(&group)).expect("a consumer");
    first
        .subscribe([topic.as_str()], Some(diary.clone()))
        .expect("a group");
    poll_until(&[&first], "the first alone", || shares(&[&first]) == [4]).await;

    let second = cluster.client.consumer(config(&group)).expect("a consumer");
    second.subscribe([topic.as_str()], None).expect("a group");
    let both = [&first, &second];
    poll_until(&both, "halves", || shares(&both) == [2, 2]).await;
    let all: BTreeSet<TopicPartition> = both
        .iter()
        .flat_map(|consumer| consumer.assignment())
        .collect();
    assert_eq!(all.len(), 4);

    second.close().await;
    poll_until(&[&first], "the first alone again", || {
        shares(&[&first]) == [4]
    })
    .await;
    let mut half: Vec<i32> = Vec::new();
    let entries = diary.entries();
    for (position, (what, partitions)) in entries.iter().enumerate() {
        assert_eq!(
            *what,
            if position % 2 == 0 {
                "assigned"
            } else {
                "revoked"
            }
        );
        if partitions.len() == 2 {
            half.clone_from(partitions);
        }
    }
    assert_eq!(
        entries.first().map(|(_, partitions)| partitions.len()),
        Some(4)
    );
    assert_eq!(half.len(), 2);
    first.close().await;
    assert_eq!(diary.entries().last(), Some(&("revoked", vec![0, 1, 2, 3])));
}

#[tokio::test]
async fn a_successor_goes_on_where_offsets_were_committed() {
    let cluster = cluster().await;
    let topic = cluster.topic("resumed", 2).await;
    fill(&cluster, &topic, 2, 100).await;
    let group = unique("resumed");
    let manual = ConsumerConfig {
        enable_auto_commit: false,
        ..config(&group)
    };
    let consumer = cluster.client.consumer(manual.clone()).expect("a consumer");
    consumer.subscribe([topic.as_str()], None).expect("a group");
    read(&consumer, 200).await;
    let [one, other] = [0, 1].map(|index| TopicPartition::new(topic.as_str(), index));
    let offsets = HashMap::from([
        (one.clone(), OffsetAndMetadata::with_metadata(40, "forty")),
        (other.clone(), OffsetAndMetadata::new(70)),
    ]);
    consumer.commit_offsets(&offsets).await.expect("committed");
    let later = HashMap::from([(other.clone(), OffsetAndMetadata::new(90))]);
    drop(consumer.commit_async(later));
    let latest = HashMap::from([(other.clone(), OffsetAndMetadata::new(95))]);
    consumer
        .commit_async(latest)
        .await
        .expect("ran")
        .expect("committed");
    let committed = consumer
        .committed(&[one.clone(), other.clone()])
        .await
        .expect("read");
    assert_eq!(committed[&one].metadata, "forty");
    assert_eq!((committed[&one].offset, committed[&other].offset), (40, 95));
    consumer.close().await;

    let successor = cluster.client.consumer(manual).expect("a consumer");
    successor
        .subscribe([topic.as_str()], None)
        .expect("a group");
    let records = read(&successor, 65).await;
    let first_of = |partition| {
        let mut of = records
            .iter()
            .filter(|record| record.partition == partition);
        of.next().map(|record| record.offset)
    };
    assert_eq!(
        (records.len(), first_of(0), first_of(1)),
        (65, Some(40), Some(95))
    );
    successor.close().await;
}

#[tokio::test]
async fn automatic_commits_cover_what_polls_returned() {
    let cluster = cluster().await;
    let topic = cluster.topic("automatic", 1).await;
    fill(&cluster, &topic, 1, 50).await;
    let group = unique("automatic");
    let consumer = cluster.client.consumer(config(&group)).expect("a consumer");
    consumer.subscribe([topic.as_str()], None).expect("a group");
    read(&consumer, 50).await;
    consumer.close().await;
    let admin = cluster.client.admin();
    let offsets = admin
        .list_group_offsets(&group, None, false)
        .await
        .expect("read");
    assert_eq!(offsets[&TopicPartition::new(topic.as_str(), 0)].offset, 50);
}

#[tokio::test]
async fn a_static_member_that_returns_disturbs_nobody() {
    let cluster = cluster().await;
    let topic = cluster.topic("static", 4).await;
    let group = unique("static");
    let static_config = |instance: &str| ConsumerConfig {
        group_instance_id: Some(instance.to_owned()),
        session_timeout: Duration::from_secs(20),
        ..config(&group)
    };
    let diary = Arc::new(Diary::default());
    let first = cluster
        .client
        .consumer(static_config("first"))
        .expect("a consumer");
    first
        .subscribe([topic.as_str()], Some(diary.clone()))
        .expect("a group");
    let second = cluster
        .client
        .consumer(static_config("second"))
        .expect("a consumer");
    second.subscribe([topic.as_str()], None).expect("a group");
    let both = [&first, &second];
    poll_until(&both, "halves", || shares(&both) == [2, 2]).await;
    let (before, had) = (diary.entries().len(), second.assignment());

    // As after a crash: neither leaves nor closes.
    drop(second);
    let returned = cluster
        .client
        .consumer(static_config("second"))
        .expect("a consumer");
    returned.subscribe([topic.as_str()], None).expect("a group");
    let both = [&first, &returned];
    poll_until(&both, "the same half", || shares(&both) == [2, 2]).await;
    assert_eq!(returned.assignment(), had);
    assert_eq!(
        diary.entries().len(),
        before,
        "the other member was not disturbed"
    );
    first.close().await;
    returned.close().await;
}

#[tokio::test]
async fn an_instance_that_was_replaced_is_fenced() {
    let cluster = cluster().await;
    let topic = cluster.topic("replaced", 1).await;
    let group = unique("replaced");
    let config = ConsumerConfig {
        group_instance_id: Some("only".to_owned()),
        ..config(&group)
    };
    let first = cluster.client.consumer(config.clone()).expect("a consumer");
    first.subscribe([topic.as_str()], None).expect("a group");
    poll_until(&[&first], "the first", || shares(&[&first]) == [1]).await;
    let second = cluster.client.consumer(config).expect("a consumer");
    second.subscribe([topic.as_str()], None).expect("a group");
    poll_until(&[&second], "the second", || shares(&[&second]) == [1]).await;
    let deadline = Instant::now() + crate::support::PATIENCE;
    let error = loop {
        assert!(Instant::now() < deadline, "the first was never fenced");
        if let Err(error) = first.poll(Duration::from_millis(50)).await {
            break error;
        }
    };
    assert!(error.is_fenced(), "{error}");
    second.close().await;
}

/// Gives everything to the member with the largest number in its user data, and tells each.
struct Strongest(u8);

#[async_trait]
impl Assignor for Strongest {
    fn name(&self) -> &str {
        "strongest"
    }

    fn subscription_user_data(&self, topics: &BTreeSet<String>) -> Option<Bytes> {
        assert_eq!(topics.len(), 1);
        Some(Bytes::from(vec![self.0]))
    }

    async fn assign(
        &self,
        topics: &TopicPartitions,
        members: &BTreeMap<String, MemberSubscription>,
    ) -> Result<BTreeMap<String, MemberAssignment>, ClientError> {
        let strongest = members
            .iter()
            .max_by_key(|(_, member)| member.user_data.clone());
        let strongest = strongest.map(|(id, _)| id.clone()).unwrap_or_default();
        let all: Vec<TopicPartition> = topics
            .iter()
            .flat_map(|(name, count)| (0..*count).map(|p| TopicPartition::new(name.as_str(), p)))
            .collect();
        let share = |id: &String| MemberAssignment {
            partitions: if *id == strongest {
                all.clone()
            } else {
                Vec::new()
            },
            user_data: Some(Bytes::from_static(b"judged")),
        };
        Ok(members.keys().map(|id| (id.clone(), share(id))).collect())
    }

    fn on_assignment(
        &self,
        assignment: &MemberAssignment,
        group: &headwater_client::ConsumerGroupMetadata,
    ) {
        assert_eq!(assignment.user_data.as_deref(), Some(&b"judged"[..]));
        assert!(group.generation_id > 0);
    }
}

#[tokio::test]
async fn a_custom_assignor_decides_with_user_data() {
    let cluster = cluster().await;
    let topic = cluster.topic("custom", 3).await;
    let group = unique("custom");
    let member = |strength| {
        let assignors: Vec<Arc<dyn Assignor>> = vec![Arc::new(Strongest(strength))];
        let config = ConsumerConfig {
            assignors,
            ..config(&group)
        };
        let consumer = cluster.client.consumer(config).expect("a consumer");
        consumer.subscribe([topic.as_str()], None).expect("a group");
        consumer
    };
    let weak = member(1);
    poll_until(&[&weak], "alone", || shares(&[&weak]) == [3]).await;
    let strong = member(9);
    let both = [&weak, &strong];
    poll_until(&both, "the strongest has all", || shares(&both) == [0, 3]).await;
    strong.close().await;
    weak.close().await;
}

#[tokio::test]
async fn built_in_assignors_spread_and_stick() {
    let cluster = cluster().await;
    let topic = cluster.topic("sticky", 6).await;
    for assignor in [
        Arc::new(RoundRobinAssignor) as Arc<dyn Assignor>,
        Arc::new(StickyAssignor),
    ] {
        let group = unique("sticky");
        let sticks = assignor.name().contains("sticky");
        let member = || {
            let config = ConsumerConfig {
                assignors: vec![assignor.clone()],
                ..config(&group)
            };
            let consumer = cluster.client.consumer(config).expect("a consumer");
            consumer.subscribe([topic.as_str()], None).expect("a group");
            consumer
        };
        let (first, second) = (member(), member());
        let both = [&first, &second];
        poll_until(&both, "halves", || shares(&both) == [3, 3]).await;
        let before = [first.assignment(), second.assignment()];
        let third = member();
        let all = [&first, &second, &third];
        poll_until(&all, "thirds", || shares(&all) == [2, 2, 2]).await;
        if sticks {
            for (consumer, before) in both.iter().zip(before) {
                assert!(
                    consumer
                        .assignment()
                        .iter()
                        .all(|kept| before.contains(kept))
                );
            }
        }
        for consumer in all {
            consumer.close().await;
        }
    }
}

#[tokio::test]
async fn a_member_that_does_not_poll_loses_its_partitions() {
    let cluster = cluster().await;
    let topic = cluster.topic("slow", 2).await;
    let group = unique("slow");
    let slow_config = ConsumerConfig {
        max_poll_interval: Duration::from_millis(800),
        ..config(&group)
    };
    let diary = Arc::new(Diary::default());
    let slow = cluster.client.consumer(slow_config).expect("a consumer");
    slow.subscribe([topic.as_str()], Some(diary.clone()))
        .expect("a group");
    poll_until(&[&slow], "alone", || shares(&[&slow]) == [2]).await;
    let eager = cluster.client.consumer(config(&group)).expect("a consumer");
    eager.subscribe([topic.as_str()], None).expect("a group");
    // The slow one is not polled: the group goes on without it.
    poll_until(&[&eager], "everything", || shares(&[&eager]) == [2]).await;
    let both = [&slow, &eager];
    poll_until(&both, "halves", || shares(&both) == [1, 1]).await;
    assert_eq!(diary.entries()[1], ("lost", vec![0, 1]));
    slow.close().await;
    eager.close().await;
}

#[tokio::test]
async fn new_partitions_and_new_topics_are_taken_up() {
    let cluster = cluster().await;
    let topic = cluster.topic("growing", 1).await;
    let missing = unique("missing");
    let config = ConsumerConfig {
        allow_auto_create_topics: false,
        metadata_max_age: Duration::from_millis(300),
        ..config(&unique("growing"))
    };
    let consumer = cluster.client.consumer(config).expect("a consumer");
    consumer
        .subscribe([topic.as_str(), missing.as_str()], None)
        .expect("a group");
    poll_until(&[&consumer], "the one", || shares(&[&consumer]) == [1]).await;
    let admin = cluster.client.admin();
    admin.create_partitions(&topic, 3).await.expect("created");
    poll_until(&[&consumer], "the new partitions", || {
        shares(&[&consumer]) == [3]
    })
    .await;
    let new = headwater_client::admin::NewTopic::new(&missing, 2);
    admin.create_topic(new).await.expect("created");
    poll_until(&[&consumer], "the new topic", || {
        shares(&[&consumer]) == [5]
    })
    .await;
    fill(&cluster, &missing, 2, 3).await;
    assert_eq!(text(&read(&consumer, 6).await[0]).split(':').count(), 2);
    consumer
        .subscribe([missing.as_str()], None)
        .expect("a group");
    poll_until(&[&consumer], "the smaller subscription", || {
        shares(&[&consumer]) == [2]
    })
    .await;
    consumer.unsubscribe().await;
    assert!(consumer.assignment().is_empty());
    until("an empty group", || async {
        let group = consumer.group_metadata().expect("a group").group_id;
        let described = admin.describe_groups(&[&group]).await.expect("asked");
        described[&group]
            .as_ref()
            .is_ok_and(|group| group.members.is_empty())
    })
    .await;
}
