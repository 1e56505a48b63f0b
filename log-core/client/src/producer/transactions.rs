//! The calls of a transactional producer: in transactions of version 1 partitions and groups are
//! added by requests of their own (KIP-98, KIP-447); in those of version 2 writing adds them, and
//! the end brings the next epoch (KIP-890).

use std::collections::HashMap;
use std::time::Duration;

use headwater_wire::ErrorCode;
use headwater_wire::messages::add_offsets_to_txn::AddOffsetsToTxnRequest;
use headwater_wire::messages::add_partitions_to_txn::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, AddPartitionsToTxnTopic,
};
use headwater_wire::messages::end_txn::EndTxnRequest;
use headwater_wire::messages::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
    TxnOffsetCommitResponse,
};

use super::core::{Core, Transactional};
use super::sequence::Identity;
use crate::consumer::ConsumerGroupMetadata;
use crate::coordinator::is_elsewhere;
use crate::error::ClientError;
use crate::retry::Retry;
use crate::{OffsetAndMetadata, TopicPartition};

/// How soon the first call of a transaction is tried again while the last one is being ended: it
/// usually takes a few milliseconds.
const ENDING_PAUSE: Duration = Duration::from_millis(5);

/// What a transactional call needs at hand.
struct Call<'a> {
    transactional: &'a Transactional,
    identity: Identity,
    retry: Retry,
}

impl<'a> Call<'a> {
    fn new(core: &'a Core, operation: &str) -> Result<Self, ClientError> {
        let Some(transactional) = &core.transactional else {
            return Err(ClientError::IllegalState(format!(
                "{operation} needs a transactional.id"
            )));
        };
        let Some(identity) = *core.identity.lock() else {
            let reason = format!("{operation} needs init_transactions first");
            return Err(ClientError::IllegalState(reason));
        };
        let operation = format!("{operation} of transactional id {}", transactional.id);
        let retry = Retry::new(operation, core.config().max_block, &core.cluster.config);
        Ok(Self {
            transactional,
            identity,
            retry,
        })
    }

    /// The highest version of the requests whose last version is for transactions of version 2.
    fn version_max(&self) -> i16 {
        if self.transactional.state.lock().is_v2() {
            5
        } else {
            4
        }
    }

    /// Waits if the code will pass.
    ///
    /// # Errors
    /// The code, if it will not; fencing in the one form that all calls of a fenced producer have.
    async fn pass(&mut self, operation: &str, code: ErrorCode) -> Result<(), ClientError> {
        if code == ErrorCode::ConcurrentTransactions {
            tokio::time::sleep(ENDING_PAUSE).await;
            if self.retry.remaining().is_zero() {
                return Err(self
                    .retry
                    .timed_out(Some(ClientError::broker(operation, code))));
            }
            return Ok(());
        }
        let code = match code {
            ErrorCode::InvalidProducerEpoch => ErrorCode::ProducerFenced,
            code => code,
        };
        self.retry.pause(ClientError::broker(operation, code)).await
    }
}

/// Tells the coordinator that the transaction writes to `partitions`.
pub(super) async fn add_partitions(
    core: &Core,
    partitions: &[TopicPartition],
) -> Result<(), ClientError> {
    let mut call = Call::new(core, "adding partitions")?;
    let mut topics: Vec<AddPartitionsToTxnTopic> = Vec::new();
    let mut sorted: Vec<&TopicPartition> = partitions.iter().collect();
    sorted.sort();
    for partition in sorted {
        match topics
            .last_mut()
            .filter(|topic| *topic.name == *partition.topic)
        {
            Some(topic) => topic.partitions.push(partition.partition),
            None => topics.push(AddPartitionsToTxnTopic {
                name: partition.topic.to_string(),
                partitions: vec![partition.partition],
            }),
        }
    }
    loop {
        let (identity, id) = (call.identity, &call.transactional.id);
        let response = call.transactional.coordinator.call(
            &core.cluster,
            &core.channel,
            &mut call.retry,
            3,
            |_| AddPartitionsToTxnRequest {
                v3_and_below_transactional_id: id.clone(),
                v3_and_below_producer_id: identity.id,
                v3_and_below_producer_epoch: identity.epoch,
                v3_and_below_topics: topics.clone(),
                ..AddPartitionsToTxnRequest::default()
            },
            worst_code,
        );
        let code = worst_code(&response.await?);
        if code == ErrorCode::None {
            return Ok(());
        }
        call.pass("adding partitions to the transaction", code)
            .await?;
    }
}

/// The code that decides: partitions succeed and fail together, and those that are not to blame
/// say only that nothing was attempted.
fn worst_code(response: &AddPartitionsToTxnResponse) -> ErrorCode {
    let codes = response
        .results_by_topic_v3_and_below
        .iter()
        .flat_map(|topic| &topic.results_by_partition)
        .map(|partition| ErrorCode::from_code(partition.partition_error_code))
        .filter(|code| *code != ErrorCode::None);
    let mut worst = ErrorCode::None;
    for code in codes {
        if worst == ErrorCode::None || worst == ErrorCode::OperationNotAttempted {
            worst = code;
        }
    }
    worst
}

/// Tells the coordinator that the transaction commits offsets of a group.
pub(super) async fn add_offsets(core: &Core, group_id: &str) -> Result<(), ClientError> {
    let mut call = Call::new(core, "adding offsets")?;
    loop {
        let (identity, id) = (call.identity, &call.transactional.id);
        let response = call.transactional.coordinator.call(
            &core.cluster,
            &core.channel,
            &mut call.retry,
            3,
            |_| AddOffsetsToTxnRequest {
                transactional_id: id.clone(),
                producer_id: identity.id,
                producer_epoch: identity.epoch,
                group_id: group_id.to_owned(),
            },
            |response| ErrorCode::from_code(response.error_code),
        );
        let code = ErrorCode::from_code(response.await?.error_code);
        if code == ErrorCode::None {
            return Ok(());
        }
        call.pass(&format!("adding group {group_id} to the transaction"), code)
            .await?;
    }
}

/// Commits offsets of a group, to count once the transaction is committed.
pub(super) async fn commit_offsets(
    core: &Core,
    offsets: &HashMap<TopicPartition, OffsetAndMetadata>,
    group: &ConsumerGroupMetadata,
) -> Result<(), ClientError> {
    let mut call = Call::new(core, "committing offsets")?;
    let coordinator = call.transactional.group(&group.group_id);
    let topics = offset_topics(offsets);
    let version_max = call.version_max();
    loop {
        let (identity, id) = (call.identity, &call.transactional.id);
        let response = coordinator.call(
            &core.cluster,
            &core.channel,
            &mut call.retry,
            version_max,
            |version| TxnOffsetCommitRequest {
                transactional_id: id.clone(),
                group_id: group.group_id.clone(),
                producer_id: identity.id,
                producer_epoch: identity.epoch,
                generation_id: if version >= 3 {
                    group.generation_id
                } else {
                    -1
                },
                member_id: if version >= 3 {
                    group.member_id.clone()
                } else {
                    String::new()
                },
                group_instance_id: group.group_instance_id.clone().filter(|_| version >= 3),
                topics: topics.clone(),
            },
            offset_code,
        );
        let code = offset_code(&response.await?);
        if code == ErrorCode::None {
            return Ok(());
        }
        call.pass(
            &format!("committing offsets of group {}", group.group_id),
            code,
        )
        .await?;
    }
}

fn offset_topics(
    offsets: &HashMap<TopicPartition, OffsetAndMetadata>,
) -> Vec<TxnOffsetCommitRequestTopic> {
    let mut sorted: Vec<(&TopicPartition, &OffsetAndMetadata)> = offsets.iter().collect();
    sorted.sort_by_key(|(partition, _)| *partition);
    let mut topics: Vec<TxnOffsetCommitRequestTopic> = Vec::new();
    for (partition, offset) in sorted {
        let committed = TxnOffsetCommitRequestPartition {
            partition_index: partition.partition,
            committed_offset: offset.offset,
            committed_leader_epoch: offset.leader_epoch.unwrap_or(-1),
            committed_metadata: Some(offset.metadata.clone()),
        };
        match topics
            .last_mut()
            .filter(|topic| *topic.name == *partition.topic)
        {
            Some(topic) => topic.partitions.push(committed),
            None => topics.push(TxnOffsetCommitRequestTopic {
                name: partition.topic.to_string(),
                partitions: vec![committed],
            }),
        }
    }
    topics
}

/// The first failure; one that sends the call elsewhere comes before the others.
fn offset_code(response: &TxnOffsetCommitResponse) -> ErrorCode {
    let codes = || {
        let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
        partitions.map(|partition| ErrorCode::from_code(partition.error_code))
    };
    codes()
        .find(|code| is_elsewhere(*code))
        .or_else(|| codes().find(|code| *code != ErrorCode::None))
        .unwrap_or(ErrorCode::None)
}

/// Tells the coordinator to commit or abort. Returns the identity to go on with, if there is a new
/// one.
pub(super) async fn end(core: &Core, committed: bool) -> Result<Option<Identity>, ClientError> {
    let what = if committed { "committing" } else { "aborting" };
    let mut call = Call::new(core, what)?;
    let version_max = call.version_max();
    loop {
        let (identity, id) = (call.identity, &call.transactional.id);
        let response = call.transactional.coordinator.call(
            &core.cluster,
            &core.channel,
            &mut call.retry,
            version_max,
            |_| EndTxnRequest {
                transactional_id: id.clone(),
                producer_id: identity.id,
                producer_epoch: identity.epoch,
                committed,
            },
            |response| ErrorCode::from_code(response.error_code),
        );
        let response = response.await?;
        let code = ErrorCode::from_code(response.error_code);
        if code == ErrorCode::None {
            let next = Identity {
                id: response.producer_id,
                epoch: response.producer_epoch,
            };
            return Ok((next.id >= 0 && next.epoch >= 0).then_some(next));
        }
        call.pass(&format!("{what} the transaction"), code).await?;
    }
}
