//! Leaving a classic group.

use crate::Message;

/// Makes members leave a group.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(key = LeaveGroup, response = LeaveGroupResponse, versions = "0-5", flexible = "4+")]
pub struct LeaveGroupRequest {
    /// Id of the group.
    #[kafka(versions = "0+")]
    pub group_id: String,
    /// Id of the member.
    #[kafka(versions = "0-2")]
    pub member_id: String,
    /// Members that leave.
    #[kafka(versions = "3+")]
    pub members: Vec<MemberIdentity>,
}

/// A member that leaves.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct MemberIdentity {
    /// Id of the member.
    #[kafka(versions = "3+")]
    pub member_id: String,
    /// Id of a static member (KIP-345); null for a dynamic one.
    #[kafka(versions = "3+", nullable = "3+", default = null)]
    pub group_instance_id: Option<String>,
    /// Why, for the broker's log (KIP-800).
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub reason: Option<String>,
}

/// What became of each member.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-5", flexible = "4+")]
pub struct LeaveGroupResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// A result for each member.
    #[kafka(versions = "3+")]
    pub members: Vec<MemberResponse>,
}

/// What became of a member.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct MemberResponse {
    /// Id of the member.
    #[kafka(versions = "3+")]
    pub member_id: String,
    /// Id of a static member (KIP-345); null for a dynamic one.
    #[kafka(versions = "3+", nullable = "3+")]
    pub group_instance_id: Option<String>,
    /// Error, 0 for none.
    #[kafka(versions = "3+")]
    pub error_code: i16,
}
