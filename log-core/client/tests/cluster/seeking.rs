//! Where a consumer reads: seeks, resets, pauses, times, ends.

use std::collections::HashMap;
use std::time::Duration;

use crate::support::{Cluster, cluster, read, text, until};
use headwater_client::admin::OffsetSpec;
use headwater_client::{
    AutoOffsetReset, ClientError, Consumer, ConsumerConfig, IsolationLevel, ProducerConfig,
    TopicPartition,
};

/// Writes `count` records to one partition, the value their offset, the timestamp 1,000 times it.
async fn fill(cluster: &Cluster, topic: &str, partition: i32, count: i64) {
    let config = ProducerConfig {
        batch_size: 500,
        ..ProducerConfig::default()
    };
    let producer = cluster.client.producer(config).expect("a producer");
    for index in 0..count {
        let value = index.to_string();
        let timestamp = index * 1_000;
        producer
            .append(
                topic,
                partition,
                timestamp,
                None,
                Some(value.as_bytes()),
                &[],
            )
            .expect("room");
    }
    producer.close().await.expect("acknowledged");
}

fn consumer(cluster: &Cluster, reset: AutoOffsetReset) -> Consumer {
    let config = ConsumerConfig {
        auto_offset_reset: reset,
        ..ConsumerConfig::default()
    };
    cluster.client.consumer(config).expect("a consumer")
}

#[tokio::test]
async fn seeks_go_where_they_say() {
    let cluster = cluster().await;
    let topic = cluster.topic("seek", 1).await;
    fill(&cluster, &topic, 0, 200).await;
    let partition = TopicPartition::new(topic.as_str(), 0);
    let consumer = consumer(&cluster, AutoOffsetReset::Earliest);
    consumer.assign([partition.clone()]).expect("assigned");
    assert_eq!(text(&read(&consumer, 1).await[0]), "0");
    for offset in [150, 3, 77] {
        consumer.seek(&partition, offset).expect("assigned");
        assert_eq!(consumer.position(&partition), Some(offset));
        let records = read(&consumer, 1).await;
        assert_eq!(records[0].offset, offset);
        assert_eq!(text(&records[0]), offset.to_string());
    }
    consumer.seek_to_beginning(&[]).expect("assigned");
    assert_eq!(read(&consumer, 200).await.len(), 200);
    consumer.seek_to_end(&[]).expect("assigned");
    until("the end", || async {
        consumer.position(&partition).is_some()
    })
    .await;
    assert_eq!(consumer.position(&partition), Some(200));
    let elsewhere = TopicPartition::new(topic.as_str(), 9);
    assert!(consumer.seek(&elsewhere, 0).is_err());
}

#[tokio::test]
async fn offsets_are_found_by_time_and_at_the_ends() {
    let cluster = cluster().await;
    let topic = cluster.topic("times", 2).await;
    fill(&cluster, &topic, 0, 100).await;
    let [full, empty] = [0, 1].map(|index| TopicPartition::new(topic.as_str(), index));
    let consumer = consumer(&cluster, AutoOffsetReset::Earliest);
    let at = |timestamp| HashMap::from([(full.clone(), timestamp), (empty.clone(), timestamp)]);
    for (timestamp, offset) in [(0, 0), (1, 1), (41_500, 42), (99_000, 99)] {
        let found = consumer
            .offsets_for_times(&at(timestamp))
            .await
            .expect("found");
        assert_eq!(found.len(), 1);
        assert_eq!(found[&full].offset, offset);
        assert_eq!(found[&full].timestamp, Some(offset * 1_000));
    }
    assert!(
        consumer
            .offsets_for_times(&at(99_001))
            .await
            .expect("none")
            .is_empty()
    );
    let both = [full.clone(), empty.clone()];
    let begin = consumer.beginning_offsets(&both).await.expect("found");
    assert_eq!((begin[&full], begin[&empty]), (0, 0));
    let end = consumer.end_offsets(&both).await.expect("found");
    assert_eq!((end[&full], end[&empty]), (100, 0));

    let admin = cluster.client.admin();
    let wanted = HashMap::from([(full.clone(), OffsetSpec::MaxTimestamp)]);
    let mut listed = admin
        .list_offsets(&wanted, IsolationLevel::ReadUncommitted)
        .await;
    let youngest = listed
        .remove(&full)
        .expect("asked")
        .expect("found")
        .expect("there");
    assert_eq!((youngest.offset, youngest.timestamp), (99, Some(99_000)));
}

#[tokio::test]
async fn without_a_valid_offset_the_reset_decides() {
    let cluster = cluster().await;
    let topic = cluster.topic("reset", 1).await;
    fill(&cluster, &topic, 0, 50).await;
    let partition = TopicPartition::new(topic.as_str(), 0);

    let latest = consumer(&cluster, AutoOffsetReset::Latest);
    latest.assign([partition.clone()]).expect("assigned");
    until("a position", || async {
        latest.position(&partition).is_some()
    })
    .await;
    assert_eq!(latest.position(&partition), Some(50));

    let none = consumer(&cluster, AutoOffsetReset::None);
    none.assign([partition.clone()]).expect("assigned");
    let error = none
        .poll(crate::support::PATIENCE)
        .await
        .expect_err("no offset");
    assert!(matches!(error, ClientError::NoOffset { .. }), "{error}");
    none.seek(&partition, 10).expect("assigned");
    assert_eq!(read(&none, 1).await[0].offset, 10);
    none.seek(&partition, 5_000).expect("assigned");
    let error = none
        .poll(crate::support::PATIENCE)
        .await
        .expect_err("out of range");
    assert!(matches!(error, ClientError::NoOffset { .. }), "{error}");

    let earliest = consumer(&cluster, AutoOffsetReset::Earliest);
    earliest.assign([partition.clone()]).expect("assigned");
    earliest.seek(&partition, 5_000).expect("assigned");
    assert_eq!(read(&earliest, 50).await[0].offset, 0);
}

#[tokio::test]
async fn paused_partitions_rest_and_the_others_go_on() {
    let cluster = cluster().await;
    let topic = cluster.topic("paused", 2).await;
    let [one, other] = [0, 1].map(|index| TopicPartition::new(topic.as_str(), index));
    fill(&cluster, &topic, 0, 300).await;
    fill(&cluster, &topic, 1, 300).await;
    let consumer = consumer(&cluster, AutoOffsetReset::Earliest);
    consumer
        .assign([one.clone(), other.clone()])
        .expect("assigned");
    consumer
        .pause(std::slice::from_ref(&one))
        .expect("assigned");
    assert_eq!(consumer.paused(), std::slice::from_ref(&one));
    let records = read(&consumer, 300).await;
    assert!(records.iter().all(|record| record.partition == 1));
    assert_eq!(consumer.lag(&other), Some(0));
    let watermarks = consumer.watermarks(&other).expect("fetched");
    assert_eq!(
        (watermarks.log_start_offset, watermarks.high_watermark),
        (0, 300)
    );
    consumer.resume(&[one]).expect("assigned");
    let records = read(&consumer, 300).await;
    assert!(records.iter().all(|record| record.partition == 0));
    let offsets: Vec<i64> = records.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, (0..300).collect::<Vec<_>>());
}

#[tokio::test]
async fn small_buffers_still_bring_everything() {
    let cluster = cluster().await;
    let topic = cluster.topic("small-buffers", 3).await;
    for partition in 0..3 {
        fill(&cluster, &topic, partition, 2_000).await;
    }
    let config = ConsumerConfig {
        auto_offset_reset: AutoOffsetReset::Earliest,
        max_partition_fetch_bytes: 600,
        prefetch_bytes: 2_000,
        max_poll_records: 1,
        ..ConsumerConfig::default()
    };
    let consumer = cluster.client.consumer(config).expect("a consumer");
    consumer
        .assign((0..3).map(|partition| TopicPartition::new(topic.as_str(), partition)))
        .expect("assigned");
    let mut next = [0; 3];
    for record in read(&consumer, 6_000).await {
        let expected = &mut next[record.partition as usize];
        assert_eq!(record.offset, *expected);
        *expected += 1;
    }
    assert_eq!(next, [2_000; 3]);
    assert!(
        consumer
            .poll(Duration::ZERO)
            .await
            .expect("a poll")
            .is_empty()
    );
}
