//! The table of topic settings: names, defaults, documentation and how each value is read.
//! CreateTopics, DescribeConfigs and IncrementalAlterConfigs all work from it.

use std::time::Duration;

use headwater_storage::{CleanupPolicy, Durability};
use headwater_wire::records::TimestampType;

use super::topic_config::TopicConfig;
use super::value::{ValueKind, integer, ratio};

/// One topic setting.
pub struct TopicKey {
    /// Kafka's name.
    pub name: &'static str,
    /// Type of the value.
    pub kind: ValueKind,
    /// Value of a topic that sets none, on a broker that sets none.
    pub default: &'static str,
    /// Broker setting with the same meaning, as a DescribeConfigs synonym; none for our own.
    pub broker_name: Option<&'static str>,
    /// What the setting does, in a sentence.
    pub doc: &'static str,
    /// Reads the value into the configuration; the error says what is expected.
    pub read: fn(&mut TopicConfig, &str) -> Result<(), String>,
}

/// The setting of this name.
pub fn topic_key(name: &str) -> Option<&'static TopicKey> {
    TOPIC_KEYS.iter().find(|key| key.name == name)
}

/// All topic settings, by name.
pub static TOPIC_KEYS: &[TopicKey] = &[
    TopicKey {
        name: "cleanup.policy",
        kind: ValueKind::List,
        default: "delete",
        broker_name: Some("log.cleanup.policy"),
        doc: "What happens to old records: delete removes segments by age and size, compact keeps the latest record of each key; both may be given.",
        read: |config, text| {
            config.log.cleanup = cleanup_policy(text)?;
            Ok(())
        },
    },
    TopicKey {
        name: "compression.type",
        kind: ValueKind::String,
        default: "producer",
        broker_name: Some("compression.type"),
        doc: "Batches are stored as the producer compressed them, so producer is the only value.",
        read: |_, text| {
            match text {
            "producer" => Ok(()),
            _ => Err("only producer is supported: batches are stored as they arrive; set compression.type on the producer".to_owned()),
        }
        },
    },
    TopicKey {
        name: "delete.retention.ms",
        kind: ValueKind::Long,
        default: "86400000",
        broker_name: Some("log.cleaner.delete.retention.ms"),
        doc: "How long tombstones and transaction markers stay in a compacted topic, in milliseconds.",
        read: |config, text| {
            config.log.delete_retention = millis(text, 0)?;
            Ok(())
        },
    },
    TopicKey {
        name: "durability",
        kind: ValueKind::String,
        default: "fsync",
        broker_name: None,
        doc: "What an acknowledgement promises: fsync that the records are on disk, relaxed that they are in memory and will be on disk shortly, so that a power cut can lose the last of them.",
        read: |config, text| {
            config.log.durability = match text {
                "fsync" => Durability::Fsync,
                "relaxed" => Durability::Relaxed,
                _ => return Err("must be fsync or relaxed".to_owned()),
            };
            Ok(())
        },
    },
    TopicKey {
        name: "index.interval.bytes",
        kind: ValueKind::Int,
        default: "4096",
        broker_name: Some("log.index.interval.bytes"),
        doc: "Bytes of log between two entries of its indexes.",
        read: |config, text| {
            config.log.index_interval_bytes = int(text, 0)?;
            Ok(())
        },
    },
    TopicKey {
        name: "max.compaction.lag.ms",
        kind: ValueKind::Long,
        default: "9223372036854775807",
        broker_name: Some("log.cleaner.max.compaction.lag.ms"),
        doc: "Time after which a record of a compacted topic is compacted at the latest, in milliseconds.",
        read: |config, text| {
            millis(text, 1)?;
            config.log.max_compaction_lag = bounded_millis(text)?;
            Ok(())
        },
    },
    TopicKey {
        name: "max.message.bytes",
        kind: ValueKind::Int,
        default: "1048588",
        broker_name: Some("message.max.bytes"),
        doc: "Largest record batch accepted, in bytes after compression.",
        read: |config, text| {
            config.max_message_bytes = int(text, 0)?;
            Ok(())
        },
    },
    TopicKey {
        name: "message.timestamp.after.max.ms",
        kind: ValueKind::Long,
        default: "3600000",
        broker_name: Some("log.message.timestamp.after.max.ms"),
        doc: "How far ahead of the broker's clock a record's timestamp may be, in milliseconds.",
        read: |config, text| {
            config.timestamp_after_max = bounded_millis(text)?;
            Ok(())
        },
    },
    TopicKey {
        name: "message.timestamp.before.max.ms",
        kind: ValueKind::Long,
        default: "9223372036854775807",
        broker_name: Some("log.message.timestamp.before.max.ms"),
        doc: "How far behind the broker's clock a record's timestamp may be, in milliseconds.",
        read: |config, text| {
            config.timestamp_before_max = bounded_millis(text)?;
            Ok(())
        },
    },
    TopicKey {
        name: "message.timestamp.type",
        kind: ValueKind::String,
        default: "CreateTime",
        broker_name: Some("log.message.timestamp.type"),
        doc: "Whose clock timestamps are from: CreateTime the producer's, LogAppendTime the broker's.",
        read: |config, text| {
            config.log.timestamp_type = match text {
                "CreateTime" => TimestampType::CreateTime,
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => return Err("must be CreateTime or LogAppendTime".to_owned()),
            };
            Ok(())
        },
    },
    TopicKey {
        name: "min.cleanable.dirty.ratio",
        kind: ValueKind::Double,
        default: "0.5",
        broker_name: Some("log.cleaner.min.cleanable.ratio"),
        doc: "Share of a compacted log that must be dirty before it is compacted again.",
        read: |config, text| {
            config.log.min_cleanable_dirty_ratio = ratio(text)?;
            Ok(())
        },
    },
    TopicKey {
        name: "min.compaction.lag.ms",
        kind: ValueKind::Long,
        default: "0",
        broker_name: Some("log.cleaner.min.compaction.lag.ms"),
        doc: "Time for which a record of a compacted topic is kept whatever follows it, in milliseconds.",
        read: |config, text| {
            config.log.min_compaction_lag = millis(text, 0)?;
            Ok(())
        },
    },
    TopicKey {
        name: "min.insync.replicas",
        kind: ValueKind::Int,
        default: "1",
        broker_name: Some("min.insync.replicas"),
        doc: "Replicas that must be in sync for a produce with acks=all to be accepted.",
        read: |config, text| {
            config.min_insync_replicas = int(text, 1)?;
            Ok(())
        },
    },
    TopicKey {
        name: "retention.bytes",
        kind: ValueKind::Long,
        default: "-1",
        broker_name: Some("log.retention.bytes"),
        doc: "Size of a partition above which its oldest segments are deleted, in bytes; -1 is no limit.",
        read: |config, text| {
            config.log.retention_bytes = u64::try_from(integer(text, -1_i64)?).ok();
            Ok(())
        },
    },
    TopicKey {
        name: "retention.ms",
        kind: ValueKind::Long,
        default: "604800000",
        broker_name: Some("log.retention.ms"),
        doc: "Age above which segments are deleted, in milliseconds; -1 keeps them for ever.",
        read: |config, text| {
            let millis = u64::try_from(integer(text, -1_i64)?).ok();
            config.log.retention = millis.map(Duration::from_millis);
            Ok(())
        },
    },
    TopicKey {
        name: "segment.bytes",
        kind: ValueKind::Int,
        default: "1073741824",
        broker_name: Some("log.segment.bytes"),
        doc: "Size at which a segment is closed and the next one begun, in bytes.",
        read: |config, text| {
            config.log.segment_bytes = int(text, 14)?;
            Ok(())
        },
    },
    TopicKey {
        name: "segment.ms",
        kind: ValueKind::Long,
        default: "604800000",
        broker_name: Some("log.roll.ms"),
        doc: "Age at which a segment is closed even when it is not full, in milliseconds.",
        read: |config, text| {
            config.log.segment_time = millis(text, 1)?;
            Ok(())
        },
    },
];

fn cleanup_policy(text: &str) -> Result<CleanupPolicy, String> {
    let mut policy = CleanupPolicy {
        delete: false,
        compact: false,
    };
    for part in text.split(',').map(str::trim) {
        match part {
            "delete" => policy.delete = true,
            "compact" => policy.compact = true,
            _ => return Err("must be delete, compact or both".to_owned()),
        }
    }
    Ok(policy)
}

fn int(text: &str, least: i32) -> Result<u32, String> {
    integer(text, least).map(i32::unsigned_abs)
}

fn millis(text: &str, least: i64) -> Result<Duration, String> {
    integer(text, least).map(|millis| Duration::from_millis(millis.unsigned_abs()))
}

/// A span in which `Long.MAX_VALUE` means no limit.
fn bounded_millis(text: &str) -> Result<Option<Duration>, String> {
    let millis = integer(text, 0_i64)?;
    Ok((millis != i64::MAX).then(|| Duration::from_millis(millis.unsigned_abs())))
}
