//! Groups: listed, described, deleted.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use headwater_wire::ErrorCode;
use headwater_wire::messages::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use headwater_wire::messages::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup,
};
use headwater_wire::messages::list_groups::ListGroupsRequest;

use super::Admin;
use crate::TopicPartition;
use crate::consumer::protocol::{self, PROTOCOL_TYPE};
use crate::coordinator::{Coordinator, CoordinatorKind};
use crate::error::ClientError;
use crate::transport::Target;

/// A group in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupListing {
    /// Its id.
    pub group_id: String,
    /// What its members are: `consumer`, `connect`, or empty for a group without members.
    pub protocol_type: String,
    /// Its state, such as `Stable` or `Empty`; empty if the broker is too old to tell.
    pub state: String,
}

/// A group and its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its id.
    pub group_id: String,
    /// Its state, such as `Stable`, `Empty` or `Dead`.
    pub state: String,
    /// What its members are, such as `consumer`.
    pub protocol_type: String,
    /// The assignor in use.
    pub protocol: String,
    /// Its members.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// The id given by the coordinator.
    pub member_id: String,
    /// `group.instance.id`, if it is static.
    pub group_instance_id: Option<String>,
    /// `client.id`.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// Its partitions, if the members are consumers.
    pub assignment: Vec<TopicPartition>,
}

impl Admin {
    /// Every group, by id.
    ///
    /// # Errors
    /// A timeout, or the first node's error.
    pub async fn list_groups(&self) -> Result<Vec<GroupListing>, ClientError> {
        let mut retry = self.retry("listing groups");
        let mut groups = BTreeMap::new();
        for node in self.nodes(&mut retry).await? {
            loop {
                let build = |_| ListGroupsRequest::default();
                let response = self
                    .ask(Target::Node(node), &mut retry, i16::MAX, build)
                    .await?;
                let code = ErrorCode::from_code(response.error_code);
                if code != ErrorCode::None {
                    let operation = format!("listing groups of node {node}");
                    retry.pause(ClientError::broker(operation, code)).await?;
                    continue;
                }
                for group in response.groups {
                    groups.insert(
                        group.group_id.clone(),
                        GroupListing {
                            group_id: group.group_id,
                            protocol_type: group.protocol_type,
                            state: group.group_state,
                        },
                    );
                }
                break;
            }
        }
        Ok(groups.into_values().collect())
    }

    /// These groups with their members. A group that does not exist is `Dead`, or an error, as the
    /// broker has it.
    ///
    /// # Errors
    /// Never as a whole; each group has its own result.
    pub async fn describe_groups(
        &self,
        group_ids: &[&str],
    ) -> Result<HashMap<String, Result<GroupDescription, ClientError>>, ClientError> {
        let mut results = HashMap::with_capacity(group_ids.len());
        for group_id in group_ids {
            results.insert((*group_id).to_owned(), self.describe_group(group_id).await);
        }
        Ok(results)
    }

    async fn describe_group(&self, group_id: &str) -> Result<GroupDescription, ClientError> {
        let operation = format!("describing group {group_id}");
        let mut retry = self.retry(operation.clone());
        let coordinator = Coordinator::new(CoordinatorKind::Group, group_id);
        let build = |_| DescribeGroupsRequest {
            groups: vec![group_id.to_owned()],
            include_authorized_operations: false,
        };
        let code = |response: &DescribeGroupsResponse| {
            let code = response.groups.first().map(|group| group.error_code);
            ErrorCode::from_code(code.unwrap_or_default())
        };
        let (cluster, channel) = (&self.cluster, &self.channel);
        let call = coordinator.call(cluster, channel, &mut retry, i16::MAX, build, code);
        let response = call.await?;
        let Some(group) = response.groups.into_iter().next() else {
            let reason = "the response names no group".to_owned();
            return Err(ClientError::Protocol { operation, reason });
        };
        let code = ErrorCode::from_code(group.error_code);
        if code != ErrorCode::None {
            return Err(ClientError::broker_says(
                operation,
                code,
                group.error_message,
            ));
        }
        describe(group)
    }

    /// Deletes groups with their offsets; only empty ones can be.
    ///
    /// # Errors
    /// Never as a whole; each group has its own result.
    pub async fn delete_groups(
        &self,
        group_ids: &[&str],
    ) -> Result<HashMap<String, Result<(), ClientError>>, ClientError> {
        let mut results = HashMap::with_capacity(group_ids.len());
        for group_id in group_ids {
            results.insert((*group_id).to_owned(), self.delete_group(group_id).await);
        }
        Ok(results)
    }

    async fn delete_group(&self, group_id: &str) -> Result<(), ClientError> {
        let operation = format!("deleting group {group_id}");
        let mut retry = self.retry(operation.clone());
        let coordinator = Coordinator::new(CoordinatorKind::Group, group_id);
        let build = |_| DeleteGroupsRequest {
            groups_names: vec![group_id.to_owned()],
        };
        let code = |response: &DeleteGroupsResponse| {
            let code = response.results.first().map(|group| group.error_code);
            ErrorCode::from_code(code.unwrap_or_default())
        };
        let (cluster, channel) = (&self.cluster, &self.channel);
        let call = coordinator.call(cluster, channel, &mut retry, i16::MAX, build, code);
        match code(&call.await?) {
            ErrorCode::None => Ok(()),
            code => Err(ClientError::broker(operation, code)),
        }
    }
}

fn describe(group: DescribedGroup) -> Result<GroupDescription, ClientError> {
    let are_consumers = group.protocol_type == PROTOCOL_TYPE;
    let assignment_of = |bytes: Bytes| -> Result<Vec<TopicPartition>, ClientError> {
        if !are_consumers {
            return Ok(Vec::new());
        }
        let decoded =
            protocol::decode_assignment(bytes).map_err(|error| ClientError::Protocol {
                operation: format!("decoding an assignment of group {}", group.group_id),
                reason: error.to_string(),
            })?;
        Ok(decoded.partitions)
    };
    let mut members = Vec::with_capacity(group.members.len());
    for member in group.members {
        members.push(GroupMember {
            member_id: member.member_id,
            group_instance_id: member.group_instance_id,
            client_id: member.client_id,
            client_host: member.client_host,
            assignment: assignment_of(member.member_assignment)?,
        });
    }
    Ok(GroupDescription {
        group_id: group.group_id,
        state: group.group_state,
        protocol_type: group.protocol_type,
        protocol: group.protocol_data,
        members,
    })
}
