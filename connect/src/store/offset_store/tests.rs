use headwater_client::ProducerConfig;

use super::super::test_log::{TestLog, until};
use super::*;

fn object(text: &str) -> SourcePartition {
    serde_json::from_str(text).unwrap()
}

#[test]
fn keys_are_kafkas_and_an_offset_is_found_whatever_the_order_of_its_partition() {
    let partition = object(r#"{"filename":"a.csv"}"#);
    assert_eq!(key_of("c", &partition), r#"["c",{"filename":"a.csv"}]"#);
    let mut offsets = Offsets::default();
    assert!(apply(
        &mut offsets,
        br#"["c",{"x":1,"a":"b"}]"#,
        Some(br#"{"position":7}"#)
    ));
    let found = &offsets["c"][&canonical(&object(r#"{"a":"b","x":1}"#))];
    assert_eq!(found.key, r#"["c",{"x":1,"a":"b"}]"#);
    assert_eq!(found.offset, object(r#"{"position":7}"#));
    assert!(apply(&mut offsets, br#"["c",{"x":1,"a":"b"}]"#, None));
    assert!(offsets["c"].is_empty());
}

#[test]
fn nonsense_is_not_understood() {
    let mut offsets = Offsets::default();
    assert!(!apply(&mut offsets, b"c", Some(b"{}")));
    assert!(!apply(&mut offsets, b"[1,{}]", Some(b"{}")));
    assert!(!apply(&mut offsets, br#"["c",{}]"#, Some(b"7")));
}

/// A store of a topic with one committed offset, and one behind it in an open transaction.
async fn store_before_an_open_transaction(
    log: &TestLog,
) -> (OffsetStore, headwater_client::Producer) {
    let client = log.client();
    log.create_topic("offsets").await;
    let store = OffsetStore::open(&client, "offsets").await.unwrap();
    let record = |position: &str| store.record("c", &object(r#"{"f":"a"}"#), &object(position));
    let writer = client.producer(ProducerConfig::default()).unwrap();
    drop(writer.send(record(r#"{"position":1}"#)).await.unwrap());
    writer.close().await.unwrap();
    let slow = client
        .producer(ProducerConfig::transactional("slow"))
        .unwrap();
    slow.init_transactions().await.unwrap();
    slow.begin_transaction().unwrap();
    drop(slow.send(record(r#"{"position":2}"#)).await.unwrap());
    slow.flush().await.unwrap();
    (store, slow)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_refresh_has_read_is_kept_if_it_is_dropped() {
    let log = TestLog::start().await;
    let (store, slow) = store_before_an_open_transaction(&log).await;
    tokio::select! {
        ended = store.refresh() => panic!("it did not wait for the transaction: {ended:?}"),
        () = until("the first offset", || !store.of_connector("c").is_empty()) => {}
    }
    slow.abort_transaction().await.unwrap();
    store.refresh().await.unwrap();
    let kept = (object(r#"{"f":"a"}"#), object(r#"{"position":1}"#));
    assert_eq!(store.of_connector("c"), [kept]);
    slow.close().await.unwrap();
    log.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_ends_a_refresh_that_waits() {
    let log = TestLog::start().await;
    let (store, slow) = store_before_an_open_transaction(&log).await;
    let close = async {
        until("the first offset", || !store.of_connector("c").is_empty()).await;
        store.close().await;
    };
    let (ended, ()) = tokio::join!(store.refresh(), close);
    assert!(matches!(ended, Err(ClientError::Closed(_))), "{ended:?}");
    let late = store.refresh().await;
    assert!(matches!(late, Err(ClientError::Closed(_))), "{late:?}");
    slow.abort_transaction().await.unwrap();
    slow.close().await.unwrap();
    log.stop().await;
}
