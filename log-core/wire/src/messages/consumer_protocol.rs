//! The consumers' own protocol, inside JoinGroup and SyncGroup.

use bytes::Bytes;

use crate::Message;

/// What a member of a consumer group wants; the `metadata` of its JoinGroup protocols.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-3")]
pub struct ConsumerProtocolSubscription {
    /// Topics that the member wants.
    #[kafka(versions = "0+")]
    pub topics: Vec<String>,
    /// What the assignor adds, opaque to everyone else.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub user_data: Option<Bytes>,
    /// Partitions that the member owns now (KIP-429).
    #[kafka(versions = "1+", ignorable)]
    pub owned_partitions: Vec<TopicPartition>,
    /// Generation in which it got them, -1 if unknown (KIP-792).
    #[kafka(versions = "2+", default = -1, ignorable)]
    pub generation_id: i32,
    /// Rack of the member; null if none is set (KIP-881).
    #[kafka(versions = "3+", nullable = "3+", default = null, ignorable)]
    pub rack_id: Option<String>,
}

/// What a member of a consumer group gets; the `assignment` of SyncGroup.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-3")]
pub struct ConsumerProtocolAssignment {
    /// Partitions that the member shall work on.
    #[kafka(versions = "0+")]
    pub assigned_partitions: Vec<TopicPartition>,
    /// What the assignor adds, opaque to everyone else.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub user_data: Option<Bytes>,
}

/// Partitions of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct TopicPartition {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub topic: String,
    /// Indexes of the partitions.
    #[kafka(versions = "0+")]
    pub partitions: Vec<i32>,
}
