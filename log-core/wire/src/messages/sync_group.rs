//! Handing out a classic group's assignments.

use bytes::Bytes;

use crate::Message;

/// Brings (from the leader) and asks for the assignments of a generation.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(key = SyncGroup, response = SyncGroupResponse, versions = "0-5", flexible = "4+")]
pub struct SyncGroupRequest {
    /// Id of the group.
    #[kafka(versions = "0+")]
    pub group_id: String,
    /// Generation of the group.
    #[kafka(versions = "0+")]
    pub generation_id: i32,
    /// Id of the member.
    #[kafka(versions = "0+")]
    pub member_id: String,
    /// Id of a static member (KIP-345); null for a dynamic one.
    #[kafka(versions = "3+", nullable = "3+", default = null)]
    pub group_instance_id: Option<String>,
    /// Kind of group, such as `consumer`.
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub protocol_type: Option<String>,
    /// Protocol that the member believes chosen; null for no check.
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub protocol_name: Option<String>,
    /// What each member shall work on; sent by the group's leader only.
    #[kafka(versions = "0+")]
    pub assignments: Vec<SyncGroupRequestAssignment>,
}

/// The assignment of a member.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct SyncGroupRequestAssignment {
    /// Id of the member.
    #[kafka(versions = "0+")]
    pub member_id: String,
    /// What the group's leader assigned to the member, opaque to the broker.
    #[kafka(versions = "0+")]
    pub assignment: Bytes,
}

/// The member's assignment.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-5", flexible = "4+")]
pub struct SyncGroupResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// Kind of group, such as `consumer`.
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub protocol_type: Option<String>,
    /// Protocol that the coordinator chose.
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub protocol_name: Option<String>,
    /// What the group's leader assigned to the member, opaque to the broker.
    #[kafka(versions = "0+")]
    pub assignment: Bytes,
}
