//! Broker settings that are the defaults of topics.

use super::broker_keys::{BrokerKey, Place, Update, shape};
use super::topic_keys::Unit;
use super::value::{Check, Shape, ValueKind};

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
pub(super) const TOPIC_DEFAULTS: &[BrokerKey] = &[
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
