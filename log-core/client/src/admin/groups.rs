//! Groups: listed, deleted, and members put out of them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use headwater_wire::ErrorCode;
use headwater_wire::messages::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use headwater_wire::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use headwater_wire::messages::list_groups::ListGroupsRequest;

use super::Admin;
use super::drive::{ByCoordinator, Results, checked, unanswered};
use super::named::named;
use crate::coordinator::CoordinatorKind;
use crate::error::ClientError;
use crate::transport::Target;

named! {
    /// The state of a group, of either protocol.
    pub enum GroupState {
        /// Classic: members are joining.
        PreparingRebalance = "PreparingRebalance",
        /// Classic: members wait for the leader's assignment.
        CompletingRebalance = "CompletingRebalance",
        /// Every member has its assignment.
        Stable = "Stable",
        /// There is no such group, or it is being removed.
        Dead = "Dead",
        /// It has offsets but no members.
        Empty = "Empty",
        /// KIP-848: the coordinator is making an assignment.
        Assigning = "Assigning",
        /// KIP-848: members are on their way to the assignment.
        Reconciling = "Reconciling",
        /// A streams group that lacks its topics.
        NotReady = "NotReady",
    }
}

named! {
    /// The protocol that a group's members speak.
    pub enum GroupType {
        /// JoinGroup and SyncGroup: consumers, Connect workers and others.
        Classic = "classic",
        /// KIP-848.
        Consumer = "consumer",
        /// KIP-932.
        Share = "share",
        /// KIP-1071.
        Streams = "streams",
    }
}

/// Which groups to list; empty lists leave none out.
#[derive(Clone, Debug, Default)]
pub struct ListGroupsOptions {
    /// States, as Kafka names them (KIP-518).
    pub states: Vec<String>,
    /// Types, as Kafka names them (KIP-848).
    pub types: Vec<String>,
}

/// A group in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupListing {
    /// Its id.
    pub group_id: String,
    /// What its members are: `consumer`, `connect`, or empty for a group without members.
    pub protocol_type: String,
    /// Its state.
    pub state: GroupState,
    /// Its protocol.
    pub group_type: GroupType,
}

/// A member to be put out of its group (KIP-345).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MemberToRemove {
    /// A static member, by its `group.instance.id`.
    Static(String),
    /// Any member, by the id that the coordinator gave it.
    Dynamic(String),
}

impl fmt::Display for MemberToRemove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(id) | Self::Dynamic(id) => f.write_str(id),
        }
    }
}

impl Admin {
    /// The groups that `options` let through, by id; every node is asked for its own.
    ///
    /// # Errors
    /// A timeout, or the first node's error; [`ClientError::UnsupportedVersion`] from a broker that
    /// cannot filter as asked.
    pub async fn list_groups(
        &self,
        options: &ListGroupsOptions,
    ) -> Result<Vec<GroupListing>, ClientError> {
        let operation = "listing groups";
        let mut retry = self.retry(operation);
        let mut groups = BTreeMap::new();
        for node in self.nodes(&mut retry).await? {
            loop {
                let build = |_| ListGroupsRequest {
                    states_filter: options.states.clone(),
                    types_filter: options.types.clone(),
                };
                let response = self
                    .ask(Target::Node(node), &mut retry, i16::MAX, build)
                    .await?;
                let asked = || format!("{operation} of node {node}");
                if let Err(error) = checked(response.error_code, None, asked) {
                    retry.pause(error).await?;
                    continue;
                }
                for group in response.groups {
                    let listing = GroupListing {
                        group_id: group.group_id.clone(),
                        protocol_type: group.protocol_type,
                        state: GroupState::from_name(group.group_state),
                        group_type: GroupType::from_name(group.group_type),
                    };
                    groups.insert(group.group_id, listing);
                }
                break;
            }
        }
        Ok(groups.into_values().collect())
    }

    /// Deletes groups with their offsets; only groups without members can be.
    ///
    /// # Errors
    /// If nothing could be asked; each group has its own result.
    pub async fn delete_groups(
        &self,
        group_ids: &[&str],
    ) -> Result<HashMap<String, Result<(), ClientError>>, ClientError> {
        let build = |_, groups: &[String]| DeleteGroupsRequest {
            groups_names: groups.to_vec(),
        };
        let read = |_, _: &[String], response: DeleteGroupsResponse| {
            let results = response.results.into_iter().map(|result| {
                let operation = || format!("deleting group {}", result.group_id);
                let deleted = checked(result.error_code, None, operation);
                (result.group_id, deleted)
            });
            results.collect()
        };
        let groups = group_ids.iter().map(|group| (*group).to_owned());
        let route = ByCoordinator::new(CoordinatorKind::Group);
        self.drive("deleting groups", route, groups, build, read)
            .await
    }

    /// Puts members out of a group; `reason` shows in the coordinator's log (KIP-800). Each member
    /// has its own result.
    ///
    /// # Errors
    /// The coordinator's, or a timeout.
    pub async fn remove_members_from_consumer_group(
        &self,
        group_id: &str,
        members: &[MemberToRemove],
        reason: &str,
    ) -> Result<HashMap<MemberToRemove, Result<(), ClientError>>, ClientError> {
        let operation = format!("removing members of group {group_id}");
        let identities: Vec<MemberIdentity> = members
            .iter()
            .map(|member| {
                let (member_id, group_instance_id) = match member {
                    MemberToRemove::Static(id) => (String::new(), Some(id.clone())),
                    MemberToRemove::Dynamic(id) => (id.clone(), None),
                };
                MemberIdentity {
                    member_id,
                    group_instance_id,
                    reason: Some(reason.to_owned()),
                }
            })
            .collect();
        let build = |_, _: &[String]| LeaveGroupRequest {
            group_id: group_id.to_owned(),
            members: identities.clone(),
            ..LeaveGroupRequest::default()
        };
        let read =
            |_,
             asked: &[String],
             response: headwater_wire::messages::leave_group::LeaveGroupResponse| {
                let whole = checked(response.error_code, None, || operation.clone());
                let answer = whole.map(|()| response.members);
                asked
                    .iter()
                    .take(1)
                    .map(|key| (key.clone(), answer.clone()))
                    .collect()
            };
        let route = ByCoordinator::new(CoordinatorKind::Group);
        let mut answered = self
            .drive(&operation, route, [group_id.to_owned()], build, read)
            .await?;
        let answers = answered
            .remove(group_id)
            .unwrap_or_else(|| Err(unanswered(operation.clone())))?;
        let mut results = Results::new();
        for member in members {
            let answer = answers.iter().find(|answer| match member {
                MemberToRemove::Static(id) => answer.group_instance_id.as_ref() == Some(id),
                MemberToRemove::Dynamic(id) => answer.member_id == *id,
            });
            let removing = || format!("removing member {member} of group {group_id}");
            let result = match answer {
                Some(answer) => checked(answer.error_code, None, removing),
                None => Err(unanswered(removing())),
            };
            results.insert(member.clone(), result);
        }
        Ok(results)
    }
}

/// Whether the coordinator says that there is no such group, or none that it describes this way.
pub(super) fn is_absent(error: &ClientError) -> bool {
    matches!(error, ClientError::UnsupportedVersion { .. })
        || matches!(
            error.code(),
            Some(ErrorCode::GroupIdNotFound | ErrorCode::UnsupportedVersion)
        )
}
