//! Listing what can be configured.

use crate::Message;

/// Asks for resources that have configurations (KIP-1142).
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = ListConfigResources,
    response = ListConfigResourcesResponse,
    versions = "0-1",
    flexible = "0+"
)]
pub struct ListConfigResourcesRequest {
    /// Kinds of resources, as in DescribeConfigs; empty for all. Version 0 asks for client metrics.
    #[kafka(versions = "1+")]
    pub resource_types: Vec<i8>,
}

/// The resources.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-1", flexible = "0+")]
pub struct ListConfigResourcesResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// Resources, one by one.
    #[kafka(versions = "0+")]
    pub config_resources: Vec<ConfigResource>,
}

/// A resource.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct ConfigResource {
    /// Name of the resource.
    #[kafka(versions = "0+")]
    pub resource_name: String,
    /// Kind of the resource: 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
    #[kafka(versions = "1+", default = 16, ignorable)]
    pub resource_type: i8,
}
