//! Records of `__consumer_offsets` for groups of the consumer protocol (KIP-848).

use bytes::Bytes;
use uuid::Uuid;

use crate::Message;

/// Key of a group.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0")]
pub struct ConsumerGroupMetadataKey {
    /// Id of the group.
    #[kafka(versions = "0")]
    pub group_id: String,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct ConsumerGroupMetadataValue {
    /// Epoch of the group: grows with every change that calls for a new assignment.
    #[kafka(versions = "0+")]
    pub epoch: i32,
    /// Hash over the topics the group subscribes to (KIP-1101).
    #[kafka(versions = "0+", tag = 0)]
    pub metadata_hash: i64,
}

/// Key of what a member says about itself.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0")]
pub struct ConsumerGroupMemberMetadataKey {
    /// Id of the group.
    #[kafka(versions = "0")]
    pub group_id: String,
    /// Id of the member.
    #[kafka(versions = "0")]
    pub member_id: String,
}

/// What a member says about itself.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct ConsumerGroupMemberMetadataValue {
    /// Id of a static member; null for a dynamic one.
    #[kafka(versions = "0+", nullable = "0+")]
    pub instance_id: Option<String>,
    /// Rack of the member; null if none is set.
    #[kafka(versions = "0+", nullable = "0+")]
    pub rack_id: Option<String>,
    /// Client id of the member's requests.
    #[kafka(versions = "0+")]
    pub client_id: String,
    /// Address the member connects from.
    #[kafka(versions = "0+")]
    pub client_host: String,
    /// Topics that the member wants, by name.
    #[kafka(versions = "0+")]
    pub subscribed_topic_names: Vec<String>,
    /// Pattern of the topics that the member wants; null or empty if there is none.
    #[kafka(versions = "0+", nullable = "0+")]
    pub subscribed_topic_regex: Option<String>,
    /// Milliseconds that the member has to give up partitions, -1 if unknown.
    #[kafka(versions = "0+", default = -1)]
    pub rebalance_timeout_ms: i32,
    /// Assignor that the member asks for; null for none in particular.
    #[kafka(versions = "0+", nullable = "0+")]
    pub server_assignor: Option<String>,
    /// Set for a member that uses the classic protocol. Null has to be written: Kafka takes a
    /// record without the field for one of a classic member.
    #[kafka(versions = "0+", nullable = "0+", tag = 0)]
    pub classic_member_metadata: Option<ClassicMemberMetadata>,
}

/// What is only known of a member that uses the classic protocol.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
pub struct ClassicMemberMetadata {
    /// Milliseconds without a heartbeat after which the member is dead.
    #[kafka(versions = "0+")]
    pub session_timeout_ms: i32,
    /// Protocols that the member supports, in its order of preference.
    #[kafka(versions = "0+")]
    pub supported_protocols: Vec<ClassicProtocol>,
}

/// One protocol of a member that uses the classic protocol.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
pub struct ClassicProtocol {
    /// Name of the protocol.
    #[kafka(versions = "0+")]
    pub name: String,
    /// The member's subscription under it.
    #[kafka(versions = "0+")]
    pub metadata: Bytes,
}

/// Key of the target assignment's epoch.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0")]
pub struct ConsumerGroupTargetAssignmentMetadataKey {
    /// Id of the group.
    #[kafka(versions = "0")]
    pub group_id: String,
}

/// Of which epoch of the group the target assignment is.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct ConsumerGroupTargetAssignmentMetadataValue {
    /// Epoch of the target assignment.
    #[kafka(versions = "0+")]
    pub assignment_epoch: i32,
    /// Time at which it was computed, in ms since the epoch; 0 if unknown (KIP-1263).
    #[kafka(versions = "0+", tag = 0, ignorable)]
    pub assignment_timestamp: i64,
}

/// Key of a member's part of the target assignment.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0")]
pub struct ConsumerGroupTargetAssignmentMemberKey {
    /// Id of the group.
    #[kafka(versions = "0")]
    pub group_id: String,
    /// Id of the member.
    #[kafka(versions = "0")]
    pub member_id: String,
}

/// A member's part of the target assignment.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct ConsumerGroupTargetAssignmentMemberValue {
    /// Partitions that the member is to have in the end.
    #[kafka(versions = "0+")]
    pub topic_partitions: Vec<TargetTopicPartition>,
}

/// Partitions of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct TargetTopicPartition {
    /// Id of the topic.
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    /// Indexes of the partitions.
    #[kafka(versions = "0+")]
    pub partitions: Vec<i32>,
}

/// Key of what a member has.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0")]
pub struct ConsumerGroupCurrentMemberAssignmentKey {
    /// Id of the group.
    #[kafka(versions = "0")]
    pub group_id: String,
    /// Id of the member.
    #[kafka(versions = "0")]
    pub member_id: String,
}

/// What a member has, and how far it is on the way to its target.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct ConsumerGroupCurrentMemberAssignmentValue {
    /// Epoch that the member is in.
    #[kafka(versions = "0+")]
    pub member_epoch: i32,
    /// Epoch it was in before: its last answer may have been lost.
    #[kafka(versions = "0+")]
    pub previous_member_epoch: i32,
    /// State: 0 stable, 1 partitions are to be revoked, 2 partitions are not released yet.
    #[kafka(versions = "0+")]
    pub state: i8,
    /// Partitions that are the member's.
    #[kafka(versions = "0+")]
    pub assigned_partitions: Vec<CurrentTopicPartitions>,
    /// Partitions that the member has to give up.
    #[kafka(versions = "0+")]
    pub partitions_pending_revocation: Vec<CurrentTopicPartitions>,
}

/// Partitions of a topic, and since when they are the member's.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct CurrentTopicPartitions {
    /// Id of the topic.
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    /// Indexes of the partitions.
    #[kafka(versions = "0+")]
    pub partitions: Vec<i32>,
    /// Epoch in which each of the partitions was assigned; null if unknown.
    #[kafka(versions = "0+", nullable = "0+", tag = 0)]
    pub assignment_epochs: Option<Vec<i32>>,
}

/// Key of a pattern that members subscribe to.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0")]
pub struct ConsumerGroupRegularExpressionKey {
    /// Id of the group.
    #[kafka(versions = "0")]
    pub group_id: String,
    /// The pattern.
    #[kafka(versions = "0")]
    pub regular_expression: String,
}

/// The topics that a pattern matched.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct ConsumerGroupRegularExpressionValue {
    /// Names of the topics.
    #[kafka(versions = "0+")]
    pub topics: Vec<String>,
    /// Version of the metadata that they were found in.
    #[kafka(versions = "0+")]
    pub version: i64,
    /// Time at which they were looked for, in ms since the epoch.
    #[kafka(versions = "0+")]
    pub timestamp: i64,
}
