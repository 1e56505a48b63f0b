//! Settings of the group coordinator, under Kafka's names and with Kafka's defaults.

use std::time::Duration;

use super::consumer::assignors::Assignor;

/// `group.consumer.migration.policy`: which way groups may change their protocol while they have
/// members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationPolicy {
    /// From classic to consumer and back.
    Bidirectional,
    /// From classic to consumer.
    Upgrade,
    /// From consumer to classic.
    Downgrade,
    /// Neither.
    Disabled,
}

impl MigrationPolicy {
    /// The policy with this name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "bidirectional" => Some(Self::Bidirectional),
            "upgrade" => Some(Self::Upgrade),
            "downgrade" => Some(Self::Downgrade),
            "disabled" => Some(Self::Disabled),
            _ => None,
        }
    }

    /// Kafka's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bidirectional => "bidirectional",
            Self::Upgrade => "upgrade",
            Self::Downgrade => "downgrade",
            Self::Disabled => "disabled",
        }
    }

    pub(super) fn allows_upgrade(self) -> bool {
        matches!(self, Self::Bidirectional | Self::Upgrade)
    }

    pub(super) fn allows_downgrade(self) -> bool {
        matches!(self, Self::Bidirectional | Self::Downgrade)
    }
}

/// What bounds and times consumer groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    /// `group.min.session.timeout.ms`: a member that asks for less is refused with
    /// `INVALID_SESSION_TIMEOUT`.
    pub min_session_timeout: Duration,
    /// `group.max.session.timeout.ms`: a member that asks for more is refused with
    /// `INVALID_SESSION_TIMEOUT`.
    pub max_session_timeout: Duration,
    /// `group.initial.rebalance.delay.ms` (KIP-134): how long an empty group waits for more
    /// members before its first rebalance completes. Zero completes at once.
    pub initial_rebalance_delay: Duration,
    /// `group.max.size` (KIP-389): members beyond it are refused with `GROUP_MAX_SIZE_REACHED`.
    pub max_size: usize,
    /// How long a new member's JoinGroup may wait before the member is dropped; it cannot
    /// heartbeat yet, and its connection may be gone.
    pub new_member_join_timeout: Duration,
    /// `offset.metadata.max.bytes`: longest metadata of a committed offset, in UTF-16 units as
    /// Kafka counts; more is refused with `OFFSET_METADATA_TOO_LARGE`.
    pub offset_metadata_max: usize,
    /// `offsets.retention.minutes` (KIP-211): how long offsets outlive their group's last member,
    /// or their last commit in a group without members.
    pub offsets_retention: Duration,
    /// `offsets.retention.check.interval.ms`: how often expired offsets are looked for.
    pub offsets_retention_check_interval: Duration,
    /// `producer.id.expiration.ms` (KIP-854): how long a producer's epoch is remembered after its
    /// last transaction in the partition.
    pub producer_retention: Duration,
    /// `group.consumer.session.timeout.ms`: how long a member of the consumer protocol may be
    /// silent.
    pub consumer_session_timeout: Duration,
    /// `group.consumer.heartbeat.interval.ms`: how often members are told to send a heartbeat.
    pub consumer_heartbeat_interval: Duration,
    /// `group.consumer.max.size`: members beyond it are refused with `GROUP_MAX_SIZE_REACHED`.
    pub consumer_max_size: usize,
    /// `group.consumer.assignors`: those that members may ask for. The first is the default; none
    /// at all is as good as `uniform`.
    pub consumer_assignors: Vec<Assignor>,
    /// `group.consumer.assignment.interval.ms` (KIP-1263): shortest time between two target
    /// assignments of a group.
    pub consumer_assignment_interval: Duration,
    /// `group.consumer.migration.policy`.
    pub migration_policy: MigrationPolicy,
    /// `max.message.bytes` of the internal topic: a request whose records would not fit in one
    /// batch of this many bytes is refused instead of written.
    pub max_append_bytes: usize,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            min_session_timeout: Duration::from_secs(6),
            max_session_timeout: Duration::from_secs(30 * 60),
            initial_rebalance_delay: Duration::from_secs(3),
            max_size: usize::MAX,
            new_member_join_timeout: Duration::from_secs(5 * 60),
            offset_metadata_max: 4096,
            offsets_retention: Duration::from_secs(7 * 24 * 60 * 60),
            offsets_retention_check_interval: Duration::from_secs(10 * 60),
            producer_retention: Duration::from_secs(24 * 60 * 60),
            consumer_session_timeout: Duration::from_secs(45),
            consumer_heartbeat_interval: Duration::from_secs(5),
            consumer_max_size: usize::MAX,
            consumer_assignors: vec![Assignor::Uniform, Assignor::Range],
            consumer_assignment_interval: Duration::from_secs(1),
            migration_policy: MigrationPolicy::Bidirectional,
            max_append_bytes: 1024 * 1024 + 12,
        }
    }
}

impl GroupConfig {
    pub(super) fn default_assignor(&self) -> Assignor {
        self.consumer_assignors
            .first()
            .copied()
            .unwrap_or(Assignor::Uniform)
    }
}
