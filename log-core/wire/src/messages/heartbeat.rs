//! Staying in a classic group.

use crate::Message;

/// Says that a member is alive.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(key = Heartbeat, response = HeartbeatResponse, versions = "0-4", flexible = "4+")]
pub struct HeartbeatRequest {
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
}

/// Whether the group goes on as it is.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-4", flexible = "4+")]
pub struct HeartbeatResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
}
