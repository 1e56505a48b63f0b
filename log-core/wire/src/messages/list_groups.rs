//! Listing groups.

use crate::Message;

/// Asks for the groups that a broker coordinates.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(key = ListGroups, response = ListGroupsResponse, versions = "0-5", flexible = "3+")]
pub struct ListGroupsRequest {
    /// States of the groups to list; empty for all.
    #[kafka(versions = "4+")]
    pub states_filter: Vec<String>,
    /// Types of the groups to list; empty for all.
    #[kafka(versions = "5+")]
    pub types_filter: Vec<String>,
}

/// The groups.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-5", flexible = "3+")]
pub struct ListGroupsResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// Groups, one by one.
    #[kafka(versions = "0+")]
    pub groups: Vec<ListedGroup>,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct ListedGroup {
    /// Id of the group.
    #[kafka(versions = "0+")]
    pub group_id: String,
    /// Kind of group, such as `consumer`.
    #[kafka(versions = "0+")]
    pub protocol_type: String,
    /// State of the group, such as `Stable`.
    #[kafka(versions = "4+", ignorable)]
    pub group_state: String,
    /// Type of the group, such as `classic`.
    #[kafka(versions = "5+", ignorable)]
    pub group_type: String,
}
