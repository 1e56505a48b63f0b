use std::time::Duration;

use bytes::Bytes;
use headwater_wire::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use headwater_wire::messages::heartbeat::HeartbeatRequest;
use headwater_wire::messages::metadata::MetadataRequest;
use headwater_wire::{ApiKey, Decoder, ErrorCode, Message, Request, ResponseHeader};
use proptest::prelude::{Strategy, any};
use proptest::test_runner::{Config, TestRunner};
use tokio::io::AsyncWriteExt;

use super::client::{Client, TestBroker, batch, produce};

/// The broker still answers on a new connection.
async fn assert_alive(broker: &TestBroker) {
    let mut client = broker.client().await;
    let response = client.call(&ApiVersionsRequest::default(), 2).await;
    assert_eq!(response.error_code, 0);
}

fn request_bytes(key: i16, version: i16, correlation: i32, rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(key.to_be_bytes());
    body.extend(version.to_be_bytes());
    body.extend(correlation.to_be_bytes());
    body.extend(rest);
    let mut frame = (body.len() as i32).to_be_bytes().to_vec();
    frame.extend(body);
    frame
}

#[tokio::test]
async fn what_is_served_is_told_in_every_version() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    for version in 0..=4 {
        let request = ApiVersionsRequest {
            client_software_name: "headwater-test".into(),
            client_software_version: "1.0".into(),
        };
        let response = client.call(&request, version).await;
        assert_eq!(response.error_code, 0);
        let find = |key: i16| response.api_keys.iter().find(|api| api.api_key == key);
        let produce = find(0).expect("Produce is served");
        assert_eq!((produce.min_version, produce.max_version), (0, 13));
        assert_eq!(
            find(1).map(|api| (api.min_version, api.max_version)),
            Some((4, 18))
        );
        if version >= 3 {
            let feature = |name: &str| {
                let all = response.finalized_features.iter();
                all.into_iter()
                    .find(|f| f.name == name)
                    .map(|f| f.max_version_level)
            };
            assert_eq!(feature("transaction.version"), Some(2));
            assert!(feature("metadata.version").is_some());
        }
    }
    for (name, software_version) in [("no spaces", "1"), ("-x", "1"), ("x", "1."), ("", "1")] {
        let request = ApiVersionsRequest {
            client_software_name: name.into(),
            client_software_version: software_version.into(),
        };
        let refused = client.call(&request, 3).await;
        assert_eq!(refused.error_code, ErrorCode::InvalidRequest.code());
        assert!(refused.api_keys.is_empty());
    }
}

#[tokio::test]
async fn versions_and_apis_that_are_not_served_get_an_error_and_keep_the_connection() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    let cases = [
        (ApiKey::ApiVersions.code(), 99),
        (ApiKey::Produce.code(), 2),
        (ApiKey::ListOffsets.code(), 99),
        (ApiKey::ShareFetch.code(), 1),
        (12_345, 0),
        (-1, -1),
    ];
    for (correlation, (key, version)) in (100..).zip(cases) {
        let bytes = request_bytes(key, version, correlation, &[0xff, 0xff, 0]);
        client
            .stream
            .write_all(&bytes)
            .await
            .expect("the broker reads");
        let answer = client
            .receive_frame()
            .await
            .expect("the connection stays open");
        assert_eq!(answer[..4], correlation.to_be_bytes());
        assert_eq!(
            answer[4..6],
            ErrorCode::UnsupportedVersion.code().to_be_bytes()
        );
        let mut body = Decoder::new(answer.slice(4..));
        let response = ApiVersionsResponse::decode(&mut body, 0).expect("version 0");
        assert!(!response.api_keys.is_empty(), "what is served comes along");
    }
    let response = client.call(&ApiVersionsRequest::default(), 2).await;
    assert_eq!(response.error_code, 0);
}

#[tokio::test]
async fn a_version_that_is_not_served_is_answered_in_the_nearest() {
    async fn code<R: Request>(client: &mut Client, asked: i16, nearest: i16) -> R::Response {
        let bytes = request_bytes(R::KEY.code(), asked, 7, &[0xff, 0xff, 0]);
        let written = client.stream.write_all(&bytes).await;
        written.expect("the broker reads");
        let answer = client
            .receive_frame()
            .await
            .expect("the connection stays open");
        let mut input = Decoder::new(answer);
        let header = ResponseHeader::decode(&mut input, R::KEY, nearest).expect("a header");
        assert_eq!(header.correlation_id, 7);
        let response = R::Response::decode(&mut input, nearest).expect("the nearest version");
        assert_eq!(input.remaining(), 0);
        response
    }
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    let unsupported = ErrorCode::UnsupportedVersion.code();
    let metadata = code::<MetadataRequest>(&mut client, 14, 13).await;
    assert_eq!(metadata.error_code, unsupported);
    let heartbeat = code::<HeartbeatRequest>(&mut client, 5, 4).await;
    assert_eq!(heartbeat.error_code, unsupported);
}

#[tokio::test]
async fn impossible_frames_close_the_connection_and_nothing_else() {
    let broker = TestBroker::start().await;
    let frames: [&[u8]; 6] = [
        &(-1_i32).to_be_bytes(),
        &i32::MAX.to_be_bytes(),
        &0_i32.to_be_bytes(),
        &[0, 0, 0, 3, 0, 18, 0],
        // A Metadata request that claims two billion topics.
        &[
            0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff,
        ],
        b"GET / HTTP/1.1\r\n\r\n",
    ];
    for bytes in frames {
        let mut client = broker.client().await;
        client
            .stream
            .write_all(bytes)
            .await
            .expect("the broker reads");
        let answer = client.receive_frame().await;
        assert!(answer.is_none(), "{bytes:?} was answered");
    }
    assert_alive(&broker).await;
}

#[tokio::test]
async fn a_frame_in_pieces_is_a_frame() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    let bytes = request_bytes(18, 2, 1, &[0xff, 0xff]);
    for byte in bytes {
        client
            .stream
            .write_all(&[byte])
            .await
            .expect("the broker reads");
        client.stream.flush().await.expect("a socket");
    }
    client.receive_frame().await.expect("an answer");
}

#[tokio::test]
async fn a_long_frame_arrives_whole() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client
        .create_topic("t", 1, &[("max.message.bytes", "20000000")])
        .await;
    let long = "x".repeat(10_000_000);
    let answer = client.produce("t", 0, batch(&[&long])).await;
    assert_eq!((answer.error_code, answer.base_offset), (0, 0));
    let mut response = client.fetch("t", 0, 0).await;
    let records = response.responses[0].partitions[0]
        .records
        .take()
        .unwrap_or_default();
    assert!(records.len() > long.len());
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed() {
    let broker = TestBroker::start_with(|config| config.settings.max_connections = 2).await;
    let mut first = broker.client().await;
    let mut second = broker.client().await;
    first.call(&ApiVersionsRequest::default(), 2).await;
    second.call(&ApiVersionsRequest::default(), 2).await;
    let mut third = broker.client().await;
    assert!(third.receive_frame().await.is_none());
    drop(first);
    // The place of the first becomes free when the broker notices that it has gone.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let mut next = broker.client().await;
        next.send(&ApiVersionsRequest::default(), 2).await;
        if next.receive_frame().await.is_some() {
            break;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "the place is never free"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let idle = Duration::from_millis(200);
    let broker = TestBroker::start_with(|config| config.settings.connections_max_idle = idle).await;
    let mut client = broker.client().await;
    client.call(&ApiVersionsRequest::default(), 2).await;
    assert!(client.receive_frame().await.is_none());
}

/// Bytes that look like a request of any API, with a body of noise.
fn noise() -> impl Strategy<Value = (i16, i16, Vec<u8>)> {
    (
        -2_i16..95,
        -1_i16..20,
        proptest::collection::vec(any::<u8>(), 0..200),
    )
}

#[test]
fn noise_never_takes_the_broker_down() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let broker = runtime.block_on(TestBroker::start());
    let config = Config {
        cases: 300,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&noise(), |(key, version, body)| {
            runtime.block_on(async {
                let mut client = broker.client().await;
                let bytes = request_bytes(key, version, 1, &body);
                let _ = client.stream.write_all(&bytes).await;
                // Some requests rightly wait for ever, so nothing is awaited here.
                drop(client);
            });
            Ok(())
        })
        .expect("noise is survived");
    runtime.block_on(assert_alive(&broker));
}

#[tokio::test]
async fn a_flipped_bit_in_a_request_is_survived() {
    let broker = TestBroker::start().await;
    broker.client().await.create_topic("t", 1, &[]).await;
    let request = produce("t", 0, batch(&["value"]));
    let good: Bytes = headwater_wire::frame::encode_request(&request, 9, 1, Some("c"))
        .expect("a request")
        .concat()
        .into();
    // The length in front stays: a longer one only makes the broker wait for the rest.
    for bit in (4 * 8)..(good.len() * 8) {
        let mut bytes = good.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let mut client = Client::connect(broker.broker.address()).await;
        client
            .stream
            .write_all(&bytes)
            .await
            .expect("the broker reads");
    }
    assert_alive(&broker).await;
    assert_eq!(<ApiVersionsRequest as Request>::KEY, ApiKey::ApiVersions);
}
