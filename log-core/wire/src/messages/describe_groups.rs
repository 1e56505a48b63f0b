//! Describing classic groups.

use bytes::Bytes;

use crate::Message;

/// Asks for the state and members of classic groups.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = DescribeGroups,
    response = DescribeGroupsResponse,
    versions = "0-6",
    flexible = "5+"
)]
pub struct DescribeGroupsRequest {
    /// Groups, one by one.
    #[kafka(versions = "0+")]
    pub groups: Vec<String>,
    /// Whether to list what the client may do on the groups.
    #[kafka(versions = "3+")]
    pub include_authorized_operations: bool,
}

/// The groups.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-6", flexible = "5+")]
pub struct DescribeGroupsResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    /// Groups, one by one.
    #[kafka(versions = "0+")]
    pub groups: Vec<DescribedGroup>,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct DescribedGroup {
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// What went wrong, in words.
    #[kafka(versions = "6+", nullable = "6+", default = null)]
    pub error_message: Option<String>,
    /// Id of the group.
    #[kafka(versions = "0+")]
    pub group_id: String,
    /// State of the group, such as `Stable`.
    #[kafka(versions = "0+")]
    pub group_state: String,
    /// Kind of group, such as `consumer`.
    #[kafka(versions = "0+")]
    pub protocol_type: String,
    /// Protocol that the group uses, empty without one.
    #[kafka(versions = "0+")]
    pub protocol_data: String,
    /// Members of the group.
    #[kafka(versions = "0+")]
    pub members: Vec<DescribedGroupMember>,
    /// Operations that the client may do on the group, as a bit field; `i32::MIN` if not asked for.
    #[kafka(versions = "3+", default = i32::MIN)]
    pub authorized_operations: i32,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct DescribedGroupMember {
    /// Id of the member.
    #[kafka(versions = "0+")]
    pub member_id: String,
    /// Id of a static member (KIP-345); null for a dynamic one.
    #[kafka(versions = "4+", nullable = "4+", default = null, ignorable)]
    pub group_instance_id: Option<String>,
    /// Client id the member joined with.
    #[kafka(versions = "0+")]
    pub client_id: String,
    /// Address the member connects from.
    #[kafka(versions = "0+")]
    pub client_host: String,
    /// What the member told the group's leader, opaque to the broker.
    #[kafka(versions = "0+")]
    pub member_metadata: Bytes,
    /// What the member works on, opaque to the broker.
    #[kafka(versions = "0+")]
    pub member_assignment: Bytes,
}
