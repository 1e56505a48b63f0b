use headwater_wire::ErrorCode;
use headwater_wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use headwater_wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResult,
};
use headwater_wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use headwater_wire::messages::{alter_configs, list_config_resources};

use super::client::{Client, TestBroker, batch};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
pub(super) const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

pub(super) const SET: i8 = 0;
pub(super) const DELETE: i8 = 1;
pub(super) const APPEND: i8 = 2;
pub(super) const SUBTRACT: i8 = 3;

pub(super) async fn describe(client: &mut Client, kind: i8, name: &str) -> DescribeConfigsResult {
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: kind,
            resource_name: name.into(),
            configuration_keys: None,
        }],
        include_synonyms: true,
        include_documentation: true,
    };
    client.call(&request, 4).await.results.remove(0)
}

fn entry<'a>(result: &'a DescribeConfigsResult, name: &str) -> &'a DescribeConfigsResourceResult {
    let config = result.configs.iter().find(|config| config.name == name);
    config.unwrap_or_else(|| panic!("{name} is described"))
}

fn value(result: &DescribeConfigsResult, name: &str) -> (Option<String>, i8) {
    let config = entry(result, name);
    (config.value.clone(), config.config_source)
}

fn synonyms(result: &DescribeConfigsResult, name: &str) -> Vec<(String, i8)> {
    let synonyms = entry(result, name).synonyms.iter();
    let shown = |name: &str, value: Option<&String>| {
        format!("{name}={}", value.map_or("null", String::as_str))
    };
    synonyms
        .map(|synonym| (shown(&synonym.name, synonym.value.as_ref()), synonym.source))
        .collect()
}

pub(super) async fn alter_on(
    client: &mut Client,
    (kind, resource): (i8, &str),
    changes: &[(i8, &str, Option<&str>)],
    validate_only: bool,
) -> ErrorCode {
    let change = |(operation, name, value): &(i8, &str, Option<&str>)| AlterableConfig {
        name: (*name).into(),
        config_operation: *operation,
        value: value.map(str::to_owned),
    };
    let request = IncrementalAlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type: kind,
            resource_name: resource.into(),
            configs: changes.iter().map(change).collect(),
        }],
        validate_only,
    };
    ErrorCode::from_code(client.call(&request, 1).await.responses[0].error_code)
}

async fn alter(client: &mut Client, operation: i8, name: &str, value: Option<&str>) -> ErrorCode {
    alter_on(client, (TOPIC, "t"), &[(operation, name, value)], false).await
}

async fn alter_broker(client: &mut Client, broker: &str, name: &str, value: &str) -> ErrorCode {
    let change = (SET, name, Some(value));
    alter_on(client, (BROKER, broker), &[change], false).await
}

#[tokio::test]
async fn a_value_is_echoed_as_given_and_described_as_read() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    let given = [
        ("cleanup.policy", "compact, delete"),
        ("preallocate", "False"),
    ];
    let configs = given.map(|(name, value)| CreatableTopicConfig {
        name: name.to_owned(),
        value: Some(value.to_owned()),
    });
    let request = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: "t".to_owned(),
            num_partitions: 1,
            replication_factor: 1,
            configs: configs.into(),
            ..Default::default()
        }],
        timeout_ms: 10_000,
        validate_only: false,
    };
    let created = client.call(&request, 7).await.topics.remove(0);
    let created = created.configs.expect("configs");
    for (name, value) in given {
        let config = created.iter().find(|config| config.name == name);
        assert_eq!(
            config.and_then(|config| config.value.as_deref()),
            Some(value)
        );
    }
    let topic = describe(&mut client, TOPIC, "t").await;
    let expected = [
        ("cleanup.policy", "compact,delete"),
        ("preallocate", "false"),
    ];
    for (name, expected) in expected {
        assert_eq!(value(&topic, name), (Some(expected.to_owned()), 1));
        assert_eq!(synonyms(&topic, name)[0], (format!("{name}={expected}"), 1));
    }
}

#[tokio::test]
async fn settings_are_shown_with_their_sources() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[("retention.ms", "-1")]).await;
    let topic = describe(&mut client, TOPIC, "t").await;
    assert_eq!(topic.error_code, 0);
    assert_eq!(value(&topic, "retention.ms"), (Some("-1".into()), 1));
    assert_eq!(value(&topic, "durability"), (Some("fsync".into()), 5));
    assert_eq!(
        synonyms(&topic, "retention.ms"),
        [("retention.ms=-1".to_owned(), 1)],
        "log.retention.ms has no value behind it"
    );
    assert_eq!(
        synonyms(&topic, "segment.bytes"),
        [("log.segment.bytes=1073741824".to_owned(), 5)]
    );
    assert!(
        topic
            .configs
            .iter()
            .all(|config| config.documentation.is_some())
    );

    let settings = describe(&mut client, BROKER, "1").await;
    assert_eq!(value(&settings, "num.partitions"), (Some("1".into()), 5));
    assert!(entry(&settings, "num.partitions").read_only);
    assert!(!entry(&settings, "log.retention.ms").read_only);
    assert_eq!(value(&settings, "log.retention.ms"), (None, 5));
    let shared = describe(&mut client, BROKER, "").await;
    assert_eq!(shared.configs, [], "nothing is set on all brokers");
    for (kind, name, code) in [
        (BROKER, "2", ErrorCode::InvalidRequest),
        (BROKER, "x", ErrorCode::InvalidRequest),
        (BROKER_LOGGER, "2", ErrorCode::InvalidRequest),
        (BROKER_LOGGER, "", ErrorCode::InvalidRequest),
        (GROUP, "", ErrorCode::InvalidRequest),
        (77, "x", ErrorCode::InvalidRequest),
        (TOPIC, "absent", ErrorCode::UnknownTopicOrPartition),
        (TOPIC, "not a name", ErrorCode::InvalidTopicException),
    ] {
        let refused = describe(&mut client, kind, name).await;
        assert_eq!(refused.error_code, code.code(), "{kind} {name}");
        assert!(refused.error_message.is_some());
    }
}

#[tokio::test]
async fn what_the_broker_was_started_with_is_shown_as_such() {
    let pairs = [("num.partitions", "4"), ("log.retention.bytes", "-1")];
    let broker = TestBroker::start_with(|config| {
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        config.apply(pairs).expect("they are valid");
    });
    let broker = broker.await;
    let mut client = broker.client().await;
    let settings = describe(&mut client, BROKER, "1").await;
    assert_eq!(value(&settings, "num.partitions"), (Some("4".into()), 4));
    assert_eq!(
        synonyms(&settings, "log.retention.bytes"),
        [
            ("log.retention.bytes=-1".to_owned(), 4),
            ("log.retention.bytes=-1".to_owned(), 5)
        ]
    );
    assert_eq!(value(&settings, "node.id"), (Some("1".into()), 4));
}

#[tokio::test]
async fn single_settings_are_asked_for_in_every_version() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    for version in 1..=4 {
        let request = DescribeConfigsRequest {
            resources: vec![DescribeConfigsResource {
                resource_type: TOPIC,
                resource_name: "t".into(),
                configuration_keys: Some(vec!["segment.bytes".into()]),
            }],
            ..Default::default()
        };
        let result = client.call(&request, version).await.results.remove(0);
        assert_eq!(result.configs.len(), 1);
        assert_eq!(result.configs[0].value.as_deref(), Some("1073741824"));
    }
}

#[tokio::test]
async fn settings_are_changed_one_by_one() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let taken = [
        (SET, "max.message.bytes", Some(" 200 ")),
        (APPEND, "cleanup.policy", Some("compact, compact")),
    ];
    for (operation, name, value) in taken {
        let code = alter(&mut client, operation, name, value).await;
        assert_eq!(code, ErrorCode::None, "{name}");
    }
    let topic = describe(&mut client, TOPIC, "t").await;
    assert_eq!(value(&topic, "max.message.bytes"), (Some("200".into()), 1));
    assert_eq!(
        value(&topic, "cleanup.policy"),
        (Some("delete,compact".into()), 1)
    );
    for (operation, value_after) in [(SUBTRACT, ("compact", 1)), (DELETE, ("delete", 5))] {
        let code = alter(&mut client, operation, "cleanup.policy", Some("delete")).await;
        assert_eq!(code, ErrorCode::None);
        let topic = describe(&mut client, TOPIC, "t").await;
        let (expected, source) = value_after;
        assert_eq!(
            value(&topic, "cleanup.policy"),
            (Some(expected.into()), source)
        );
    }
    for (operation, name, value, code) in [
        (
            SET,
            "max.message.bytes",
            Some("many"),
            ErrorCode::InvalidConfig,
        ),
        (SET, "max.message.bytes", None, ErrorCode::InvalidRequest),
        (SET, "no.such.setting", Some("1"), ErrorCode::InvalidConfig),
        (
            APPEND,
            "max.message.bytes",
            Some("1"),
            ErrorCode::InvalidConfig,
        ),
        (
            SET,
            "cleanup.policy",
            Some("compact,,delete"),
            ErrorCode::InvalidConfig,
        ),
        (SET, "segment.bytes", Some("1000"), ErrorCode::InvalidConfig),
        (
            SET,
            "remote.storage.enable",
            Some("true"),
            ErrorCode::InvalidConfig,
        ),
        (
            SET,
            "compression.gzip.level",
            Some("0"),
            ErrorCode::InvalidConfig,
        ),
        (9, "max.message.bytes", Some("1"), ErrorCode::InvalidRequest),
        (SET, "cleanup.policy", Some(""), ErrorCode::None),
        (SET, "internal.segment.bytes", Some("1000"), ErrorCode::None),
    ] {
        let answered = alter(&mut client, operation, name, value).await;
        assert_eq!(answered, code, "{operation} {name} {value:?}");
    }
    let lags = [
        (SET, "min.compaction.lag.ms", Some("10")),
        (SET, "max.compaction.lag.ms", Some("5")),
    ];
    let code = alter_on(&mut client, (TOPIC, "t"), &lags, false).await;
    assert_eq!(code, ErrorCode::InvalidConfig, "they contradict each other");
    let twice = [(SET, "flush.ms", Some("1")), (SET, "flush.ms", Some("2"))];
    let code = alter_on(&mut client, (TOPIC, "t"), &twice, false).await;
    assert_eq!(code, ErrorCode::InvalidRequest);
    let only_checked = [(SET, "max.message.bytes", Some("300"))];
    let code = alter_on(&mut client, (TOPIC, "t"), &only_checked, true).await;
    assert_eq!(code, ErrorCode::None);
    let topic = describe(&mut client, TOPIC, "t").await;
    assert_eq!(value(&topic, "max.message.bytes"), (Some("200".into()), 1));
}

#[tokio::test]
async fn brokers_are_reconfigured_while_they_run_and_remember_it() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let set = alter_broker(&mut client, "", "message.max.bytes", "200").await;
    assert_eq!(set, ErrorCode::None);
    let set = alter_broker(&mut client, "1", "message.max.bytes", "300").await;
    assert_eq!(set, ErrorCode::None);
    let topic = describe(&mut client, TOPIC, "t").await;
    assert_eq!(value(&topic, "max.message.bytes"), (Some("300".into()), 2));
    assert_eq!(
        synonyms(&topic, "max.message.bytes"),
        [
            ("message.max.bytes=300".to_owned(), 2),
            ("message.max.bytes=200".to_owned(), 3),
            ("message.max.bytes=1048588".to_owned(), 5)
        ]
    );
    let refused = client.produce("t", 0, batch(&[&"x".repeat(400)])).await;
    assert_eq!(refused.error_code, ErrorCode::MessageTooLarge.code());

    for (name, value, code) in [
        ("num.partitions", "4", ErrorCode::InvalidRequest),
        ("log.cleaner.backoff.ms", "-1", ErrorCode::InvalidRequest),
        ("no.such.setting", "1", ErrorCode::InvalidConfig),
    ] {
        let answered = alter_broker(&mut client, "1", name, value).await;
        assert_eq!(answered, code, "{name}");
    }
    let unset = [(DELETE, "message.max.bytes", None)];
    let code = alter_on(&mut client, (BROKER, "1"), &unset, false).await;
    assert_eq!(code, ErrorCode::None);

    drop(client);
    let broker = broker.restart().await;
    let mut client = broker.client().await;
    let shared = describe(&mut client, BROKER, "").await;
    let names: Vec<_> = shared.configs.iter().map(|config| &config.name).collect();
    assert_eq!(names, ["message.max.bytes"]);
    let topic = describe(&mut client, TOPIC, "t").await;
    assert_eq!(value(&topic, "max.message.bytes"), (Some("200".into()), 3));
}

#[tokio::test]
async fn groups_and_client_metrics_keep_what_they_are_given() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    for (kind, name, value, code) in [
        (
            GROUP,
            "consumer.session.timeout.ms",
            "46000",
            ErrorCode::None,
        ),
        (
            GROUP,
            "consumer.session.timeout.ms",
            "1",
            ErrorCode::InvalidConfig,
        ),
        (GROUP, "no.such", "1", ErrorCode::InvalidConfig),
        (CLIENT_METRICS, "interval.ms", "1000", ErrorCode::None),
        (
            CLIENT_METRICS,
            "interval.ms",
            "10",
            ErrorCode::InvalidRequest,
        ),
        (CLIENT_METRICS, "match", "foo=bar", ErrorCode::InvalidConfig),
    ] {
        let change = [(SET, name, Some(value))];
        let answered = alter_on(&mut client, (kind, "x"), &change, false).await;
        assert_eq!(answered, code, "{name} {value}");
    }
    let group = describe(&mut client, GROUP, "x").await;
    assert_eq!(
        synonyms(&group, "consumer.session.timeout.ms"),
        [
            ("consumer.session.timeout.ms=46000".to_owned(), 8),
            ("group.consumer.session.timeout.ms=45000".to_owned(), 5)
        ]
    );
    let subscription = describe(&mut client, CLIENT_METRICS, "x").await;
    assert_eq!(
        value(&subscription, "interval.ms"),
        (Some("1000".into()), 7)
    );

    let listed = |version, types: Vec<i8>| {
        let request = list_config_resources::ListConfigResourcesRequest {
            resource_types: types,
        };
        (request, version)
    };
    let (request, version) = listed(0, vec![]);
    let old = client.call(&request, version).await;
    assert_eq!(old.config_resources.len(), 1, "client metrics alone");
    let (request, version) = listed(1, vec![]);
    let all = client.call(&request, version).await.config_resources;
    let all: Vec<_> = all
        .iter()
        .map(|resource| (resource.resource_type, resource.resource_name.as_str()))
        .collect();
    assert_eq!(
        all,
        [
            (BROKER, "1"),
            (BROKER_LOGGER, "1"),
            (CLIENT_METRICS, "x"),
            (GROUP, "x")
        ]
    );
    let (request, version) = listed(1, vec![77]);
    let unknown = client.call(&request, version).await;
    assert_eq!(unknown.error_code, ErrorCode::UnsupportedVersion.code());
}

#[tokio::test]
async fn a_configuration_is_replaced_as_a_whole() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[("retention.ms", "5")]).await;
    for version in 0..=2 {
        let request = alter_configs::AlterConfigsRequest {
            resources: vec![alter_configs::AlterConfigsResource {
                resource_type: TOPIC,
                resource_name: "t".into(),
                configs: vec![alter_configs::AlterableConfig {
                    name: "segment.ms".into(),
                    value: Some("7".into()),
                }],
            }],
            validate_only: false,
        };
        let response = client.call(&request, version).await;
        assert_eq!(response.responses[0].error_code, 0);
    }
    let topic = describe(&mut client, TOPIC, "t").await;
    assert_eq!(value(&topic, "retention.ms"), (Some("604800000".into()), 5));
    assert_eq!(value(&topic, "segment.ms"), (Some("7".into()), 1));
}

#[tokio::test]
async fn a_change_is_judged_before_the_topic_is_looked_for() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    for (topic, operation, value, expected) in [
        ("absent", SET, Some("0"), ErrorCode::InvalidConfig),
        ("absent", SET, None, ErrorCode::InvalidRequest),
        ("absent", SET, Some("5"), ErrorCode::UnknownTopicOrPartition),
        ("absent", DELETE, None, ErrorCode::UnknownTopicOrPartition),
        (
            "not a name",
            SET,
            Some("5"),
            ErrorCode::InvalidTopicException,
        ),
    ] {
        let change = [(operation, "segment.ms", value)];
        let answered = alter_on(&mut client, (TOPIC, topic), &change, false).await;
        assert_eq!(answered, expected, "{topic} {value:?}");
    }
    let unknown = [(DELETE, "no.such.setting", None)];
    let answered = alter_on(&mut client, (TOPIC, "t"), &unknown, false).await;
    assert_eq!(answered, ErrorCode::None);
    let twice = [
        (APPEND, "retention.ms", Some("5")),
        (SET, "retention.ms", Some("6")),
    ];
    let answered = alter_on(&mut client, (TOPIC, "t"), &twice, false).await;
    assert_eq!(answered, ErrorCode::InvalidRequest, "before it is no list");
}

#[tokio::test]
async fn a_setting_of_security_that_is_not_there_yet_is_kept() {
    const RELOGIN: &str = "sasl.kerberos.min.time.before.relogin";
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    let change = [(SET, RELOGIN, Some("58000"))];
    let answered = alter_on(&mut client, (BROKER, "1"), &change, false).await;
    assert_eq!(answered, ErrorCode::None);
    let settings = describe(&mut client, BROKER, "1").await;
    assert_eq!(value(&settings, RELOGIN), (Some("58000".into()), 2));
}

const LEAST: &str = "min.compaction.lag.ms";
const MOST: &str = "max.compaction.lag.ms";

#[tokio::test]
async fn a_broker_is_not_given_what_contradicts_a_topic() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    let configs = [("cleanup.policy", "compact"), (LEAST, "86400000")];
    client.create_topic("t", 1, &configs).await;
    let most = "log.cleaner.max.compaction.lag.ms";
    for of in ["", "1"] {
        let refused = alter_broker(&mut client, of, most, "3600000").await;
        assert_eq!(refused, ErrorCode::InvalidRequest);
    }
    let topic = describe(&mut client, TOPIC, "t").await;
    assert_eq!(value(&topic, "cleanup.policy"), (Some("compact".into()), 1));
    let taken = alter_broker(&mut client, "", most, "86400000").await;
    assert_eq!(taken, ErrorCode::None);
}

#[tokio::test]
async fn of_changes_at_the_same_time_each_is_judged_by_the_one_before() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    let mut other = broker.client().await;
    for round in 0..8 {
        let name = format!("t{round}");
        client.create_topic(&name, 1, &[]).await;
        let least = [(SET, LEAST, Some("864000000"))];
        let most = [(SET, MOST, Some("86400000"))];
        let (one, two) = tokio::join!(
            alter_on(&mut client, (TOPIC, &name), &least, false),
            alter_on(&mut other, (TOPIC, &name), &most, false),
        );
        let taken = [one, two]
            .iter()
            .filter(|it| **it == ErrorCode::None)
            .count();
        assert_eq!(taken, 1, "{one:?} {two:?}");
    }
}

#[tokio::test]
async fn what_is_added_to_a_list_at_the_same_time_is_all_there() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    let mut other = broker.client().await;
    for round in 0..8 {
        let name = format!("t{round}");
        client
            .create_topic(&name, 1, &[("cleanup.policy", "")])
            .await;
        let compact = [(APPEND, "cleanup.policy", Some("compact"))];
        let delete = [(APPEND, "cleanup.policy", Some("delete"))];
        let (one, two) = tokio::join!(
            alter_on(&mut client, (TOPIC, &name), &compact, false),
            alter_on(&mut other, (TOPIC, &name), &delete, false),
        );
        assert_eq!((one, two), (ErrorCode::None, ErrorCode::None));
        let topic = describe(&mut client, TOPIC, &name).await;
        let policy = entry(&topic, "cleanup.policy").value.clone();
        let mut policy: Vec<_> = policy.iter().flat_map(|it| it.split(',')).collect();
        policy.sort_unstable();
        assert_eq!(policy, ["compact", "delete"]);
    }
}

#[tokio::test]
async fn internal_topics_stay_synced_and_compacted() {
    const OFFSETS: &str = "__consumer_offsets";
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic(OFFSETS, 1, &[]).await;
    for (operation, name, value) in [
        (SET, "durability", Some("relaxed")),
        (SET, "cleanup.policy", Some("delete")),
        (APPEND, "cleanup.policy", Some("delete")),
        (DELETE, "cleanup.policy", None),
    ] {
        let change = [(operation, name, value)];
        let refused = alter_on(&mut client, (TOPIC, OFFSETS), &change, false).await;
        assert_eq!(refused, ErrorCode::InvalidConfig, "{name} {value:?}");
    }
    let change = [(SET, "segment.bytes", Some("2000000"))];
    let taken = alter_on(&mut client, (TOPIC, OFFSETS), &change, false).await;
    assert_eq!(taken, ErrorCode::None);
}

#[tokio::test]
async fn a_resource_named_many_times_is_described_once() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    let named = |kind: i8, name: &str, key: Option<&str>| DescribeConfigsResource {
        resource_type: kind,
        resource_name: name.into(),
        configuration_keys: key.map(|key| vec![key.into()]),
    };
    let mut request = DescribeConfigsRequest {
        resources: vec![named(BROKER, "1", None); 10_000],
        include_synonyms: true,
        include_documentation: true,
    };
    let results = client.call(&request, 4).await.results;
    assert_eq!(results.len(), 1);
    assert!(results[0].configs.len() > 100);

    request.resources = vec![
        named(BROKER, "1", Some("node.id")),
        named(BROKER, "1", Some("num.partitions")),
    ];
    let results = client.call(&request, 4).await.results;
    assert_eq!(results.len(), 1);
    assert_eq!(results[0].configs.len(), 2, "what any of them asked for");

    let groups = (0..1_001).map(|n| named(GROUP, &format!("g{n}"), None));
    request.resources = groups.collect();
    let results = client.call(&request, 4).await.results;
    let codes: Vec<_> = results.iter().map(|result| result.error_code).collect();
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1_000);
    assert_eq!(codes.last(), Some(&ErrorCode::InvalidRequest.code()));
}
