//! The broker's own configuration.

use std::path::PathBuf;
use std::time::Duration;

use super::topic_config::TopicDefaults;
use super::value::ValueKind;

/// Everything a broker is started with.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Directory that holds all of the node's data; created if it is not there.
    pub data_dir: PathBuf,
    /// Address to listen on, `HOST:PORT`; port 0 takes a free one.
    pub listen: String,
    /// What clients are told to connect to, if not the address listened on.
    pub advertised: Option<Advertised>,
    /// `node.id`, from 0. Fixed for the life of the data directory.
    pub node_id: i32,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// Settings with defaults.
    pub settings: BrokerSettings,
    /// Defaults of topics.
    pub topic_defaults: TopicDefaults,
}

/// Where clients reach the broker, when it is not where it listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertised {
    /// Host name or address.
    pub host: String,
    /// Port; `None` is the one listened on.
    pub port: Option<u16>,
}

/// Settings of a broker, with Kafka's names and defaults where Kafka has them.
#[derive(Debug, Clone, PartialEq)]
pub struct BrokerSettings {
    /// `num.partitions`: partitions of a topic created without a number.
    pub num_partitions: i32,
    /// `auto.create.topics.enable`: Metadata creates topics that are not there.
    pub auto_create_topics: bool,
    /// `socket.request.max.bytes`: longest request frame.
    pub request_max_bytes: u32,
    /// `queued.max.request.bytes`: bytes of all requests being worked on.
    pub queued_max_request_bytes: u32,
    /// `fetch.max.bytes`: longest fetch answer, apart from a single batch that is longer.
    pub fetch_max_bytes: u32,
    /// `queued.max.response.bytes`: bytes of all fetch answers being made or sent. Ours.
    pub queued_max_response_bytes: u32,
    /// `max.connections`.
    pub max_connections: u32,
    /// `connections.max.idle.ms`.
    pub connections_max_idle: Duration,
    /// `log.retention.check.interval.ms`: pause between two passes of retention and compaction.
    pub retention_check_interval: Duration,
    /// `group.initial.rebalance.delay.ms` (KIP-134): how long a new group waits for more members.
    pub group_initial_rebalance_delay: Duration,
    /// `offsets.topic.num.partitions`. Takes effect when the topic is created.
    pub offsets_topic_partitions: i32,
    /// `transaction.state.log.num.partitions`. Takes effect when the topic is created.
    pub transaction_topic_partitions: i32,
}

impl BrokerConfig {
    /// The defaults, on `data_dir`, listening on `listen`.
    pub fn new(data_dir: impl Into<PathBuf>, listen: impl Into<String>) -> Self {
        Self {
            data_dir: data_dir.into(),
            listen: listen.into(),
            advertised: None,
            node_id: 1,
            rack: None,
            settings: BrokerSettings::default(),
            topic_defaults: TopicDefaults::default(),
        }
    }
}

impl Default for BrokerSettings {
    fn default() -> Self {
        Self {
            num_partitions: 1,
            auto_create_topics: true,
            request_max_bytes: 100 * 1024 * 1024,
            queued_max_request_bytes: 128 * 1024 * 1024,
            fetch_max_bytes: 55 * 1024 * 1024,
            queued_max_response_bytes: 64 * 1024 * 1024,
            max_connections: 4_096,
            connections_max_idle: Duration::from_secs(600),
            retention_check_interval: Duration::from_secs(30),
            group_initial_rebalance_delay: Duration::from_secs(3),
            offsets_topic_partitions: 50,
            transaction_topic_partitions: 50,
        }
    }
}

/// Why a broker configuration was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid value for {name}: {reason}")]
pub struct InvalidBrokerConfig {
    /// Name of the setting.
    pub name: &'static str,
    /// What is expected.
    pub reason: String,
}

impl BrokerSettings {
    /// Checks that the settings can work together.
    ///
    /// # Errors
    /// [`InvalidBrokerConfig`] names the first that cannot.
    pub fn validate(&self) -> Result<(), InvalidBrokerConfig> {
        let positive = [
            ("num.partitions", i64::from(self.num_partitions)),
            (
                "socket.request.max.bytes",
                i64::from(self.request_max_bytes),
            ),
            ("fetch.max.bytes", i64::from(self.fetch_max_bytes)),
            (
                "queued.max.response.bytes",
                i64::from(self.queued_max_response_bytes),
            ),
            ("max.connections", i64::from(self.max_connections)),
            (
                "offsets.topic.num.partitions",
                i64::from(self.offsets_topic_partitions),
            ),
            (
                "transaction.state.log.num.partitions",
                i64::from(self.transaction_topic_partitions),
            ),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, value)| *value < 1) {
            return Err(InvalidBrokerConfig {
                name,
                reason: "must be at least 1".to_owned(),
            });
        }
        if self.queued_max_request_bytes < self.request_max_bytes {
            let reason = format!(
                "must be at least socket.request.max.bytes, {}",
                self.request_max_bytes
            );
            return Err(InvalidBrokerConfig {
                name: "queued.max.request.bytes",
                reason,
            });
        }
        Ok(())
    }
}

/// One broker setting as DescribeConfigs shows it.
pub(crate) struct BrokerKey {
    pub(crate) name: &'static str,
    pub(crate) kind: ValueKind,
    pub(crate) doc: &'static str,
    pub(crate) value: fn(&BrokerSettings) -> String,
}

/// The broker settings that can be looked up.
pub(crate) static BROKER_KEYS: &[BrokerKey] = &[
    BrokerKey {
        name: "auto.create.topics.enable",
        kind: ValueKind::Boolean,
        doc: "Metadata creates topics that are not there.",
        value: |settings| settings.auto_create_topics.to_string(),
    },
    BrokerKey {
        name: "connections.max.idle.ms",
        kind: ValueKind::Long,
        doc: "Idle time after which a connection is closed, in milliseconds.",
        value: |settings| settings.connections_max_idle.as_millis().to_string(),
    },
    BrokerKey {
        name: "fetch.max.bytes",
        kind: ValueKind::Int,
        doc: "Longest fetch answer, in bytes, apart from a single batch that is longer.",
        value: |settings| settings.fetch_max_bytes.to_string(),
    },
    BrokerKey {
        name: "group.initial.rebalance.delay.ms",
        kind: ValueKind::Int,
        doc: "Time a new group waits for more members before its first rebalance, in milliseconds.",
        value: |settings| {
            settings
                .group_initial_rebalance_delay
                .as_millis()
                .to_string()
        },
    },
    BrokerKey {
        name: "log.retention.check.interval.ms",
        kind: ValueKind::Long,
        doc: "Pause between two passes of retention and compaction, in milliseconds.",
        value: |settings| settings.retention_check_interval.as_millis().to_string(),
    },
    BrokerKey {
        name: "max.connections",
        kind: ValueKind::Int,
        doc: "Connections served at a time.",
        value: |settings| settings.max_connections.to_string(),
    },
    BrokerKey {
        name: "num.partitions",
        kind: ValueKind::Int,
        doc: "Partitions of a topic created without a number.",
        value: |settings| settings.num_partitions.to_string(),
    },
    BrokerKey {
        name: "offsets.topic.num.partitions",
        kind: ValueKind::Int,
        doc: "Partitions of __consumer_offsets, when it is created.",
        value: |settings| settings.offsets_topic_partitions.to_string(),
    },
    BrokerKey {
        name: "queued.max.request.bytes",
        kind: ValueKind::Long,
        doc: "Bytes of all requests being worked on.",
        value: |settings| settings.queued_max_request_bytes.to_string(),
    },
    BrokerKey {
        name: "queued.max.response.bytes",
        kind: ValueKind::Long,
        doc: "Bytes of all fetch answers being made or sent.",
        value: |settings| settings.queued_max_response_bytes.to_string(),
    },
    BrokerKey {
        name: "socket.request.max.bytes",
        kind: ValueKind::Int,
        doc: "Longest request, in bytes.",
        value: |settings| settings.request_max_bytes.to_string(),
    },
    BrokerKey {
        name: "transaction.state.log.num.partitions",
        kind: ValueKind::Int,
        doc: "Partitions of __transaction_state, when it is created.",
        value: |settings| settings.transaction_topic_partitions.to_string(),
    },
];
