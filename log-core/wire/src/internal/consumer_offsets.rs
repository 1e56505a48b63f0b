//! Records of `__consumer_offsets`: committed offsets and classic groups.

use bytes::Bytes;
use uuid::Uuid;

use crate::Message;

/// Key of a committed offset.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0")]
pub struct OffsetCommitKey {
    /// Id of the group.
    #[kafka(versions = "0")]
    pub group: String,
    /// Name of the topic.
    #[kafka(versions = "0")]
    pub topic: String,
    /// Index of the partition.
    #[kafka(versions = "0")]
    pub partition: i32,
}

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-4", flexible = "4+")]
pub struct OffsetCommitValue {
    /// Offset of the next record to consume.
    #[kafka(versions = "0+")]
    pub offset: i64,
    /// Leader epoch of the last record consumed, -1 if unknown.
    #[kafka(versions = "3+", default = -1, ignorable)]
    pub leader_epoch: i32,
    /// Text that the client keeps with the offset.
    #[kafka(versions = "0+")]
    pub metadata: String,
    /// Time of the commit, in ms since the epoch.
    #[kafka(versions = "0+")]
    pub commit_timestamp: i64,
    /// Time at which the offset goes, in ms since the epoch; -1 for the group's retention.
    #[kafka(versions = "1", default = -1, ignorable)]
    pub expire_timestamp: i64,
    /// Id of the topic, all zeros if unknown.
    #[kafka(versions = "4+", tag = 0, ignorable)]
    pub topic_id: Uuid,
}

/// Key of a classic group.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0")]
pub struct GroupMetadataKey {
    /// Id of the group.
    #[kafka(versions = "0")]
    pub group: String,
}

/// A classic group and its members.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-4", flexible = "4+")]
pub struct GroupMetadataValue {
    /// Kind of group, such as `consumer`.
    #[kafka(versions = "0+")]
    pub protocol_type: String,
    /// Generation of the group.
    #[kafka(versions = "0+")]
    pub generation: i32,
    /// Protocol that the coordinator chose; null in an empty group.
    #[kafka(versions = "0+", nullable = "0+")]
    pub protocol: Option<String>,
    /// Member id of the group's leader; null in an empty group.
    #[kafka(versions = "0+", nullable = "0+")]
    pub leader: Option<String>,
    /// Time at which the group came into its state, in ms since the epoch; -1 if unknown.
    #[kafka(versions = "2+", default = -1, ignorable)]
    pub current_state_timestamp: i64,
    /// Members of the group.
    #[kafka(versions = "0+")]
    pub members: Vec<MemberMetadata>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct MemberMetadata {
    /// Id of the member.
    #[kafka(versions = "0+")]
    pub member_id: String,
    /// Id of a static member; null for a dynamic one.
    #[kafka(versions = "3+", nullable = "3+", default = null, ignorable)]
    pub group_instance_id: Option<String>,
    /// Client id the member joined with.
    #[kafka(versions = "0+")]
    pub client_id: String,
    /// Address the member connects from.
    #[kafka(versions = "0+")]
    pub client_host: String,
    /// Milliseconds that the member has to join again in a rebalance, -1 if unknown.
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub rebalance_timeout: i32,
    /// Milliseconds without a heartbeat after which the member is dead.
    #[kafka(versions = "0+")]
    pub session_timeout: i32,
    /// What the member told the group's leader.
    #[kafka(versions = "0+")]
    pub subscription: Bytes,
    /// What the group's leader assigned to the member.
    #[kafka(versions = "0+")]
    pub assignment: Bytes,
}
