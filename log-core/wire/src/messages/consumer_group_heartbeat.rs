//! Membership in the new consumer groups (KIP-848).

use uuid::Uuid;

use crate::Message;

/// Joins, stays in or leaves a group.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = ConsumerGroupHeartbeat,
    response = ConsumerGroupHeartbeatResponse,
    versions = "0-1",
    flexible = "0+"
)]
pub struct ConsumerGroupHeartbeatRequest {
    /// Id of the group.
    #[kafka(versions = "0+")]
    pub group_id: String,
    /// Id of the member.
    #[kafka(versions = "0+")]
    pub member_id: String,
    /// Epoch of the member: 0 to join, -1 to leave, -2 for a static member that comes back.
    #[kafka(versions = "0+")]
    pub member_epoch: i32,
    /// Id of a static member; null if dynamic or unchanged.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub instance_id: Option<String>,
    /// Rack of the member; null if none is set or unchanged.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub rack_id: Option<String>,
    /// Milliseconds that the member has to give up partitions; -1 if unchanged.
    #[kafka(versions = "0+", default = -1)]
    pub rebalance_timeout_ms: i32,
    /// Topics that the member wants; null if unchanged.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub subscribed_topic_names: Option<Vec<String>>,
    /// Pattern of the topics that the member wants; null if unchanged.
    #[kafka(versions = "1+", nullable = "1+", default = null)]
    pub subscribed_topic_regex: Option<String>,
    /// Assignor that the coordinator shall use; null for the default or if unchanged.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub server_assignor: Option<String>,
    /// Partitions that the member owns; null if unchanged.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub topic_partitions: Option<Vec<TopicPartitions>>,
}

/// Partitions of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct TopicPartitions {
    /// Id of the topic, all zeros if unknown.
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    /// Indexes of the partitions.
    #[kafka(versions = "0+")]
    pub partitions: Vec<i32>,
}

/// The member's epoch and assignment.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-1", flexible = "0+")]
pub struct ConsumerGroupHeartbeatResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// What went wrong, in words.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<String>,
    /// Id of the member.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub member_id: Option<String>,
    /// Epoch of the member.
    #[kafka(versions = "0+")]
    pub member_epoch: i32,
    /// Milliseconds between heartbeats.
    #[kafka(versions = "0+")]
    pub heartbeat_interval_ms: i32,
    /// New assignment of the member; null if it did not change.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub assignment: Option<Assignment>,
}

/// Partitions that a member works on.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct Assignment {
    /// Partitions by topic.
    #[kafka(versions = "0+")]
    pub topic_partitions: Vec<TopicPartitions>,
}
