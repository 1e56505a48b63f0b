//! Deleting groups.

use crate::Message;

/// Deletes groups without members.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(key = DeleteGroups, response = DeleteGroupsResponse, versions = "0-2", flexible = "2+")]
pub struct DeleteGroupsRequest {
    /// Ids of the groups to delete.
    #[kafka(versions = "0+")]
    pub groups_names: Vec<String>,
}

/// What became of each group.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-2", flexible = "2+")]
pub struct DeleteGroupsResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Results, one by one.
    #[kafka(versions = "0+")]
    pub results: Vec<DeletableGroupResult>,
}

/// What became of a group.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct DeletableGroupResult {
    /// Id of the group.
    #[kafka(versions = "0+")]
    pub group_id: String,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
}
