use headwater_wire::ErrorCode;
use headwater_wire::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use headwater_wire::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsTopic,
};
use headwater_wire::messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use headwater_wire::records::{BatchBuilder, BatchOptions};

use super::client::{Client, TestBroker, batch, fetched};

async fn list(client: &mut Client, timestamp: i64, version: i16) -> ListOffsetsPartitionResponse {
    let partition = ListOffsetsPartition {
        timestamp,
        ..Default::default()
    };
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic {
            name: "t".into(),
            partitions: vec![partition],
        }],
        ..Default::default()
    };
    client
        .call(&request, version)
        .await
        .topics
        .remove(0)
        .partitions
        .remove(0)
}

async fn delete_before(client: &mut Client, topic: &str, offset: i64) -> (i16, i64) {
    let request = DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic {
            name: topic.into(),
            partitions: vec![DeleteRecordsPartition {
                partition_index: 0,
                offset,
            }],
        }],
        timeout_ms: 1000,
    };
    let result = client
        .call(&request, 2)
        .await
        .topics
        .remove(0)
        .partitions
        .remove(0);
    (result.error_code, result.low_watermark)
}

#[tokio::test]
async fn offsets_are_found_by_their_ends_and_by_time() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    assert_eq!(
        list(&mut client, 0, 5).await.offset,
        -1,
        "an empty log has no first record"
    );
    for times in [[100, 300, 200], [400, 350, 500]] {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        for time in times {
            builder
                .append(time, None, Some(b"v"), &[])
                .expect("a record");
        }
        client
            .produce("t", 0, builder.build().expect("a batch"))
            .await;
    }
    for version in 1..=11 {
        assert_eq!(list(&mut client, -1, version).await.offset, 6);
        assert_eq!(list(&mut client, -2, version).await.offset, 0);
        let found = list(&mut client, 301, version).await;
        assert_eq!((found.offset, found.timestamp), (3, 400));
        assert_eq!(
            list(&mut client, 200, version).await.offset,
            1,
            "the first one that late"
        );
        let beyond = list(&mut client, 501, version).await;
        assert_eq!(
            (beyond.offset, beyond.timestamp, beyond.error_code),
            (-1, -1, 0)
        );
    }
    let latest = list(&mut client, -3, 7).await;
    assert_eq!((latest.offset, latest.timestamp), (5, 500));
    assert_eq!(list(&mut client, -4, 8).await.offset, 0);
    assert_eq!(list(&mut client, -5, 9).await.offset, -1);
    for (special, known_from) in [(-3, 7), (-4, 8), (-5, 9), (-6, 11)] {
        for version in 1..=11 {
            let found = list(&mut client, special, version).await;
            let expected = if version < known_from {
                ErrorCode::UnsupportedVersion
            } else {
                ErrorCode::None
            };
            assert_eq!(found.error_code, expected.code(), "{special} {version}");
        }
    }
    let pending = list(&mut client, -6, 11).await;
    assert_eq!((pending.offset, pending.leader_epoch), (-1, -1));
    let unknown = list(&mut client, -9, 9).await;
    assert_eq!(unknown.error_code, ErrorCode::UnsupportedVersion.code());
}

#[tokio::test]
async fn a_partition_asked_for_twice_is_refused() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let partition = ListOffsetsPartition {
        timestamp: -1,
        ..Default::default()
    };
    let request = ListOffsetsRequest {
        topics: vec![ListOffsetsTopic {
            name: "t".into(),
            partitions: vec![partition.clone(), partition],
        }],
        ..Default::default()
    };
    let response = client.call(&request, 5).await;
    let partitions = &response.topics[0].partitions;
    assert_eq!(partitions.len(), 1, "it is answered once");
    assert_eq!(partitions[0].error_code, ErrorCode::InvalidRequest.code());
}

#[tokio::test]
async fn deleted_records_are_gone_and_offsets_stay() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    for value in ["a", "b", "c"] {
        client.produce("t", 0, batch(&[value])).await;
    }
    assert_eq!(delete_before(&mut client, "t", 2).await, (0, 2));
    assert_eq!(list(&mut client, -2, 5).await.offset, 2);
    let gone = client.fetch("t", 0, 1).await;
    let code = gone.responses[0].partitions[0].error_code;
    assert_eq!(code, ErrorCode::OffsetOutOfRange.code());
    assert_eq!(
        fetched(client.fetch("t", 0, 2).await),
        [(2, "c".to_owned())]
    );
    let beyond = delete_before(&mut client, "t", 4).await;
    assert_eq!(beyond, (ErrorCode::OffsetOutOfRange.code(), -1));
    assert_eq!(
        delete_before(&mut client, "t", -1).await,
        (0, 3),
        "-1 is the high watermark"
    );
    assert_eq!(client.produce("t", 0, batch(&["d"])).await.base_offset, 3);

    client
        .create_topic("c", 1, &[("cleanup.policy", "compact")])
        .await;
    let (code, _) = delete_before(&mut client, "c", 0).await;
    assert_eq!(code, ErrorCode::PolicyViolation.code());
    let (code, _) = delete_before(&mut client, "absent", 0).await;
    assert_eq!(code, ErrorCode::UnknownTopicOrPartition.code());
}

#[tokio::test]
async fn the_end_of_an_epoch_is_told() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    client.produce("t", 0, batch(&["a", "b"])).await;
    let ask = |current_leader_epoch, leader_epoch| OffsetForLeaderEpochRequest {
        topics: vec![OffsetForLeaderTopic {
            topic: "t".into(),
            partitions: vec![OffsetForLeaderPartition {
                partition: 0,
                current_leader_epoch,
                leader_epoch,
            }],
        }],
        ..Default::default()
    };
    for version in 2..=4 {
        let response = client.call(&ask(0, 0), version).await;
        let end = &response.topics[0].partitions[0];
        assert_eq!(
            (end.error_code, end.leader_epoch, end.end_offset),
            (0, 0, 2)
        );
    }
    let unknown = client.call(&ask(-1, 4), 4).await;
    let end = &unknown.topics[0].partitions[0];
    assert_eq!(
        (end.error_code, end.leader_epoch, end.end_offset),
        (0, -1, -1)
    );
    let newer = client.call(&ask(4, 0), 4).await;
    let code = newer.topics[0].partitions[0].error_code;
    assert_eq!(code, ErrorCode::UnknownLeaderEpoch.code());
}
