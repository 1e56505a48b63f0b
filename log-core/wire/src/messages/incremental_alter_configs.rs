//! Changing configurations one by one.

use crate::Message;

/// Changes single configurations (KIP-339).
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = IncrementalAlterConfigs,
    response = IncrementalAlterConfigsResponse,
    versions = "0-1",
    flexible = "1+"
)]
pub struct IncrementalAlterConfigsRequest {
    /// Resources, one by one.
    #[kafka(versions = "0+")]
    pub resources: Vec<AlterConfigsResource>,
    /// Whether to check only and change nothing.
    #[kafka(versions = "0+")]
    pub validate_only: bool,
}

/// A resource to change.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct AlterConfigsResource {
    /// Kind of the resource: 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
    #[kafka(versions = "0+")]
    pub resource_type: i8,
    /// Name of the resource.
    #[kafka(versions = "0+")]
    pub resource_name: String,
    /// Configurations.
    #[kafka(versions = "0+")]
    pub configs: Vec<AlterableConfig>,
}

/// A configuration to change.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct AlterableConfig {
    /// Name of the configuration.
    #[kafka(versions = "0+")]
    pub name: String,
    /// What to do: 0 set, 1 delete, 2 append to a list, 3 subtract from a list.
    #[kafka(versions = "0+")]
    pub config_operation: i8,
    /// Value of the configuration.
    #[kafka(versions = "0+", nullable = "0+")]
    pub value: Option<String>,
}

/// What became of each resource.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-1", flexible = "1+")]
pub struct IncrementalAlterConfigsResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Results, one by one.
    #[kafka(versions = "0+")]
    pub responses: Vec<AlterConfigsResourceResponse>,
}

/// What became of a resource.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct AlterConfigsResourceResponse {
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// What went wrong, in words.
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<String>,
    /// Kind of the resource: 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
    #[kafka(versions = "0+")]
    pub resource_type: i8,
    /// Name of the resource.
    #[kafka(versions = "0+")]
    pub resource_name: String,
}
