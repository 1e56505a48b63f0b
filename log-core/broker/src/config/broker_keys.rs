//! The table of broker settings: names, defaults, documentation, when each may be changed, and how
//! it is read and shown. Properties files, DescribeConfigs and the requests that alter
//! configurations all work from it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use super::broker_config::BrokerConfig;
use super::elsewhere::ELSEWHERE;
use super::topic_keys::{TOPIC_KEYS, TopicKey, Unit};
use super::value::Check::{Among, Any, AtLeast};
use super::value::{Check, Shape, Value, ValueKind};

/// One broker setting.
pub(crate) struct BrokerKey {
    /// Kafka's name.
    pub(crate) name: &'static str,
    /// Which values it takes.
    pub(crate) shape: Shape,
    /// When it may be changed.
    pub(crate) update: Update,
    /// What it does, in a sentence; empty if its place says it.
    pub(super) doc: &'static str,
    /// Where its value goes.
    pub(super) place: Place,
}

/// When a setting may be changed (KIP-226).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Update {
    /// Only before the broker starts.
    ReadOnly,
    /// At any time, for one broker or for all.
    ClusterWide,
}

/// Where a setting's value goes.
pub(super) enum Place {
    /// Among the typed settings.
    Setting {
        read: fn(&mut BrokerConfig, &Value),
        show: fn(&BrokerConfig) -> Option<String>,
    },
    /// To topics that do not set their own.
    TopicDefault {
        topic: &'static str,
        unit: Unit,
        default: Option<&'static str>,
    },
    /// To what the broker is, which is resolved from several settings together.
    Identity {
        show: fn(&BrokerConfig) -> Option<String>,
    },
    /// Nowhere.
    WithoutEffect {
        default: Option<&'static str>,
        reason: &'static str,
    },
    /// Nowhere, and only Kafka's default is taken.
    Only {
        default: Option<&'static str>,
        reason: &'static str,
    },
}

/// The setting of this name.
pub(crate) fn broker_key(name: &str) -> Option<&'static BrokerKey> {
    BROKER_KEYS
        .binary_search_by_key(&name, |key| key.name)
        .ok()
        .and_then(|at| BROKER_KEYS.get(at))
        .copied()
}

/// All broker settings, by name.
pub(crate) static BROKER_KEYS: LazyLock<Vec<&'static BrokerKey>> = LazyLock::new(|| {
    let all = [IDENTITY, SETTINGS, TOPIC_DEFAULTS, ELSEWHERE];
    let mut keys: Vec<_> = all.into_iter().flatten().collect();
    keys.sort_by_key(|key| key.name);
    keys
});

impl BrokerKey {
    /// What the setting does, in a sentence or two.
    pub(crate) fn documentation(&self) -> Cow<'static, str> {
        match &self.place {
            Place::TopicDefault { topic, unit, .. } => {
                let unit = match unit {
                    Unit::Hours => " In hours here.",
                    Unit::Minutes => " In minutes here.",
                    Unit::Same | Unit::EndlessBelowZero => "",
                };
                let doc = topic_key(topic).map_or("", |key| key.doc);
                Cow::Owned(format!("{topic} of topics that set none. {doc}{unit}"))
            }
            Place::WithoutEffect { reason, .. } => {
                Cow::Owned(format!("Accepted without effect: {reason}."))
            }
            Place::Only { default, reason } => {
                let default = default.filter(|default| !default.is_empty());
                Cow::Owned(match default {
                    Some(default) => format!("Only {default} is possible: {reason}."),
                    None => format!("Cannot be set: {reason}."),
                })
            }
            Place::Setting { .. } | Place::Identity { .. } => Cow::Borrowed(self.doc),
        }
    }

    /// Why the setting has no effect, if it has none.
    pub(crate) fn without_effect(&self) -> Option<&'static str> {
        match self.place {
            Place::WithoutEffect { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// The value in `config`; `None` is no value.
    pub(crate) fn show(&self, config: &BrokerConfig) -> Option<String> {
        match self.place {
            Place::Setting { show, .. } | Place::Identity { show } => show(config),
            Place::TopicDefault { default, .. } => config
                .topic_defaults
                .given(self.name)
                .or(default)
                .map(str::to_owned),
            Place::WithoutEffect { default, .. } | Place::Only { default, .. } => config
                .given
                .get(self.name)
                .map(String::as_str)
                .or(default)
                .map(str::to_owned),
        }
    }

    /// Reads `text`, checks it and puts it into `config`. Returns the value as it shows.
    pub(crate) fn apply(&self, config: &mut BrokerConfig, text: &str) -> Result<String, String> {
        let value = self.shape.read(text)?;
        let shown = value.to_string();
        match self.place {
            Place::Setting { read, .. } => read(config, &value),
            Place::TopicDefault { topic, unit, .. } => {
                if let Some(key) = topic_key(topic).filter(|_| unit == Unit::Same) {
                    key.read(text).map_err(|error| match error {
                        super::InvalidTopicConfig::Value { reason, .. } => reason,
                        other => other.to_string(),
                    })?;
                }
                config.topic_defaults.set(self.name, shown.clone());
            }
            Place::Identity { .. } | Place::WithoutEffect { .. } => {}
            Place::Only { default, reason } => {
                let default = default.unwrap_or_default();
                if shown != default {
                    return Err(match default {
                        "" => format!("cannot be set: {reason}"),
                        default => format!("only {default} is possible: {reason}"),
                    });
                }
            }
        }
        Ok(shown)
    }
}

fn topic_key(name: &str) -> Option<&'static TopicKey> {
    TOPIC_KEYS.iter().find(|key| key.name == name)
}

const fn shape(kind: ValueKind, check: Check) -> Shape {
    Shape { kind, check }
}

/// A typed setting, read from a value and shown as text.
trait Field {
    fn take(&mut self, value: &Value);
    fn show(&self) -> Option<String>;
}

macro_rules! integer_field {
    ($($type:ty),*) => {$(
        impl Field for $type {
            fn take(&mut self, value: &Value) {
                if let Value::Integer(value) = value
                    && let Ok(value) = <$type>::try_from(*value)
                {
                    *self = value;
                }
            }

            fn show(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )*};
}

integer_field!(i16, i32, u32, u64);

impl Field for bool {
    fn take(&mut self, value: &Value) {
        if let Value::Boolean(value) = value {
            *self = *value;
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Field for f64 {
    fn take(&mut self, value: &Value) {
        if let Value::Double(value) = value {
            *self = *value;
        }
    }

    fn show(&self) -> Option<String> {
        Some(Value::Double(*self).to_string())
    }
}

/// In milliseconds.
impl Field for Duration {
    fn take(&mut self, value: &Value) {
        if let Value::Integer(value) = value {
            *self = Self::from_millis(u64::try_from(*value).unwrap_or(0));
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.as_millis().to_string())
    }
}

/// -1 is none.
impl Field for Option<u32> {
    fn take(&mut self, value: &Value) {
        if let Value::Integer(value) = value {
            *self = u32::try_from(*value).ok();
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.map_or("-1".to_owned(), |value| value.to_string()))
    }
}

impl Field for String {
    fn take(&mut self, value: &Value) {
        if let Value::Text(value) = value {
            *self = value.trim().to_ascii_lowercase();
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.clone())
    }
}

impl Field for Vec<String> {
    fn take(&mut self, value: &Value) {
        if let Value::List(values) = value {
            self.clone_from(values);
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.join(","))
    }
}

/// `name:number` pairs.
impl Field for BTreeMap<String, u32> {
    fn take(&mut self, value: &Value) {
        if let Value::Text(text) = value {
            let pairs = text.split(',').filter_map(|pair| pair.rsplit_once(':'));
            let read = |(name, number): (&str, &str)| {
                Some((name.trim().to_owned(), number.trim().parse().ok()?))
            };
            *self = pairs.filter_map(read).collect();
        }
    }

    fn show(&self) -> Option<String> {
        let pairs = self.iter().map(|(name, number)| format!("{name}:{number}"));
        Some(pairs.collect::<Vec<_>>().join(","))
    }
}

macro_rules! setting {
    ($name:literal, $kind:ident, $check:expr, $update:ident, $($field:ident).+, $doc:literal) => {
        BrokerKey {
            name: $name,
            shape: shape(ValueKind::$kind, $check),
            update: Update::$update,
            doc: $doc,
            place: Place::Setting {
                read: |config, value| Field::take(&mut config.settings.$($field).+, value),
                show: |config| Field::show(&config.settings.$($field).+),
            },
        }
    };
}

macro_rules! identity {
    ($name:literal, $kind:ident, $check:expr, $show:expr, $doc:literal) => {
        BrokerKey {
            name: $name,
            shape: shape(ValueKind::$kind, $check),
            update: Update::ReadOnly,
            doc: $doc,
            place: Place::Identity { show: $show },
        }
    };
}

const fn default_of(
    name: &'static str,
    topic: &'static str,
    shape: Shape,
    default: Option<&'static str>,
) -> BrokerKey {
    default_in(name, topic, shape, default, Unit::Same, Update::ClusterWide)
}

const fn default_in(
    name: &'static str,
    topic: &'static str,
    shape: Shape,
    default: Option<&'static str>,
    unit: Unit,
    update: Update,
) -> BrokerKey {
    BrokerKey {
        name,
        shape,
        update,
        doc: "",
        place: Place::TopicDefault {
            topic,
            unit,
            default,
        },
    }
}

const INT: Shape = shape(ValueKind::Int, Check::Any);
const LONG: Shape = shape(ValueKind::Long, Check::Any);
const TEXT: Shape = shape(ValueKind::String, Check::Any);
const LONG_MAX: Option<&str> = Some("9223372036854775807");

/// What topics have a default from. What is checked is the topic's setting.
const TOPIC_DEFAULTS: &[BrokerKey] = &[
    default_of(
        "compression.gzip.level",
        "compression.gzip.level",
        INT,
        Some("-1"),
    ),
    default_of(
        "compression.lz4.level",
        "compression.lz4.level",
        INT,
        Some("9"),
    ),
    default_of(
        "compression.type",
        "compression.type",
        TEXT,
        Some("producer"),
    ),
    default_of(
        "compression.zstd.level",
        "compression.zstd.level",
        INT,
        Some("3"),
    ),
    default_of(
        "log.cleaner.delete.retention.ms",
        "delete.retention.ms",
        LONG,
        Some("86400000"),
    ),
    default_of(
        "log.cleaner.max.compaction.lag.ms",
        "max.compaction.lag.ms",
        LONG,
        LONG_MAX,
    ),
    default_of(
        "log.cleaner.min.cleanable.ratio",
        "min.cleanable.dirty.ratio",
        shape(ValueKind::Double, Check::Any),
        Some("0.5"),
    ),
    default_of(
        "log.cleaner.min.compaction.lag.ms",
        "min.compaction.lag.ms",
        LONG,
        Some("0"),
    ),
    default_of(
        "log.cleanup.policy",
        "cleanup.policy",
        shape(ValueKind::List, Check::Any),
        Some("delete"),
    ),
    default_of(
        "log.flush.interval.messages",
        "flush.messages",
        LONG,
        LONG_MAX,
    ),
    default_of("log.flush.interval.ms", "flush.ms", LONG, None),
    default_in(
        "log.flush.scheduler.interval.ms",
        "flush.ms",
        LONG,
        LONG_MAX,
        Unit::Same,
        Update::ReadOnly,
    ),
    default_of(
        "log.index.interval.bytes",
        "index.interval.bytes",
        INT,
        Some("4096"),
    ),
    default_of(
        "log.index.size.max.bytes",
        "segment.index.bytes",
        INT,
        Some("10485760"),
    ),
    default_of(
        "log.local.retention.bytes",
        "local.retention.bytes",
        LONG,
        Some("-2"),
    ),
    default_of(
        "log.local.retention.ms",
        "local.retention.ms",
        LONG,
        Some("-2"),
    ),
    default_of(
        "log.message.timestamp.after.max.ms",
        "message.timestamp.after.max.ms",
        LONG,
        Some("3600000"),
    ),
    default_of(
        "log.message.timestamp.before.max.ms",
        "message.timestamp.before.max.ms",
        LONG,
        LONG_MAX,
    ),
    default_of(
        "log.message.timestamp.type",
        "message.timestamp.type",
        TEXT,
        Some("CreateTime"),
    ),
    default_of(
        "log.preallocate",
        "preallocate",
        shape(ValueKind::Boolean, Check::Any),
        Some("false"),
    ),
    default_of("log.retention.bytes", "retention.bytes", LONG, Some("-1")),
    default_in(
        "log.retention.hours",
        "retention.ms",
        INT,
        Some("168"),
        Unit::Hours,
        Update::ReadOnly,
    ),
    default_in(
        "log.retention.minutes",
        "retention.ms",
        INT,
        None,
        Unit::Minutes,
        Update::ReadOnly,
    ),
    default_in(
        "log.retention.ms",
        "retention.ms",
        LONG,
        None,
        Unit::EndlessBelowZero,
        Update::ClusterWide,
    ),
    default_in(
        "log.roll.hours",
        "segment.ms",
        shape(ValueKind::Int, Check::AtLeast(1)),
        Some("168"),
        Unit::Hours,
        Update::ReadOnly,
    ),
    default_in(
        "log.roll.jitter.hours",
        "segment.jitter.ms",
        shape(ValueKind::Int, Check::AtLeast(0)),
        Some("0"),
        Unit::Hours,
        Update::ReadOnly,
    ),
    default_of("log.roll.jitter.ms", "segment.jitter.ms", LONG, None),
    default_of("log.roll.ms", "segment.ms", LONG, None),
    default_of(
        "log.segment.bytes",
        "segment.bytes",
        INT,
        Some("1073741824"),
    ),
    default_of(
        "log.segment.delete.delay.ms",
        "file.delete.delay.ms",
        LONG,
        Some("60000"),
    ),
    default_of(
        "message.max.bytes",
        "max.message.bytes",
        INT,
        Some("1048588"),
    ),
    default_of("min.insync.replicas", "min.insync.replicas", INT, Some("1")),
    default_of(
        "unclean.leader.election.enable",
        "unclean.leader.election.enable",
        shape(ValueKind::Boolean, Check::Any),
        Some("false"),
    ),
];

/// What the broker is and where it can be reached.
const IDENTITY: &[BrokerKey] = &[
    identity!(
        "advertised.listeners",
        List,
        Check::Any,
        |config| config
            .given("advertised.listeners")
            .or_else(|| config.show_advertised()),
        "What clients are told to connect to, if not the address listened on: NAME://HOST:PORT."
    ),
    identity!(
        "broker.id",
        Int,
        Check::AtLeast(0),
        |config| Some(config.node_id.to_string()),
        "Another name of node.id."
    ),
    identity!(
        "broker.rack",
        String,
        Check::Any,
        |config| config.rack.clone(),
        "The rack the broker stands in, as clients are told."
    ),
    identity!(
        "controller.listener.names",
        List,
        Check::Any,
        |config| config.given("controller.listener.names"),
        "Which of listeners are the controller's. They are not opened: the controller is in the same process, and alone."
    ),
    identity!(
        "controller.quorum.bootstrap.servers",
        List,
        Check::Any,
        |config| config
            .given("controller.quorum.bootstrap.servers")
            .or(Some(String::new())),
        "Where the controllers are: this node alone."
    ),
    identity!(
        "controller.quorum.voters",
        List,
        Check::Any,
        |config| config
            .given("controller.quorum.voters")
            .or(Some(String::new())),
        "The voters of the metadata quorum, ID@HOST:PORT: this node alone."
    ),
    identity!(
        "inter.broker.listener.name",
        String,
        Check::Any,
        |config| config.given("inter.broker.listener.name"),
        "The listener brokers use among each other: the one there is."
    ),
    identity!(
        "listener.security.protocol.map",
        String,
        Check::Any,
        |config| config
            .given("listener.security.protocol.map")
            .or_else(|| Some("PLAINTEXT:PLAINTEXT".to_owned())),
        "Protocol of each listener, NAME:PROTOCOL. Only PLAINTEXT is served."
    ),
    identity!(
        "listeners",
        List,
        Check::Any,
        |config| config
            .given("listeners")
            .or_else(|| config.show_listeners()),
        "Where the broker listens: one NAME://HOST:PORT for clients, and the controller's."
    ),
    identity!(
        "log.dir",
        List,
        Check::Any,
        |config| config.given("log.dir"),
        "The directory for all of the broker's data, where log.dirs is not given."
    ),
    identity!(
        "log.dirs",
        List,
        Check::Any,
        |config| config.given("log.dirs").or_else(|| config.show_data_dir()),
        "The directory for all of the broker's data. There is one."
    ),
    identity!(
        "node.id",
        Int,
        Check::AtLeast(0),
        |config| (config.node_id >= 0).then(|| config.node_id.to_string()),
        "Number of the node in its cluster. Fixed for the life of the data directory."
    ),
    identity!(
        "process.roles",
        List,
        Check::Among(&["broker", "controller"]),
        |_| Some("broker,controller".to_owned()),
        "What the node is: broker and controller."
    ),
];

/// Typed settings.
const SETTINGS: &[BrokerKey] = &[
    setting!(
        "auto.create.topics.enable",
        Boolean,
        Any,
        ReadOnly,
        auto_create_topics,
        "Metadata creates topics that are not there."
    ),
    setting!(
        "connections.max.idle.ms",
        Long,
        Any,
        ReadOnly,
        connections_max_idle,
        "Idle time after which a connection is closed, in milliseconds."
    ),
    setting!(
        "default.replication.factor",
        Int,
        AtLeast(1),
        ReadOnly,
        default_replication_factor,
        "Copies of each partition of a topic created without a number."
    ),
    setting!(
        "delete.topic.enable",
        Boolean,
        Any,
        ReadOnly,
        delete_topics,
        "Topics may be deleted."
    ),
    setting!(
        "fetch.max.bytes",
        Int,
        AtLeast(1024),
        ReadOnly,
        fetch_max_bytes,
        "Longest fetch answer, in bytes, apart from a single batch that is longer."
    ),
    setting!(
        "group.consumer.assignment.interval.ms",
        Int,
        AtLeast(0),
        ClusterWide,
        consumer_group.assignment_interval,
        "Least time between two assignments of a group of the consumer protocol that sets none, in milliseconds."
    ),
    setting!(
        "group.consumer.assignors",
        List,
        Among(&["uniform", "range"]),
        ReadOnly,
        consumer_group.assignors,
        "The server's assignors for groups of the consumer protocol, the default one first."
    ),
    setting!(
        "group.consumer.heartbeat.interval.ms",
        Int,
        AtLeast(1),
        ReadOnly,
        consumer_group.heartbeat_interval,
        "How often members of the consumer protocol are to heartbeat in a group that sets none, in milliseconds."
    ),
    setting!(
        "group.consumer.max.assignment.interval.ms",
        Int,
        AtLeast(0),
        ReadOnly,
        consumer_group.max_assignment_interval,
        "The most a group may set as consumer.assignment.interval.ms."
    ),
    setting!(
        "group.consumer.max.heartbeat.interval.ms",
        Int,
        AtLeast(1),
        ReadOnly,
        consumer_group.max_heartbeat_interval,
        "The most a group may set as consumer.heartbeat.interval.ms."
    ),
    setting!(
        "group.consumer.max.session.timeout.ms",
        Int,
        AtLeast(1),
        ReadOnly,
        consumer_group.max_session_timeout,
        "The most a group may set as consumer.session.timeout.ms."
    ),
    setting!(
        "group.consumer.max.size",
        Int,
        AtLeast(1),
        ReadOnly,
        consumer_group.max_size,
        "Members a group of the consumer protocol may have."
    ),
    setting!(
        "group.consumer.migration.policy",
        String,
        Check::OneOfAnyCase(&["disabled", "downgrade", "upgrade", "bidirectional"]),
        ReadOnly,
        consumer_group.migration_policy,
        "Which way groups may change between the classic and the consumer protocol while they have members."
    ),
    setting!(
        "group.consumer.min.assignment.interval.ms",
        Int,
        AtLeast(0),
        ReadOnly,
        consumer_group.min_assignment_interval,
        "The least a group may set as consumer.assignment.interval.ms."
    ),
    setting!(
        "group.consumer.min.heartbeat.interval.ms",
        Int,
        AtLeast(1),
        ReadOnly,
        consumer_group.min_heartbeat_interval,
        "The least a group may set as consumer.heartbeat.interval.ms."
    ),
    setting!(
        "group.consumer.min.session.timeout.ms",
        Int,
        AtLeast(1),
        ReadOnly,
        consumer_group.min_session_timeout,
        "The least a group may set as consumer.session.timeout.ms."
    ),
    setting!(
        "group.consumer.session.timeout.ms",
        Int,
        AtLeast(1),
        ReadOnly,
        consumer_group.session_timeout,
        "Silence after which a member of the consumer protocol is gone in a group that sets none, in milliseconds."
    ),
    setting!(
        "group.coordinator.rebalance.protocols",
        List,
        Among(&["classic", "consumer"]),
        ReadOnly,
        group_protocols,
        "Protocols groups may use: classic, consumer."
    ),
    setting!(
        "group.initial.rebalance.delay.ms",
        Int,
        Any,
        ReadOnly,
        group_initial_rebalance_delay,
        "Time a new group waits for more members before its first rebalance, in milliseconds."
    ),
    setting!(
        "group.max.session.timeout.ms",
        Int,
        Any,
        ReadOnly,
        group_max_session_timeout,
        "The longest session timeout a member of a classic group may ask for, in milliseconds."
    ),
    setting!(
        "group.max.size",
        Int,
        AtLeast(1),
        ReadOnly,
        group_max_size,
        "Members a classic group may have."
    ),
    setting!(
        "group.min.session.timeout.ms",
        Int,
        Any,
        ReadOnly,
        group_min_session_timeout,
        "The shortest session timeout a member of a classic group may ask for, in milliseconds."
    ),
    setting!(
        "log.cleaner.backoff.ms",
        Long,
        AtLeast(0),
        ClusterWide,
        cleaner.backoff,
        "Pause of the cleaner when there is nothing to compact, in milliseconds."
    ),
    setting!(
        "log.cleaner.dedupe.buffer.size",
        Long,
        AtLeast(1024 * 1024),
        ClusterWide,
        cleaner.dedupe_buffer_bytes,
        "Memory for keys of the logs that are compacted at a time, in bytes, shared among the cleaner's threads."
    ),
    setting!(
        "log.cleaner.enable",
        Boolean,
        Any,
        ReadOnly,
        cleaner.is_enabled,
        "Compacted topics are compacted."
    ),
    setting!(
        "log.cleaner.io.max.bytes.per.second",
        Double,
        AtLeast(1),
        ClusterWide,
        cleaner.bytes_per_second,
        "Bytes the cleaner's threads read and write a second, together."
    ),
    setting!(
        "log.cleaner.threads",
        Int,
        AtLeast(0),
        ClusterWide,
        cleaner.threads,
        "Logs that are compacted at a time."
    ),
    setting!(
        "log.retention.check.interval.ms",
        Long,
        AtLeast(1),
        ReadOnly,
        retention_check_interval,
        "Pause between two passes of retention, in milliseconds."
    ),
    setting!(
        "max.connection.creation.rate",
        Int,
        AtLeast(0),
        ClusterWide,
        max_connection_creation_rate,
        "New connections a second; more wait."
    ),
    setting!(
        "max.connections",
        Int,
        AtLeast(0),
        ClusterWide,
        max_connections,
        "Connections served at a time; more are closed."
    ),
    setting!(
        "max.connections.per.ip",
        Int,
        AtLeast(0),
        ClusterWide,
        max_connections_per_ip,
        "Connections served at a time from one address; more are closed."
    ),
    setting!(
        "max.connections.per.ip.overrides",
        String,
        Check::NumberByName,
        ClusterWide,
        max_connections_per_ip_overrides,
        "Other limits than max.connections.per.ip, as address:number, separated by commas."
    ),
    setting!(
        "max.incremental.fetch.session.cache.slots",
        Int,
        AtLeast(0),
        ReadOnly,
        fetch_session_slots,
        "Incremental fetch sessions kept at a time."
    ),
    setting!(
        "max.request.partition.size.limit",
        Int,
        AtLeast(1),
        ReadOnly,
        request_partition_limit,
        "Partitions in one answer to DescribeTopicPartitions; the rest is asked for in further requests."
    ),
    setting!(
        "num.partitions",
        Int,
        AtLeast(1),
        ReadOnly,
        num_partitions,
        "Partitions of a topic created without a number."
    ),
    setting!(
        "offset.metadata.max.bytes",
        Int,
        AtLeast(0),
        ReadOnly,
        offset_metadata_max_bytes,
        "Longest metadata that may be committed with an offset."
    ),
    setting!(
        "offsets.retention.check.interval.ms",
        Long,
        AtLeast(1),
        ReadOnly,
        offsets_retention_check_interval,
        "How often expired offsets are looked for, in milliseconds."
    ),
    setting!(
        "offsets.retention.minutes",
        Int,
        AtLeast(1),
        ReadOnly,
        offsets_retention_minutes,
        "How long offsets outlive their group's last member, in minutes."
    ),
    setting!(
        "offsets.topic.num.partitions",
        Int,
        AtLeast(1),
        ReadOnly,
        offsets_topic_partitions,
        "Partitions of __consumer_offsets, when it is created."
    ),
    setting!(
        "offsets.topic.replication.factor",
        Short,
        AtLeast(1),
        ReadOnly,
        offsets_topic_replication_factor,
        "Copies of __consumer_offsets, when it is created."
    ),
    setting!(
        "offsets.topic.segment.bytes",
        Int,
        AtLeast(1024 * 1024),
        ReadOnly,
        offsets_topic_segment_bytes,
        "segment.bytes of __consumer_offsets, when it is created."
    ),
    setting!(
        "producer.id.expiration.ms",
        Int,
        AtLeast(1),
        ClusterWide,
        producer_id_expiration,
        "How long a producer that is silent is remembered by the partitions it wrote to, in milliseconds."
    ),
    setting!(
        "queued.max.request.bytes",
        Long,
        AtLeast(1),
        ReadOnly,
        queued_max_request_bytes,
        "Bytes of all requests being worked on; connections wait while they are used up."
    ),
    setting!(
        "queued.max.response.bytes",
        Long,
        AtLeast(1),
        ReadOnly,
        queued_max_response_bytes,
        "Bytes of all fetch answers being made or sent. Headwater's own."
    ),
    setting!(
        "socket.listen.backlog.size",
        Int,
        AtLeast(1),
        ReadOnly,
        socket_listen_backlog,
        "Connections that may wait to be accepted."
    ),
    setting!(
        "socket.receive.buffer.bytes",
        Int,
        AtLeast(-1),
        ReadOnly,
        socket_receive_buffer,
        "SO_RCVBUF of connections, in bytes; -1 is the system's default."
    ),
    setting!(
        "socket.request.max.bytes",
        Int,
        AtLeast(1),
        ReadOnly,
        request_max_bytes,
        "Longest request, in bytes."
    ),
    setting!(
        "socket.send.buffer.bytes",
        Int,
        AtLeast(-1),
        ReadOnly,
        socket_send_buffer,
        "SO_SNDBUF of connections, in bytes; -1 is the system's default."
    ),
    setting!(
        "transaction.max.timeout.ms",
        Int,
        AtLeast(1),
        ReadOnly,
        transaction_max_timeout,
        "Longest transaction timeout a producer may ask for, in milliseconds."
    ),
    setting!(
        "transaction.partition.verification.enable",
        Boolean,
        Any,
        ClusterWide,
        transaction_partition_verification,
        "Records of a transaction are taken only where its coordinator knows of them."
    ),
    setting!(
        "transaction.remove.expired.transaction.cleanup.interval.ms",
        Int,
        AtLeast(1),
        ReadOnly,
        transactional_id_check_interval,
        "How often unused transactional ids are looked for, in milliseconds."
    ),
    setting!(
        "transaction.state.log.min.isr",
        Int,
        AtLeast(1),
        ReadOnly,
        transaction_topic_min_insync_replicas,
        "min.insync.replicas of __transaction_state, when it is created."
    ),
    setting!(
        "transaction.state.log.num.partitions",
        Int,
        AtLeast(1),
        ReadOnly,
        transaction_topic_partitions,
        "Partitions of __transaction_state, when it is created."
    ),
    setting!(
        "transaction.state.log.replication.factor",
        Short,
        AtLeast(1),
        ReadOnly,
        transaction_topic_replication_factor,
        "Copies of __transaction_state, when it is created."
    ),
    setting!(
        "transaction.state.log.segment.bytes",
        Int,
        AtLeast(1024 * 1024),
        ReadOnly,
        transaction_topic_segment_bytes,
        "segment.bytes of __transaction_state, when it is created."
    ),
    setting!(
        "transactional.id.expiration.ms",
        Int,
        AtLeast(1),
        ReadOnly,
        transactional_id_expiration,
        "How long a transactional id without transactions is remembered, in milliseconds."
    ),
];
