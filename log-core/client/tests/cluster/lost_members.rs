//! Members that are members no more: what they may not do then.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::diary::{Diary, poll_until, shares};
use crate::groups::fill;
use crate::support::{Cluster, PATIENCE, cluster, read, unique};
use headwater_client::{
    AutoOffsetReset, ClientError, Consumer, ConsumerConfig, GroupProtocol, OffsetAndMetadata,
    ProducerConfig, TopicPartition,
};
use headwater_wire::ErrorCode;

fn config(group: &str, group_protocol: GroupProtocol) -> ConsumerConfig {
    ConsumerConfig {
        group_protocol,
        auto_offset_reset: AutoOffsetReset::Earliest,
        heartbeat_interval: Duration::from_millis(200),
        session_timeout: Duration::from_secs(20),
        enable_auto_commit: false,
        ..ConsumerConfig::new(group)
    }
}

fn member(cluster: &Cluster, config: ConsumerConfig, topic: &str, diary: &Arc<Diary>) -> Consumer {
    let consumer = cluster.client.consumer(config).expect("a consumer");
    consumer
        .subscribe([topic], Some(diary.clone()))
        .expect("a group");
    consumer
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

/// A member that took too long over what it has read must not commit it in a transaction.
async fn the_slow_are_fenced_in_transactions(group_protocol: GroupProtocol) {
    let cluster = cluster().await;
    let topic = cluster.topic("slow-etl", 1).await;
    fill(&cluster, &topic, 1, 10).await;
    let group = unique("slow-etl");
    let slow_config = ConsumerConfig {
        max_poll_interval: Duration::from_millis(800),
        ..config(&group, group_protocol)
    };
    let diary = Arc::new(Diary::default());
    let slow = member(&cluster, slow_config, &topic, &diary);
    let nobody = slow.group_metadata().expect("a group");
    assert_eq!((nobody.generation_id, nobody.member_id.as_str()), (-1, ""));
    assert_eq!(read(&slow, 10).await.len(), 10);
    let eager_config = config(&group, group_protocol);
    let eager = member(&cluster, eager_config, &topic, &Arc::default());
    poll_until(&[&eager], "all for the other", || shares(&[&eager]) == [1]).await;

    let producer = cluster
        .client
        .producer(ProducerConfig::transactional(unique("tx")))
        .expect("a producer");
    producer.init_transactions().await.expect("initialised");
    producer.begin_transaction().expect("ready");
    let partition = TopicPartition::new(topic.as_str(), 0);
    let offsets = HashMap::from([(partition.clone(), OffsetAndMetadata::new(10))]);
    let stale = slow.group_metadata().expect("a group");
    let error = producer
        .send_offsets_to_transaction(&offsets, &stale)
        .await
        .expect_err("another has the partition");
    assert!(error.is_rebalanced(), "{error}");
    producer.abort_transaction().await.expect("aborted");

    // The one who has the partition may.
    producer.begin_transaction().expect("ready");
    let current = eager.group_metadata().expect("a group");
    let sent = producer.send_offsets_to_transaction(&offsets, &current);
    sent.await.expect("sent");
    producer.commit_transaction().await.expect("committed");
    slow.unsubscribe().await;
    let nobody = slow.group_metadata().expect("a group");
    assert_eq!((nobody.generation_id, nobody.member_id.as_str()), (-1, ""));
    slow.close().await;
    eager.close().await;
}

#[tokio::test]
async fn a_slow_member_is_fenced_in_transactions() {
    the_slow_are_fenced_in_transactions(GroupProtocol::Classic).await;
}

#[tokio::test]
async fn a_slow_member_of_the_consumer_protocol_is_fenced_in_transactions() {
    the_slow_are_fenced_in_transactions(GroupProtocol::Consumer).await;
}

/// Checks that a member whose poll has failed for good reads nothing more.
async fn reads_nothing_more(cluster: &Cluster, consumer: &Consumer, diary: &Diary, topic: &str) {
    assert!(consumer.assignment().is_empty());
    assert_eq!(diary.entries().last(), Some(&("lost", vec![0])));
    fill(cluster, topic, 1, 5).await;
    let polled = consumer.poll(Duration::from_millis(500)).await;
    assert!(polled.expect("a poll").is_empty());
}

#[tokio::test]
async fn a_replaced_instance_reads_nothing_more() {
    let cluster = cluster().await;
    let topic = cluster.topic("replaced", 1).await;
    let group = unique("replaced");
    let config = ConsumerConfig {
        group_instance_id: Some("only".to_owned()),
        ..config(&group, GroupProtocol::Classic)
    };
    let diary = Arc::new(Diary::default());
    let first = member(&cluster, config.clone(), &topic, &diary);
    poll_until(&[&first], "the first", || shares(&[&first]) == [1]).await;
    let second = member(&cluster, config, &topic, &Arc::default());
    poll_until(&[&second], "the second", || shares(&[&second]) == [1]).await;
    let error = fails(&first).await;
    assert!(error.is_fenced(), "{error}");
    reads_nothing_more(&cluster, &first, &diary, &topic).await;
    assert_eq!(read(&second, 5).await.len(), 5);
    first.close().await;
    second.close().await;
}

#[tokio::test]
async fn a_member_that_is_refused_for_good_reads_nothing_more_and_leaves() {
    let cluster = cluster().await;
    let topic = cluster.topic("refused", 1).await;
    let group = unique("refused");
    let diary = Arc::new(Diary::default());
    let config = config(&group, GroupProtocol::Consumer);
    let first = member(&cluster, config.clone(), &topic, &diary);
    poll_until(&[&first], "the first", || shares(&[&first]) == [1]).await;
    let second = member(&cluster, config, &topic, &Arc::default());
    first
        .subscribe_regex("(", Some(diary.clone()))
        .expect("a group");
    let error = fails(&first).await;
    let code = error.code();
    assert_eq!(code, Some(ErrorCode::InvalidRegularExpression), "{error}");
    reads_nothing_more(&cluster, &first, &diary, &topic).await;
    // The coordinator, which has it still, is told: its session would last longer than this test.
    first.close().await;
    poll_until(&[&second], "the second", || shares(&[&second]) == [1]).await;
    second.close().await;
}
