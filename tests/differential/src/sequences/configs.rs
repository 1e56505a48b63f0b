//! Configs of topics, brokers and groups.

use headwater_wire::ApiKey::{
    AlterConfigs, DescribeConfigs, IncrementalAlterConfigs, ListConfigResources,
};
use headwater_wire::codec::Tree;

use super::topics::create;
use crate::object::{NULL, ask, object};
use crate::run::Run;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const GROUP: i8 = 32;

/// Configs of a topic, altered and described.
pub(crate) async fn of_topics(run: &mut Run) {
    let name = run.name("t");
    create(run, &name, 1, &[("retention.ms", "3600000")]).await;
    for _ in 0..8 {
        match run.below(4) {
            0 | 1 => incremental(run, TOPIC, &name).await,
            2 => whole(run, &name).await,
            _ => describe(run, TOPIC, &name).await,
        }
    }
    describe(run, TOPIC, &name).await;
}

/// Configs of groups, of brokers and of what there is not.
pub(crate) async fn of_others(run: &mut Run) {
    let nobody = run.name("nobody");
    let group = run.name("g");
    for _ in 0..8 {
        match run.below(7) {
            0 => describe(run, TOPIC, &nobody).await,
            1 => incremental(run, TOPIC, &nobody).await,
            2 => {
                let kind = run.one(&[0, 1, 3, 5, 16, 100]);
                describe(run, kind, &nobody).await;
            }
            3 => incremental_group(run, &group).await,
            5 => incremental_broker(run).await,
            4 => describe(run, GROUP, &group).await,
            _ => {
                let broker = run.one(&["1", "7", "x", ""]);
                let keys = run.one(&[
                    vec!["log.retention.ms", "num.partitions"],
                    vec!["message.max.bytes"],
                    vec!["no.such"],
                ]);
                let resource = object! {
                    resource_type: BROKER,
                    resource_name: broker,
                    configuration_keys: keys,
                };
                let version = run.version(DescribeConfigs);
                ask! { run, DescribeConfigs, version, {
                    resources: [resource],
                    include_synonyms: false,
                    include_documentation: false,
                } };
            }
        }
    }
    let version = run.version(ListConfigResources);
    let types = if version >= 1 {
        run.one(&[vec![2_i8], vec![2, 32], vec![16], vec![32], vec![99]])
    } else {
        vec![]
    };
    ask! { run, ListConfigResources, version, { resource_types: types } };
    of_loggers(run).await;
}

/// What is refused of loggers: their names are nobody else's.
async fn of_loggers(run: &mut Run) {
    let broker = run.one(&["1", "01", "7", "x", ""]);
    let keys = object! {
        resource_type: BROKER_LOGGER,
        resource_name: broker,
        configuration_keys: ["no.such"],
    };
    let version = run.version(DescribeConfigs);
    ask! { run, DescribeConfigs, version, {
        resources: [keys],
        include_synonyms: true,
    } };
    let (name, operation, value) = run.one(&[
        ("no.such", 0_i8, Some("INFO")),
        ("no.such", 1, None),
        ("root", 0, Some("LOUD")),
        ("root", 0, Some("debug")),
        ("root", 0, None),
        ("root", 1, None),
        ("root", 2, Some("INFO")),
        ("root", 3, Some("INFO")),
    ]);
    let config = object! { name: name, config_operation: operation, value: value };
    let resource = object! {
        resource_type: BROKER_LOGGER,
        resource_name: broker,
        configs: [config],
    };
    let version = run.version(IncrementalAlterConfigs);
    ask! { run, IncrementalAlterConfigs, version, {
        resources: [resource],
        validate_only: false,
    } };
    let config = object! { name: "root", value: "INFO" };
    let resource = object! {
        resource_type: BROKER_LOGGER,
        resource_name: broker,
        configs: [config],
    };
    let version = run.version(AlterConfigs);
    ask! { run, AlterConfigs, version, {
        resources: [resource],
        validate_only: false,
    } };
}

async fn describe(run: &mut Run, kind: i8, name: &str) {
    let version = run.version(DescribeConfigs);
    let keys = match run.below(4) {
        0 => object! { k: ["retention.ms", "cleanup.policy", "no.such"] },
        1 => object! { k: Vec::<Tree>::new() },
        _ => object! { k: NULL },
    };
    let resource = object! {
        resource_type: kind,
        resource_name: name,
        configuration_keys: crate::object::Look::look(&keys, "k"),
    };
    let (synonyms, documentation) = (run.once_in(2), version >= 3 && run.once_in(3));
    ask! { run, DescribeConfigs, version, {
        resources: [resource],
        include_synonyms: synonyms,
        include_documentation: documentation,
    } };
}

/// A change that may or may not be allowed: name, operation, value.
fn any_change(run: &mut Run) -> (&'static str, i8, Option<&'static str>) {
    const SET: i8 = 0;
    const DELETE: i8 = 1;
    const APPEND: i8 = 2;
    const SUBTRACT: i8 = 3;
    run.one(&[
        ("retention.ms", SET, Some("7200000")),
        ("retention.ms", SET, Some("-1")),
        ("retention.ms", SET, Some("-7")),
        ("retention.ms", SET, None),
        ("retention.ms", DELETE, None),
        ("retention.ms", DELETE, Some("5")),
        ("retention.ms", APPEND, Some("5")),
        ("segment.bytes", DELETE, None),
        ("cleanup.policy", APPEND, Some("compact")),
        ("cleanup.policy", APPEND, Some("delete")),
        ("cleanup.policy", SUBTRACT, Some("delete")),
        ("cleanup.policy", SUBTRACT, Some("compact")),
        ("cleanup.policy", SET, Some("compact,delete")),
        ("cleanup.policy", SET, Some("delete,shred")),
        ("cleanup.policy", 9, Some("delete")),
        ("max.message.bytes", SET, Some("2000")),
        ("max.message.bytes", SET, Some("two")),
        ("no.such.config", SET, Some("1")),
        ("no.such.config", DELETE, None),
        ("", SET, Some("1")),
        ("compression.type", SET, Some("zstd")),
        ("compression.zstd.level", SET, Some("30")),
        ("compression.lz4.level", SET, Some("0")),
        ("message.timestamp.type", SET, Some("LogAppendTime")),
        ("min.compaction.lag.ms", SET, Some("9223372036854775807")),
        ("segment.ms", SET, Some("0")),
        ("segment.index.bytes", SET, Some("3")),
        ("min.cleanable.dirty.ratio", SET, Some("nan")),
        ("unclean.leader.election.enable", SET, Some("True")),
        ("follower.replication.throttled.replicas", SET, Some("0:1")),
        (
            "leader.replication.throttled.replicas",
            SET,
            Some("nonsense"),
        ),
    ])
}

async fn incremental(run: &mut Run, kind: i8, name: &str) {
    let version = run.version(IncrementalAlterConfigs);
    let mut configs = Vec::new();
    for _ in 0..run.below(2) + 1 {
        let (name, operation, value) = any_change(run);
        configs.push(object! { name: name, config_operation: operation, value: value });
    }
    let resource = object! { resource_type: kind, resource_name: name, configs: configs };
    let validate_only = run.once_in(4);
    ask! { run, IncrementalAlterConfigs, version, {
        resources: [resource],
        validate_only: validate_only,
    } };
    settle(run, kind, name).await;
}

/// What is altered is read a moment later.
async fn settle(run: &mut Run, kind: i8, name: &str) {
    let resource = object! { resource_type: kind, resource_name: name, configuration_keys: NULL };
    let body = object! { resources: [resource], include_synonyms: false };
    run.settle(DescribeConfigs, 4, body, |_| true).await;
}

async fn whole(run: &mut Run, name: &str) {
    let version = run.version(AlterConfigs);
    let mut configs = Vec::new();
    for _ in 0..run.below(3) {
        let (name, _, value) = any_change(run);
        configs.push(object! { name: name, value: value });
    }
    let resource = object! { resource_type: TOPIC, resource_name: name, configs: configs };
    let validate_only = run.once_in(4);
    ask! { run, AlterConfigs, version, {
        resources: [resource],
        validate_only: validate_only,
    } };
}

async fn incremental_group(run: &mut Run, group: &str) {
    let version = run.version(IncrementalAlterConfigs);
    let (name, value) = run.one(&[
        ("consumer.session.timeout.ms", Some("50000")),
        ("consumer.session.timeout.ms", Some("1")),
        ("consumer.heartbeat.interval.ms", Some("6000")),
        ("consumer.heartbeat.interval.ms", Some("soon")),
        ("no.such", Some("1")),
    ]);
    let config = object! { name: name, config_operation: 0, value: value };
    let resource = object! { resource_type: GROUP, resource_name: group, configs: [config] };
    ask! { run, IncrementalAlterConfigs, version, {
        resources: [resource],
        validate_only: false,
    } };
}

/// Only validated: a broker is there for others too.
async fn incremental_broker(run: &mut Run) {
    let version = run.version(IncrementalAlterConfigs);
    let (name, value) = run.one(&[
        ("log.retention.ms", Some("50000000")),
        ("message.max.bytes", Some("2000000")),
        ("message.max.bytes", Some("few")),
        ("num.partitions", Some("5")),
        ("log.dirs", Some("/elsewhere")),
        ("node.id", Some("5")),
        ("no.such", Some("1")),
        ("log.cleaner.threads", Some("2")),
        ("log.cleaner.threads", Some("-2")),
    ]);
    let broker = run.one(&["1", "", "9", "x"]);
    let config = object! { name: name, config_operation: 0, value: value };
    let resource = object! { resource_type: BROKER, resource_name: broker, configs: [config] };
    ask! { run, IncrementalAlterConfigs, version, {
        resources: [resource],
        validate_only: true,
    } };
}
