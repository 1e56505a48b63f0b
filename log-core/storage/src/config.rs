//! What a topic's configuration means to its partitions' logs.

use std::time::Duration;

use headwater_wire::records::TimestampType;

/// When an append counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Once it is synced to the journal. Survives a power cut.
    #[default]
    Fsync,
    /// Once the page cache has it; synced within 100 ms or 256 KiB. Survives `kill -9`, but a
    /// power cut may take what was not synced. Bypasses the journal.
    Relaxed,
}

/// Kafka's `cleanup.policy`: any combination, none keeps everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Whether old segments are deleted by time and size.
    pub delete: bool,
    /// Whether only the latest record of each key is kept.
    pub compact: bool,
}

impl Default for CleanupPolicy {
    fn default() -> Self {
        Self {
            delete: true,
            compact: false,
        }
    }
}

/// A partition log's configuration. The default has Kafka's defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct LogConfig {
    /// Headwater's `durability`.
    pub durability: Durability,
    /// Kafka's `cleanup.policy`.
    pub cleanup: CleanupPolicy,
    /// Kafka's `retention.ms`; `None` keeps records however old.
    pub retention: Option<Duration>,
    /// Kafka's `retention.bytes`; `None` is without limit.
    pub retention_bytes: Option<u64>,
    /// Kafka's `segment.bytes`: a segment is closed rather than grown past it.
    pub segment_bytes: u32,
    /// Kafka's `segment.ms`: a segment is closed when a record is this much newer than its first.
    pub segment_time: Duration,
    /// Kafka's `segment.jitter.ms`: how much earlier a segment may be closed, by chance.
    pub segment_jitter: Duration,
    /// Kafka's `segment.index.bytes`: a segment is closed rather than its index grown past it.
    pub segment_index_bytes: u32,
    /// Kafka's `index.interval.bytes`: bytes of log between two index entries.
    pub index_interval_bytes: u32,
    /// Kafka's `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// Kafka's `delete.retention.ms`: how long compaction keeps tombstones and markers.
    pub delete_retention: Duration,
    /// Kafka's `min.compaction.lag.ms`: younger records are not compacted.
    pub min_compaction_lag: Duration,
    /// Kafka's `max.compaction.lag.ms`: compacted at the latest after this; `None` is without limit.
    pub max_compaction_lag: Option<Duration>,
    /// Kafka's `min.cleanable.dirty.ratio`: compacts once this share of the bytes is new.
    pub min_cleanable_dirty_ratio: f64,
    /// Kafka's `flush.messages`: records after which a relaxed log is synced; `None` is without
    /// limit. What is journaled is synced before it is acknowledged in any case.
    pub flush_messages: Option<u64>,
    /// Kafka's `flush.ms`: time after which a relaxed log is synced; `None` is without limit.
    pub flush_interval: Option<Duration>,
    /// Kafka's `file.delete.delay.ms`: how long files outlive the removal of their records. The
    /// default here is not to.
    pub file_delete_delay: Duration,
}

impl Default for LogConfig {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            durability: Durability::default(),
            cleanup: CleanupPolicy::default(),
            retention: Some(DAY * 7),
            retention_bytes: None,
            segment_bytes: 1 << 30,
            segment_time: DAY * 7,
            segment_jitter: Duration::ZERO,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            timestamp_type: TimestampType::CreateTime,
            delete_retention: DAY,
            min_compaction_lag: Duration::ZERO,
            max_compaction_lag: None,
            min_cleanable_dirty_ratio: 0.5,
            flush_messages: None,
            flush_interval: None,
            file_delete_delay: Duration::ZERO,
        }
    }
}
