//! ListGroups and DescribeGroups.

use headwater_wire::ErrorCode;
use headwater_wire::messages::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use headwater_wire::messages::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};

use super::coordinator::GroupCoordinator;
use super::effect::{Effect, Response};
use super::group::{Group, State};
use super::subscription::CONSUMER_PROTOCOL_TYPE;
use crate::{Time, Token};

/// Kafka's names for the types of groups held here.
const CLASSIC: &str = "classic";
const CONSUMER: &str = "consumer";
/// Kafka's name for the state of a group that does not exist.
const DEAD: &str = "Dead";
/// From this version on a group that does not exist is an error (KIP-1043).
const NOT_FOUND_FROM: i16 = 6;

impl GroupCoordinator {
    pub(super) fn list(
        &mut self,
        token: Token,
        request: &ListGroupsRequest,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        let (groups, mut cx) = self.split(time, out);
        let passes = |filter: &[String], value: &str| {
            filter.is_empty()
                || filter
                    .iter()
                    .any(|wanted| wanted.trim().eq_ignore_ascii_case(value))
        };
        let listed = groups
            .values()
            .map(list_group)
            .filter(|group| passes(&request.states_filter, &group.group_state))
            .filter(|group| passes(&request.types_filter, &group.group_type))
            .collect();
        let response = ListGroupsResponse {
            groups: listed,
            ..Default::default()
        };
        cx.reply(cx.outbox.last(), token, Response::List(response));
    }

    pub(super) fn describe(
        &mut self,
        token: Token,
        version: i16,
        request: DescribeGroupsRequest,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        let (groups, mut cx) = self.split(time, out);
        let described = request
            .groups
            .into_iter()
            .map(|id| match groups.get(id.as_str()) {
                Some(group) if group.consumer.is_none() => describe_group(group),
                found if version >= NOT_FOUND_FROM => DescribedGroup {
                    error_code: ErrorCode::GroupIdNotFound.code(),
                    error_message: Some(if found.is_some() {
                        format!("group {id} is not a classic group")
                    } else {
                        format!("group {id} not found")
                    }),
                    group_id: id,
                    group_state: DEAD.to_owned(),
                    ..Default::default()
                },
                _ => DescribedGroup {
                    group_id: id,
                    group_state: DEAD.to_owned(),
                    ..Default::default()
                },
            })
            .collect();
        let response = DescribeGroupsResponse {
            groups: described,
            ..Default::default()
        };
        cx.reply(cx.outbox.last(), token, Response::Describe(response));
    }
}

fn list_group(group: &Group) -> ListedGroup {
    let (protocol_type, state, group_type) = match &group.consumer {
        Some(consumer) => (
            CONSUMER_PROTOCOL_TYPE.to_owned(),
            consumer.state().name(),
            CONSUMER,
        ),
        None => (
            group.protocol_type.clone().unwrap_or_default(),
            group.state.name(),
            CLASSIC,
        ),
    };
    ListedGroup {
        group_id: group.id.to_string(),
        protocol_type,
        group_state: state.to_owned(),
        group_type: group_type.to_owned(),
    }
}

fn describe_group(group: &Group) -> DescribedGroup {
    // Between generations there is no protocol in use, so nothing to show under it.
    let protocol = match group.state {
        State::Stable => group.protocol_name.as_deref(),
        _ => None,
    };
    let members = group
        .members
        .values()
        .map(|member| DescribedGroupMember {
            member_id: member.id.to_string(),
            group_instance_id: member.instance_id.clone(),
            client_id: member.client.id.clone(),
            client_host: member.client.host.clone(),
            member_metadata: protocol
                .map(|name| member.metadata(name))
                .unwrap_or_default(),
            // The last there was: until the next, the member holds on to it.
            member_assignment: member.assignment.clone(),
        })
        .collect();
    DescribedGroup {
        group_id: group.id.to_string(),
        group_state: group.state.name().to_owned(),
        protocol_type: group.protocol_type.clone().unwrap_or_default(),
        protocol_data: protocol.unwrap_or_default().to_owned(),
        members,
        ..Default::default()
    }
}
