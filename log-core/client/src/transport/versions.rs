//! Which versions a node serves, asked once per connection.

use std::collections::HashMap;

use headwater_wire::messages::api_versions::ApiVersionsResponse;
use headwater_wire::{ApiKey, Request};

/// What a node's ApiVersions answer says.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServedVersions {
    ranges: HashMap<i16, (i16, i16)>,
    /// What the cluster runs of the features that clients care for.
    pub(super) features: Features,
}

/// Features as the whole cluster runs them, as far as they matter to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Features {
    /// Grows with each change; -1 if there has been no word of it.
    pub(crate) epoch: i64,
    /// `transaction.version`: 2 from KIP-890's second part on.
    pub(crate) transaction_version: i16,
}

impl Default for Features {
    fn default() -> Self {
        Self {
            epoch: -1,
            transaction_version: 0,
        }
    }
}

impl Features {
    fn new(response: &ApiVersionsResponse) -> Self {
        let mut features = response.finalized_features.iter();
        let found = features.find(|feature| feature.name == "transaction.version");
        Self {
            epoch: response.finalized_features_epoch,
            transaction_version: found.map_or(0, |feature| feature.max_version_level),
        }
    }
}

impl ServedVersions {
    pub(super) fn new(response: &ApiVersionsResponse) -> Self {
        let ranges = response.api_keys.iter();
        Self {
            ranges: ranges
                .map(|api| (api.api_key, (api.min_version, api.max_version)))
                .collect(),
            features: Features::new(response),
        }
    }

    /// The highest version of `R` that both sides speak and that is not above `cap`.
    pub(super) fn pick<R: Request>(&self, cap: i16) -> Option<i16> {
        let (min, max) = self.ranges.get(&(R::KEY as i16)).copied()?;
        let version = max.min(R::MAX_VERSION).min(cap);
        (version >= min && version >= R::MIN_VERSION).then_some(version)
    }

    /// The range served of an API, for messages.
    pub(super) fn range(&self, key: ApiKey) -> Option<(i16, i16)> {
        self.ranges.get(&(key as i16)).copied()
    }
}
