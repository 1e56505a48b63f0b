//! The table of topic settings: names, defaults, documentation and how each value is read.
//! CreateTopics, DescribeConfigs, AlterConfigs and IncrementalAlterConfigs all work from it.

use std::time::Duration;

use headwater_storage::{CleanupPolicy, Durability};
use headwater_wire::records::{Compression, TimestampType};

use super::topic_config::TopicConfig;
use super::value::{Check, Shape, Value, ValueKind};

/// One topic setting.
pub struct TopicKey {
    /// Kafka's name.
    pub name: &'static str,
    /// Which values it takes.
    pub shape: Shape,
    /// Value of a topic that sets none, on a broker that sets none. `None` is not set at all, and
    /// not shown.
    pub default: Option<&'static str>,
    /// Broker settings with the same meaning, the one that counts most first.
    pub broker_names: &'static [BrokerName],
    /// What the setting does, in a sentence.
    pub doc: &'static str,
    /// The only value that is possible, if there is but one.
    pub only: Option<Only>,
    /// Puts a value into the configuration. Settings without effect leave it as it is.
    pub(super) apply: fn(&mut TopicConfig, Value),
}

/// The only value a setting takes, and why.
#[derive(Debug, Clone, Copy)]
pub struct Only {
    /// The value.
    pub value: &'static str,
    /// Why there is no other.
    pub reason: &'static str,
}

/// A broker setting that stands for a topic setting.
#[derive(Debug, Clone, Copy)]
pub struct BrokerName {
    /// Name of the broker setting.
    pub name: &'static str,
    /// What it is counted in.
    pub unit: Unit,
}

/// What a broker setting counts in that a topic setting has in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// The topic setting's own unit.
    Same,
    /// The same, where anything below zero means no limit.
    EndlessBelowZero,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
}

/// The setting of this name.
pub fn topic_key(name: &str) -> Option<&'static TopicKey> {
    TOPIC_KEYS.iter().find(|key| key.name == name)
}

const fn same(name: &'static str) -> BrokerName {
    let unit = Unit::Same;
    BrokerName { name, unit }
}

/// A key that most are like: change what differs.
const BLANK: TopicKey = TopicKey {
    name: "",
    shape: Shape {
        kind: ValueKind::Long,
        check: Check::Any,
    },
    default: None,
    broker_names: &[],
    doc: "",
    only: None,
    apply: |_, _| {},
};

const fn shape(kind: ValueKind, check: Check) -> Shape {
    Shape { kind, check }
}

const LONG_MAX: &str = "9223372036854775807";
/// Codecs a broker compresses with, and the two values that mean none of its own.
pub(crate) const COMPRESSION_TYPES: &[&str] =
    &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];

/// All topic settings.
pub static TOPIC_KEYS: &[TopicKey] = &[
    TopicKey {
        name: "cleanup.policy",
        shape: shape(ValueKind::List, Check::Among(&["compact", "delete"])),
        default: Some("delete"),
        broker_names: &[same("log.cleanup.policy")],
        doc: "What happens to old records: delete removes segments by age and size, compact keeps the latest record of each key; both may be given, and an empty list keeps everything.",
        apply: |config, value| {
            config.log.cleanup = CleanupPolicy {
                delete: has(&value, "delete"),
                compact: has(&value, "compact"),
            };
        },
        ..BLANK
    },
    TopicKey {
        name: "compression.gzip.level",
        shape: shape(ValueKind::Int, Check::WithinOrUnset(1, 9)),
        default: Some("-1"),
        broker_names: &[same("compression.gzip.level")],
        doc: "Level at which batches are compressed if compression.type is gzip; -1 is the codec's own default.",
        apply: |config, value| config.levels.gzip = Some(int(&value)).filter(|level| *level != -1),
        ..BLANK
    },
    TopicKey {
        name: "compression.lz4.level",
        shape: shape(ValueKind::Int, Check::Within(1, 17)),
        default: Some("9"),
        broker_names: &[same("compression.lz4.level")],
        doc: "Level at which batches are compressed if compression.type is lz4; 9 is the fast compressor, every other level the high-compression one.",
        apply: |config, value| config.levels.lz4 = int(&value),
        ..BLANK
    },
    TopicKey {
        name: "compression.type",
        shape: shape(ValueKind::String, Check::OneOf(COMPRESSION_TYPES)),
        default: Some("producer"),
        broker_names: &[same("compression.type")],
        doc: "How batches are compressed on disk: producer keeps what the producer chose, uncompressed stores them plain, and a codec compresses again what came in another.",
        apply: |config, value| {
            config.compression = match text(&value) {
                "uncompressed" => Some(Compression::None),
                "zstd" => Some(Compression::Zstd),
                "lz4" => Some(Compression::Lz4),
                "snappy" => Some(Compression::Snappy),
                "gzip" => Some(Compression::Gzip),
                _ => None,
            };
        },
        ..BLANK
    },
    TopicKey {
        name: "compression.zstd.level",
        shape: shape(ValueKind::Int, Check::Within(-131_072, 22)),
        default: Some("3"),
        broker_names: &[same("compression.zstd.level")],
        doc: "Level at which batches are compressed if compression.type is zstd.",
        apply: |config, value| config.levels.zstd = int(&value),
        ..BLANK
    },
    TopicKey {
        name: "delete.retention.ms",
        shape: shape(ValueKind::Long, Check::AtLeast(0)),
        default: Some("86400000"),
        broker_names: &[same("log.cleaner.delete.retention.ms")],
        doc: "How long tombstones and transaction markers stay in a compacted topic, in milliseconds.",
        apply: |config, value| config.log.delete_retention = millis(&value),
        ..BLANK
    },
    TopicKey {
        name: "durability",
        shape: shape(ValueKind::String, Check::OneOf(&["fsync", "relaxed"])),
        default: Some("fsync"),
        doc: "What an acknowledgement promises: fsync that the records are on disk, relaxed that they are in memory and will be on disk shortly, so that a power cut can lose the last of them. Headwater's own.",
        apply: |config, value| {
            config.log.durability = match text(&value) {
                "relaxed" => Durability::Relaxed,
                _ => Durability::Fsync,
            };
        },
        ..BLANK
    },
    TopicKey {
        name: "file.delete.delay.ms",
        shape: shape(ValueKind::Long, Check::AtLeast(0)),
        default: Some("60000"),
        broker_names: &[same("log.segment.delete.delay.ms")],
        doc: "How long a segment's files stay on disk after its records are gone, in milliseconds.",
        apply: |config, value| config.log.file_delete_delay = millis(&value),
        ..BLANK
    },
    TopicKey {
        name: "flush.messages",
        shape: shape(ValueKind::Long, Check::AtLeast(1)),
        default: Some(LONG_MAX),
        broker_names: &[same("log.flush.interval.messages")],
        doc: "Records after which a log is synced. With durability=fsync every record is on disk before it is acknowledged; with relaxed, logs are synced at least as often as this says.",
        apply: |config, value| {
            config.log.flush_messages =
                whole(&value).filter(|count| *count != i64::MAX.unsigned_abs());
        },
        ..BLANK
    },
    TopicKey {
        name: "flush.ms",
        shape: shape(ValueKind::Long, Check::AtLeast(0)),
        default: Some(LONG_MAX),
        broker_names: &[
            same("log.flush.interval.ms"),
            same("log.flush.scheduler.interval.ms"),
        ],
        doc: "Time after which a log is synced, in milliseconds. With durability=fsync every record is on disk before it is acknowledged; with relaxed, logs are synced at least as often as this says.",
        apply: |config, value| config.log.flush_interval = bounded_millis(&value),
        ..BLANK
    },
    TopicKey {
        name: "follower.replication.throttled.replicas",
        shape: shape(ValueKind::List, Check::Replicas),
        default: Some(""),
        doc: "Replicas whose following is throttled, as partition:broker, or * for all. Without effect as long as partitions have one replica.",
        ..BLANK
    },
    TopicKey {
        name: "index.interval.bytes",
        shape: shape(ValueKind::Int, Check::AtLeast(0)),
        default: Some("4096"),
        broker_names: &[same("log.index.interval.bytes")],
        doc: "Bytes of log between two entries of its indexes.",
        apply: |config, value| config.log.index_interval_bytes = unsigned(&value),
        ..BLANK
    },
    TopicKey {
        name: "leader.replication.throttled.replicas",
        shape: shape(ValueKind::List, Check::Replicas),
        default: Some(""),
        doc: "Replicas whose being followed is throttled, as partition:broker, or * for all. Without effect as long as partitions have one replica.",
        ..BLANK
    },
    TopicKey {
        name: "local.retention.bytes",
        shape: shape(ValueKind::Long, Check::AtLeast(-2)),
        default: Some("-2"),
        broker_names: &[same("log.local.retention.bytes")],
        doc: "Size up to which a tiered topic keeps segments on local disk as well, in bytes; -2 follows retention.bytes. Without effect where remote.storage.enable is false.",
        ..BLANK
    },
    TopicKey {
        name: "local.retention.ms",
        shape: shape(ValueKind::Long, Check::AtLeast(-2)),
        default: Some("-2"),
        broker_names: &[same("log.local.retention.ms")],
        doc: "Age up to which a tiered topic keeps segments on local disk as well, in milliseconds; -2 follows retention.ms. Without effect where remote.storage.enable is false.",
        ..BLANK
    },
    TopicKey {
        name: "max.compaction.lag.ms",
        shape: shape(ValueKind::Long, Check::AtLeast(1)),
        default: Some(LONG_MAX),
        broker_names: &[same("log.cleaner.max.compaction.lag.ms")],
        doc: "Time after which a record of a compacted topic is compacted at the latest, in milliseconds.",
        apply: |config, value| config.log.max_compaction_lag = bounded_millis(&value),
        ..BLANK
    },
    TopicKey {
        name: "max.message.bytes",
        shape: shape(ValueKind::Int, Check::AtLeast(0)),
        default: Some("1048588"),
        broker_names: &[same("message.max.bytes")],
        doc: "Largest record batch accepted, in bytes after compression.",
        apply: |config, value| config.max_message_bytes = unsigned(&value),
        ..BLANK
    },
    TopicKey {
        name: "message.timestamp.after.max.ms",
        shape: shape(ValueKind::Long, Check::AtLeast(0)),
        default: Some("3600000"),
        broker_names: &[same("log.message.timestamp.after.max.ms")],
        doc: "How far ahead of the broker's clock a record's timestamp may be, in milliseconds.",
        apply: |config, value| config.timestamp_after_max = bounded_millis(&value),
        ..BLANK
    },
    TopicKey {
        name: "message.timestamp.before.max.ms",
        shape: shape(ValueKind::Long, Check::AtLeast(0)),
        default: Some(LONG_MAX),
        broker_names: &[same("log.message.timestamp.before.max.ms")],
        doc: "How far behind the broker's clock a record's timestamp may be, in milliseconds.",
        apply: |config, value| config.timestamp_before_max = bounded_millis(&value),
        ..BLANK
    },
    TopicKey {
        name: "message.timestamp.type",
        shape: shape(
            ValueKind::String,
            Check::OneOf(&["CreateTime", "LogAppendTime"]),
        ),
        default: Some("CreateTime"),
        broker_names: &[same("log.message.timestamp.type")],
        doc: "Whose clock timestamps are from: CreateTime the producer's, LogAppendTime the broker's.",
        apply: |config, value| {
            config.log.timestamp_type = match text(&value) {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            };
        },
        ..BLANK
    },
    TopicKey {
        name: "min.cleanable.dirty.ratio",
        shape: shape(ValueKind::Double, Check::Share),
        default: Some("0.5"),
        broker_names: &[same("log.cleaner.min.cleanable.ratio")],
        doc: "Share of a compacted log that must be dirty before it is compacted again.",
        apply: |config, value| {
            if let Value::Double(ratio) = value {
                config.log.min_cleanable_dirty_ratio = ratio;
            }
        },
        ..BLANK
    },
    TopicKey {
        name: "min.compaction.lag.ms",
        shape: shape(ValueKind::Long, Check::AtLeast(0)),
        default: Some("0"),
        broker_names: &[same("log.cleaner.min.compaction.lag.ms")],
        doc: "Time for which a record of a compacted topic is kept whatever follows it, in milliseconds.",
        apply: |config, value| config.log.min_compaction_lag = millis(&value),
        ..BLANK
    },
    TopicKey {
        name: "min.insync.replicas",
        shape: shape(ValueKind::Int, Check::AtLeast(1)),
        default: Some("1"),
        broker_names: &[same("min.insync.replicas")],
        doc: "Replicas that must be in sync for a produce with acks=all to be accepted.",
        apply: |config, value| config.min_insync_replicas = unsigned(&value),
        ..BLANK
    },
    TopicKey {
        name: "preallocate",
        shape: shape(ValueKind::Boolean, Check::Any),
        default: Some("false"),
        broker_names: &[same("log.preallocate")],
        doc: "Segments take their full size on disk at once. Only false is possible: what is preallocated is the journal, where syncs wait for the disk.",
        only: Some(Only {
            value: "false",
            reason: "the journal is preallocated, segments need not be",
        }),
        ..BLANK
    },
    TopicKey {
        name: "remote.log.copy.disable",
        shape: shape(ValueKind::Boolean, Check::Any),
        default: Some("false"),
        doc: "A tiered topic copies no more segments to remote storage. Without effect where remote.storage.enable is false.",
        ..BLANK
    },
    TopicKey {
        name: "remote.log.delete.on.disable",
        shape: shape(ValueKind::Boolean, Check::Any),
        default: Some("false"),
        doc: "Remote segments are deleted when remote storage is switched off for the topic. Without effect where remote.storage.enable is false.",
        ..BLANK
    },
    TopicKey {
        name: "remote.storage.enable",
        shape: shape(ValueKind::Boolean, Check::Any),
        default: Some("false"),
        doc: "Closed segments are copied to remote storage. Only false is possible on a broker without remote storage.",
        only: Some(Only {
            value: "false",
            reason: "this broker has no remote storage",
        }),
        ..BLANK
    },
    TopicKey {
        name: "retention.bytes",
        shape: shape(ValueKind::Long, Check::Any),
        default: Some("-1"),
        broker_names: &[same("log.retention.bytes")],
        doc: "Size of a partition above which its oldest segments are deleted, in bytes; -1 is no limit.",
        apply: |config, value| config.log.retention_bytes = whole(&value),
        ..BLANK
    },
    TopicKey {
        name: "retention.ms",
        shape: shape(ValueKind::Long, Check::AtLeast(-1)),
        default: Some("604800000"),
        broker_names: &[
            BrokerName {
                name: "log.retention.ms",
                unit: Unit::EndlessBelowZero,
            },
            BrokerName {
                name: "log.retention.minutes",
                unit: Unit::Minutes,
            },
            BrokerName {
                name: "log.retention.hours",
                unit: Unit::Hours,
            },
        ],
        doc: "Age above which segments are deleted, in milliseconds; -1 keeps them for ever.",
        apply: |config, value| config.log.retention = whole(&value).map(Duration::from_millis),
        ..BLANK
    },
    TopicKey {
        name: "segment.bytes",
        shape: shape(ValueKind::Int, Check::AtLeast(1024 * 1024)),
        default: Some("1073741824"),
        broker_names: &[same("log.segment.bytes")],
        doc: "Size at which a segment is closed and the next one begun, in bytes.",
        apply: |config, value| config.log.segment_bytes = unsigned(&value),
        ..BLANK
    },
    // Not in its place in the alphabet: it must be applied after segment.bytes.
    TopicKey {
        name: "internal.segment.bytes",
        shape: shape(ValueKind::Int, Check::AtLeast(1)),
        doc: "In the place of segment.bytes, without its lower limit. For tests.",
        apply: |config, value| config.log.segment_bytes = unsigned(&value),
        ..BLANK
    },
    TopicKey {
        name: "segment.index.bytes",
        shape: shape(ValueKind::Int, Check::AtLeast(4)),
        default: Some("10485760"),
        broker_names: &[same("log.index.size.max.bytes")],
        doc: "Size of a segment's index at which the segment is closed, in bytes.",
        apply: |config, value| config.log.segment_index_bytes = unsigned(&value),
        ..BLANK
    },
    TopicKey {
        name: "segment.jitter.ms",
        shape: shape(ValueKind::Long, Check::AtLeast(0)),
        default: Some("0"),
        broker_names: &[
            same("log.roll.jitter.ms"),
            BrokerName {
                name: "log.roll.jitter.hours",
                unit: Unit::Hours,
            },
        ],
        doc: "How much earlier than segment.ms a segment may be closed, by chance, so that not all partitions close theirs at a time, in milliseconds.",
        apply: |config, value| config.log.segment_jitter = millis(&value),
        ..BLANK
    },
    TopicKey {
        name: "segment.ms",
        shape: shape(ValueKind::Long, Check::AtLeast(1)),
        default: Some("604800000"),
        broker_names: &[
            same("log.roll.ms"),
            BrokerName {
                name: "log.roll.hours",
                unit: Unit::Hours,
            },
        ],
        doc: "Age at which a segment is closed even when it is not full, in milliseconds.",
        apply: |config, value| config.log.segment_time = millis(&value),
        ..BLANK
    },
    TopicKey {
        name: "unclean.leader.election.enable",
        shape: shape(ValueKind::Boolean, Check::Any),
        default: Some("false"),
        broker_names: &[same("unclean.leader.election.enable")],
        doc: "A replica that is not in sync may become leader. Without effect as long as partitions have one replica.",
        ..BLANK
    },
];

fn has(value: &Value, item: &str) -> bool {
    matches!(value, Value::List(items) if items.iter().any(|other| other == item))
}

fn text(value: &Value) -> &str {
    match value {
        Value::Text(text) => text,
        _ => "",
    }
}

fn long(value: &Value) -> i64 {
    match value {
        Value::Integer(value) => *value,
        _ => 0,
    }
}

fn int(value: &Value) -> i32 {
    i32::try_from(long(value)).unwrap_or(i32::MAX)
}

fn unsigned(value: &Value) -> u32 {
    u32::try_from(long(value)).unwrap_or(0)
}

/// A number of which less than nothing means none.
fn whole(value: &Value) -> Option<u64> {
    u64::try_from(long(value)).ok()
}

fn millis(value: &Value) -> Duration {
    Duration::from_millis(whole(value).unwrap_or(0))
}

/// A span in which `Long.MAX_VALUE` means no limit.
fn bounded_millis(value: &Value) -> Option<Duration> {
    (long(value) != i64::MAX).then(|| millis(value))
}
