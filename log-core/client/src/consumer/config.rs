//! What a consumer is configured with.

use std::sync::Arc;
use std::time::Duration;

use super::assignor::{Assignor, CooperativeStickyAssignor, RangeAssignor};
use super::interceptor::ConsumerInterceptor;
use crate::config::ConfigError;

/// Where to start when a partition has no committed offset, or one that is out of range
/// (`auto.offset.reset`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoOffsetReset {
    /// At the log start offset.
    Earliest,
    /// At the end: the high watermark, or the last stable offset under read_committed.
    Latest,
    /// Nowhere: [`Consumer::poll`](crate::Consumer::poll) fails.
    None,
    /// `by_duration`: at the first record that is no older than this, or at the end if there is
    /// none (KIP-1106).
    ByDuration(Duration),
}

/// Who assigns partitions to the members of a group (`group.protocol`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupProtocol {
    /// `classic`: one of the members, by an [`Assignor`].
    Classic,
    /// `consumer`: the coordinator, without stopping members that keep what they have (KIP-848).
    /// `session.timeout.ms`, `heartbeat.interval.ms` and `partition.assignment.strategy` have no
    /// meaning then: the broker sets the first two, and `group.remote.assignor` stands for the third.
    Consumer,
}

/// Which records of transactions are seen (`isolation.level`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationLevel {
    /// All, up to the high watermark.
    ReadUncommitted,
    /// Those of committed transactions, up to the last stable offset.
    ReadCommitted,
}

impl IsolationLevel {
    pub(crate) fn code(self) -> i8 {
        match self {
            Self::ReadUncommitted => 0,
            Self::ReadCommitted => 1,
        }
    }
}

/// Group membership, fetching and committing of a consumer. Names and defaults are Kafka's.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// `group.id`; needed to subscribe and to commit.
    pub group_id: Option<String>,
    /// `group.instance.id`: makes the member static, so that it keeps its partitions over a
    /// restart within the session timeout (KIP-345).
    pub group_instance_id: Option<String>,
    /// `group.protocol`. Classic.
    pub group_protocol: GroupProtocol,
    /// `group.remote.assignor`: the broker's assignor under the consumer protocol, such as
    /// `uniform` or `range`; `None` leaves it to the broker.
    pub group_remote_assignor: Option<String>,
    /// `session.timeout.ms`: without a heartbeat for this long, the member is put out. 45 s.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`. 3 s.
    pub heartbeat_interval: Duration,
    /// `max.poll.interval.ms`: without a poll for this long, the member leaves its group; also how
    /// long a rebalance waits for it. 5 min.
    pub max_poll_interval: Duration,
    /// `max.poll.records`: a poll returns no further batch once it has this many records. Batches
    /// are returned whole, so a poll may exceed it by all but one record of a batch. 500.
    pub max_poll_records: usize,
    /// `auto.offset.reset`. Latest.
    pub auto_offset_reset: AutoOffsetReset,
    /// `enable.auto.commit`: commit what polls have returned, at the next poll after each
    /// interval, on rebalance and on close. On, if there is a group.
    pub enable_auto_commit: bool,
    /// `auto.commit.interval.ms`. 5 s.
    pub auto_commit_interval: Duration,
    /// `isolation.level`. Read uncommitted.
    pub isolation_level: IsolationLevel,
    /// `fetch.min.bytes`: the broker answers once it has this much. 1.
    pub fetch_min_bytes: usize,
    /// `fetch.max.wait.ms`: or once this long has passed. 500 ms.
    pub fetch_max_wait: Duration,
    /// `fetch.max.bytes`: the most bytes asked of a node in one fetch. 50 MiB. At most
    /// [`prefetch_bytes`](Self::prefetch_bytes) is asked for, so that what is buffered is bounded.
    pub fetch_max_bytes: usize,
    /// `max.partition.fetch.bytes`: the most bytes asked of a partition in one fetch, and buffered
    /// of it before more is asked. 1 MiB. A batch that is larger still comes.
    pub max_partition_fetch_bytes: usize,
    /// The most bytes held that polls have not returned yet. 16 MiB.
    pub prefetch_bytes: usize,
    /// `check.crcs`: check the checksum of every batch. On.
    pub check_crcs: bool,
    /// `request.timeout.ms`: the longest one request may take, a fetch's wait not counted. 30 s.
    pub request_timeout: Duration,
    /// `default.api.timeout.ms`: the longest a call may take, retries included. 60 s.
    pub default_api_timeout: Duration,
    /// `metadata.max.age.ms`: how soon new partitions of subscribed topics are seen. 5 min.
    pub metadata_max_age: Duration,
    /// `allow.auto.create.topics`: let the broker create subscribed topics that are missing. On.
    pub allow_auto_create_topics: bool,
    /// `exclude.internal.topics`: keep the log's own topics out of pattern subscriptions. On.
    pub exclude_internal_topics: bool,
    /// `interceptor.classes`: told of what polls return and of commits (KIP-42). None.
    pub interceptors: Vec<Arc<dyn ConsumerInterceptor>>,
    /// `client.rack`: where this consumer is, for the broker's and the assignor's choice.
    pub client_rack: Option<String>,
    /// `partition.assignment.strategy`, the preferred first; the group uses the first that all
    /// members have. Partitions are only handed over cooperatively, without a stop for all, if every
    /// assignor named here can (KIP-429). Range, then cooperative-sticky.
    pub assignors: Vec<Arc<dyn Assignor>>,
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            group_id: None,
            group_instance_id: None,
            group_protocol: GroupProtocol::Classic,
            group_remote_assignor: None,
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            max_poll_interval: Duration::from_secs(300),
            max_poll_records: 500,
            auto_offset_reset: AutoOffsetReset::Latest,
            enable_auto_commit: true,
            auto_commit_interval: Duration::from_secs(5),
            isolation_level: IsolationLevel::ReadUncommitted,
            fetch_min_bytes: 1,
            fetch_max_wait: Duration::from_millis(500),
            fetch_max_bytes: 50 << 20,
            max_partition_fetch_bytes: 1 << 20,
            prefetch_bytes: 16 << 20,
            check_crcs: true,
            request_timeout: Duration::from_secs(30),
            default_api_timeout: Duration::from_secs(60),
            metadata_max_age: Duration::from_secs(300),
            allow_auto_create_topics: true,
            exclude_internal_topics: true,
            interceptors: Vec::new(),
            client_rack: None,
            assignors: vec![Arc::new(RangeAssignor), Arc::new(CooperativeStickyAssignor)],
        }
    }
}

impl ConsumerConfig {
    /// Defaults with a group.
    pub fn new(group_id: impl Into<String>) -> Self {
        Self {
            group_id: Some(group_id.into()),
            ..Self::default()
        }
    }

    /// Refuses what cannot work.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        if self.group_id.as_ref().is_some_and(String::is_empty) {
            return Err(ConfigError::new("group.id", "is empty"));
        }
        if self
            .group_instance_id
            .as_ref()
            .is_some_and(String::is_empty)
        {
            return Err(ConfigError::new("group.instance.id", "is empty"));
        }
        if self.heartbeat_interval >= self.session_timeout {
            let reason = "must be below session.timeout.ms";
            return Err(ConfigError::new("heartbeat.interval.ms", reason));
        }
        if self.max_poll_records == 0 {
            return Err(ConfigError::new("max.poll.records", "must be at least 1"));
        }
        if self.max_partition_fetch_bytes == 0 || self.prefetch_bytes == 0 {
            return Err(ConfigError::new(
                "max.partition.fetch.bytes",
                "must be at least 1",
            ));
        }
        if self.group_remote_assignor.is_some() && self.group_protocol == GroupProtocol::Classic {
            let reason = "needs group.protocol=consumer";
            return Err(ConfigError::new("group.remote.assignor", reason));
        }
        if self.assignors.is_empty() {
            return Err(ConfigError::new(
                "partition.assignment.strategy",
                "is empty",
            ));
        }
        Ok(())
    }
}
