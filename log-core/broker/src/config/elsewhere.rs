//! Kafka's broker settings that have nothing to steer here: those that are accepted without effect,
//! each with its reason, and those of which only Kafka's default is possible.

use super::broker_keys::{BrokerKey, Place, Update};
use super::value::{Check, Shape, ValueKind};

const THREADS: &str = "requests are not handed between pools of threads";
const ONE_REPLICA: &str = "partitions have one replica, so that nothing is followed or moved";
const ONE_NODE: &str = "this node is its own controller and opens no connections to others";
const METADATA_LOG: &str = "the metadata log is as long as it must be, and synced at once";
const METRICS: &str = "there are no metrics reporters and no client telemetry";
const QUOTAS: &str = "there are no quotas";
const PURGATORIES: &str = "a request that waits is woken by what it waits for";
const COORDINATORS: &str =
    "coordinators write through the node's journal and act when a time has come";
const JOURNAL: &str = "the journal and its checkpoints keep their own pace";
const SHARE_GROUPS: &str = "share groups are not served";
const STREAMS_GROUPS: &str = "streams groups are not served";

const CLASSES: &str = "there are no Java classes to load";
const TOKENS: &str = "delegation tokens are not served";
const AUTHENTICATION: &str = "clients are not authenticated";
const ONE_DIRECTORY: &str = "all of a node's data is in one directory";
const TIERED: &str = "there is no remote storage";
const PLAIN_OFFSETS: &str = "committed offsets are not compressed";
const TWO_PHASE: &str = "transactions are not prepared for other coordinators";
const TLS: &str = "TLS is not served";
const SASL: &str = "SASL is not served";
const LISTENERS: &str = "there is one listener, without settings of its own";

/// Families of settings by the beginnings of their names, none of which can be set.
const REFUSED: &[(&str, &str)] = &[
    ("listener.name.", LISTENERS),
    ("remote.", TIERED),
    ("rlmm.config.", TIERED),
    ("rsm.config.", TIERED),
    ("sasl.", SASL),
    ("ssl.", TLS),
];

/// Families of settings that are accepted without effect.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("group.share.", SHARE_GROUPS),
    ("group.streams.", STREAMS_GROUPS),
    ("share.coordinator.", SHARE_GROUPS),
    ("share.fetch.", SHARE_GROUPS),
];

/// What becomes of a setting that has no key.
pub(super) enum Family {
    /// It cannot be set, for this reason.
    Refused(&'static str),
    /// It is accepted without effect, for this reason.
    WithoutEffect(&'static str),
}

/// The family of a setting without a key.
pub(super) fn family(name: &str) -> Option<Family> {
    let of = |families: &[(&'static str, &'static str)]| {
        let found = families.iter().find(|(start, _)| name.starts_with(start));
        found.map(|(_, reason)| *reason)
    };
    let refused = of(REFUSED).map(Family::Refused);
    refused.or_else(|| of(WITHOUT_EFFECT).map(Family::WithoutEffect))
}

const fn unused(
    name: &'static str,
    kind: ValueKind,
    default: Option<&'static str>,
    update: Update,
    reason: &'static str,
) -> BrokerKey {
    let place = Place::WithoutEffect { default, reason };
    key(name, kind, update, place)
}

const fn only(
    name: &'static str,
    kind: ValueKind,
    default: Option<&'static str>,
    update: Update,
    reason: &'static str,
) -> BrokerKey {
    let place = Place::Only { default, reason };
    key(name, kind, update, place)
}

const fn key(name: &'static str, kind: ValueKind, update: Update, place: Place) -> BrokerKey {
    let check = Check::Any;
    BrokerKey {
        name,
        shape: Shape { kind, check },
        update,
        doc: "",
        place,
    }
}

/// The settings, by name.
pub(super) const ELSEWHERE: &[BrokerKey] = &[
    unused(
        "add.partitions.to.txn.retry.backoff.max.ms",
        ValueKind::Int,
        Some("100"),
        Update::ReadOnly,
        ONE_NODE,
    ),
    unused(
        "add.partitions.to.txn.retry.backoff.ms",
        ValueKind::Int,
        Some("20"),
        Update::ReadOnly,
        ONE_NODE,
    ),
    only(
        "alter.config.policy.class.name",
        ValueKind::String,
        None,
        Update::ReadOnly,
        CLASSES,
    ),
    unused(
        "alter.log.dirs.replication.quota.window.num",
        ValueKind::Int,
        Some("11"),
        Update::ReadOnly,
        ONE_REPLICA,
    ),
    unused(
        "alter.log.dirs.replication.quota.window.size.seconds",
        ValueKind::Int,
        Some("1"),
        Update::ReadOnly,
        ONE_REPLICA,
    ),
    only(
        "authorizer.class.name",
        ValueKind::String,
        Some(""),
        Update::ReadOnly,
        CLASSES,
    ),
    unused(
        "auto.leader.rebalance.enable",
        ValueKind::Boolean,
        Some("true"),
        Update::ReadOnly,
        ONE_REPLICA,
    ),
    unused(
        "background.threads",
        ValueKind::Int,
        Some("10"),
        Update::ClusterWide,
        THREADS,
    ),
    unused(
        "broker.heartbeat.interval.ms",
        ValueKind::Int,
        Some("2000"),
        Update::ReadOnly,
        ONE_NODE,
    ),
    unused(
        "broker.session.timeout.ms",
        ValueKind::Int,
        Some("9000"),
        Update::ReadOnly,
        ONE_NODE,
    ),
    only(
        "client.quota.callback.class",
        ValueKind::String,
        None,
        Update::ReadOnly,
        CLASSES,
    ),
    only(
        "config.providers",
        ValueKind::List,
        Some(""),
        Update::ClusterWide,
        CLASSES,
    ),
    only(
        "connection.failed.authentication.delay.ms",
        ValueKind::Int,
        Some("100"),
        Update::ReadOnly,
        AUTHENTICATION,
    ),
    only(
        "connections.max.reauth.ms",
        ValueKind::Long,
        Some("0"),
        Update::ReadOnly,
        AUTHENTICATION,
    ),
    unused(
        "controlled.shutdown.enable",
        ValueKind::Boolean,
        Some("true"),
        Update::ReadOnly,
        ONE_NODE,
    ),
    unused(
        "controller.quorum.append.linger.ms",
        ValueKind::Int,
        Some("25"),
        Update::ReadOnly,
        ONE_NODE,
    ),
    unused(
        "controller.quorum.auto.join.enable",
        ValueKind::Boolean,
        Some("false"),
        Update::ReadOnly,
        ONE_NODE,
    ),
    unused(
        "controller.quorum.election.backoff.max.ms",
        ValueKind::Int,
        Some("1000"),
        Update::ReadOnly,
        ONE_NODE,
    ),
    unused(
        "controller.quorum.election.timeout.ms",
        ValueKind::Int,
        Some("1000"),
        Update::ReadOnly,
        ONE_NODE,
    ),
    unused(
        "controller.quorum.fetch.max.bytes",
        ValueKind::Int,
        Some("1048576"),
        Update::ReadOnly,
        ONE_NODE,
    ),
    unused(
        "controller.quorum.fetch.snapshot.max.bytes",
        ValueKind::Int,
        Some("1048576"),
        Update::ReadOnly,
        ONE_NODE,
    ),
    unused(
        "controller.quorum.fetch.timeout.ms",
        ValueKind::Int,
        Some("2000"),
        Update::ReadOnly,
        ONE_NODE,
    ),
    unused(
        "controller.quorum.request.timeout.ms",
        ValueKind::Int,
        Some("2000"),
        Update::ReadOnly,
        ONE_NODE,
    ),
    unused(
        "controller.quorum.retry.backoff.ms",
        ValueKind::Int,
        Some("20"),
        Update::ReadOnly,
        ONE_NODE,
    ),
    unused(
        "controller.quota.window.num",
        ValueKind::Int,
        Some("11"),
        Update::ReadOnly,
        QUOTAS,
    ),
    unused(
        "controller.quota.window.size.seconds",
        ValueKind::Int,
        Some("1"),
        Update::ReadOnly,
        QUOTAS,
    ),
    unused(
        "controller.socket.timeout.ms",
        ValueKind::Int,
        Some("30000"),
        Update::ReadOnly,
        ONE_NODE,
    ),
    only(
        "cordoned.log.dirs",
        ValueKind::List,
        Some(""),
        Update::ClusterWide,
        ONE_DIRECTORY,
    ),
    only(
        "create.topic.policy.class.name",
        ValueKind::String,
        None,
        Update::ReadOnly,
        CLASSES,
    ),
    only(
        "delegation.token.expiry.check.interval.ms",
        ValueKind::Long,
        Some("3600000"),
        Update::ReadOnly,
        TOKENS,
    ),
    only(
        "delegation.token.expiry.time.ms",
        ValueKind::Long,
        Some("86400000"),
        Update::ReadOnly,
        TOKENS,
    ),
    only(
        "delegation.token.max.lifetime.ms",
        ValueKind::Long,
        Some("604800000"),
        Update::ReadOnly,
        TOKENS,
    ),
    only(
        "delegation.token.secret.key",
        ValueKind::String,
        None,
        Update::ReadOnly,
        TOKENS,
    ),
    unused(
        "delete.records.purgatory.purge.interval.requests",
        ValueKind::Int,
        Some("1"),
        Update::ReadOnly,
        PURGATORIES,
    ),
    only(
        "early.start.listeners",
        ValueKind::List,
        None,
        Update::ReadOnly,
        CLASSES,
    ),
    unused(
        "fetch.purgatory.purge.interval.requests",
        ValueKind::Int,
        Some("1000"),
        Update::ReadOnly,
        PURGATORIES,
    ),
    only(
        "follower.fetch.last.tiered.offset.enable",
        ValueKind::Boolean,
        Some("false"),
        Update::ClusterWide,
        TIERED,
    ),
    unused(
        "group.coordinator.append.linger.ms",
        ValueKind::Int,
        Some("-1"),
        Update::ReadOnly,
        COORDINATORS,
    ),
    unused(
        "group.coordinator.background.threads",
        ValueKind::Int,
        Some("2"),
        Update::ReadOnly,
        THREADS,
    ),
    unused(
        "group.coordinator.cached.buffer.max.bytes",
        ValueKind::Int,
        Some("1048588"),
        Update::ClusterWide,
        COORDINATORS,
    ),
    unused(
        "group.coordinator.threads",
        ValueKind::Int,
        Some("4"),
        Update::ReadOnly,
        THREADS,
    ),
    unused(
        "initial.broker.registration.timeout.ms",
        ValueKind::Int,
        Some("60000"),
        Update::ReadOnly,
        ONE_NODE,
    ),
    unused(
        "kafka.metrics.polling.interval.secs",
        ValueKind::Int,
        Some("10"),
        Update::ReadOnly,
        METRICS,
    ),
    unused(
        "kafka.metrics.reporters",
        ValueKind::List,
        Some(""),
        Update::ReadOnly,
        METRICS,
    ),
    unused(
        "leader.imbalance.check.interval.seconds",
        ValueKind::Long,
        Some("300"),
        Update::ReadOnly,
        ONE_REPLICA,
    ),
    unused(
        "log.cleaner.io.buffer.load.factor",
        ValueKind::Double,
        Some("0.9"),
        Update::ClusterWide,
        JOURNAL,
    ),
    unused(
        "log.cleaner.io.buffer.size",
        ValueKind::Int,
        Some("524288"),
        Update::ClusterWide,
        JOURNAL,
    ),
    unused(
        "log.dir.failure.timeout.ms",
        ValueKind::Long,
        Some("30000"),
        Update::ReadOnly,
        JOURNAL,
    ),
    unused(
        "log.flush.offset.checkpoint.interval.ms",
        ValueKind::Int,
        Some("60000"),
        Update::ReadOnly,
        JOURNAL,
    ),
    unused(
        "log.flush.start.offset.checkpoint.interval.ms",
        ValueKind::Int,
        Some("60000"),
        Update::ReadOnly,
        JOURNAL,
    ),
    only(
        "metadata.log.dir",
        ValueKind::String,
        None,
        Update::ReadOnly,
        ONE_DIRECTORY,
    ),
    unused(
        "metadata.log.max.record.bytes.between.snapshots",
        ValueKind::Long,
        Some("20971520"),
        Update::ReadOnly,
        METADATA_LOG,
    ),
    unused(
        "metadata.log.max.snapshot.interval.ms",
        ValueKind::Long,
        Some("3600000"),
        Update::ReadOnly,
        METADATA_LOG,
    ),
    unused(
        "metadata.log.segment.bytes",
        ValueKind::Int,
        Some("1073741824"),
        Update::ReadOnly,
        METADATA_LOG,
    ),
    unused(
        "metadata.log.segment.ms",
        ValueKind::Long,
        Some("604800000"),
        Update::ReadOnly,
        METADATA_LOG,
    ),
    unused(
        "metadata.max.idle.interval.ms",
        ValueKind::Int,
        Some("500"),
        Update::ReadOnly,
        METADATA_LOG,
    ),
    unused(
        "metadata.max.retention.bytes",
        ValueKind::Long,
        Some("104857600"),
        Update::ReadOnly,
        METADATA_LOG,
    ),
    unused(
        "metadata.max.retention.ms",
        ValueKind::Long,
        Some("604800000"),
        Update::ReadOnly,
        METADATA_LOG,
    ),
    unused(
        "metric.reporters",
        ValueKind::List,
        Some("org.apache.kafka.common.metrics.JmxReporter"),
        Update::ClusterWide,
        METRICS,
    ),
    unused(
        "metrics.num.samples",
        ValueKind::Int,
        Some("2"),
        Update::ReadOnly,
        METRICS,
    ),
    unused(
        "metrics.recording.level",
        ValueKind::String,
        Some("INFO"),
        Update::ReadOnly,
        METRICS,
    ),
    unused(
        "metrics.sample.window.ms",
        ValueKind::Long,
        Some("30000"),
        Update::ReadOnly,
        METRICS,
    ),
    unused(
        "num.io.threads",
        ValueKind::Int,
        Some("8"),
        Update::ClusterWide,
        THREADS,
    ),
    unused(
        "num.network.threads",
        ValueKind::Int,
        Some("3"),
        Update::ClusterWide,
        THREADS,
    ),
    unused(
        "num.recovery.threads.per.data.dir",
        ValueKind::Int,
        Some("2"),
        Update::ClusterWide,
        THREADS,
    ),
    unused(
        "num.replica.alter.log.dirs.threads",
        ValueKind::Int,
        None,
        Update::ReadOnly,
        THREADS,
    ),
    unused(
        "num.replica.fetchers",
        ValueKind::Int,
        Some("1"),
        Update::ClusterWide,
        ONE_REPLICA,
    ),
    unused(
        "offsets.commit.timeout.ms",
        ValueKind::Int,
        Some("5000"),
        Update::ReadOnly,
        COORDINATORS,
    ),
    unused(
        "offsets.load.buffer.size",
        ValueKind::Int,
        Some("5242880"),
        Update::ReadOnly,
        COORDINATORS,
    ),
    only(
        "offsets.topic.compression.codec",
        ValueKind::Int,
        Some("0"),
        Update::ReadOnly,
        PLAIN_OFFSETS,
    ),
    only(
        "principal.builder.class",
        ValueKind::String,
        Some("org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder"),
        Update::ClusterWide,
        CLASSES,
    ),
    unused(
        "producer.purgatory.purge.interval.requests",
        ValueKind::Int,
        Some("1000"),
        Update::ReadOnly,
        PURGATORIES,
    ),
    unused(
        "queued.max.requests",
        ValueKind::Int,
        Some("500"),
        Update::ReadOnly,
        THREADS,
    ),
    unused(
        "quota.window.num",
        ValueKind::Int,
        Some("11"),
        Update::ReadOnly,
        QUOTAS,
    ),
    unused(
        "quota.window.size.seconds",
        ValueKind::Int,
        Some("1"),
        Update::ReadOnly,
        QUOTAS,
    ),
    unused(
        "replica.fetch.backoff.ms",
        ValueKind::Int,
        Some("1000"),
        Update::ReadOnly,
        ONE_REPLICA,
    ),
    unused(
        "replica.fetch.max.bytes",
        ValueKind::Int,
        Some("1048576"),
        Update::ReadOnly,
        ONE_REPLICA,
    ),
    unused(
        "replica.fetch.min.bytes",
        ValueKind::Int,
        Some("1"),
        Update::ReadOnly,
        ONE_REPLICA,
    ),
    unused(
        "replica.fetch.response.max.bytes",
        ValueKind::Int,
        Some("10485760"),
        Update::ReadOnly,
        ONE_REPLICA,
    ),
    unused(
        "replica.fetch.wait.max.ms",
        ValueKind::Int,
        Some("500"),
        Update::ReadOnly,
        ONE_REPLICA,
    ),
    unused(
        "replica.high.watermark.checkpoint.interval.ms",
        ValueKind::Long,
        Some("5000"),
        Update::ReadOnly,
        ONE_REPLICA,
    ),
    unused(
        "replica.lag.time.max.ms",
        ValueKind::Long,
        Some("30000"),
        Update::ReadOnly,
        ONE_REPLICA,
    ),
    only(
        "replica.selector.class",
        ValueKind::String,
        None,
        Update::ReadOnly,
        CLASSES,
    ),
    unused(
        "replica.socket.receive.buffer.bytes",
        ValueKind::Int,
        Some("65536"),
        Update::ReadOnly,
        ONE_REPLICA,
    ),
    unused(
        "replica.socket.timeout.ms",
        ValueKind::Int,
        Some("30000"),
        Update::ReadOnly,
        ONE_REPLICA,
    ),
    unused(
        "replication.quota.window.num",
        ValueKind::Int,
        Some("11"),
        Update::ReadOnly,
        ONE_REPLICA,
    ),
    unused(
        "replication.quota.window.size.seconds",
        ValueKind::Int,
        Some("1"),
        Update::ReadOnly,
        ONE_REPLICA,
    ),
    unused(
        "request.timeout.ms",
        ValueKind::Int,
        Some("30000"),
        Update::ReadOnly,
        ONE_NODE,
    ),
    unused(
        "sasl.kerberos.min.time.before.relogin",
        ValueKind::Long,
        Some("60000"),
        Update::ClusterWide,
        SASL,
    ),
    only(
        "security.inter.broker.protocol",
        ValueKind::String,
        Some("PLAINTEXT"),
        Update::ReadOnly,
        AUTHENTICATION,
    ),
    only(
        "security.providers",
        ValueKind::String,
        None,
        Update::ReadOnly,
        CLASSES,
    ),
    unused(
        "socket.connection.setup.timeout.max.ms",
        ValueKind::Long,
        Some("30000"),
        Update::ReadOnly,
        ONE_NODE,
    ),
    unused(
        "socket.connection.setup.timeout.ms",
        ValueKind::Long,
        Some("10000"),
        Update::ReadOnly,
        ONE_NODE,
    ),
    unused(
        "telemetry.max.bytes",
        ValueKind::Int,
        Some("1048576"),
        Update::ReadOnly,
        METRICS,
    ),
    unused(
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        ValueKind::Int,
        Some("10000"),
        Update::ReadOnly,
        COORDINATORS,
    ),
    unused(
        "transaction.state.log.load.buffer.size",
        ValueKind::Int,
        Some("5242880"),
        Update::ReadOnly,
        COORDINATORS,
    ),
    only(
        "transaction.two.phase.commit.enable",
        ValueKind::Boolean,
        Some("false"),
        Update::ReadOnly,
        TWO_PHASE,
    ),
];
