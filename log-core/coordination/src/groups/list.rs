//! ListGroups and DescribeGroups.

use headwater_wire::ErrorCode;
use headwater_wire::messages::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use headwater_wire::messages::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};

use super::coordinator::GroupCoordinator;
use super::effect::{Effect, Response};
use super::group::{Group, State};
use crate::{Time, Token};

/// Kafka's name for the only type of group held here.
const CLASSIC: &str = "classic";
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
                    .any(|wanted| wanted.eq_ignore_ascii_case(value))
        };
        let listed = groups
            .values()
            .filter(|group| passes(&request.states_filter, group.state.name()))
            .filter(|_| passes(&request.types_filter, CLASSIC))
            .map(|group| ListedGroup {
                group_id: group.id.to_string(),
                protocol_type: group.protocol_type.clone().unwrap_or_default(),
                group_state: group.state.name().to_owned(),
                group_type: CLASSIC.to_owned(),
            })
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
                Some(group) => describe_group(group),
                None if version >= NOT_FOUND_FROM => DescribedGroup {
                    error_code: ErrorCode::GroupIdNotFound.code(),
                    error_message: Some(format!("group {id} not found")),
                    group_id: id,
                    group_state: DEAD.to_owned(),
                    ..Default::default()
                },
                None => DescribedGroup {
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
            member_assignment: protocol
                .map(|_| member.assignment.clone())
                .unwrap_or_default(),
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
