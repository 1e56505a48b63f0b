//! OffsetCommit.

use std::time::Duration;

use headwater_wire::ErrorCode;
use headwater_wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitResponse,
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use uuid::Uuid;

use super::consumer::offsets::{self, Permission};
use super::coordinator::{Cx, GroupCoordinator, get_or_create};
use super::effect::{Effect, Response};
use super::errors;
use super::group::{Group, State};
use super::member::NAME_MAX;
use super::offsets::CommittedOffset;
use super::records;
use crate::{Append, AppendId, Record, Time, Timestamp, Token};

/// From this version on a commit to a group that does not exist says so; before, the generation
/// was called illegal.
const GROUP_NOT_FOUND_FROM: i16 = 9;

impl GroupCoordinator {
    pub(super) fn offset_commit(
        &mut self,
        token: Token,
        version: i16,
        request: OffsetCommitRequest,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        let (groups, mut cx) = self.split(time, out);
        let group_id = request.group_id.clone();
        let generation = request.generation_id_or_member_epoch;
        let refusal = if group_id.len() > NAME_MAX {
            Some(ErrorCode::InvalidGroupId)
        } else if generation >= 0 && !groups.contains_key(group_id.as_str()) {
            Some(if version >= GROUP_NOT_FOUND_FROM {
                ErrorCode::GroupIdNotFound
            } else {
                ErrorCode::IllegalGeneration
            })
        } else {
            None
        };
        if let Some(code) = refusal {
            let response = errors::offset_commit(&request, code);
            cx.reply(cx.outbox.last(), token, Response::OffsetCommit(response));
            return;
        }
        // Without a generation the commit comes from an administrator or from a consumer that
        // assigns partitions to itself; such a group need not exist before.
        let group = get_or_create(groups, &group_id, &cx);
        let committer = Committer {
            member_id: &request.member_id,
            instance_id: request.group_instance_id.as_deref(),
            generation,
        };
        let checked = check_committer(group, &committer, false, version)
            .and_then(|permission| check_partitions(&cx, &permission, &request));
        let response = match checked {
            Err(code) => errors::offset_commit(&request, code),
            Ok(()) => {
                keep_alive(&mut cx, group, &request.member_id);
                commit(&mut cx, group, request)
            }
        };
        let written = group.written;
        cx.reply(written, token, Response::OffsetCommit(response));
    }
}

/// Who a commit says it comes from.
pub(super) struct Committer<'a> {
    pub(super) member_id: &'a str,
    pub(super) instance_id: Option<&'a str>,
    /// Negative if the committer is in no generation.
    pub(super) generation: i32,
}

/// A commit of which any partition is refused is refused as a whole, but for metadata that is too
/// long, which is told of its own partition and of nothing else.
fn check_partitions(
    cx: &Cx<'_>,
    permission: &Permission<'_>,
    request: &OffsetCommitRequest,
) -> Result<(), ErrorCode> {
    for topic in &request.topics {
        let id = if topic.topic_id.is_nil() {
            cx.topics.find(&topic.name).map(|(id, _)| id)
        } else {
            Some(topic.topic_id)
        };
        for partition in &topic.partitions {
            let metadata = partition.committed_metadata.as_deref().unwrap_or_default();
            if !is_metadata_too_long(cx, metadata) {
                permission.check(id, partition.partition_index)?;
            }
        }
    }
    Ok(())
}

/// Fences commits of former members and former generations.
pub(super) fn check_committer<'a>(
    group: &'a Group,
    committer: &Committer<'_>,
    is_transactional: bool,
    version: i16,
) -> Result<Permission<'a>, ErrorCode> {
    if let Some(consumer) = &group.consumer {
        return offsets::check_committer(consumer, committer, is_transactional, version);
    }
    check_classic_committer(group, committer, is_transactional)?;
    Ok(Permission::Everything)
}

fn check_classic_committer(
    group: &Group,
    committer: &Committer<'_>,
    is_transactional: bool,
) -> Result<(), ErrorCode> {
    if committer.generation < 0 && group.state == State::Empty {
        return Ok(());
    }
    let claims_membership = committer.generation >= 0
        || !committer.member_id.is_empty()
        || committer.instance_id.is_some();
    if claims_membership {
        group.validate_member(committer.member_id, committer.instance_id)?;
        if committer.generation != group.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
    } else if !is_transactional {
        // Old versions of TxnOffsetCommit name no member; there the transaction itself fences
        // (KIP-447 closed this for newer ones).
        return Err(ErrorCode::UnknownMemberId);
    }
    if !is_transactional && group.state == State::CompletingRebalance {
        // A member of the new generation has not got its assignment, so it owns nothing to commit.
        return Err(ErrorCode::RebalanceInProgress);
    }
    Ok(())
}

/// A commit of a member is as good as a heartbeat.
fn keep_alive(cx: &mut Cx<'_>, group: &Group, member_id: &str) {
    if let Some(member) = group.members.get(member_id) {
        cx.restart_session(&group.id, member);
    }
}

fn commit(
    cx: &mut Cx<'_>,
    group: &mut Group,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let expires_at = u64::try_from(request.retention_time_ms)
        .ok()
        .map(|retention| cx.time.wall.after(Duration::from_millis(retention)));
    let mut accepted = Vec::new();
    let mut batch: Vec<Record> = Vec::new();
    let mut response = OffsetCommitResponse::default();
    for topic in &request.topics {
        let mut results = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let metadata = partition.committed_metadata.as_deref().unwrap_or_default();
            let error = if is_metadata_too_long(cx, metadata) {
                ErrorCode::OffsetMetadataTooLarge
            } else {
                let offset = committed(cx, partition, topic.topic_id, expires_at);
                let index = partition.partition_index;
                match records::offset_record(&group.id, &topic.name, index, &offset) {
                    Ok(record) => {
                        batch.push(record);
                        accepted.push((topic.name.as_str(), index, offset));
                        ErrorCode::None
                    }
                    Err(_) => ErrorCode::InvalidCommitOffsetSize,
                }
            };
            results.push(OffsetCommitResponsePartition {
                partition_index: partition.partition_index,
                error_code: error.code(),
            });
        }
        response.topics.push(OffsetCommitResponseTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions: results,
        });
    }
    match append_offsets(cx, batch, Append::Records) {
        Err(code) => return errors::offset_commit(&request, code),
        Ok(None) => {}
        Ok(Some(written)) => {
            group.written = written;
            for (topic, partition, mut offset) in accepted {
                offset.written = written;
                group.offsets.put(topic, partition, offset);
            }
        }
    }
    response
}

/// Writes the offsets of one request as one batch, so that they are committed together.
///
/// # Errors
/// `INVALID_COMMIT_OFFSET_SIZE` if they do not fit in a batch.
pub(super) fn append_offsets(
    cx: &mut Cx<'_>,
    batch: Vec<Record>,
    append: impl FnOnce(Vec<Record>) -> Append,
) -> Result<Option<AppendId>, ErrorCode> {
    if batch.is_empty() {
        Ok(None)
    } else if cx.fits(&batch) {
        Ok(Some(cx.append(append(batch))))
    } else {
        Err(ErrorCode::InvalidCommitOffsetSize)
    }
}

pub(super) fn is_metadata_too_long(cx: &Cx<'_>, metadata: &str) -> bool {
    let limit = cx.config.offset_metadata_max;
    metadata.len() > limit && metadata.encode_utf16().count() > limit
}

fn committed(
    cx: &Cx<'_>,
    partition: &OffsetCommitRequestPartition,
    topic_id: Uuid,
    expires_at: Option<Timestamp>,
) -> CommittedOffset {
    CommittedOffset {
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata.clone().unwrap_or_default(),
        committed_at: cx.time.wall,
        expires_at,
        topic_id,
        written: AppendId::default(),
    }
}
