//! Which broker coordinates a group or transactional id.

use crate::Message;

/// Asks for the coordinators of groups or transactional ids.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = FindCoordinator,
    response = FindCoordinatorResponse,
    versions = "0-6",
    flexible = "3+"
)]
pub struct FindCoordinatorRequest {
    /// The key that was asked about.
    #[kafka(versions = "0-3")]
    pub key: String,
    /// What the keys are: 0 groups, 1 transactional ids, 2 share groups.
    #[kafka(versions = "1+")]
    pub key_type: i8,
    /// Group ids, transactional ids or share keys whose coordinators are wanted.
    #[kafka(versions = "4+")]
    pub coordinator_keys: Vec<String>,
}

/// The coordinators.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-6", flexible = "3+")]
pub struct FindCoordinatorResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0-3")]
    pub error_code: i16,
    /// What went wrong, in words.
    #[kafka(versions = "1-3", nullable = "1-3", ignorable)]
    pub error_message: Option<String>,
    /// Id of the node.
    #[kafka(versions = "0-3")]
    pub node_id: i32,
    /// Host name or address.
    #[kafka(versions = "0-3")]
    pub host: String,
    /// Port number.
    #[kafka(versions = "0-3")]
    pub port: i32,
    /// A coordinator for each key.
    #[kafka(versions = "4+")]
    pub coordinators: Vec<Coordinator>,
}

/// The coordinator of a key.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct Coordinator {
    /// The key that was asked about.
    #[kafka(versions = "4+")]
    pub key: String,
    /// Id of the node.
    #[kafka(versions = "4+")]
    pub node_id: i32,
    /// Host name or address.
    #[kafka(versions = "4+")]
    pub host: String,
    /// Port number.
    #[kafka(versions = "4+")]
    pub port: i32,
    /// Error, 0 for none.
    #[kafka(versions = "4+")]
    pub error_code: i16,
    /// What went wrong, in words.
    #[kafka(versions = "4+", nullable = "4+", ignorable)]
    pub error_message: Option<String>,
}
