//! Levels of loggers, seen and changed while the process runs (KIP-412).

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headwater_broker::Environment;
use headwater_broker::loggers::{Loggers, ProcessLoggers};
use headwater_wire::ErrorCode;
use headwater_wire::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterableConfig,
};
use headwater_wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
};
use tokio::io::AsyncWriteExt;
use tracing::Dispatch;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;

use super::client::{Client, TestBroker};
use super::configs::{APPEND, BROKER_LOGGER, DELETE, SET, SUBTRACT, alter_on, describe};

/// Loggers of a subscriber that nothing is written to, and which they end with.
fn loggers(filter: &str, known: &[&'static str]) -> (Arc<ProcessLoggers>, Dispatch) {
    let (loggers, layer) = ProcessLoggers::new(EnvFilter::new(filter), known.iter().copied());
    let subscriber = tracing_subscriber::registry().with(layer);
    (loggers, Dispatch::new(subscriber))
}

fn world(loggers: Arc<dyn Loggers>) -> Environment {
    Environment {
        loggers,
        ..Environment::default()
    }
}

/// The levels of those that are named.
async fn levels(client: &mut Client, names: &[&str]) -> Vec<String> {
    let described = describe(client, BROKER_LOGGER, "1").await;
    assert_eq!(described.error_code, 0);
    let level = |name: &&str| {
        let mut configs = described.configs.iter();
        let config = configs.find(|config| config.name == *name);
        let level = config.and_then(|config| config.value.clone());
        level.unwrap_or_else(|| "none".to_owned())
    };
    names.iter().map(level).collect()
}

async fn set(client: &mut Client, logger: &str, level: &str) -> ErrorCode {
    let change = [(SET, logger, Some(level))];
    alter_on(client, (BROKER_LOGGER, "1"), &change, false).await
}

#[tokio::test]
async fn loggers_are_shown_with_their_levels() {
    let (loggers, _dispatch) = loggers("warn,b=off", &["a::c", "b"]);
    let broker = TestBroker::start_in_world(world(loggers)).await;
    let mut client = broker.client().await;
    for id in ["1", "01", "+1"] {
        let described = describe(&mut client, BROKER_LOGGER, id).await;
        let logger = |name: &str| described.configs.iter().find(|logger| logger.name == name);
        let expected = |name: &str, level: &str| DescribeConfigsResourceResult {
            name: name.to_owned(),
            value: Some(level.to_owned()),
            read_only: false,
            config_source: 6,
            is_sensitive: false,
            synonyms: Vec::new(),
            config_type: 0,
            documentation: Some(String::new()),
        };
        for (name, level) in [
            ("a", "WARN"),
            ("a.c", "WARN"),
            ("b", "OFF"),
            ("root", "WARN"),
        ] {
            assert_eq!(logger(name), Some(&expected(name, level)), "of broker {id}");
        }
    }
    for id in ["", "2", "-1", " 1", "x"] {
        let refused = describe(&mut client, BROKER_LOGGER, id).await;
        assert_eq!(refused.error_code, ErrorCode::InvalidRequest.code(), "{id}");
    }
    for version in 1..=4 {
        let request = DescribeConfigsRequest {
            resources: vec![DescribeConfigsResource {
                resource_type: BROKER_LOGGER,
                resource_name: "1".into(),
                configuration_keys: Some(vec!["root".into(), "nobody".into()]),
            }],
            ..Default::default()
        };
        let described = client.call(&request, version).await.results.remove(0);
        let names: Vec<_> = described
            .configs
            .iter()
            .map(|logger| &logger.name)
            .collect();
        assert_eq!(names, ["root"], "version {version}");
    }
}

#[tokio::test]
async fn a_level_holds_until_it_is_taken_away() {
    let (loggers, _dispatch) = loggers("warn,a=info", &["a::b", "c"]);
    let broker = TestBroker::start_in_world(world(loggers)).await;
    let mut client = broker.client().await;
    for (operation, logger, level, after) in [
        (SET, "a", Some("DEBUG"), ["DEBUG", "DEBUG", "WARN", "WARN"]),
        (
            SET,
            "a.b",
            Some("TRACE"),
            ["DEBUG", "TRACE", "WARN", "WARN"],
        ),
        (SET, "a", Some("FATAL"), ["FATAL", "TRACE", "WARN", "WARN"]),
        (DELETE, "a.b", None, ["FATAL", "FATAL", "WARN", "WARN"]),
        (DELETE, "a.b", Some("x"), ["FATAL", "FATAL", "WARN", "WARN"]),
        (DELETE, "a", None, ["WARN", "WARN", "WARN", "WARN"]),
        (
            SET,
            "root",
            Some("ERROR"),
            ["ERROR", "ERROR", "ERROR", "ERROR"],
        ),
    ] {
        let change = [(operation, logger, level)];
        let taken = alter_on(&mut client, (BROKER_LOGGER, "1"), &change, false).await;
        assert_eq!(taken, ErrorCode::None, "{operation} {logger} {level:?}");
        let now = levels(&mut client, &["a", "a.b", "c", "root"]).await;
        assert_eq!(now, after, "{operation} {logger} {level:?}");
    }
}

#[tokio::test]
async fn what_kafka_refuses_changes_nothing() {
    let (loggers, _dispatch) = loggers("warn,a=info", &["b"]);
    let broker = TestBroker::start_in_world(world(loggers)).await;
    let mut client = broker.client().await;
    let no_logger = ErrorCode::InvalidConfig;
    let no_level = ErrorCode::InvalidConfig;
    for (operation, logger, level, code) in [
        (SET, "nobody", Some("INFO"), no_logger),
        (SET, "nobody", Some("LOUD"), no_logger),
        (SET, "", Some("INFO"), no_logger),
        (DELETE, "nobody", None, no_logger),
        (SET, "b", Some("debug"), no_level),
        (SET, "b", Some("OFF"), no_level),
        (SET, "b", Some(" INFO"), no_level),
        (SET, "b", Some(""), no_level),
        (SET, "b", None, ErrorCode::InvalidRequest),
        (APPEND, "b", Some("INFO"), ErrorCode::InvalidRequest),
        (SUBTRACT, "nobody", Some("INFO"), ErrorCode::InvalidRequest),
        (9, "b", Some("INFO"), ErrorCode::InvalidRequest),
        (DELETE, "root", None, ErrorCode::InvalidRequest),
    ] {
        for validate_only in [true, false] {
            let changes = [(SET, "a", Some("TRACE")), (operation, logger, level)];
            let one = (BROKER_LOGGER, "1");
            let refused = alter_on(&mut client, one, &changes, validate_only).await;
            assert_eq!(refused, code, "{operation} {logger} {level:?}");
        }
    }
    let change = [(SET, "a", Some("TRACE"))];
    for id in ["", "2", "x"] {
        let refused = alter_on(&mut client, (BROKER_LOGGER, id), &change, false).await;
        assert_eq!(refused, ErrorCode::InvalidRequest, "{id}");
    }
    let twice = [change[0], change[0]];
    let refused = alter_on(&mut client, (BROKER_LOGGER, "1"), &twice, false).await;
    assert_eq!(refused, ErrorCode::InvalidRequest);
    let valid = alter_on(&mut client, (BROKER_LOGGER, "1"), &change, true).await;
    assert_eq!(valid, ErrorCode::None);
    let empty = alter_on(&mut client, (BROKER_LOGGER, "1"), &[], false).await;
    assert_eq!(empty, ErrorCode::None);
    let as_a_whole = AlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type: BROKER_LOGGER,
            resource_name: "1".into(),
            configs: vec![AlterableConfig {
                name: "a".into(),
                value: Some("TRACE".into()),
            }],
        }],
        validate_only: false,
    };
    let refused = client.call(&as_a_whole, 2).await.responses.remove(0);
    assert_eq!(refused.error_code, ErrorCode::InvalidRequest.code());
    let now = levels(&mut client, &["a", "b", "root", "nobody"]).await;
    assert_eq!(now, ["INFO", "WARN", "WARN", "none"]);
}

#[tokio::test]
async fn levels_end_with_the_process() {
    let (before, _before) = loggers("warn", &["a"]);
    let broker = TestBroker::start_in_world(world(before)).await;
    let mut client = broker.client().await;
    assert_eq!(set(&mut client, "a", "TRACE").await, ErrorCode::None);
    let (after, _after) = loggers("warn", &["a"]);
    let broker = broker.restart_in_world(world(after)).await;
    let mut client = broker.client().await;
    assert_eq!(levels(&mut client, &["a"]).await, ["WARN"]);
}

#[tokio::test]
async fn a_process_without_loggers_has_none_to_change() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    let described = describe(&mut client, BROKER_LOGGER, "1").await;
    assert_eq!((described.error_code, described.configs), (0, vec![]));
    let refused = set(&mut client, "root", "INFO").await;
    assert_eq!(refused, ErrorCode::InvalidConfig);
}

/// What the process has written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    /// Whether a line has all of the words.
    fn has_line(&self, words: &[&str]) -> bool {
        let written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = String::from_utf8_lossy(&written);
        let mut lines = written.lines();
        lines.any(|line| words.iter().all(|word| line.contains(word)))
    }

    async fn line(&self, words: &[&str]) {
        let found = async {
            while !self.has_line(words) {
                tokio::task::yield_now().await;
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(20), found).await;
        found.unwrap_or_else(|_| panic!("no line has {words:?}"));
    }
}

/// Has a connection closed for what it sent, and returns its end here as the broker writes it.
async fn closed_for_its_frame(broker: &TestBroker) -> String {
    let mut hostile = broker.client().await;
    let peer = hostile.stream.local_addr().expect("it is connected");
    let negative = (-1_i32).to_be_bytes();
    let sent = hostile.stream.write_all(&negative).await;
    sent.expect("the broker reads");
    assert_eq!(hostile.receive_frame().await, None, "it is closed");
    format!("peer={peer} ")
}

/// The only test that a subscriber of the whole process is set up in.
#[tokio::test]
async fn a_level_changes_what_is_logged_from_then_on() {
    const CONNECTIONS: &str = "headwater_broker.listener.connection";
    const TARGET: &str = "headwater_broker::listener::connection";
    let written = Written::default();
    let (loggers, filter) = ProcessLoggers::new(EnvFilter::new("off"), ["headwater_broker"]);
    let writer = written.clone();
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(move || writer.clone());
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    tracing::subscriber::set_global_default(subscriber).expect("no other test sets one");
    let broker = TestBroker::start_in_world(world(loggers)).await;
    let mut client = broker.client().await;

    let unheard = closed_for_its_frame(&broker).await;
    assert_eq!(
        set(&mut client, "headwater_broker", "DEBUG").await,
        ErrorCode::None
    );
    let heard = closed_for_its_frame(&broker).await;
    written
        .line(&["DEBUG", TARGET, "connection closed", &heard])
        .await;
    assert_eq!(levels(&mut client, &[CONNECTIONS]).await, ["DEBUG"]);
    let changed = ["WARN", "a logger was given a level", "headwater_broker"];
    written.line(&changed).await;

    assert_eq!(
        set(&mut client, CONNECTIONS, "ERROR").await,
        ErrorCode::None
    );
    let silenced = closed_for_its_frame(&broker).await;
    assert_eq!(
        set(&mut client, CONNECTIONS, "TRACE").await,
        ErrorCode::None
    );
    let again = closed_for_its_frame(&broker).await;
    written.line(&["connection closed", &again]).await;
    for peer in [unheard, silenced] {
        assert!(!written.has_line(&[&peer]), "{peer} was not to be heard of");
    }
}
