//! Features of the cluster and their levels (KIP-584).

use std::collections::{BTreeMap, HashMap};

use headwater_wire::messages::api_versions::ApiVersionsRequest;
use headwater_wire::messages::update_features::{FeatureUpdateKey, UpdateFeaturesRequest};

use super::drive::checked;
use super::{Admin, millis};
use crate::error::ClientError;
use crate::transport::Target;

/// What a cluster's features are at, and what its nodes support.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureMetadata {
    /// The level of each feature that is on.
    pub finalized: BTreeMap<String, i16>,
    /// How often they have changed; `None` if not told.
    pub finalized_epoch: Option<i64>,
    /// The lowest and highest level of each feature that the node asked supports.
    pub supported: BTreeMap<String, (i16, i16)>,
}

/// The level that a feature is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureUpdate {
    /// At least the present one.
    Upgrade(i16),
    /// A lower one, if nothing is lost by it; 0 turns it off.
    SafeDowngrade(i16),
    /// A lower one, whatever is lost by it; 0 turns it off.
    UnsafeDowngrade(i16),
}

impl Admin {
    /// The levels of features, and what a node supports.
    ///
    /// # Errors
    /// A timeout, or the broker's refusal.
    pub async fn describe_features(&self) -> Result<FeatureMetadata, ClientError> {
        let mut retry = self.retry("describing features");
        let build = |_| ApiVersionsRequest {
            client_software_name: "headwater".to_owned(),
            client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let response = self.ask(Target::Any, &mut retry, i16::MAX, build).await?;
        checked(response.error_code, None, || {
            "describing features".to_owned()
        })?;
        let finalized = response.finalized_features.into_iter();
        let supported = response.supported_features.into_iter();
        Ok(FeatureMetadata {
            finalized: finalized
                .map(|feature| (feature.name, feature.max_version_level))
                .collect(),
            finalized_epoch: Some(response.finalized_features_epoch).filter(|epoch| *epoch >= 0),
            supported: supported
                .map(|feature| (feature.name, (feature.min_version, feature.max_version)))
                .collect(),
        })
    }

    /// Changes levels of features; with `validate_only`, only says whether it could be done. Each
    /// feature has its own result. Later brokers change all or none and give one answer for all.
    ///
    /// # Errors
    /// The broker's, or a timeout. [`ClientError::Protocol`] from brokers before Kafka 3.3 for what
    /// they do not know, and would do otherwise: `validate_only`, and a safe downgrade.
    pub async fn update_features(
        &self,
        updates: &HashMap<String, FeatureUpdate>,
        validate_only: bool,
    ) -> Result<HashMap<String, Result<(), ClientError>>, ClientError> {
        let operation = "updating features";
        let timeout_ms = millis(self.limit());
        let build = |version: i16| UpdateFeaturesRequest {
            timeout_ms,
            feature_updates: updates
                .iter()
                .map(|(feature, update)| {
                    let (level, upgrade_type) = match *update {
                        FeatureUpdate::Upgrade(level) => (level, 1),
                        FeatureUpdate::SafeDowngrade(level) => (level, 2),
                        FeatureUpdate::UnsafeDowngrade(level) => (level, 3),
                    };
                    FeatureUpdateKey {
                        feature: feature.clone(),
                        max_version_level: level,
                        allow_downgrade: version == 0 && upgrade_type != 1,
                        // Version 0 has one kind of downgrade, which asks for no safety.
                        upgrade_type: if version == 0 && upgrade_type != 2 {
                            1
                        } else {
                            upgrade_type
                        },
                    }
                })
                .collect(),
            // What the version has no room for is refused, not left out: brokers that know no
            // trial would do it.
            validate_only,
        };
        let response = self
            .ask_controller(operation, build, |response| {
                (response.error_code, response.error_message.clone())
            })
            .await?;
        let mut results: HashMap<String, Result<(), ClientError>> =
            updates.keys().map(|name| (name.clone(), Ok(()))).collect();
        for result in response.results {
            let named = || format!("updating feature {}", result.feature);
            let updated = checked(result.error_code, result.error_message, named);
            results.insert(result.feature, updated);
        }
        Ok(results)
    }
}
