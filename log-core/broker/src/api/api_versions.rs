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

/// First version in which clients say what they are (KIP-511).
const NAMED_FROM: i16 = 3;

impl Handler for ApiVersions {
    type Request = ApiVersionsRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: ApiVersionsRequest,
    ) -> Reply<ApiVersionsResponse> {
        let valid = context.version < NAMED_FROM
            || (is_name(&request.client_software_name)
                && is_name(&request.client_software_version));
        if !valid {
            return Reply::Now(ApiVersionsResponse {
                error_code: ErrorCode::InvalidRequest.code(),
                ..Default::default()
            });
        }
        Reply::Now(response(node, ErrorCode::None))
    }
}

/// Names and versions of client software are letters, digits, dots and dashes, the last two not at
/// the ends.
fn is_name(text: &str) -> bool {
    let ends_well = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(ends_well)
        && text.ends_with(ends_well)
        && text.chars().all(|c| ends_well(c) || ".-".contains(c))
}

/// The answer to a request of any API that is not served: the error, and what is.
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

/// The answer to an ApiVersions request in a version that is not served, for version 0: which are
/// (KIP-511). The client asks again in one of them.
pub(crate) fn own_versions() -> ApiVersionsResponse {
    ApiVersionsResponse {
        error_code: ErrorCode::UnsupportedVersion.code(),
        api_keys: version_range(ApiKey::ApiVersions).into_iter().collect(),
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
