//! Joining a classic consumer group.

use bytes::Bytes;

use crate::Message;

/// Joins a group, or joins again in a rebalance.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(key = JoinGroup, response = JoinGroupResponse, versions = "0-9", flexible = "6+")]
pub struct JoinGroupRequest {
    /// Id of the group.
    #[kafka(versions = "0+")]
    pub group_id: String,
    /// Milliseconds without a heartbeat after which the member is dead.
    #[kafka(versions = "0+")]
    pub session_timeout_ms: i32,
    /// Milliseconds that members have to join again in a rebalance; -1 in versions without it.
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub rebalance_timeout_ms: i32,
    /// Id of the member, empty to be given one.
    #[kafka(versions = "0+")]
    pub member_id: String,
    /// Id of a static member (KIP-345); null for a dynamic one.
    #[kafka(versions = "5+", nullable = "5+", default = null)]
    pub group_instance_id: Option<String>,
    /// Kind of group, such as `consumer`.
    #[kafka(versions = "0+")]
    pub protocol_type: String,
    /// Protocols that the member supports, the preferred one first.
    #[kafka(versions = "0+")]
    pub protocols: Vec<JoinGroupRequestProtocol>,
    /// Why, for the broker's log (KIP-800).
    #[kafka(versions = "8+", nullable = "8+", default = null, ignorable)]
    pub reason: Option<String>,
}

/// A protocol that the member supports.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct JoinGroupRequestProtocol {
    /// Name of the protocol, such as the assignor's.
    #[kafka(versions = "0+")]
    pub name: String,
    /// What the member tells the group's leader, opaque to the broker.
    #[kafka(versions = "0+")]
    pub metadata: Bytes,
}

/// The new generation; for the leader, with all members.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-9", flexible = "6+")]
pub struct JoinGroupResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "2+", ignorable)]
    pub throttle_time_ms: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// Generation of the group.
    #[kafka(versions = "0+", default = -1)]
    pub generation_id: i32,
    /// Kind of group, such as `consumer`.
    #[kafka(versions = "7+", nullable = "7+", default = null, ignorable)]
    pub protocol_type: Option<String>,
    /// Protocol that the coordinator chose.
    #[kafka(versions = "0+", nullable = "7+")]
    pub protocol_name: Option<String>,
    /// Member id of the group's leader.
    #[kafka(versions = "0+")]
    pub leader: String,
    /// Whether the leader need not compute an assignment (KIP-814).
    #[kafka(versions = "9+")]
    pub skip_assignment: bool,
    /// Id of the member.
    #[kafka(versions = "0+")]
    pub member_id: String,
    /// Members of the group.
    #[kafka(versions = "0+")]
    pub members: Vec<JoinGroupResponseMember>,
}

/// A member, for the group's leader.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct JoinGroupResponseMember {
    /// Id of the member.
    #[kafka(versions = "0+")]
    pub member_id: String,
    /// Id of a static member (KIP-345); null for a dynamic one.
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub group_instance_id: Option<String>,
    /// What the member tells the group's leader, opaque to the broker.
    #[kafka(versions = "0+")]
    pub metadata: Bytes,
}
