//! UpdateFeatures: moves finalized levels of features up and down (KIP-584).

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::update_features::{
    FeatureUpdateKey, UpdatableFeatureResult, UpdateFeaturesRequest, UpdateFeaturesResponse,
};

use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::metadata::{Command, Feature, FinalizedFeatures};
use crate::node::Node;
use crate::topic_creation::TopicRefused;

pub(crate) struct UpdateFeatures;

/// First version whose answer is for all features together.
const ONE_RESULT_FROM: i16 = 2;

/// What may happen to a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

impl Handler for UpdateFeatures {
    type Request = UpdateFeaturesRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: UpdateFeaturesRequest,
    ) -> Reply<UpdateFeaturesResponse> {
        let node = Arc::clone(node);
        let version = context.version;
        Reply::later(async move {
            match update(&node, &request, version).await {
                Ok(()) => done(&request, version),
                Err(refused) => UpdateFeaturesResponse {
                    error_code: refused.code.code(),
                    error_message: Some(refused.message),
                    ..Default::default()
                },
            }
        })
    }
}

fn done(request: &UpdateFeaturesRequest, version: i16) -> UpdateFeaturesResponse {
    let each = request
        .feature_updates
        .iter()
        .map(|update| UpdatableFeatureResult {
            feature: update.feature.clone(),
            error_message: None,
            ..Default::default()
        });
    UpdateFeaturesResponse {
        error_message: None,
        results: if version < ONE_RESULT_FROM {
            each.collect()
        } else {
            Vec::new()
        },
        ..Default::default()
    }
}

/// All levels or none.
async fn update(
    node: &Node,
    request: &UpdateFeaturesRequest,
    version: i16,
) -> Result<(), TopicRefused> {
    let finalized = node.quorum.image().features.clone();
    let mut levels = BTreeMap::new();
    for update in &request.feature_updates {
        let direction = direction(update, version)
            .ok_or_else(|| refusal(update, "the kind of change is none that there is"))?;
        check(update, direction, &finalized)?;
        levels.insert(update.feature.clone(), update.max_version_level);
    }
    let changes = levels
        .iter()
        .any(|(name, level)| finalized.level(name) != *level);
    if request.validate_only || !changes {
        return Ok(());
    }
    let command = Command::FinalizeFeatures {
        expected: finalized.epoch,
        levels,
    };
    node.change_metadata(command).await.map(drop)
}

fn direction(update: &FeatureUpdateKey, version: i16) -> Option<Direction> {
    match (version, update.upgrade_type) {
        (0, _) if update.allow_downgrade => Some(Direction::Down),
        (0, _) | (_, 1) => Some(Direction::Up),
        // Nothing is lost on the way down here, so safe and unsafe are the same.
        (_, 2 | 3) => Some(Direction::Down),
        _ => None,
    }
}

fn check(
    update: &FeatureUpdateKey,
    direction: Direction,
    finalized: &FinalizedFeatures,
) -> Result<(), TopicRefused> {
    let level = update.max_version_level;
    let Some(feature) = Feature::named(&update.feature) else {
        return Err(refusal(update, "this node does not have the feature"));
    };
    if !feature.supports(level) {
        let (min, max) = (feature.min, feature.max);
        return Err(refusal(
            update,
            &format!("this node supports levels {min} to {max}"),
        ));
    }
    if level < finalized.level(feature.name) && direction == Direction::Up {
        return Err(refusal(
            update,
            "it is lower than the level now; ask for a downgrade",
        ));
    }
    Ok(())
}

fn refusal(update: &FeatureUpdateKey, reason: &str) -> TopicRefused {
    let message = format!(
        "no feature was changed: {} cannot be set to {}: {reason}",
        update.feature, update.max_version_level
    );
    TopicRefused::new(ErrorCode::InvalidUpdateVersion, message)
}
