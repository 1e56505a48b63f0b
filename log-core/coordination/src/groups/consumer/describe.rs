//! ConsumerGroupDescribe.

use std::collections::{BTreeMap, BTreeSet};

use headwater_wire::ErrorCode;
use headwater_wire::messages::consumer_group_describe::{
    Assignment, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, DescribedGroup,
    Member, TopicPartitions,
};
use uuid::Uuid;

use super::assignment::without_epochs;
use super::assignors::Assignor;
use super::group::ConsumerGroup;
use super::heartbeat::not_a_consumer_group;
use super::member::ConsumerMember;
use crate::groups::coordinator::GroupCoordinator;
use crate::groups::effect::{Effect, Response};
use crate::groups::topics::Topics;
use crate::{Time, Token};

/// Types of members, as Kafka numbers them.
const CLASSIC: i8 = 0;
const CONSUMER: i8 = 1;

impl GroupCoordinator {
    pub(in crate::groups) fn consumer_describe(
        &mut self,
        token: Token,
        request: ConsumerGroupDescribeRequest,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        let (groups, mut cx) = self.split(time, out);
        let described = request
            .group_ids
            .into_iter()
            .map(|id| {
                let group = groups
                    .get(id.as_str())
                    .and_then(|group| group.consumer.as_deref());
                match group {
                    None if id.is_empty() => DescribedGroup {
                        error_code: ErrorCode::InvalidGroupId.code(),
                        ..Default::default()
                    },
                    Some(group) => describe(id, group, cx.topics, cx.config.default_assignor()),
                    None => {
                        let refusal = not_a_consumer_group(&id);
                        DescribedGroup {
                            error_code: refusal.code.code(),
                            error_message: Some(refusal.message),
                            group_id: id,
                            ..Default::default()
                        }
                    }
                }
            })
            .collect();
        let response = ConsumerGroupDescribeResponse {
            groups: described,
            ..Default::default()
        };
        cx.reply(
            cx.outbox.last(),
            token,
            Response::ConsumerDescribe(response),
        );
    }
}

fn describe(
    group_id: String,
    group: &ConsumerGroup,
    topics: &Topics,
    default: Assignor,
) -> DescribedGroup {
    DescribedGroup {
        group_id,
        group_state: group.state().name().to_owned(),
        group_epoch: group.epoch,
        assignment_epoch: group.target_epoch,
        assignor_name: group.assignor(default).name().to_owned(),
        members: group
            .members
            .values()
            .map(|member| describe_member(group, member, topics))
            .collect(),
        ..Default::default()
    }
}

fn describe_member(group: &ConsumerGroup, member: &ConsumerMember, topics: &Topics) -> Member {
    let metadata = &member.metadata;
    // What it has yet to give up is still its own.
    let mut owned = without_epochs(&member.current.assigned);
    for (topic, partitions) in without_epochs(&member.current.revoking) {
        owned.entry(topic).or_default().extend(partitions);
    }
    Member {
        member_id: member.id.to_string(),
        instance_id: metadata.instance_id.clone(),
        rack_id: metadata.rack_id.clone(),
        member_epoch: member.current.epoch,
        client_id: metadata.client.id.clone(),
        client_host: metadata.client.host.clone(),
        subscribed_topic_names: metadata.topics.iter().cloned().collect(),
        subscribed_topic_regex: Some(metadata.regex.clone()),
        assignment: named(&owned, topics),
        target_assignment: named(&group.target_of(&member.id), topics),
        member_type: if member.uses_classic_protocol() {
            CLASSIC
        } else {
            CONSUMER
        },
    }
}

/// With the names of the topics; those that do not exist any more are left out.
fn named(partitions: &BTreeMap<Uuid, BTreeSet<i32>>, topics: &Topics) -> Assignment {
    let topic_partitions = partitions
        .iter()
        .filter_map(|(topic_id, of_topic)| {
            Some(TopicPartitions {
                topic_id: *topic_id,
                topic_name: topics.name_of(*topic_id)?.to_owned(),
                partitions: of_topic.iter().copied().collect(),
            })
        })
        .collect();
    Assignment { topic_partitions }
}
