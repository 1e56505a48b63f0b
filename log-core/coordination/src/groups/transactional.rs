//! Offsets committed as part of a transaction (KIP-98, KIP-447): pending until its marker.

use std::collections::BTreeSet;

use headwater_wire::ErrorCode;
use headwater_wire::messages::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
};
use uuid::Uuid;

use super::consumer::offsets::Permission;
use super::coordinator::{Cx, GroupCoordinator, Producer, get_or_create};
use super::effect::{Effect, Response};
use super::errors;
use super::group::Group;
use super::member::NAME_MAX;
use super::offset_commit::{Committer, append_offsets, check_committer, is_metadata_too_long};
use super::offsets::CommittedOffset;
use super::records;
use crate::{Append, AppendId, Marker, ProducerIdentity, Record, Time, Token};

impl GroupCoordinator {
    pub(super) fn txn_offset_commit(
        &mut self,
        token: Token,
        version: i16,
        request: TxnOffsetCommitRequest,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        let (groups, mut cx) = self.split(time, out);
        let group_id = request.group_id.clone();
        let refusal = if group_id.is_empty() || group_id.len() > NAME_MAX {
            Some(ErrorCode::InvalidGroupId)
        } else if request.generation_id >= 0 && !groups.contains_key(group_id.as_str()) {
            Some(ErrorCode::IllegalGeneration)
        } else {
            check_producer(&cx, &request).err()
        };
        if let Some(code) = refusal {
            let response = errors::txn_offset_commit(&request, code);
            cx.reply(cx.outbox.last(), token, Response::TxnOffsetCommit(response));
            return;
        }
        let group = get_or_create(groups, &group_id, &cx);
        let committer = Committer {
            member_id: &request.member_id,
            instance_id: request.group_instance_id.as_deref(),
            generation: request.generation_id,
        };
        let checked = check_committer(group, &committer, true, version)
            .and_then(|permission| check_partitions(&cx, &permission, &request))
            // There is no error of its own for epochs in this API.
            .map_err(|code| match code {
                ErrorCode::StaleMemberEpoch => ErrorCode::IllegalGeneration,
                other => other,
            });
        let response = match checked {
            Err(code) => errors::txn_offset_commit(&request, code),
            Ok(()) => commit(&mut cx, group, &request),
        };
        let written = group.written;
        cx.reply(written, token, Response::TxnOffsetCommit(response));
    }

    /// Writes the end of a transaction and makes its offsets visible, or forgets them.
    pub(super) fn end_transaction(
        &mut self,
        token: Token,
        marker: Marker,
        time: Time,
        out: &mut Vec<Effect>,
    ) {
        let is_stale = self
            .producers
            .get(&marker.producer.id)
            .is_some_and(|producer| producer.is_past(&marker));
        if is_stale {
            // A later marker has been here: what this one would end has ended.
            let (_, mut cx) = self.split(time, out);
            cx.reply(cx.outbox.last(), token, Response::MarkerWritten);
            return;
        }
        let (_, mut cx) = self.split(time, out);
        let written = cx.append(Append::Marker(marker));
        cx.reply(written, token, Response::MarkerWritten);
        self.apply_marker(marker, time, written);
    }

    /// Ends the producer's transaction in every group it has committed offsets to.
    pub(super) fn apply_marker(&mut self, marker: Marker, time: Time, written: AppendId) {
        let producer = self
            .producers
            .entry(marker.producer.id)
            .or_insert_with(|| Producer {
                epoch: marker.producer.epoch,
                last_seen: time.wall,
                groups: BTreeSet::new(),
            });
        producer.epoch = producer.epoch.max(marker.producer.epoch);
        producer.last_seen = time.wall;
        for id in std::mem::take(&mut producer.groups) {
            if let Some(group) = self.groups.get_mut(&id) {
                group.end_transaction(marker.producer.id, marker.committed);
                group.written = written;
            }
        }
    }
}

fn check_partitions(
    cx: &Cx<'_>,
    permission: &Permission<'_>,
    request: &TxnOffsetCommitRequest,
) -> Result<(), ErrorCode> {
    for topic in &request.topics {
        let id = cx.topics.find(&topic.name).map(|(id, _)| id);
        for partition in &topic.partitions {
            let metadata = partition.committed_metadata.as_deref().unwrap_or_default();
            if !is_metadata_too_long(cx, metadata) {
                permission.check(id, partition.partition_index)?;
            }
        }
    }
    Ok(())
}

impl Producer {
    /// Whether the marker was meant for a transaction before the latest one: its epoch is older, or
    /// one that no record of its transaction had, and there are records of it (KIP-890).
    fn is_past(&self, marker: &Marker) -> bool {
        let epoch = marker.producer.epoch;
        let began_anew = marker.bumps_epoch && epoch != i16::MAX && !self.groups.is_empty();
        self.epoch > epoch || (self.epoch == epoch && began_anew)
    }
}

fn check_producer(cx: &Cx<'_>, request: &TxnOffsetCommitRequest) -> Result<(), ErrorCode> {
    if request.producer_id < 0 || request.producer_epoch < 0 {
        return Err(ErrorCode::InvalidProducerIdMapping);
    }
    match cx.producers.get(&request.producer_id) {
        Some(producer) if producer.epoch > request.producer_epoch => {
            Err(ErrorCode::InvalidProducerEpoch)
        }
        _ => Ok(()),
    }
}

fn commit(
    cx: &mut Cx<'_>,
    group: &mut Group,
    request: &TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    let mut accepted = Vec::new();
    let mut batch: Vec<Record> = Vec::new();
    let mut response = TxnOffsetCommitResponse::default();
    for topic in &request.topics {
        let mut results = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let index = partition.partition_index;
            let metadata = partition.committed_metadata.clone().unwrap_or_default();
            let error = if is_metadata_too_long(cx, &metadata) {
                ErrorCode::OffsetMetadataTooLarge
            } else {
                let offset = CommittedOffset {
                    offset: partition.committed_offset,
                    leader_epoch: partition.committed_leader_epoch,
                    metadata,
                    committed_at: cx.time.wall,
                    expires_at: None,
                    topic_id: Uuid::nil(),
                    written: AppendId::default(),
                };
                match records::offset_record(&group.id, &topic.name, index, &offset) {
                    Ok(record) => {
                        batch.push(record);
                        accepted.push((topic.name.as_str(), index, offset));
                        ErrorCode::None
                    }
                    Err(_) => ErrorCode::InvalidCommitOffsetSize,
                }
            };
            results.push(TxnOffsetCommitResponsePartition {
                partition_index: index,
                error_code: error.code(),
            });
        }
        response.topics.push(TxnOffsetCommitResponseTopic {
            name: topic.name.clone(),
            partitions: results,
        });
    }
    let identity = ProducerIdentity {
        id: request.producer_id,
        epoch: request.producer_epoch,
    };
    match append_offsets(cx, batch, |batch| Append::Transactional(identity, batch)) {
        Err(code) => return errors::txn_offset_commit(request, code),
        Ok(None) => {}
        Ok(Some(written)) => {
            group.written = written;
            note_open(cx, identity, group);
            for (topic, partition, mut offset) in accepted {
                offset.written = written;
                group.put_pending(identity.id, topic, partition, offset);
            }
        }
    }
    response
}

fn note_open(cx: &mut Cx<'_>, identity: ProducerIdentity, group: &Group) {
    let producer = cx.producers.entry(identity.id).or_insert_with(|| Producer {
        epoch: identity.epoch,
        last_seen: cx.time.wall,
        groups: BTreeSet::new(),
    });
    producer.epoch = identity.epoch;
    producer.last_seen = cx.time.wall;
    producer.groups.insert(group.id.clone());
}
