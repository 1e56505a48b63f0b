//! ApiVersions: which APIs are served in which versions, and the cluster's features (KIP-584).

use std::sync::Arc;

use headwater_wire::messages::api_versions::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use headwater_wire::{ApiKey, ErrorCode, catalog};

use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::metadata::FEATURES;
use crate::node::Node;

pub(crate) struct ApiVersions;

impl Handler for ApiVersions {
    type Request = ApiVersionsRequest;

    fn start(
        node: &Arc<Node>,
        _context: &RequestContext,
        request: ApiVersionsRequest,
    ) -> Reply<ApiVersionsResponse> {
        // KIP-511: names and versions of client software are letters, digits, dots and dashes.
        let named = |text: &str| {
            text.chars()
                .all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
        };
        let valid = named(&request.client_software_name) && named(&request.client_software_version);
        if !valid {
            return Reply::Now(ApiVersionsResponse {
                error_code: ErrorCode::InvalidRequest.code(),
                ..Default::default()
            });
        }
        Reply::Now(response(node, ErrorCode::None))
    }
}

/// The answer, whatever version was asked in: one that is too new is answered in version 0 with
/// `UNSUPPORTED_VERSION`, and the client asks again in one of these.
pub(crate) fn response(node: &Node, error: ErrorCode) -> ApiVersionsResponse {
    let api_keys = super::served().filter_map(version_range).collect();
    let supported = FEATURES.iter().map(|feature| SupportedFeatureKey {
        name: feature.name.to_owned(),
        min_version: feature.min,
        max_version: feature.max,
    });
    let features = &node.quorum.image().features;
    let finalized = features
        .levels
        .iter()
        .map(|(name, level)| FinalizedFeatureKey {
            name: name.clone(),
            max_version_level: *level,
            min_version_level: *level,
        });
    ApiVersionsResponse {
        error_code: error.code(),
        api_keys,
        supported_features: supported.collect(),
        finalized_features_epoch: features.epoch,
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
