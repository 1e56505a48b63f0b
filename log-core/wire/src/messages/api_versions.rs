//! Which APIs and versions a broker serves.

use crate::Message;

/// Asks for the APIs, versions and features of a broker.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(key = ApiVersions, response = ApiVersionsResponse, versions = "0-4", flexible = "3+")]
pub struct ApiVersionsRequest {
    /// Name of the client library (KIP-511).
    #[kafka(versions = "3+", ignorable)]
    pub client_software_name: String,
    /// Version of the client library.
    #[kafka(versions = "3+", ignorable)]
    pub client_software_version: String,
}

/// The APIs, versions and features of a broker.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-4", flexible = "3+")]
pub struct ApiVersionsResponse {
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// APIs that the broker serves.
    #[kafka(versions = "0+")]
    pub api_keys: Vec<ApiVersion>,
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    /// Features that the broker supports.
    #[kafka(versions = "3+", tag = 0, ignorable)]
    pub supported_features: Vec<SupportedFeatureKey>,
    /// Epoch of the finalized features, growing with each change; -1 if unknown.
    #[kafka(versions = "3+", tag = 1, default = -1, ignorable)]
    pub finalized_features_epoch: i64,
    /// Features as the whole cluster runs them; meaningless while the epoch is -1.
    #[kafka(versions = "3+", tag = 2, ignorable)]
    pub finalized_features: Vec<FinalizedFeatureKey>,
    /// Whether a controller was ready to migrate from ZooKeeper.
    #[kafka(versions = "3+", tag = 3, ignorable)]
    pub zk_migration_ready: bool,
}

/// Versions of one API.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct ApiVersion {
    /// Number of the API.
    #[kafka(versions = "0+")]
    pub api_key: i16,
    /// Lowest version.
    #[kafka(versions = "0+")]
    pub min_version: i16,
    /// Highest version.
    #[kafka(versions = "0+")]
    pub max_version: i16,
}

/// Levels of a feature that the broker supports.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct SupportedFeatureKey {
    /// Name of the feature.
    #[kafka(versions = "3+")]
    pub name: String,
    /// Lowest version.
    #[kafka(versions = "3+")]
    pub min_version: i16,
    /// Highest version.
    #[kafka(versions = "3+")]
    pub max_version: i16,
}

/// Levels of a feature that the cluster runs.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct FinalizedFeatureKey {
    /// Name of the feature.
    #[kafka(versions = "3+")]
    pub name: String,
    /// Highest level that the cluster runs.
    #[kafka(versions = "3+")]
    pub max_version_level: i16,
    /// Lowest level that the cluster runs.
    #[kafka(versions = "3+")]
    pub min_version_level: i16,
}
