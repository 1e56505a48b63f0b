//! What consumers do while nodes do not answer, or answer late or out of step.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::diary::{Diary, poll_until, shares};
use crate::gate::Gate;
use crate::groups::fill;
use crate::support::{cluster, read, unique, until};
use headwater_client::{
    AutoOffsetReset, ClientError, ConsumerConfig, GroupProtocol, OffsetAndMetadata, TopicPartition,
};
use headwater_wire::{ApiKey, ErrorCode};

fn config(group: &str) -> ConsumerConfig {
    ConsumerConfig {
        auto_offset_reset: AutoOffsetReset::Earliest,
        heartbeat_interval: Duration::from_millis(200),
        session_timeout: Duration::from_secs(20),
        ..ConsumerConfig::new(group)
    }
}

#[tokio::test]
async fn automatic_commits_do_not_gather_before_a_silent_coordinator() {
    let cluster = cluster().await;
    let gate = Gate::new(&cluster.bootstrap);
    let topic = cluster.topic("silent", 1).await;
    fill(&cluster, &topic, 1, 10).await;
    let limit = Duration::from_secs(1);
    let config = ConsumerConfig {
        auto_commit_interval: Duration::from_millis(5),
        default_api_timeout: limit,
        ..config(&unique("silent"))
    };
    let consumer = gate.client().consumer(config).expect("a consumer");
    consumer
        .assign([TopicPartition::new(topic.as_str(), 0)])
        .expect("assigned");
    gate.hold(ApiKey::OffsetCommit);
    assert_eq!(read(&consumer, 10).await.len(), 10);
    for _ in 0..20 {
        let polled = consumer.poll(Duration::from_millis(10)).await;
        assert!(polled.expect("a poll").is_empty());
    }
    let started = Instant::now();
    let error = consumer.commit().await.expect_err("nobody answers");
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    assert!(started.elapsed() < limit * 4, "{:?}", started.elapsed());
    gate.let_go(ApiKey::OffsetCommit);
    until("a commit", || async { consumer.commit().await.is_ok() }).await;
    consumer.close().await;
}

#[tokio::test]
async fn a_commit_that_is_given_up_keeps_the_order_of_the_others() {
    let cluster = cluster().await;
    let gate = Gate::new(&cluster.bootstrap);
    let topic = cluster.topic("ordered", 1).await;
    let consumer = gate.client().consumer(config(&unique("ordered")));
    let consumer = consumer.expect("a consumer");
    let partition = TopicPartition::new(topic.as_str(), 0);
    let offsets = |offset| HashMap::from([(partition.clone(), OffsetAndMetadata::new(offset))]);
    gate.hold(ApiKey::OffsetCommit);
    let first = consumer.commit_async(offsets(1));
    until("the first on its way", || async {
        gate.seen(ApiKey::OffsetCommit).len() == 1
    })
    .await;
    let short = Duration::from_millis(50);
    let given_up = tokio::time::timeout(short, consumer.commit_offsets(&offsets(2))).await;
    assert!(given_up.is_err(), "the first is under way");
    let mut third = consumer.commit_async(offsets(3));
    let is_held = tokio::time::timeout(short * 4, &mut third).await;
    assert!(is_held.is_err());
    assert_eq!(gate.seen(ApiKey::OffsetCommit).len(), 1, "one at a time");
    gate.let_go(ApiKey::OffsetCommit);
    first.await.expect("ran").expect("committed");
    third.await.expect("ran").expect("committed");
    let committed = consumer.committed(std::slice::from_ref(&partition)).await;
    assert_eq!(committed.expect("read")[&partition].offset, 3);
    consumer.close().await;
}

#[tokio::test]
async fn a_close_says_goodbye_although_it_cannot_commit() {
    let cluster = cluster().await;
    let gate = Gate::new(&cluster.bootstrap);
    let topic = cluster.topic("goodbye", 1).await;
    fill(&cluster, &topic, 1, 1).await;
    let consumer = gate.client().consumer(config(&unique("goodbye")));
    let consumer = consumer.expect("a consumer");
    consumer.subscribe([topic.as_str()], None).expect("a group");
    read(&consumer, 1).await;
    gate.hold(ApiKey::OffsetCommit);
    consumer.close_within(Duration::from_secs(2)).await;
    assert_eq!(gate.seen(ApiKey::LeaveGroup).len(), 1);
}

#[tokio::test]
async fn news_of_the_membership_is_no_failure_of_a_poll() {
    let cluster = cluster().await;
    let topic = cluster.topic("news", 1).await;
    fill(&cluster, &topic, 1, 10).await;
    for (code, times, is_lost) in [
        (ErrorCode::StaleMemberEpoch, 3, false),
        (ErrorCode::UnknownMemberId, 1, true),
        (ErrorCode::FencedMemberEpoch, 1, true),
    ] {
        let gate = Gate::new(&cluster.bootstrap);
        gate.refuse_offsets(vec![code; times]);
        let config = ConsumerConfig {
            group_protocol: GroupProtocol::Consumer,
            ..config(&unique("news"))
        };
        let consumer = gate.client().consumer(config).expect("a consumer");
        let diary = Arc::new(Diary::default());
        consumer
            .subscribe([topic.as_str()], Some(diary.clone()))
            .expect("a group");
        assert_eq!(read(&consumer, 10).await.len(), 10, "{code:?}");
        assert_eq!(gate.refusals_left(), 0);
        let was_lost = || diary.entries().iter().any(|(what, _)| *what == "lost");
        if is_lost {
            poll_until(&[&consumer], "a new membership", || {
                was_lost() && shares(&[&consumer]) == [1]
            })
            .await;
        } else {
            assert!(!was_lost());
        }
        consumer.close().await;
    }
}

#[tokio::test]
async fn a_missing_topic_that_is_subscribed_to_is_made() {
    let cluster = cluster().await;
    let topic = unique("to-be-made");
    let config = ConsumerConfig {
        group_protocol: GroupProtocol::Consumer,
        ..config(&unique("makers"))
    };
    let consumer = cluster.client.consumer(config).expect("a consumer");
    consumer.subscribe([topic.as_str()], None).expect("a group");
    poll_until(&[&consumer], "a share", || shares(&[&consumer]) != [0]).await;
    consumer.close().await;
}
