//! ApiVersions: which APIs are served in which versions, and the cluster's features (KIP-584).

use std::sync::Arc;

use headwater_wire::messages::api_versions::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use headwater_wire::{ApiKey, ErrorCode, catalog};

use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;

pub(crate) struct ApiVersions;

/// Features and the level they are at. `group.version` 1 is the consumer protocol of KIP-848;
/// `transaction.version` 2 is an epoch for each transaction; `metadata.version` 25 is the level of
/// Kafka 4.0, whose requests are served.
const FEATURES: [(&str, i16, i16); 3] = [
    ("group.version", 0, 1),
    ("metadata.version", 7, 25),
    ("transaction.version", 0, 2),
];

impl Handler for ApiVersions {
    type Request = ApiVersionsRequest;

    fn start(
        _node: &Arc<Node>,
        _context: &RequestContext,
        request: ApiVersionsRequest,
    ) -> Reply<ApiVersionsResponse> {
        // KIP-511: names and versions of client software are letters, digits, dots and dashes.
        let named = |text: &str| {
            text.chars()
                .all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
        };
        let valid = named(&request.client_software_name) && named(&request.client_software_version);
        let error = if valid {
            ErrorCode::None
        } else {
            ErrorCode::InvalidRequest
        };
        Reply::Now(response(error))
    }
}

/// The answer, whatever version was asked in: one that is too new is answered in version 0 with
/// `UNSUPPORTED_VERSION`, and the client asks again in one of these.
pub(crate) fn response(error: ErrorCode) -> ApiVersionsResponse {
    let api_keys = super::served().filter_map(version_range).collect();
    let supported = FEATURES.iter().map(|(name, min, max)| SupportedFeatureKey {
        name: (*name).to_owned(),
        min_version: *min,
        max_version: *max,
    });
    let finalized = FEATURES.iter().map(|(name, _, max)| FinalizedFeatureKey {
        name: (*name).to_owned(),
        max_version_level: *max,
        min_version_level: *max,
    });
    ApiVersionsResponse {
        error_code: error.code(),
        api_keys,
        supported_features: supported.collect(),
        finalized_features_epoch: 1,
        finalized_features: finalized.collect(),
        ..Default::default()
    }
}

fn version_range(key: ApiKey) -> Option<ApiVersion> {
    let api = catalog::find(key)?;
    Some(ApiVersion {
        api_key: key.code(),
        min_version: api.advertised_min_version(),
        max_version: api.max_version,
    })
}
