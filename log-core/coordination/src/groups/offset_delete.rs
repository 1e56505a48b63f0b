//! OffsetDelete (KIP-496).

use headwater_wire::ErrorCode;
use headwater_wire::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
};

use super::coordinator::{Cx, GroupCoordinator};
use super::effect::{Effect, Response};
use super::group::Group;
use super::records;
use crate::{Time, Token};

impl GroupCoordinator {
    pub(super) fn offset_delete(
        &mut self,
        token: Token,
        request: OffsetDeleteRequest,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        let (groups, mut cx) = self.split(time, out);
        let result = match groups.get_mut(request.group_id.as_str()) {
            _ if request.group_id.is_empty() => Err(ErrorCode::InvalidGroupId),
            None => Err(ErrorCode::GroupIdNotFound),
            Some(group) if !can_lose_offsets(group) => Err(ErrorCode::NonEmptyGroup),
            Some(group) => Ok(delete(&mut cx, group, request)),
        };
        let response = result.unwrap_or_else(|code| OffsetDeleteResponse {
            error_code: code.code(),
            ..Default::default()
        });
        cx.reply(cx.outbox.last(), token, Response::OffsetDelete(response));
    }
}

/// Of members that are no consumers nobody knows what they use.
fn can_lose_offsets(group: &Group) -> bool {
    group.consumer.is_some() || group.has_no_members() || group.uses_consumer_protocol()
}

fn delete(
    cx: &mut Cx<'_>,
    group: &mut Group,
    request: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    let mut tombstones = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let is_in_use = group.is_subscribed_to(&topic.name);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in topic.partitions {
            let index = partition.partition_index;
            let error = if is_in_use {
                ErrorCode::GroupSubscribedToTopic
            } else {
                if group.offsets.get(&topic.name, index).is_some()
                    || group.has_pending_offset(&topic.name, index)
                {
                    tombstones.extend(records::offset_tombstone(&group.id, &topic.name, index));
                    group.drop_offset(&topic.name, index);
                }
                ErrorCode::None
            };
            partitions.push(OffsetDeleteResponsePartition {
                partition_index: index,
                error_code: error.code(),
            });
        }
        topics.push(OffsetDeleteResponseTopic {
            name: topic.name,
            partitions,
        });
    }
    cx.append_in_batches(group, tombstones);
    OffsetDeleteResponse {
        topics,
        ..Default::default()
    }
}
