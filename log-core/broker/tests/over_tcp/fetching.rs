use std::time::{Duration, Instant};

use headwater_wire::ErrorCode;
use headwater_wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use headwater_wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};

use super::client::{TestBroker, batch, fetch, fetched, values};

#[tokio::test]
async fn every_version_reads_what_was_written() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    client.produce("t", 0, batch(&["a", "b"])).await;
    client.produce("t", 0, batch(&["c"])).await;
    let topic = MetadataRequestTopic {
        name: Some("t".into()),
        ..Default::default()
    };
    let request = MetadataRequest {
        topics: Some(vec![topic]),
        ..Default::default()
    };
    let id = client.call(&request, 12).await.topics[0].topic_id;
    for version in 4..=18 {
        let mut request = fetch("t", 0, 0);
        if version >= 13 {
            request.topics[0].topic = String::new();
            request.topics[0].topic_id = id;
        }
        let response = client.call(&request, version).await;
        assert_eq!(response.session_id, 0);
        let partition = &response.responses[0].partitions[0];
        assert_eq!(partition.high_watermark, 3);
        assert_eq!(partition.last_stable_offset, 3);
        assert_eq!(
            fetched(response),
            [(0, "a".into()), (1, "b".into()), (2, "c".into())]
        );
    }
}

#[tokio::test]
async fn a_fetch_inside_a_batch_returns_the_whole_batch() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    client.produce("t", 0, batch(&["a", "b"])).await;
    let read = fetched(client.fetch("t", 0, 1).await);
    assert_eq!(read.last(), Some(&(1, "b".to_owned())));
}

#[tokio::test]
async fn a_fetch_waits_for_records_and_no_longer_than_it_may() {
    let broker = TestBroker::start().await;
    let mut reader = broker.client().await;
    let mut writer = broker.client().await;
    writer.create_topic("t", 2, &[]).await;

    let request = FetchRequest {
        max_wait_ms: 100,
        ..fetch("t", 0, 0)
    };
    let begun = Instant::now();
    assert_eq!(fetched(reader.call(&request, 12).await), []);
    assert!(begun.elapsed() >= Duration::from_millis(100));

    let mut both = fetch("t", 0, 0);
    let second = FetchPartition {
        partition: 1,
        ..both.topics[0].partitions[0].clone()
    };
    both.topics[0].partitions.push(second);
    reader.send(&both, 12).await;
    writer.produce("t", 1, batch(&["x"])).await;
    let mut response = reader.receive::<FetchRequest>(12).await;
    assert_eq!(
        values(response.responses[0].partitions[1].records.take()),
        [(0, "x".to_owned())]
    );
}

#[tokio::test]
async fn a_fetch_waits_for_as_many_bytes_as_it_asks_for() {
    let broker = TestBroker::start().await;
    let mut reader = broker.client().await;
    let mut writer = broker.client().await;
    writer.create_topic("t", 1, &[]).await;
    let one = batch(&["x"]).len() as i32;
    let request = FetchRequest {
        min_bytes: 3 * one,
        ..fetch("t", 0, 0)
    };
    reader.send(&request, 12).await;
    for _ in 0..3 {
        writer.produce("t", 0, batch(&["x"])).await;
    }
    assert_eq!(fetched(reader.receive::<FetchRequest>(12).await).len(), 3);
}

#[tokio::test]
async fn a_long_first_batch_takes_nothing_from_the_partitions_behind_it() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 3, &[]).await;
    let long = "x".repeat(2000);
    client.produce("t", 0, batch(&[&long])).await;
    client.produce("t", 1, batch(&["short"])).await;
    client.produce("t", 2, batch(&[&long])).await;
    let mut request = fetch("t", 0, 0);
    request.isolation_level = 1;
    request.topics[0].partitions[0].partition_max_bytes = 400;
    for partition in [1, 2] {
        let other = FetchPartition {
            partition,
            ..request.topics[0].partitions[0].clone()
        };
        request.topics[0].partitions.push(other);
    }
    let mut response = client.call(&request, 12).await;
    let partitions = &mut response.responses[0].partitions;
    let mut read = |index: usize| {
        let aborted = partitions[index].aborted_transactions.clone();
        (values(partitions[index].records.take()).len(), aborted)
    };
    assert_eq!(read(0), (1, Some(Vec::new())));
    assert_eq!(read(1), (1, Some(Vec::new())));
    assert_eq!(read(2), (0, None), "there is a batch, and it is too long");
}

#[tokio::test]
async fn limits_hold_but_never_keep_the_first_batch_back() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 2, &[]).await;
    let long = "x".repeat(1000);
    for _ in 0..4 {
        client.produce("t", 0, batch(&[&long])).await;
        client.produce("t", 1, batch(&[&long])).await;
    }
    let mut request = fetch("t", 0, 0);
    request.topics[0].partitions[0].partition_max_bytes = 10;
    assert_eq!(
        fetched(client.call(&request, 12).await).len(),
        1,
        "the first comes whole"
    );

    request.topics[0].partitions[0].partition_max_bytes = 2500;
    assert_eq!(fetched(client.call(&request, 12).await).len(), 2);

    let second = FetchPartition {
        partition: 1,
        ..request.topics[0].partitions[0].clone()
    };
    request.topics[0].partitions.push(second);
    request.max_bytes = 1500;
    let mut response = client.call(&request, 12).await;
    let partitions = &mut response.responses[0].partitions;
    assert_eq!(values(partitions[0].records.take()).len(), 1);
    assert_eq!(
        values(partitions[1].records.take()).len(),
        0,
        "the answer is full"
    );
}

#[tokio::test]
async fn offsets_outside_the_log_and_foreign_epochs_are_refused() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    client.produce("t", 0, batch(&["a"])).await;
    for offset in [-1, 2] {
        let response = client.fetch("t", 0, offset).await;
        let code = response.responses[0].partitions[0].error_code;
        assert_eq!(code, ErrorCode::OffsetOutOfRange.code(), "offset {offset}");
    }
    let mut request = fetch("t", 0, 0);
    request.topics[0].partitions[0].current_leader_epoch = 5;
    let response = client.call(&request, 12).await;
    let code = response.responses[0].partitions[0].error_code;
    assert_eq!(code, ErrorCode::UnknownLeaderEpoch.code());
    let response = client.fetch("absent", 0, 0).await;
    let code = response.responses[0].partitions[0].error_code;
    assert_eq!(code, ErrorCode::UnknownTopicOrPartition.code());
    let mut request = fetch("", 0, 0);
    request.topics = vec![FetchTopic {
        topic_id: uuid::Uuid::from_u128(3),
        partitions: request.topics[0].partitions.clone(),
        ..Default::default()
    }];
    let response = client.call(&request, 13).await;
    let code = response.responses[0].partitions[0].error_code;
    assert_eq!(code, ErrorCode::UnknownTopicId.code());
}
