//! OffsetFetch, from version 8 for several groups at once.

use headwater_wire::ErrorCode;
use headwater_wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse, OffsetFetchResponseGroup,
    OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use uuid::Uuid;

use super::consumer::offsets::check_fetch;
use super::coordinator::GroupCoordinator;
use super::effect::{Effect, Response};
use super::group::Group;
use super::offsets::CommittedOffset;
use crate::{Time, Token};

/// From this version on the request names groups in a list.
pub(super) const BATCHED_FROM: i16 = 8;
/// Answered where nothing is committed.
const NO_OFFSET: i64 = -1;
const NO_EPOCH: i32 = -1;

impl GroupCoordinator {
    pub(super) fn offset_fetch(
        &mut self,
        token: Token,
        version: i16,
        request: OffsetFetchRequest,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        let (groups, mut cx) = self.split(time, out);
        let mut written = crate::AppendId::default();
        let mut find = |id: &str| {
            let group = groups.get(id);
            written = written.max(group.map_or_else(|| cx.outbox.last(), |group| group.written));
            group
        };
        let stable = request.require_stable;
        let response = if version >= BATCHED_FROM {
            let groups = request
                .groups
                .into_iter()
                .map(|wanted| fetch_group(find(&wanted.group_id), wanted, stable))
                .collect();
            OffsetFetchResponse {
                groups,
                ..Default::default()
            }
        } else {
            let group = find(&request.group_id);
            let topics = match request.topics {
                None => all_topics(group)
                    .map(|(name, indexes)| fetch_topic(group, name, &indexes, stable))
                    .collect(),
                Some(topics) => topics
                    .into_iter()
                    .map(|topic| fetch_topic(group, topic.name, &topic.partition_indexes, stable))
                    .collect(),
            };
            OffsetFetchResponse {
                topics,
                ..Default::default()
            }
        };
        cx.reply(written, token, Response::OffsetFetch(response));
    }
}

/// Every partition with a committed offset. Where the first is still pending there is nothing yet.
fn all_topics(group: Option<&Group>) -> impl Iterator<Item = (String, Vec<i32>)> {
    group
        .into_iter()
        .flat_map(|group| group.offsets.topics())
        .map(|(topic, partitions)| (topic.clone(), partitions.keys().copied().collect()))
}

fn fetch_group(
    group: Option<&Group>,
    wanted: OffsetFetchRequestGroup,
    require_stable: bool,
) -> OffsetFetchResponseGroup {
    if let Some(consumer) = group.and_then(|group| group.consumer.as_deref())
        && let Err(code) = check_fetch(consumer, wanted.member_id.as_deref(), wanted.member_epoch)
    {
        return OffsetFetchResponseGroup {
            group_id: wanted.group_id,
            error_code: code.code(),
            ..Default::default()
        };
    }
    let topic = |name: String, topic_id: Uuid, indexes: &[i32]| OffsetFetchResponseTopics {
        partitions: indexes
            .iter()
            .map(|index| {
                let found = look_up(group, &name, topic_id, *index, require_stable);
                OffsetFetchResponsePartitions {
                    partition_index: *index,
                    committed_offset: found.offset,
                    committed_leader_epoch: found.leader_epoch,
                    metadata: Some(found.metadata.to_owned()),
                    error_code: found.error.code(),
                }
            })
            .collect(),
        name,
        topic_id,
    };
    let topics = match wanted.topics {
        None => all_topics(group)
            .map(|(name, indexes)| topic(name, Uuid::nil(), &indexes))
            .collect(),
        Some(topics) => topics
            .into_iter()
            .map(|wanted| topic(wanted.name, wanted.topic_id, &wanted.partition_indexes))
            .collect(),
    };
    OffsetFetchResponseGroup {
        group_id: wanted.group_id,
        topics,
        ..Default::default()
    }
}

fn fetch_topic(
    group: Option<&Group>,
    name: String,
    indexes: &[i32],
    require_stable: bool,
) -> OffsetFetchResponseTopic {
    let partitions = indexes
        .iter()
        .map(|index| {
            let found = look_up(group, &name, Uuid::nil(), *index, require_stable);
            OffsetFetchResponsePartition {
                partition_index: *index,
                committed_offset: found.offset,
                committed_leader_epoch: found.leader_epoch,
                metadata: Some(found.metadata.to_owned()),
                error_code: found.error.code(),
            }
        })
        .collect();
    OffsetFetchResponseTopic { name, partitions }
}

struct Found<'a> {
    offset: i64,
    leader_epoch: i32,
    metadata: &'a str,
    error: ErrorCode,
}

fn look_up<'a>(
    group: Option<&'a Group>,
    topic: &str,
    topic_id: Uuid,
    partition: i32,
    require_stable: bool,
) -> Found<'a> {
    let nothing = |error| Found {
        offset: NO_OFFSET,
        leader_epoch: NO_EPOCH,
        metadata: "",
        error,
    };
    let Some(group) = group else {
        return nothing(ErrorCode::None);
    };
    if require_stable && group.has_pending_offset(topic, partition) {
        // The answer is about to change; whoever restarts from it would process twice (KIP-447).
        return nothing(ErrorCode::UnstableOffsetCommit);
    }
    match group.offsets.get(topic, partition) {
        None => nothing(ErrorCode::None),
        // It was committed for another topic of the same name.
        Some(found) if !topic_id.is_nil() && !found.is_of(topic_id) => nothing(ErrorCode::None),
        Some(CommittedOffset {
            offset,
            leader_epoch,
            metadata,
            ..
        }) => Found {
            offset: *offset,
            leader_epoch: *leader_epoch,
            metadata,
            error: ErrorCode::None,
        },
    }
}
