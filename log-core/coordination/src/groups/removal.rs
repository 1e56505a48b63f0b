//! DeleteGroups.

use headwater_wire::ErrorCode;
use headwater_wire::messages::delete_groups::{
    DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse,
};

use super::consumer::edit::end as end_consumer_group;
use super::coordinator::{Cx, GroupCoordinator};
use super::effect::{Effect, Response};
use super::group::Group;
use super::rebalance;
use super::records;
use crate::{Time, Token};

impl GroupCoordinator {
    pub(super) fn delete(
        &mut self,
        token: Token,
        request: DeleteGroupsRequest,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        let (groups, mut cx) = self.split(time, out);
        let mut results = Vec::with_capacity(request.groups_names.len());
        for group_id in request.groups_names {
            let error = match groups.get_mut(group_id.as_str()) {
                None => ErrorCode::GroupIdNotFound,
                Some(group) if !group.has_no_members() => ErrorCode::NonEmptyGroup,
                Some(group) => {
                    delete_group(&mut cx, group);
                    groups.remove(group_id.as_str());
                    ErrorCode::None
                }
            };
            results.push(DeletableGroupResult {
                group_id,
                error_code: error.code(),
            });
        }
        let response = DeleteGroupsResponse {
            results,
            ..Default::default()
        };
        cx.reply(cx.outbox.last(), token, Response::Delete(response));
    }
}

fn delete_group(cx: &mut Cx<'_>, group: &mut Group) {
    for id in std::mem::take(&mut group.pending_joins) {
        rebalance::remove(cx, group, &id);
    }
    for producer in cx.producers.values_mut() {
        producer.groups.remove(&group.id);
    }
    let mut tombstones: Vec<_> = group
        .pending_offsets
        .values()
        .chain([&group.offsets])
        .flat_map(|offsets| offsets.iter())
        .flat_map(|(topic, partition, _)| records::offset_tombstone(&group.id, topic, partition))
        .collect();
    if group.consumer.is_some() {
        tombstones.extend(end_consumer_group(cx, group));
    } else {
        tombstones.extend(records::group_tombstone(&group.id));
    }
    cx.append_in_batches(group, tombstones);
}
