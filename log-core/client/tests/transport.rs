//! Peers that misbehave: slow, gone, old, lying.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests count as outside tests"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use headwater_client::{Client, ClientConfig, ClientError, MetadataRecoveryStrategy};
use headwater_wire::messages::api_versions::{ApiVersion, ApiVersionsResponse};
use headwater_wire::messages::describe_cluster::DescribeClusterResponse;
use headwater_wire::messages::metadata::{MetadataResponse, MetadataResponseBroker};
use headwater_wire::{ApiKey, Decoder, ErrorCode, RequestHeader, ResponseKind, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a peer does with a request; `None` closes the connection.
type Script = dyn Fn(usize, &RequestHeader) -> Option<Vec<Bytes>> + Send + Sync;

/// A peer that answers by a script, which is told how many requests came before.
async fn peer(script: Arc<Script>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let count = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, script.clone(), count.clone()));
        }
    });
    address
}

async fn serve(mut stream: TcpStream, script: Arc<Script>, count: Arc<AtomicUsize>) {
    let mut buffer = BytesMut::new();
    loop {
        while let Ok(Some(request)) = frame::split(&mut buffer, 1 << 20) {
            let header = RequestHeader::decode(&mut Decoder::new(request)).expect("a header");
            let Some(answer) = script(count.fetch_add(1, Ordering::SeqCst), &header) else {
                return;
            };
            for chunk in answer {
                if stream.write_all(&chunk).await.is_err() {
                    return;
                }
            }
        }
        if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
            return;
        }
    }
}

fn answer(header: &RequestHeader, response: impl Into<ResponseKind>) -> Option<Vec<Bytes>> {
    let response: ResponseKind = response.into();
    Some(
        response
            .to_frame(header.api_version, header.correlation_id)
            .expect("encodes"),
    )
}

fn versions() -> ApiVersionsResponse {
    let served = [(ApiKey::ApiVersions, 0, 4), (ApiKey::DescribeCluster, 0, 1)];
    ApiVersionsResponse {
        api_keys: served
            .map(|(key, min_version, max_version)| ApiVersion {
                api_key: key.code(),
                min_version,
                max_version,
            })
            .to_vec(),
        ..ApiVersionsResponse::default()
    }
}

fn described() -> DescribeClusterResponse {
    DescribeClusterResponse {
        cluster_id: "c".to_owned(),
        ..DescribeClusterResponse::default()
    }
}

/// Answers as a good node would.
fn good(header: &RequestHeader) -> Option<Vec<Bytes>> {
    match header.key() {
        Some(ApiKey::ApiVersions) => answer(header, versions()),
        Some(ApiKey::DescribeCluster) => answer(header, described()),
        _ => None,
    }
}

fn client(address: SocketAddr) -> Client {
    let config = ClientConfig {
        request_timeout: Duration::from_millis(300),
        default_api_timeout: Duration::from_secs(2),
        retry_backoff: Duration::from_millis(10),
        ..ClientConfig::new(&address.to_string())
    };
    Client::new(config).expect("a runtime")
}

#[tokio::test]
async fn a_connection_that_breaks_is_made_again() {
    let address = peer(Arc::new(|count, header| match count {
        // Gone after the versions, gone before them, and good from then on.
        1 | 2 => None,
        _ => good(header),
    }))
    .await;
    let description = client(address)
        .admin()
        .describe_cluster()
        .await
        .expect("in the end");
    assert_eq!(description.cluster_id, "c");
}

#[tokio::test]
async fn a_peer_that_is_older_is_asked_in_its_own_version() {
    let address = peer(Arc::new(|_, header| {
        let is_too_new = header.key() == Some(ApiKey::ApiVersions) && header.api_version > 0;
        if !is_too_new {
            return good(header);
        }
        let refusal = ApiVersionsResponse {
            error_code: ErrorCode::UnsupportedVersion.code(),
            ..versions()
        };
        let refusal = ResponseKind::from(refusal);
        Some(refusal.to_frame(0, header.correlation_id).expect("encodes"))
    }))
    .await;
    let description = client(address)
        .admin()
        .describe_cluster()
        .await
        .expect("described");
    assert_eq!(description.cluster_id, "c");
}

#[tokio::test]
async fn silence_ends_with_the_deadline() {
    let address = peer(Arc::new(|_, header| match header.key() {
        Some(ApiKey::ApiVersions) => answer(header, versions()),
        _ => Some(Vec::new()),
    }))
    .await;
    let started = Instant::now();
    let error = client(address)
        .admin()
        .describe_cluster()
        .await
        .expect_err("silent");
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn lies_about_lengths_and_ids_end_the_connection() {
    let lies: [fn(&RequestHeader) -> Vec<Bytes>; 4] = [
        |_| vec![Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0])],
        |_| vec![Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])],
        |_| vec![Bytes::from_static(&[0, 0, 0, 1, 0])],
        |header| {
            let wrong = RequestHeader {
                correlation_id: 77,
                ..header.clone()
            };
            answer(&wrong, described()).expect("an answer")
        },
    ];
    for lie in lies {
        let address = peer(Arc::new(move |_, header| match header.key() {
            Some(ApiKey::ApiVersions) => answer(header, versions()),
            _ => Some(lie(header)),
        }))
        .await;
        let error = client(address)
            .admin()
            .describe_cluster()
            .await
            .expect_err("a lie");
        assert!(
            error.is_retriable(),
            "another connection may do better: {error}"
        );
        assert!(error.to_string().contains("was lost"), "{error}");
    }
}

#[tokio::test]
async fn garbage_in_a_response_is_not_tried_again() {
    let address = peer(Arc::new(|_, header| match header.key() {
        Some(ApiKey::ApiVersions) => answer(header, versions()),
        _ => {
            let mut garbage = vec![0, 0, 0, 40];
            garbage.extend_from_slice(&header.correlation_id.to_be_bytes());
            garbage.extend_from_slice(&[0xee; 36]);
            Some(vec![Bytes::from(garbage)])
        }
    }))
    .await;
    let error = client(address)
        .admin()
        .describe_cluster()
        .await
        .expect_err("garbage");
    assert!(matches!(error, ClientError::Protocol { .. }), "{error}");
}

#[tokio::test]
async fn what_a_peer_does_not_serve_is_named() {
    let address = peer(Arc::new(|_, header| match header.key() {
        Some(ApiKey::ApiVersions) => answer(header, versions()),
        _ => None,
    }))
    .await;
    let error = client(address)
        .admin()
        .list_topics()
        .await
        .expect_err("not served");
    assert!(
        matches!(error, ClientError::UnsupportedVersion { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("Metadata"), "{error}");
}

#[tokio::test]
async fn nobody_there_is_told_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let error = client(address)
        .admin()
        .describe_cluster()
        .await
        .expect_err("nobody");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    for wrong in ["", "no-port", "host:port"] {
        let error = Client::new(ClientConfig::new(wrong)).expect_err("unusable");
        assert!(error.to_string().contains("bootstrap.servers"), "{error}");
    }
}

#[tokio::test]
async fn bootstrap_servers_that_were_never_there_are_named_soon() {
    // A port that was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let config = ClientConfig {
        bootstrap_timeout: Duration::from_millis(300),
        ..ClientConfig::new(&address)
    };
    let client = Client::new(config).expect("a runtime");
    let named = |error: ClientError| {
        assert!(error.is_unreachable() && error.is_retriable(), "{error}");
        assert!(error.to_string().contains(&address), "{error}");
    };
    let started = Instant::now();
    named(client.admin().describe_cluster().await.expect_err("nobody"));
    let producer = client
        .producer(headwater_client::ProducerConfig::default())
        .expect("a producer");
    let record = headwater_client::ProducerRecord::new("t", "v");
    named(producer.send(record).await.expect_err("nobody"));
    let appended = producer.append("t", 0, -1, None, Some(b"v"), &[]);
    appended.expect("room");
    named(producer.flush().await.expect_err("nobody"));
    for group_protocol in [
        headwater_client::GroupProtocol::Classic,
        headwater_client::GroupProtocol::Consumer,
    ] {
        let config = headwater_client::ConsumerConfig {
            group_protocol,
            ..headwater_client::ConsumerConfig::new("g")
        };
        let consumer = client.consumer(config).expect("a consumer");
        consumer.subscribe(["t"], None).expect("a group");
        let error = loop {
            if let Err(error) = consumer.poll(Duration::from_millis(100)).await {
                break error;
            }
        };
        named(error);
    }
    assert!(started.elapsed() < Duration::from_secs(10));
}

/// A node of the metadata, and one that knows Metadata alone.
fn metadata_peer(
    header: &RequestHeader,
    metadata: impl Fn() -> MetadataResponse,
) -> Option<Vec<Bytes>> {
    match header.key() {
        Some(ApiKey::ApiVersions) => {
            let served = [(ApiKey::ApiVersions, 0, 4), (ApiKey::Metadata, 0, 13)];
            let api_keys = served.map(|(key, min_version, max_version)| ApiVersion {
                api_key: key.code(),
                min_version,
                max_version,
            });
            let versions = ApiVersionsResponse {
                api_keys: api_keys.to_vec(),
                ..ApiVersionsResponse::default()
            };
            answer(header, versions)
        }
        Some(ApiKey::Metadata) => answer(header, metadata()),
        _ => None,
    }
}

fn cluster_of(address: SocketAddr, cluster_id: &str) -> MetadataResponse {
    MetadataResponse {
        cluster_id: Some(cluster_id.to_owned()),
        brokers: vec![MetadataResponseBroker {
            node_id: 7,
            host: address.ip().to_string(),
            port: i32::from(address.port()),
            rack: None,
        }],
        ..MetadataResponse::default()
    }
}

#[tokio::test]
async fn who_is_told_to_bootstrap_again_asks_the_bootstrap_servers() {
    let rejecting = peer(Arc::new(|_, header| {
        metadata_peer(header, || MetadataResponse {
            error_code: ErrorCode::RebootstrapRequired.code(),
            ..MetadataResponse::default()
        })
    }))
    .await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let bootstrap = peer(Arc::new(move |_, header| {
        metadata_peer(header, || {
            count.fetch_add(1, Ordering::SeqCst);
            cluster_of(rejecting, "c")
        })
    }))
    .await;
    for (strategy, expected) in [
        (MetadataRecoveryStrategy::Rebootstrap, 2),
        (MetadataRecoveryStrategy::None, 1),
    ] {
        asked.store(0, Ordering::SeqCst);
        let config = ClientConfig {
            metadata_recovery_strategy: strategy,
            default_api_timeout: Duration::from_secs(2),
            ..ClientConfig::new(&bootstrap.to_string())
        };
        let admin = Client::new(config).expect("a runtime").admin();
        admin.list_topics().await.expect("of the bootstrap server");
        // The node that it named knows better.
        let again = admin.list_topics().await;
        assert_eq!(again.is_ok(), expected == 2, "{again:?}");
        assert_eq!(asked.load(Ordering::SeqCst), expected, "{strategy:?}");
    }
}
