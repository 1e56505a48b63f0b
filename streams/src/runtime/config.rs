//! How an application runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::StreamsError;

/// What a crash may do to results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessingGuarantee {
    /// Records may be processed again, so results may count some twice.
    AtLeastOnce,
    /// Inputs, state and results change together or not at all (KIP-447). Who reads the results
    /// must read committed.
    ExactlyOnceV2,
}

/// Where state lies on the instance; the changelogs are its durability either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateBackendKind {
    /// In sled, in the state directory: a restart restores only what is new.
    Sled,
    /// In memory: a restart restores everything.
    Memory,
}

/// Settings of an application. Names and defaults are those of Kafka Streams where it has them.
#[derive(Clone, Debug)]
pub struct StreamsConfig {
    /// `application.id`: the consumer group, and the prefix of internal topics.
    pub application_id: String,
    /// `state.dir`: where the process keeps its identity and its state, in a directory named after
    /// the application. One process at a time.
    pub state_dir: PathBuf,
    /// `num.stream.threads`. 1.
    pub num_stream_threads: usize,
    /// `processing.guarantee`. At least once.
    pub processing_guarantee: ProcessingGuarantee,
    /// `commit.interval.ms`; `None` is 100 ms under exactly-once, else 30 s. Results that caches
    /// hold back are seen at commits.
    pub commit_interval: Option<Duration>,
    /// `statestore.cache.max.bytes`, for all stores of the process, counted without what values
    /// point to. A thread whose share is full of results held back commits early. 0 gives every
    /// result at once. 32 MiB.
    pub cache_max_bytes: usize,
    /// `statestore.uncommitted.max.bytes` (KIP-892): beyond this a thread commits early. 64 MiB.
    pub uncommitted_max_bytes: usize,
    /// `max.task.idle.ms`: how long a task waits for an input without records although all that is
    /// known to exist was read; `None` does not even wait for that. 0.
    pub max_task_idle: Option<Duration>,
    /// `buffered.records.per.partition`: beyond this a partition is paused. 10,000, since records
    /// come in whole batches.
    pub buffered_records_per_partition: usize,
    /// `deserialization.exception.handler`: drop and count what cannot be decoded instead of
    /// stopping. Off.
    pub skip_undecodable: bool,
    /// Where state lies. Sled.
    pub state_backend: StateBackendKind,
    /// Topic configs of all internal topics, over the defaults.
    pub topic_config: BTreeMap<String, String>,
    /// `replication.factor` of internal topics; −1 is the broker's default. −1.
    pub replication_factor: i16,
    /// `session.timeout.ms`: how long the tasks of a process that vanished stay unassigned. A
    /// process that comes back with its state directory does not wait for it. 45 s.
    pub session_timeout: Duration,
    /// `transaction.timeout.ms`. 10 s.
    pub transaction_timeout: Duration,
    /// `repartition.purge.interval.ms`: how often records of repartition topics that every result of
    /// is committed are deleted. 30 s.
    pub repartition_purge_interval: Duration,
    /// `max.poll.records`: about how many records a thread takes from its consumer at once. 50,000.
    pub max_poll_records: usize,
}

/// Typed values that are kept even if results are not held back.
const MIN_CACHE_BYTES: usize = 4 << 20;

impl StreamsConfig {
    /// The defaults for an application with a state directory.
    pub fn new(application_id: impl Into<String>, state_dir: impl Into<PathBuf>) -> Self {
        Self {
            application_id: application_id.into(),
            state_dir: state_dir.into(),
            num_stream_threads: 1,
            processing_guarantee: ProcessingGuarantee::AtLeastOnce,
            commit_interval: None,
            cache_max_bytes: 32 << 20,
            uncommitted_max_bytes: 64 << 20,
            max_task_idle: Some(Duration::ZERO),
            buffered_records_per_partition: 10_000,
            skip_undecodable: false,
            state_backend: StateBackendKind::Sled,
            topic_config: BTreeMap::new(),
            replication_factor: -1,
            session_timeout: Duration::from_secs(45),
            transaction_timeout: Duration::from_secs(10),
            repartition_purge_interval: Duration::from_secs(30),
            max_poll_records: 50_000,
        }
    }

    /// The same under exactly-once.
    #[must_use]
    pub fn exactly_once(self) -> Self {
        Self {
            processing_guarantee: ProcessingGuarantee::ExactlyOnceV2,
            ..self
        }
    }

    /// The same with so many threads.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self {
            num_stream_threads: threads,
            ..self
        }
    }

    /// The same with another commit interval.
    #[must_use]
    pub fn commit_every(self, interval: Duration) -> Self {
        Self {
            commit_interval: Some(interval),
            ..self
        }
    }

    /// The same with a config for all internal topics, such as `retention.ms`.
    #[must_use]
    pub fn topic_config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.topic_config.insert(key.into(), value.into());
        self
    }

    pub(super) fn is_exactly_once(&self) -> bool {
        self.processing_guarantee == ProcessingGuarantee::ExactlyOnceV2
    }

    pub(super) fn effective_commit_interval(&self) -> Duration {
        self.commit_interval
            .unwrap_or(match self.processing_guarantee {
                ProcessingGuarantee::ExactlyOnceV2 => Duration::from_millis(100),
                ProcessingGuarantee::AtLeastOnce => Duration::from_secs(30),
            })
    }

    /// Bytes for the caches of all stores of the process.
    pub(super) fn cache_bytes(&self) -> usize {
        self.cache_max_bytes.max(MIN_CACHE_BYTES)
    }

    /// What a thread may hold back in its caches before it commits early.
    pub(super) fn cache_bytes_of_thread(&self) -> usize {
        self.cache_bytes() / self.num_stream_threads.max(1)
    }

    pub(super) fn validate(&self) -> Result<(), StreamsError> {
        let refuse = |setting, reason: &str| {
            Err(StreamsError::Config {
                setting,
                reason: reason.to_owned(),
            })
        };
        let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if self.application_id.is_empty() || !self.application_id.chars().all(is_legal) {
            return refuse(
                "application.id",
                "must be letters, digits, '.', '_' and '-', as it is part of topic names",
            );
        }
        if self.num_stream_threads == 0 {
            return refuse("num.stream.threads", "must be at least 1");
        }
        if self.buffered_records_per_partition == 0 {
            return refuse("buffered.records.per.partition", "must be at least 1");
        }
        Ok(())
    }
}
