//! Groups of `group.protocol=consumer` (KIP-848): the coordinator assigns.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::diary::{Diary, member, poll_until, shares};
use crate::gate::Gate;
use crate::groups::fill;
use crate::support::{PATIENCE, cluster, read, unique};
use headwater_client::{
    AutoOffsetReset, ClientError, Consumer, ConsumerConfig, GroupProtocol, TopicPartition,
};
use headwater_wire::ErrorCode;

fn config(group: &str) -> ConsumerConfig {
    ConsumerConfig {
        group_protocol: GroupProtocol::Consumer,
        auto_offset_reset: AutoOffsetReset::Earliest,
        ..ConsumerConfig::new(group)
    }
}

#[tokio::test]
async fn members_are_given_shares_and_keep_what_they_have() {
    let cluster = cluster().await;
    let topic = cluster.topic("given", 4).await;
    let group = unique("given");
    let diaries = [Arc::new(Diary::default()), Arc::new(Diary::default())];
    let first = member(&cluster, config(&group), &topic, &diaries[0]);
    poll_until(&[&first], "all for the first", || shares(&[&first]) == [4]).await;
    let second = member(&cluster, config(&group), &topic, &diaries[1]);
    let both = [&first, &second];
    poll_until(&both, "halves", || shares(&both) == [2, 2]).await;
    let all: BTreeSet<TopicPartition> = both
        .iter()
        .flat_map(|consumer| consumer.assignment())
        .collect();
    assert_eq!(all.len(), 4);
    // The first was never without what it kept.
    let entries = diaries[0].entries();
    assert_eq!(entries[0], ("assigned", vec![0, 1, 2, 3]));
    assert_eq!((entries[1].0, entries[1].1.len()), ("revoked", 2));
    let epoch = first.group_metadata().expect("a group").generation_id;
    assert!(epoch >= 2, "epoch {epoch}");
    second.close().await;
    poll_until(&[&first], "all again", || shares(&[&first]) == [4]).await;
    first.close().await;
}

#[tokio::test]
async fn offsets_are_committed_in_the_members_epoch_and_taken_up_by_others() {
    let cluster = cluster().await;
    let topic = cluster.topic("epochs", 2).await;
    fill(&cluster, &topic, 2, 50).await;
    let group = unique("epochs");
    let diary = Arc::new(Diary::default());
    let manual = ConsumerConfig {
        enable_auto_commit: false,
        ..config(&group)
    };
    let first = member(&cluster, manual.clone(), &topic, &diary);
    assert_eq!(read(&first, 100).await.len(), 100);
    first.commit().await.expect("committed");
    let committed = first.committed(&first.assignment()).await.expect("read");
    assert!(committed.values().all(|offset| offset.offset == 50));
    // The epoch moves on while commits go out.
    let second = member(&cluster, manual, &topic, &diary);
    let both = [&first, &second];
    let deadline = Instant::now() + PATIENCE;
    while shares(&both) != [1, 1] {
        assert!(Instant::now() < deadline, "no halves");
        for consumer in both {
            let batches = consumer.poll(Duration::from_millis(20)).await;
            assert!(batches.expect("a poll").is_empty(), "read again");
        }
        first.commit().await.expect("committed");
    }
    fill(&cluster, &topic, 2, 10).await;
    assert_eq!(read(&second, 10).await.len(), 10);
    first.close().await;
    second.close().await;
}

#[tokio::test]
async fn the_remote_assignor_is_the_members_choice() {
    let cluster = cluster().await;
    let topic = cluster.topic("assigned", 3).await;
    let group = unique("assigned");
    let diary = Arc::new(Diary::default());
    let range = ConsumerConfig {
        group_remote_assignor: Some("range".to_owned()),
        ..config(&group)
    };
    let first = member(&cluster, range.clone(), &topic, &diary);
    let second = member(&cluster, range, &topic, &diary);
    let both = [&first, &second];
    poll_until(&both, "ranges", || {
        let mut sizes = shares(&both);
        sizes.sort_unstable();
        sizes == [1, 2]
    })
    .await;
    for consumer in both {
        let indexes: Vec<i32> = consumer.assignment().iter().map(|p| p.partition).collect();
        assert!(indexes == [0, 1] || indexes == [2], "{indexes:?}");
        consumer.close().await;
    }
    let unknown = ConsumerConfig {
        group_remote_assignor: Some("by-the-stars".to_owned()),
        ..config(&unique("stars"))
    };
    let consumer = member(&cluster, unknown, &topic, &diary);
    let error = fails(&consumer).await;
    assert_eq!(
        error.code(),
        Some(ErrorCode::UnsupportedAssignor),
        "{error}"
    );
    consumer.close().await;
}

/// Polls until that fails.
async fn fails(consumer: &Consumer) -> ClientError {
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "no poll failed");
        if let Err(error) = consumer.poll(Duration::from_millis(50)).await {
            return error;
        }
    }
}

#[tokio::test]
async fn a_regex_is_matched_by_the_broker() {
    let cluster = cluster().await;
    let prefix = unique("regex");
    for suffix in ["one", "two"] {
        let topic = headwater_client::admin::NewTopic::new(format!("{prefix}-{suffix}"), 2);
        let created = cluster.client.admin().create_topic(topic).await;
        created.expect("created");
    }
    let consumer = cluster
        .client
        .consumer(config(&unique("regex")))
        .expect("a consumer");
    consumer
        .subscribe_regex(format!("{prefix}-.*"), None)
        .expect("a group");
    poll_until(&[&consumer], "both topics", || shares(&[&consumer]) == [4]).await;
    consumer
        .subscribe([format!("{prefix}-one")], None)
        .expect("a group");
    poll_until(&[&consumer], "one topic", || shares(&[&consumer]) == [2]).await;
    consumer.close().await;

    let consumer = cluster
        .client
        .consumer(config(&unique("regex")))
        .expect("a consumer");
    consumer.subscribe_regex("(", None).expect("a group");
    let error = fails(&consumer).await;
    let code = error.code();
    assert_eq!(code, Some(ErrorCode::InvalidRegularExpression), "{error}");
    consumer.close().await;
}

#[tokio::test]
async fn a_static_member_comes_back_to_what_it_had() {
    let cluster = cluster().await;
    let topic = cluster.topic("instances", 4).await;
    let group = unique("instances");
    let static_config = |instance: &str| ConsumerConfig {
        group_instance_id: Some(instance.to_owned()),
        ..config(&group)
    };
    let diary = Arc::new(Diary::default());
    let first = member(&cluster, static_config("first"), &topic, &diary);
    let second = member(&cluster, static_config("second"), &topic, &diary);
    let both = [&first, &second];
    poll_until(&both, "halves", || shares(&both) == [2, 2]).await;
    let (had, before) = (second.assignment(), first.assignment());
    second.close().await;
    let returned = member(&cluster, static_config("second"), &topic, &diary);
    let both = [&first, &returned];
    poll_until(&both, "the same half", || shares(&both) == [2, 2]).await;
    assert_eq!((returned.assignment(), first.assignment()), (had, before));
    // A second one under the same name is not let in while the first is there.
    let imposter = member(&cluster, static_config("first"), &topic, &diary);
    let error = fails(&imposter).await;
    assert!(error.is_fenced(), "{error}");
    first.close().await;
    returned.close().await;
    imposter.close().await;
}

#[tokio::test]
async fn a_member_that_does_not_poll_loses_its_partitions_and_joins_again() {
    let cluster = cluster().await;
    let topic = cluster.topic("dozing", 2).await;
    let group = unique("dozing");
    let diary = Arc::new(Diary::default());
    let slow_config = ConsumerConfig {
        max_poll_interval: Duration::from_millis(800),
        ..config(&group)
    };
    let slow = member(&cluster, slow_config, &topic, &diary);
    poll_until(&[&slow], "alone", || shares(&[&slow]) == [2]).await;
    let eager = member(&cluster, config(&group), &topic, &Arc::default());
    // The slow one is not polled: the group goes on without it.
    poll_until(&[&eager], "everything", || shares(&[&eager]) == [2]).await;
    let both = [&slow, &eager];
    poll_until(&both, "halves", || shares(&both) == [1, 1]).await;
    assert_eq!(diary.entries()[1], ("lost", vec![0, 1]));
    assert_eq!(slow.metrics().partitions_lost, 2);
    slow.close().await;
    eager.close().await;
}

#[tokio::test]
async fn a_topic_that_metadata_have_lost_stays_with_its_member() {
    let cluster = cluster().await;
    let lost = cluster.topic("lost", 1).await;
    let coming = unique("coming");
    let gate = Gate::new(&cluster.bootstrap);
    let client = gate.client();
    let careful = ConsumerConfig {
        allow_auto_create_topics: false,
        ..config(&unique("names"))
    };
    let consumer = client.consumer(careful).expect("a consumer");
    let diary = Arc::new(Diary::default());
    consumer
        .subscribe([lost.as_str(), &coming], Some(diary.clone()))
        .expect("a group");
    let has = |topic: &str| consumer.assignment().iter().any(|p| *p.topic == *topic);
    poll_until(&[&consumer], "the first", || has(&lost)).await;
    gate.hide(&lost);
    let listed = client.admin().list_topics().await.expect("listed");
    assert!(listed.iter().all(|topic| *topic.name != *lost));
    let topic = headwater_client::admin::NewTopic::new(&coming, 1);
    let created = cluster.client.admin().create_topic(topic).await;
    created.expect("created");
    poll_until(&[&consumer], "the second", || has(&coming)).await;
    assert!(has(&lost));
    let entries = diary.entries();
    assert!(
        entries.iter().all(|(what, _)| *what == "assigned"),
        "{entries:?}"
    );
    consumer.close().await;
}
