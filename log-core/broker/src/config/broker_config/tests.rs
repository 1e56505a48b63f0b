use std::path::Path;
use std::time::Duration;

use super::super::parse_properties;
use super::{Advertised, BrokerConfig, InvalidBrokerConfig};

fn read(text: &str) -> Result<BrokerConfig, InvalidBrokerConfig> {
    BrokerConfig::from_properties(parse_properties(text).expect("they can be read"))
}

#[test]
fn a_combined_node_of_kafka_is_configured_by_its_own_file() {
    let config = read(
        "process.roles=broker,controller\nnode.id=7\ncontroller.quorum.voters=7@localhost:9093\n\
         listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ninter.broker.listener.name=PLAINTEXT\n\
         advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL\n\
         num.network.threads=3\nnum.io.threads=8\nsocket.send.buffer.bytes=102400\n\
         socket.request.max.bytes=104857600\nlog.dirs=/var/lib/log\nnum.partitions=4\n\
         offsets.topic.replication.factor=1\nshare.coordinator.state.topic.min.isr=1\n\
         transaction.state.log.min.isr=1\nlog.retention.hours=24\nlog.segment.bytes=1048576\n\
         log.retention.check.interval.ms=300000\ngroup.initial.rebalance.delay.ms=0\n",
    );
    let config = config.expect("it is accepted");
    assert_eq!(config.node_id, 7);
    assert_eq!(config.data_dir, Path::new("/var/lib/log"));
    assert_eq!(config.listen, "0.0.0.0:9092");
    let advertised = Advertised {
        host: "localhost".to_owned(),
        port: Some(9092),
    };
    assert_eq!(config.advertised, Some(advertised));
    let settings = &config.settings;
    assert_eq!(settings.num_partitions, 4);
    assert_eq!(settings.socket_send_buffer, Some(102_400));
    assert_eq!(settings.group_initial_rebalance_delay, Duration::ZERO);
    assert_eq!(config.topic_defaults.get("retention.ms"), Some("86400000"));
    assert_eq!(config.topic_defaults.get("segment.bytes"), Some("1048576"));
}

#[test]
fn what_is_not_known_or_cannot_be_is_refused_with_a_sentence() {
    for (line, expected) in [
        ("num.partition=4", "did you mean num.partitions?"),
        ("no.setting.like.it=4", "there is no such setting"),
        ("num.partitions=0", "must be at least 1"),
        ("num.partitions=four", "must be a 32-bit integer"),
        ("ssl.keystore.location=/k", "TLS is not served"),
        ("authorizer.class.name=a.B", "no Java classes"),
        ("process.roles=broker", "a node is both"),
        ("controller.quorum.voters=1@a:1,2@b:2", "this node alone"),
        ("log.segment.bytes=1000", "must be at least 1048576"),
        (
            "log.cleanup.policy=keep",
            "must be a list of compact, delete",
        ),
        (
            "log.cleaner.min.compaction.lag.ms=9\nlog.cleaner.max.compaction.lag.ms=8",
            "min.compaction.lag.ms",
        ),
        (
            "group.consumer.session.timeout.ms=1000",
            "is not between its limits",
        ),
        (
            "queued.max.request.bytes=1000",
            "at least socket.request.max.bytes",
        ),
    ] {
        let refused = read(&format!("log.dirs=/d\n{line}")).expect_err(line);
        assert!(refused.to_string().contains(expected), "{line}: {refused}");
    }
    let homeless = read("num.partitions=4").expect_err("there is no directory");
    assert_eq!(homeless.name, "log.dirs");
}

#[test]
fn values_that_are_given_are_shown_as_they_were_read() {
    let config = read(
        "log.dirs=/d\nmax.connections.per.ip.overrides=10.0.0.1:5,::1:6\nlog.cleaner.io.max.bytes.per.second=1000000",
    );
    let config = config.expect("it is accepted");
    let show = |name| super::broker_key(name).and_then(|key| key.show(&config));
    assert_eq!(
        show("max.connections.per.ip.overrides"),
        Some("10.0.0.1:5,::1:6".to_owned())
    );
    assert_eq!(
        show("log.cleaner.io.max.bytes.per.second"),
        Some("1000000.0".to_owned())
    );
    assert_eq!(show("log.retention.ms"), None);
    assert_eq!(show("log.retention.hours"), Some("168".to_owned()));
    assert_eq!(show("num.io.threads"), Some("8".to_owned()));
}

#[test]
fn every_setting_has_one_place_and_a_documentation() {
    let mut names: Vec<_> = super::BROKER_KEYS.iter().map(|key| key.name).collect();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "no name is there twice");
    let built_in = BrokerConfig::built_in();
    for key in super::BROKER_KEYS.iter() {
        assert!(key.documentation().ends_with('.'), "{}", key.name);
        if let Some(default) = key.show(&built_in) {
            let mut config = BrokerConfig::built_in();
            let is_identity = ["broker.id", "node.id"].contains(&key.name);
            if !is_identity {
                let shown = key.apply(&mut config, &default);
                assert_eq!(shown, Ok(default), "{}: the default reads back", key.name);
            }
        }
    }
}
