//! Changing the features of the cluster.

use crate::Message;

/// Changes finalized levels of features (KIP-584).
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = UpdateFeatures,
    response = UpdateFeaturesResponse,
    versions = "0-2",
    flexible = "0+"
)]
pub struct UpdateFeaturesRequest {
    /// Milliseconds that the broker has for it.
    #[kafka(versions = "0+", default = 60000)]
    pub timeout_ms: i32,
    /// Changes, one by one.
    #[kafka(versions = "0+")]
    pub feature_updates: Vec<FeatureUpdateKey>,
    /// Whether to check the changes without making them.
    #[kafka(versions = "1+")]
    pub validate_only: bool,
}

/// A change of a feature.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct FeatureUpdateKey {
    /// Name of the feature.
    #[kafka(versions = "0+")]
    pub feature: String,
    /// Level to set; below 1 to remove the finalized feature.
    #[kafka(versions = "0+")]
    pub max_version_level: i16,
    /// Whether the level may be lower than it is.
    #[kafka(versions = "0")]
    pub allow_downgrade: bool,
    /// What may happen to the level: 1 only up, 2 down where nothing is lost, 3 down even so.
    #[kafka(versions = "1+", default = 1)]
    pub upgrade_type: i8,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-2", flexible = "0+")]
pub struct UpdateFeaturesResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// What went wrong, in words.
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<String>,
    /// Changes, one by one.
    #[kafka(versions = "0-1", ignorable)]
    pub results: Vec<UpdatableFeatureResult>,
}

/// Result of a change.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct UpdatableFeatureResult {
    /// Name of the feature.
    #[kafka(versions = "0+")]
    pub feature: String,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// What went wrong, in words.
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<String>,
}
