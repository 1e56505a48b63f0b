//! Which versions a node serves, asked once per connection.

use std::collections::HashMap;

use headwater_wire::messages::api_versions::ApiVersionsResponse;
use headwater_wire::{ApiKey, Request};

/// What a node's ApiVersions answer says.
#[derive(Clone, Debug, Default)]
pub(super) struct ServedVersions {
    ranges: HashMap<i16, (i16, i16)>,
}

impl ServedVersions {
    pub(super) fn new(response: &ApiVersionsResponse) -> Self {
        let ranges = response.api_keys.iter();
        Self {
            ranges: ranges
                .map(|api| (api.api_key, (api.min_version, api.max_version)))
                .collect(),
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
