//! Whether a ConsumerGroupHeartbeat is one.

use headwater_wire::ErrorCode;
use headwater_wire::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest;

use super::assignors::Assignor;
use super::heartbeat::Beat;
use super::member::{JOINING, LEAVING, LEAVING_FOR_A_WHILE};
use super::regex::TopicPattern;
use crate::groups::config::GroupConfig;
use crate::groups::input::Client;
use crate::groups::member::NAME_MAX;
use crate::groups::refusal::Refusal;

/// From this version on members make their ids themselves (KIP-1082).
const OWN_MEMBER_ID_FROM: i16 = 1;

pub(super) fn check(config: &GroupConfig, beat: &Beat, version: i16) -> Result<(), Refusal> {
    let Beat {
        request,
        client,
        pattern,
        fresh: _,
    } = beat;
    let invalid = |message: &str| Err(Refusal::new(ErrorCode::InvalidRequest, message));
    let is_blank = |text: &Option<String>| text.as_ref().is_some_and(|text| text.trim().is_empty());
    let epoch = request.member_epoch;
    let needs_id = version >= OWN_MEMBER_ID_FROM || epoch > JOINING || epoch == LEAVING;
    if needs_id && request.member_id.trim().is_empty() {
        return invalid("the member id must not be empty");
    }
    if request.group_id.trim().is_empty() {
        return invalid("the group id must not be empty");
    }
    if is_blank(&request.instance_id) {
        return invalid("the instance id must not be empty");
    }
    if is_blank(&request.rack_id) {
        return invalid("the rack id must not be empty");
    }
    if has_long_name(request, client) {
        return invalid("a name is too long to be written down");
    }
    match epoch {
        JOINING => check_join(request)?,
        LEAVING_FOR_A_WHILE if request.instance_id.is_none() => {
            return invalid("only a member with an instance id can leave for a while");
        }
        epoch if epoch < LEAVING_FOR_A_WHILE => {
            return invalid("the member epoch must be -2 or more");
        }
        _ => {}
    }
    check_assignor(config, request.server_assignor.as_deref())?;
    check_pattern(pattern.as_ref())
}

fn check_join(request: &ConsumerGroupHeartbeatRequest) -> Result<(), Refusal> {
    let invalid = |message: &str| Err(Refusal::new(ErrorCode::InvalidRequest, message));
    if request.rebalance_timeout_ms == -1 {
        return invalid("a member that joins must name its rebalance timeout");
    }
    let owned = request.topic_partitions.as_ref();
    if !owned.is_some_and(Vec::is_empty) {
        return invalid("a member that joins must say that it owns no partitions");
    }
    if request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none() {
        return invalid("a member that joins must subscribe, by names or by a pattern");
    }
    Ok(())
}

fn check_assignor(config: &GroupConfig, name: Option<&str>) -> Result<(), Refusal> {
    let Some(name) = name else {
        return Ok(());
    };
    let served = &config.consumer_assignors;
    if Assignor::from_name(name).is_some_and(|assignor| served.contains(&assignor)) {
        return Ok(());
    }
    let names: Vec<&str> = served.iter().map(|assignor| assignor.name()).collect();
    let message = format!(
        "there is no assignor {name} on the server; there are {}",
        names.join(", ")
    );
    Err(Refusal::new(ErrorCode::UnsupportedAssignor, message))
}

fn check_pattern(pattern: Option<&TopicPattern>) -> Result<(), Refusal> {
    match pattern.map(TopicPattern::check) {
        Some(Err(error)) => {
            let message = format!("the pattern of topics cannot be used: {error}");
            Err(Refusal::new(ErrorCode::InvalidRegularExpression, message))
        }
        Some(Ok(())) | None => Ok(()),
    }
}

/// Keys of records hold strings of at most 32 KiB.
fn has_long_name(request: &ConsumerGroupHeartbeatRequest, client: &Client) -> bool {
    let optional = [
        &request.instance_id,
        &request.rack_id,
        &request.subscribed_topic_regex,
    ];
    [
        &request.group_id,
        &request.member_id,
        &client.id,
        &client.host,
    ]
    .into_iter()
    .chain(optional.into_iter().flatten())
    .chain(request.subscribed_topic_names.iter().flatten())
    .any(|name| name.len() > NAME_MAX)
}
