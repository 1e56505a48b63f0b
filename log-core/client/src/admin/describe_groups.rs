//! Groups with their members, of either protocol.

use std::collections::HashMap;

use bytes::Bytes;
use headwater_wire::messages::consumer_group_describe::{
    Assignment, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse,
    DescribedGroup as DescribedConsumerGroup,
};
use headwater_wire::messages::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup,
};

use super::drive::{ByCoordinator, Results, checked};
use super::groups::is_absent;
use super::{Admin, GroupState, GroupType};
use crate::TopicPartition;
use crate::consumer::protocol::{self, PROTOCOL_TYPE};
use crate::coordinator::CoordinatorKind;
use crate::error::ClientError;

/// A group and its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its id.
    pub group_id: String,
    /// Its protocol.
    pub group_type: GroupType,
    /// Its state.
    pub state: GroupState,
    /// What its members are, such as `consumer`.
    pub protocol_type: String,
    /// The assignor in use.
    pub protocol: String,
    /// The node that coordinates it.
    pub coordinator: i32,
    /// KIP-848: how often the group has changed.
    pub epoch: Option<i32>,
    /// KIP-848: the epoch that the assignment was made for.
    pub assignment_epoch: Option<i32>,
    /// Its members.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// The id given by the coordinator, or chosen by the member under KIP-848.
    pub member_id: String,
    /// `group.instance.id`, if it is static.
    pub group_instance_id: Option<String>,
    /// `client.id`.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// `client.rack`, where the protocol tells it.
    pub rack_id: Option<String>,
    /// KIP-848: the epoch that it has reached.
    pub epoch: Option<i32>,
    /// The topics that it names, if the members are consumers.
    pub subscribed_topics: Vec<String>,
    /// KIP-848: the pattern of the topics that it wants.
    pub subscribed_topic_regex: Option<String>,
    /// Its partitions, if the members are consumers.
    pub assignment: Vec<TopicPartition>,
    /// KIP-848: the partitions that it is on its way to.
    pub target_assignment: Option<Vec<TopicPartition>>,
    /// Whether it speaks KIP-848, where a group may have members of both protocols.
    pub is_upgraded: Option<bool>,
}

impl Admin {
    /// These groups with their members, of whichever protocol. A group that does not exist is
    /// [`GroupState::Dead`], or an error, as the broker has it.
    ///
    /// # Errors
    /// If nothing could be asked; each group has its own result.
    pub async fn describe_groups(
        &self,
        group_ids: &[&str],
    ) -> Result<HashMap<String, Result<GroupDescription, ClientError>>, ClientError> {
        let mut results = match self.describe_consumer_groups(group_ids).await {
            Ok(results) => results,
            Err(error) if is_absent(&error) => HashMap::new(),
            Err(error) => return Err(error),
        };
        let is_open = |group: &&str| match results.get(*group) {
            Some(Err(error)) => is_absent(error),
            Some(Ok(_)) => false,
            None => true,
        };
        let others: Vec<&str> = group_ids.iter().copied().filter(is_open).collect();
        if !others.is_empty() {
            results.extend(self.describe_classic_groups(&others).await?);
        }
        Ok(results)
    }

    /// Groups of the KIP-848 protocol; any other is an error.
    ///
    /// # Errors
    /// If nothing could be asked, also of a broker older than the protocol; each group has its own
    /// result.
    pub async fn describe_consumer_groups(
        &self,
        group_ids: &[&str],
    ) -> Result<HashMap<String, Result<GroupDescription, ClientError>>, ClientError> {
        let build = |_, groups: &[String]| ConsumerGroupDescribeRequest {
            group_ids: groups.to_vec(),
            include_authorized_operations: false,
        };
        let read = |node, _: &[String], response: ConsumerGroupDescribeResponse| {
            let described = response.groups.into_iter().map(|mut group| {
                let id = group.group_id.clone();
                let operation = || format!("describing group {id}");
                let message = group.error_message.take();
                let described = checked(group.error_code, message, operation);
                (id, described.map(|()| consumer_group(node, group)))
            });
            described.collect()
        };
        self.describe_by(group_ids, build, read).await
    }

    /// Groups of the classic protocol; others are [`GroupState::Dead`], or an error, as the broker
    /// has it.
    ///
    /// # Errors
    /// If nothing could be asked; each group has its own result.
    pub async fn describe_classic_groups(
        &self,
        group_ids: &[&str],
    ) -> Result<HashMap<String, Result<GroupDescription, ClientError>>, ClientError> {
        let build = |_, groups: &[String]| DescribeGroupsRequest {
            groups: groups.to_vec(),
            include_authorized_operations: false,
        };
        let read = |node, _: &[String], response: DescribeGroupsResponse| {
            let described = response.groups.into_iter().map(|mut group| {
                let id = group.group_id.clone();
                let operation = || format!("describing group {id}");
                let message = group.error_message.take();
                let described = checked(group.error_code, message, operation);
                (id, described.and_then(|()| classic_group(node, group)))
            });
            described.collect()
        };
        self.describe_by(group_ids, build, read).await
    }

    async fn describe_by<R>(
        &self,
        group_ids: &[&str],
        build: impl Fn(i16, &[String]) -> R,
        read: impl Fn(
            i32,
            &[String],
            R::Response,
        ) -> Vec<(String, Result<GroupDescription, ClientError>)>,
    ) -> Result<Results<String, GroupDescription>, ClientError>
    where
        R: headwater_wire::Request + Into<headwater_wire::RequestKind>,
        R::Response: TryFrom<headwater_wire::ResponseKind>,
    {
        let groups = group_ids.iter().map(|group| (*group).to_owned());
        let route = ByCoordinator::new(CoordinatorKind::Group);
        self.drive("describing groups", route, groups, build, read)
            .await
    }
}

fn consumer_group(coordinator: i32, group: DescribedConsumerGroup) -> GroupDescription {
    let members = group.members.into_iter().map(|member| GroupMember {
        member_id: member.member_id,
        group_instance_id: member.instance_id,
        client_id: member.client_id,
        client_host: member.client_host,
        rack_id: member.rack_id,
        epoch: Some(member.member_epoch),
        subscribed_topics: member.subscribed_topic_names,
        subscribed_topic_regex: member
            .subscribed_topic_regex
            .filter(|regex| !regex.is_empty()),
        assignment: partitions(member.assignment),
        target_assignment: Some(partitions(member.target_assignment)),
        is_upgraded: match member.member_type {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
    });
    GroupDescription {
        group_type: GroupType::Consumer,
        state: GroupState::from_name(group.group_state),
        protocol_type: PROTOCOL_TYPE.to_owned(),
        protocol: group.assignor_name,
        coordinator,
        epoch: Some(group.group_epoch),
        assignment_epoch: Some(group.assignment_epoch),
        members: members.collect(),
        group_id: group.group_id,
    }
}

fn partitions(assignment: Assignment) -> Vec<TopicPartition> {
    let mut partitions = Vec::new();
    for topic in assignment.topic_partitions {
        let name: std::sync::Arc<str> = topic.topic_name.into();
        let of_topic = topic.partitions.into_iter();
        partitions.extend(of_topic.map(|p| TopicPartition::new(name.clone(), p)));
    }
    partitions.sort();
    partitions
}

fn classic_group(coordinator: i32, group: DescribedGroup) -> Result<GroupDescription, ClientError> {
    let are_consumers = group.protocol_type == PROTOCOL_TYPE;
    let malformed = |what: &str, reason: String| ClientError::Protocol {
        operation: format!("decoding {what} of group {}", group.group_id),
        reason,
    };
    let assignment_of = |bytes: Bytes| -> Result<Vec<TopicPartition>, ClientError> {
        if !are_consumers {
            return Ok(Vec::new());
        }
        let decoded = protocol::decode_assignment(bytes)
            .map_err(|error| malformed("an assignment", error.to_string()))?;
        let mut partitions = decoded.partitions;
        partitions.sort();
        Ok(partitions)
    };
    // A group between two generations has members without metadata.
    let topics_of = |bytes: Bytes| -> Result<Vec<String>, ClientError> {
        if !are_consumers || bytes.is_empty() {
            return Ok(Vec::new());
        }
        protocol::decode_subscription(bytes, None)
            .map(|subscription| subscription.topics.into_iter().collect())
            .map_err(|error| malformed("a subscription", error.to_string()))
    };
    let mut members = Vec::with_capacity(group.members.len());
    for member in group.members {
        members.push(GroupMember {
            member_id: member.member_id,
            group_instance_id: member.group_instance_id,
            client_id: member.client_id,
            client_host: member.client_host,
            rack_id: None,
            epoch: None,
            subscribed_topics: topics_of(member.member_metadata)?,
            subscribed_topic_regex: None,
            assignment: assignment_of(member.member_assignment)?,
            target_assignment: None,
            is_upgraded: None,
        });
    }
    Ok(GroupDescription {
        group_id: group.group_id,
        group_type: GroupType::Classic,
        state: GroupState::from_name(group.group_state),
        protocol_type: group.protocol_type,
        protocol: group.protocol_data,
        coordinator,
        epoch: None,
        assignment_epoch: None,
        members,
    })
}
