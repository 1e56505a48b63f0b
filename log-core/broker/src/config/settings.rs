//! A broker's settings, typed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::broker_config::InvalidBrokerConfig;

/// Settings of a broker, with Kafka's names, and Kafka's defaults unless it says otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct BrokerSettings {
    /// `num.partitions`: partitions of a topic created without a number.
    pub num_partitions: i32,
    /// `default.replication.factor`: copies of a topic created without a number.
    pub default_replication_factor: i16,
    /// `auto.create.topics.enable`: Metadata creates topics that are not there.
    pub auto_create_topics: bool,
    /// `delete.topic.enable`: topics may be deleted.
    pub delete_topics: bool,
    /// `socket.request.max.bytes`: longest request frame.
    pub request_max_bytes: u32,
    /// `queued.max.request.bytes`: bytes of all requests being worked on. Kafka has no limit.
    pub queued_max_request_bytes: u32,
    /// `fetch.max.bytes`: longest fetch answer, apart from a single batch that is longer.
    pub fetch_max_bytes: u32,
    /// `queued.max.response.bytes`: bytes of all fetch answers being made or sent. Ours.
    pub queued_max_response_bytes: u32,
    /// `max.incremental.fetch.session.cache.slots` (KIP-227): fetch sessions kept at a time.
    pub fetch_session_slots: u32,
    /// `max.request.partition.size.limit` (KIP-966): partitions in one answer to
    /// DescribeTopicPartitions.
    pub request_partition_limit: i32,
    /// `max.connections`. 4096; Kafka has no limit.
    pub max_connections: u32,
    /// `max.connections.per.ip`.
    pub max_connections_per_ip: u32,
    /// `max.connections.per.ip.overrides`: other limits by address.
    pub max_connections_per_ip_overrides: BTreeMap<String, u32>,
    /// `max.connection.creation.rate`: new connections a second.
    pub max_connection_creation_rate: u32,
    /// `connections.max.idle.ms`.
    pub connections_max_idle: Duration,
    /// `socket.send.buffer.bytes`; `None` is the system's default, and ours.
    pub socket_send_buffer: Option<u32>,
    /// `socket.receive.buffer.bytes`; `None` is the system's default, and ours.
    pub socket_receive_buffer: Option<u32>,
    /// `socket.listen.backlog.size`: connections that wait to be accepted.
    pub socket_listen_backlog: u32,
    /// `log.retention.check.interval.ms`: pause between two passes of retention.
    pub retention_check_interval: Duration,
    /// `log.cleaner.*`.
    pub cleaner: CleanerSettings,
    /// `producer.id.expiration.ms` (KIP-854).
    pub producer_id_expiration: Duration,
    /// `group.initial.rebalance.delay.ms` (KIP-134): how long a new group waits for more members.
    pub group_initial_rebalance_delay: Duration,
    /// `group.min.session.timeout.ms`.
    pub group_min_session_timeout: Duration,
    /// `group.max.session.timeout.ms`.
    pub group_max_session_timeout: Duration,
    /// `group.max.size`: members of a classic group.
    pub group_max_size: u32,
    /// `group.coordinator.rebalance.protocols`: `classic`, `consumer` or both.
    pub group_protocols: Vec<String>,
    /// `group.consumer.*` (KIP-848).
    pub consumer_group: ConsumerGroupSettings,
    /// `offset.metadata.max.bytes`.
    pub offset_metadata_max_bytes: u32,
    /// `offsets.retention.minutes` (KIP-211).
    pub offsets_retention_minutes: u32,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_retention_check_interval: Duration,
    /// `offsets.topic.num.partitions`. Takes effect when the topic is created.
    pub offsets_topic_partitions: i32,
    /// `offsets.topic.replication.factor`. 1; Kafka has 3, and no groups with fewer brokers.
    pub offsets_topic_replication_factor: i16,
    /// `offsets.topic.segment.bytes`.
    pub offsets_topic_segment_bytes: u32,
    /// `transaction.max.timeout.ms`.
    pub transaction_max_timeout: Duration,
    /// `transactional.id.expiration.ms`.
    pub transactional_id_expiration: Duration,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`.
    pub transactional_id_check_interval: Duration,
    /// `transaction.partition.verification.enable` (KIP-890): produces of a transaction are checked
    /// with its coordinator.
    pub transaction_partition_verification: bool,
    /// `transaction.state.log.num.partitions`. Takes effect when the topic is created.
    pub transaction_topic_partitions: i32,
    /// `transaction.state.log.replication.factor`. 1; Kafka has 3, and no transactions with fewer
    /// brokers.
    pub transaction_topic_replication_factor: i16,
    /// `transaction.state.log.min.isr`. 1; Kafka has 2.
    pub transaction_topic_min_insync_replicas: i32,
    /// `transaction.state.log.segment.bytes`.
    pub transaction_topic_segment_bytes: u32,
}

/// How compacted topics are compacted: `log.cleaner.*`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CleanerSettings {
    /// `log.cleaner.enable`: compacted topics are compacted at all.
    pub is_enabled: bool,
    /// `log.cleaner.threads`: logs compacted at a time; 0 none.
    pub threads: u32,
    /// `log.cleaner.backoff.ms`: pause when there is nothing to compact.
    pub backoff: Duration,
    /// `log.cleaner.io.max.bytes.per.second`: bytes read and written by all threads together.
    pub bytes_per_second: f64,
    /// `log.cleaner.dedupe.buffer.size`: memory for keys, of all threads together, in bytes.
    pub dedupe_buffer_bytes: u64,
}

/// Groups of the consumer protocol: `group.consumer.*` (KIP-848).
#[derive(Debug, Clone, PartialEq)]
pub struct ConsumerGroupSettings {
    /// `group.consumer.session.timeout.ms`, of groups that set none.
    pub session_timeout: Duration,
    /// `group.consumer.min.session.timeout.ms`: the least a group may set.
    pub min_session_timeout: Duration,
    /// `group.consumer.max.session.timeout.ms`: the most a group may set.
    pub max_session_timeout: Duration,
    /// `group.consumer.heartbeat.interval.ms`, of groups that set none.
    pub heartbeat_interval: Duration,
    /// `group.consumer.min.heartbeat.interval.ms`: the least a group may set.
    pub min_heartbeat_interval: Duration,
    /// `group.consumer.max.heartbeat.interval.ms`: the most a group may set.
    pub max_heartbeat_interval: Duration,
    /// `group.consumer.assignment.interval.ms`, of groups that set none.
    pub assignment_interval: Duration,
    /// `group.consumer.min.assignment.interval.ms`: the least a group may set.
    pub min_assignment_interval: Duration,
    /// `group.consumer.max.assignment.interval.ms`: the most a group may set.
    pub max_assignment_interval: Duration,
    /// `group.consumer.max.size`: members of a group.
    pub max_size: u32,
    /// `group.consumer.assignors`: the server's assignors, the default one first.
    pub assignors: Vec<String>,
    /// `group.consumer.migration.policy`: `disabled`, `upgrade`, `downgrade` or `bidirectional`.
    pub migration_policy: String,
}

impl Default for BrokerSettings {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            num_partitions: 1,
            default_replication_factor: 1,
            auto_create_topics: true,
            delete_topics: true,
            request_max_bytes: 100 * 1024 * 1024,
            queued_max_request_bytes: 128 * 1024 * 1024,
            fetch_max_bytes: 55 * 1024 * 1024,
            queued_max_response_bytes: 64 * 1024 * 1024,
            fetch_session_slots: 1000,
            request_partition_limit: 2000,
            max_connections: 4_096,
            max_connections_per_ip: i32::MAX.unsigned_abs(),
            max_connections_per_ip_overrides: BTreeMap::new(),
            max_connection_creation_rate: i32::MAX.unsigned_abs(),
            connections_max_idle: Duration::from_secs(600),
            socket_send_buffer: None,
            socket_receive_buffer: None,
            socket_listen_backlog: 1024,
            retention_check_interval: Duration::from_secs(300),
            cleaner: CleanerSettings::default(),
            producer_id_expiration: DAY,
            group_initial_rebalance_delay: Duration::from_secs(3),
            group_min_session_timeout: Duration::from_secs(6),
            group_max_session_timeout: Duration::from_secs(30 * 60),
            group_max_size: i32::MAX.unsigned_abs(),
            group_protocols: vec!["classic".to_owned(), "consumer".to_owned()],
            consumer_group: ConsumerGroupSettings::default(),
            offset_metadata_max_bytes: 4096,
            offsets_retention_minutes: 7 * 24 * 60,
            offsets_retention_check_interval: Duration::from_secs(10 * 60),
            offsets_topic_partitions: 50,
            offsets_topic_replication_factor: 1,
            offsets_topic_segment_bytes: 100 * 1024 * 1024,
            transaction_max_timeout: Duration::from_secs(15 * 60),
            transactional_id_expiration: DAY * 7,
            transactional_id_check_interval: Duration::from_secs(60 * 60),
            transaction_partition_verification: true,
            transaction_topic_partitions: 50,
            transaction_topic_replication_factor: 1,
            transaction_topic_min_insync_replicas: 1,
            transaction_topic_segment_bytes: 100 * 1024 * 1024,
        }
    }
}

impl Default for CleanerSettings {
    fn default() -> Self {
        Self {
            is_enabled: true,
            threads: 1,
            backoff: Duration::from_secs(15),
            bytes_per_second: f64::MAX,
            dedupe_buffer_bytes: 128 * 1024 * 1024,
        }
    }
}

impl Default for ConsumerGroupSettings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            session_timeout: seconds(45),
            min_session_timeout: seconds(45),
            max_session_timeout: seconds(60),
            heartbeat_interval: seconds(5),
            min_heartbeat_interval: seconds(5),
            max_heartbeat_interval: seconds(15),
            assignment_interval: seconds(1),
            min_assignment_interval: Duration::ZERO,
            max_assignment_interval: seconds(15),
            max_size: i32::MAX.unsigned_abs(),
            assignors: vec!["uniform".to_owned(), "range".to_owned()],
            migration_policy: "bidirectional".to_owned(),
        }
    }
}

impl BrokerSettings {
    /// Checks that the settings can work together.
    ///
    /// # Errors
    /// [`InvalidBrokerConfig`] names the first that cannot.
    pub fn validate(&self) -> Result<(), InvalidBrokerConfig> {
        let positive = [
            ("num.partitions", i64::from(self.num_partitions)),
            ("socket.request.max.bytes", self.request_max_bytes.into()),
            ("fetch.max.bytes", self.fetch_max_bytes.into()),
            (
                "queued.max.response.bytes",
                self.queued_max_response_bytes.into(),
            ),
            ("max.connections", self.max_connections.into()),
            (
                "offsets.topic.num.partitions",
                self.offsets_topic_partitions.into(),
            ),
            (
                "transaction.state.log.num.partitions",
                self.transaction_topic_partitions.into(),
            ),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, value)| *value < 1) {
            return Err(InvalidBrokerConfig::new(name, "must be at least 1"));
        }
        if self.queued_max_request_bytes < self.request_max_bytes {
            let reason = format!(
                "must be at least socket.request.max.bytes, {}",
                self.request_max_bytes
            );
            return Err(InvalidBrokerConfig::new("queued.max.request.bytes", reason));
        }
        let group = &self.consumer_group;
        within(
            "group.consumer.session.timeout.ms",
            group.session_timeout,
            (group.min_session_timeout, group.max_session_timeout),
        )?;
        within(
            "group.consumer.heartbeat.interval.ms",
            group.heartbeat_interval,
            (group.min_heartbeat_interval, group.max_heartbeat_interval),
        )?;
        within(
            "group.consumer.assignment.interval.ms",
            group.assignment_interval,
            (group.min_assignment_interval, group.max_assignment_interval),
        )?;
        if group.heartbeat_interval >= group.session_timeout {
            return Err(InvalidBrokerConfig::new(
                "group.consumer.heartbeat.interval.ms",
                "must be less than group.consumer.session.timeout.ms",
            ));
        }
        if !self.group_protocols.iter().any(|name| name == "classic") {
            return Err(InvalidBrokerConfig::new(
                "group.coordinator.rebalance.protocols",
                "classic cannot be left out",
            ));
        }
        if self.group_min_session_timeout > self.group_max_session_timeout {
            return Err(InvalidBrokerConfig::new(
                "group.min.session.timeout.ms",
                "must not be more than group.max.session.timeout.ms",
            ));
        }
        Ok(())
    }
}

fn within(
    name: &str,
    value: Duration,
    (least, most): (Duration, Duration),
) -> Result<(), InvalidBrokerConfig> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let reason = format!(
        "{} is not between its limits, {} and {}",
        value.as_millis(),
        least.as_millis(),
        most.as_millis()
    );
    Err(InvalidBrokerConfig::new(name, reason))
}
