//! Broker settings that steer the broker itself.

use super::broker_keys::{BrokerKey, Place, Update, shape};
use super::field::Field;
use super::value::Check::{Among, Any, AtLeast};
use super::value::{Check, ValueKind};

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

/// Typed settings.
pub(super) const SETTINGS: &[BrokerKey] = &[
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
