use headwater_wire::ErrorCode;
use headwater_wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResult,
};
use headwater_wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};

use super::client::{Client, TestBroker};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

async fn describe(client: &mut Client, kind: i8, name: &str) -> DescribeConfigsResult {
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

fn value(result: &DescribeConfigsResult, name: &str) -> (Option<String>, i8) {
    let config = result.configs.iter().find(|config| config.name == name);
    let config = config.unwrap_or_else(|| panic!("{name} is described"));
    (config.value.clone(), config.config_source)
}

async fn alter(client: &mut Client, operation: i8, name: &str, value: Option<&str>) -> ErrorCode {
    let request = IncrementalAlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type: TOPIC,
            resource_name: "t".into(),
            configs: vec![AlterableConfig {
                name: name.into(),
                config_operation: operation,
                value: value.map(str::to_owned),
            }],
        }],
        validate_only: false,
    };
    ErrorCode::from_code(client.call(&request, 1).await.responses[0].error_code)
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
    let retention = topic
        .configs
        .iter()
        .find(|config| config.name == "retention.ms");
    let synonyms = retention
        .map(|config| config.synonyms.clone())
        .unwrap_or_default();
    let names: Vec<_> = synonyms
        .iter()
        .map(|s| (s.name.as_str(), s.source))
        .collect();
    assert_eq!(names, [("retention.ms", 1), ("log.retention.ms", 5)]);
    assert!(
        topic
            .configs
            .iter()
            .all(|config| config.documentation.is_some())
    );

    let settings = describe(&mut client, BROKER, "1").await;
    assert_eq!(value(&settings, "num.partitions"), (Some("1".into()), 5));
    assert!(settings.configs.iter().all(|config| config.read_only));
    let other = describe(&mut client, BROKER, "2").await;
    assert_eq!(other.error_code, ErrorCode::InvalidRequest.code());
    let absent = describe(&mut client, TOPIC, "absent").await;
    assert_eq!(absent.error_code, ErrorCode::UnknownTopicOrPartition.code());
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
    assert_eq!(
        alter(&mut client, 0, "max.message.bytes", Some("200")).await,
        ErrorCode::None
    );
    assert_eq!(
        alter(&mut client, 2, "cleanup.policy", Some("compact")).await,
        ErrorCode::None
    );
    let topic = describe(&mut client, TOPIC, "t").await;
    assert_eq!(value(&topic, "max.message.bytes"), (Some("200".into()), 1));
    assert_eq!(
        value(&topic, "cleanup.policy"),
        (Some("delete,compact".into()), 1)
    );
    assert_eq!(
        alter(&mut client, 3, "cleanup.policy", Some("delete")).await,
        ErrorCode::None
    );
    let topic = describe(&mut client, TOPIC, "t").await;
    assert_eq!(value(&topic, "cleanup.policy"), (Some("compact".into()), 1));
    assert_eq!(
        alter(&mut client, 1, "cleanup.policy", None).await,
        ErrorCode::None
    );
    let topic = describe(&mut client, TOPIC, "t").await;
    assert_eq!(value(&topic, "cleanup.policy"), (Some("delete".into()), 5));

    for (operation, name, value) in [
        (0, "max.message.bytes", Some("many")),
        (0, "max.message.bytes", None),
        (0, "no.such.setting", Some("1")),
        (2, "max.message.bytes", Some("1")),
    ] {
        let code = alter(&mut client, operation, name, value).await;
        assert_eq!(
            code,
            ErrorCode::InvalidConfig,
            "{operation} {name} {value:?}"
        );
    }
}
