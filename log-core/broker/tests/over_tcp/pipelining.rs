use std::time::{Duration, Instant};

use headwater_broker::RequestContext;
use headwater_wire::messages::api_versions::ApiVersionsRequest;
use headwater_wire::messages::fetch::FetchRequest;
use headwater_wire::messages::metadata::{MetadataRequest, MetadataResponse};
use headwater_wire::messages::produce::{ProduceRequest, ProduceResponse};
use headwater_wire::{ErrorCode, RequestKind};

use super::client::{TestBroker, batch, batch_with, fetch, produce};

#[tokio::test]
async fn many_requests_in_flight_are_appended_and_answered_in_order() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    for round in 0..20_i64 {
        for _ in 0..100 {
            client.send(&produce("t", 0, batch(&["x"])), 9).await;
        }
        for index in 0..100 {
            let response = client.receive::<ProduceRequest>(9).await;
            let partition = &response.responses[0].partition_responses[0];
            assert_eq!(
                (partition.error_code, partition.base_offset),
                (0, round * 100 + index)
            );
        }
    }
}

#[tokio::test]
async fn requests_behind_a_waiting_fetch_are_worked_on_meanwhile() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let begun = Instant::now();
    // The fetch waits for the record that is produced behind it on the same connection.
    client.send(&fetch("t", 0, 0), 12).await;
    client.send(&produce("t", 0, batch(&["x"])), 9).await;
    let fetched = client.receive::<FetchRequest>(12).await;
    assert_eq!(fetched.responses[0].partitions[0].high_watermark, 1);
    let produced = client.receive::<ProduceRequest>(9).await;
    assert_eq!(produced.responses[0].partition_responses[0].error_code, 0);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn half_closed_connections_get_their_answers() {
    use tokio::io::AsyncWriteExt;
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    client.send(&produce("t", 0, batch(&["x"])), 9).await;
    client.send(&ApiVersionsRequest::default(), 2).await;
    client
        .stream
        .shutdown()
        .await
        .expect("the sending side closes");
    let produced = client.receive::<ProduceRequest>(9).await;
    assert_eq!(produced.responses[0].partition_responses[0].error_code, 0);
    client.receive::<ApiVersionsRequest>(2).await;
    assert!(client.receive_frame().await.is_none());
}

#[tokio::test]
async fn the_same_requests_are_answered_in_process() {
    let broker = TestBroker::start().await;
    broker.client().await.create_topic("t", 1, &[]).await;
    let context = |version| RequestContext {
        client_id: Some("in-process".into()),
        client_host: "127.0.0.1".into(),
        version,
    };
    let options = headwater_wire::records::BatchOptions::default();
    let first = broker
        .broker
        .handle(&context(9), produce("t", 0, batch(&["a"])).into());
    let second = broker.broker.handle(
        &context(9),
        produce("t", 0, batch_with(options, &["b"])).into(),
    );
    // Appends are in the order of the calls, whatever order the answers are waited for in.
    let second: ProduceResponse = second.await.expect("served").try_into().expect("a produce");
    let first: ProduceResponse = first.await.expect("served").try_into().expect("a produce");
    assert_eq!(first.responses[0].partition_responses[0].base_offset, 0);
    assert_eq!(second.responses[0].partition_responses[0].base_offset, 1);

    let request = RequestKind::from(MetadataRequest {
        topics: None,
        ..Default::default()
    });
    let response = broker
        .broker
        .handle(&context(12), request.clone())
        .await
        .expect("served");
    let metadata: MetadataResponse = response.try_into().expect("metadata");
    assert_eq!(metadata.topics.len(), 1);
    assert!(broker.broker.handle(&context(99), request).await.is_err());

    let silent = ProduceRequest {
        acks: 0,
        ..produce("absent", 0, batch(&["x"]))
    };
    let answer = broker
        .broker
        .handle(&context(9), silent.into())
        .await
        .expect("served");
    let answer: ProduceResponse = answer.try_into().expect("a produce");
    let code = answer.responses[0].partition_responses[0].error_code;
    assert_eq!(code, ErrorCode::UnknownTopicOrPartition.code());
}
