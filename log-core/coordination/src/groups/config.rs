//! Settings of the group coordinator, under Kafka's names and with Kafka's defaults.

use std::time::Duration;

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
            max_append_bytes: 1024 * 1024 + 12,
        }
    }
}
