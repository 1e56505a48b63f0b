//! Replacing configurations as a whole.

use crate::Message;

/// Replaces all dynamic configurations of resources.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(key = AlterConfigs, response = AlterConfigsResponse, versions = "0-2", flexible = "2+")]
pub struct AlterConfigsRequest {
    /// Resources, one by one.
    #[kafka(versions = "0+")]
    pub resources: Vec<AlterConfigsResource>,
    /// Whether to check the change without making it.
    #[kafka(versions = "0+")]
    pub validate_only: bool,
}

/// A resource to configure.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct AlterConfigsResource {
    /// Kind of the resource: 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
    #[kafka(versions = "0+")]
    pub resource_type: i8,
    /// Name of the resource.
    #[kafka(versions = "0+")]
    pub resource_name: String,
    /// All configurations that the resource shall have; the others go back to their defaults.
    #[kafka(versions = "0+")]
    pub configs: Vec<AlterableConfig>,
}

/// A configuration.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct AlterableConfig {
    /// Name of the configuration.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Value to set.
    #[kafka(versions = "0+", nullable = "0+")]
    pub value: Option<String>,
}

/// What came of it, by resource.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-2", flexible = "2+")]
pub struct AlterConfigsResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Resources, one by one.
    #[kafka(versions = "0+")]
    pub responses: Vec<AlterConfigsResourceResponse>,
}

/// Result of a resource.
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
