use std::time::Duration;

use super::super::test_log::TestLog;
use super::*;

fn replay(records: &[(&str, Option<&str>)]) -> BTreeMap<String, StoredConnector> {
    let mut replay = Replay::default();
    for (key, value) in records {
        assert!(replay.apply(key, value.map(str::as_bytes)), "{key}");
    }
    replay.connectors
}

#[test]
fn kafkas_records_are_understood() {
    let connectors = replay(&[
        (
            "session-key",
            Some(r#"{"key":"x","algorithm":"HmacSHA256"}"#),
        ),
        (
            "target-state-a-b",
            Some(r#"{"state":"PAUSED","state.v2":"STOPPED"}"#),
        ),
        (
            "connector-a-b",
            Some(r#"{"properties":{"name":"a-b","tasks.max":"2"}}"#),
        ),
        ("task-a-b-0", Some(r#"{"properties":{"n":"0"}}"#)),
        ("task-a-b-1", Some(r#"{"properties":{"n":"1"}}"#)),
        ("commit-a-b", Some(r#"{"tasks":2}"#)),
        ("connector-c", Some(r#"{"properties":{"name":"c"}}"#)),
        ("task-c-0", Some(r#"{"properties":{}}"#)),
        ("commit-c", Some(r#"{"tasks":2}"#)),
        ("connector-d", Some(r#"{"properties":{"name":"d"}}"#)),
        ("connector-d", None),
        ("target-state-d", None),
    ]);
    assert_eq!(connectors.keys().collect::<Vec<_>>(), ["a-b", "c"]);
    let stored = &connectors["a-b"];
    assert_eq!(stored.target, TargetState::Stopped);
    assert_eq!(stored.tasks.len(), 2);
    assert_eq!(connectors["c"].tasks, Vec::<Properties>::new());
    assert_eq!(connectors["c"].target, TargetState::Started);
}

#[test]
fn old_workers_take_stopped_for_paused() {
    let json = target_json(TargetState::Stopped);
    assert_eq!(
        json.to_string(),
        r#"{"state":"PAUSED","state.v2":"STOPPED"}"#
    );
    let mut replay = Replay::default();
    assert!(replay.apply("target-state-x", Some(br#"{"state":"PAUSED"}"#)));
    assert_eq!(replay.connectors["x"].target, TargetState::Paused);
}

#[test]
fn nonsense_is_not_understood_and_changes_nothing() {
    let mut replay = Replay::default();
    for (key, value) in [
        ("connector-x", "{bad"),
        ("connector-x", r#"{"properties":{"n":1}}"#),
        ("task-x-y", r#"{"properties":{}}"#),
        ("target-state-x", r#"{"state":"DANCING"}"#),
        ("commit-x", "{}"),
    ] {
        assert!(!replay.apply(key, Some(value.as_bytes())), "{key}");
    }
    assert!(replay.connectors.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_asked_for_again() {
    let log = TestLog::start().await;
    let client = log.client();
    log.create_topic("configs").await;
    let producer = client
        .producer(ProducerConfig {
            max_block: Duration::from_secs(2),
            ..ProducerConfig::transactional("connect-cluster-g")
        })
        .unwrap();
    producer.init_transactions().await.unwrap();
    let mut store = ConfigStore {
        topic: "configs".into(),
        producer,
        connectors: BTreeMap::new(),
        is_stopping: Arc::default(),
    };
    let properties = Properties::from([("name".to_owned(), "a".to_owned())]);
    log.lose_ends(1);
    store.put_connector("a", &properties, None).await.unwrap();
    let tasks = vec![properties.clone(), properties.clone()];
    store.put_tasks("a", &tasks).await.unwrap();
    let opened = ConfigStore::open(&client, "configs", "g", Arc::default());
    assert_eq!(opened.await.unwrap().connectors, store.connectors);
    log.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_cannot_be_written_is_no_change() {
    let log = TestLog::start().await;
    let client = log.client();
    log.create_topic("configs").await;
    let opened = ConfigStore::open(&client, "configs", "g", Arc::default());
    let mut store = opened.await.unwrap();
    let large = Properties::from([("name".to_owned(), "x".repeat(2 << 20))]);
    let small = Properties::from([("name".to_owned(), "a".to_owned())]);
    let target = Some(TargetState::Paused);
    let error = store.put_connector("a", &large, target).await.unwrap_err();
    assert!(
        matches!(error, ClientError::RecordTooLarge { .. }),
        "{error}"
    );
    assert!(store.connectors.is_empty());
    store.put_connector("b", &small, None).await.unwrap();
    let opened = ConfigStore::open(&client, "configs", "g", Arc::default());
    assert_eq!(opened.await.unwrap().connectors, store.connectors);
    log.stop().await;
}
