//! Cooperative rebalances of the classic protocol (KIP-429), and patterns of topics.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::diary::{Diary, member, poll_until, shares};
use crate::groups::fill;
use crate::support::{cluster, read, unique};
use headwater_client::consumer::assignor::{CooperativeStickyAssignor, RangeAssignor};
use headwater_client::{AutoOffsetReset, ConsumerConfig, TopicPartition};

fn config(group: &str) -> ConsumerConfig {
    ConsumerConfig {
        auto_offset_reset: AutoOffsetReset::Earliest,
        heartbeat_interval: Duration::from_millis(200),
        session_timeout: Duration::from_secs(6),
        assignors: vec![Arc::new(CooperativeStickyAssignor)],
        ..ConsumerConfig::new(group)
    }
}

#[tokio::test]
async fn members_give_up_only_what_others_take() {
    let cluster = cluster().await;
    let topic = cluster.topic("cooperative", 6).await;
    let group = unique("cooperative");
    let diaries: [Arc<Diary>; 3] = Default::default();
    let first = member(&cluster, config(&group), &topic, &diaries[0]);
    poll_until(&[&first], "alone", || shares(&[&first]) == [6]).await;
    let second = member(&cluster, config(&group), &topic, &diaries[1]);
    let both = [&first, &second];
    poll_until(&both, "halves", || shares(&both) == [3, 3]).await;
    let third = member(&cluster, config(&group), &topic, &diaries[2]);
    let all = [&first, &second, &third];
    poll_until(&all, "thirds", || shares(&all) == [2, 2, 2]).await;
    let given: BTreeSet<TopicPartition> = all.iter().flat_map(|c| c.assignment()).collect();
    assert_eq!(given.len(), 6);
    let revoked = |diary: &Diary| -> Vec<usize> {
        let entries = diary.entries();
        let revoked = entries.iter().filter(|(what, _)| *what == "revoked");
        revoked.map(|(_, partitions)| partitions.len()).collect()
    };
    assert_eq!(revoked(&diaries[0]), [3, 1]);
    assert_eq!(revoked(&diaries[1]), [1]);
    assert!(revoked(&diaries[2]).is_empty());
    assert!(diaries[0].entries().iter().all(|(what, _)| *what != "lost"));
    for consumer in all {
        consumer.close().await;
    }
}

#[tokio::test]
async fn a_member_reads_on_while_the_group_waits_for_another() {
    let cluster = cluster().await;
    let topic = cluster.topic("uninterrupted", 2).await;
    let group = unique("uninterrupted");
    let diary = Arc::new(Diary::default());
    let first = member(&cluster, config(&group), &topic, &diary);
    let second = member(&cluster, config(&group), &topic, &diary);
    let both = [&first, &second];
    poll_until(&both, "one each", || shares(&both) == [1, 1]).await;
    // The third's coming has everybody join; the second is not polled, so the join hangs.
    let third = member(&cluster, config(&group), &topic, &diary);
    let before = first.group_metadata().expect("a group").generation_id;
    for _ in 0..10 {
        first.poll(Duration::from_millis(60)).await.expect("a poll");
        third.poll(Duration::from_millis(1)).await.expect("a poll");
    }
    fill(&cluster, &topic, 2, 5).await;
    assert_eq!(read(&first, 5).await.len(), 5);
    let now = first.group_metadata().expect("a group").generation_id;
    assert_eq!((before, shares(&[&first, &third])), (now, vec![1, 0]));
    for consumer in [second, first, third] {
        consumer.close().await;
    }
}

#[tokio::test]
async fn beside_an_eager_assignor_everybody_stops() {
    let cluster = cluster().await;
    let topic = cluster.topic("mixed", 4).await;
    let mixed = ConsumerConfig {
        assignors: vec![Arc::new(RangeAssignor), Arc::new(CooperativeStickyAssignor)],
        ..config(&unique("mixed"))
    };
    let diary = Arc::new(Diary::default());
    let first = member(&cluster, mixed.clone(), &topic, &diary);
    poll_until(&[&first], "alone", || shares(&[&first]) == [4]).await;
    let second = member(&cluster, mixed, &topic, &Arc::default());
    let both = [&first, &second];
    poll_until(&both, "halves", || shares(&both) == [2, 2]).await;
    assert_eq!(diary.entries()[1], ("revoked", vec![0, 1, 2, 3]));
    for consumer in both {
        consumer.close().await;
    }
}

#[tokio::test]
async fn patterns_take_up_topics_as_they_come() {
    let cluster = cluster().await;
    let prefix = unique("pattern");
    let admin = cluster.client.admin();
    let create = async |suffix: &str, partitions| {
        let topic =
            headwater_client::admin::NewTopic::new(format!("{prefix}-{suffix}"), partitions);
        admin.create_topic(topic).await.expect("created");
    };
    create("one", 2).await;
    create("other", 1).await;
    let config = ConsumerConfig {
        metadata_max_age: Duration::from_millis(300),
        ..config(&unique("pattern"))
    };
    let consumer = cluster.client.consumer(config).expect("a consumer");
    consumer
        .subscribe_pattern(&format!("{prefix}-(one|two)"), None)
        .expect("a group");
    poll_until(&[&consumer], "the one", || shares(&[&consumer]) == [2]).await;
    create("two", 3).await;
    poll_until(&[&consumer], "the other", || shares(&[&consumer]) == [5]).await;
    assert_eq!(consumer.subscription().len(), 2);
    assert!(consumer.subscribe_regex("x", None).is_err(), "classic");
    consumer.close().await;
}
