//! Describing configurations.

use crate::Message;

/// Asks for configurations of topics, brokers and groups.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = DescribeConfigs,
    response = DescribeConfigsResponse,
    versions = "1-4",
    flexible = "4+"
)]
pub struct DescribeConfigsRequest {
    /// Resources, one by one.
    #[kafka(versions = "0+")]
    pub resources: Vec<DescribeConfigsResource>,
    /// Whether to include all places that a value could come from.
    #[kafka(versions = "1+")]
    pub include_synonyms: bool,
    /// Whether to include what each configuration does.
    #[kafka(versions = "3+")]
    pub include_documentation: bool,
}

/// A resource to describe.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct DescribeConfigsResource {
    /// Kind of the resource: 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
    #[kafka(versions = "0+")]
    pub resource_type: i8,
    /// Name of the resource.
    #[kafka(versions = "0+")]
    pub resource_name: String,
    /// Names of the configurations to describe; null for all.
    #[kafka(versions = "0+", nullable = "0+")]
    pub configuration_keys: Option<Vec<String>>,
}

/// The configurations.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "1-4", flexible = "4+")]
pub struct DescribeConfigsResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Results, one by one.
    #[kafka(versions = "0+")]
    pub results: Vec<DescribeConfigsResult>,
}

/// Configurations of a resource.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct DescribeConfigsResult {
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
    /// Configurations.
    #[kafka(versions = "0+")]
    pub configs: Vec<DescribeConfigsResourceResult>,
}

/// A configuration.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct DescribeConfigsResourceResult {
    /// Name of the configuration.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Value of the configuration.
    #[kafka(versions = "0+", nullable = "0+")]
    pub value: Option<String>,
    /// Whether the value cannot be changed.
    #[kafka(versions = "0+")]
    pub read_only: bool,
    /// Where the value comes from: 1 topic, 2 dynamic broker, 3 dynamic default broker, 4 static
    /// broker, 5 default, 6 dynamic broker logger, 7 client metrics, 8 group.
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub config_source: i8,
    /// Whether the value is secret and therefore null.
    #[kafka(versions = "0+")]
    pub is_sensitive: bool,
    /// Places that the value could come from, the strongest first.
    #[kafka(versions = "1+", ignorable)]
    pub synonyms: Vec<DescribeConfigsSynonym>,
    /// Type of the value: 0 unknown, 1 boolean, 2 string, 3 int, 4 short, 5 long, 6 double, 7 list,
    /// 8 class, 9 password.
    #[kafka(versions = "3+", ignorable)]
    pub config_type: i8,
    /// What the configuration does.
    #[kafka(versions = "3+", nullable = "0+", ignorable)]
    pub documentation: Option<String>,
}

/// A place that a value could come from.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct DescribeConfigsSynonym {
    /// Name of the configuration.
    #[kafka(versions = "1+")]
    pub name: String,
    /// Value of the configuration.
    #[kafka(versions = "1+", nullable = "0+")]
    pub value: Option<String>,
    /// Where the value comes from; the numbers of `config_source`.
    #[kafka(versions = "1+")]
    pub source: i8,
}
