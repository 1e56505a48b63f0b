//! The Fetch request: many partitions of one node, and what came of each.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::fetch::{
    AbortedTransaction, FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData,
};
use headwater_wire::records::{BatchError, RecordBatch};
use uuid::Uuid;

use super::aborted::AbortedFilter;
use super::assigned::Fetched;
use super::config::{ConsumerConfig, IsolationLevel};
use super::record::{FetchedBatch, Watermarks};
use crate::TopicPartition;
use crate::error::ClientError;
use crate::metadata::ClusterView;
use crate::transport::{Channel, Target};

/// The last version that names topics; later ones have ids (KIP-516).
const NAMED_VERSION_MAX: i16 = 12;

/// A partition to fetch, from an offset on. `id` names the stretch of reading it is for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) partition: TopicPartition,
    pub(super) id: u64,
    pub(super) offset: i64,
}

/// What came of one partition.
pub(super) enum Outcome {
    Read {
        fetched: Vec<Fetched>,
        watermarks: Watermarks,
    },
    OutOfRange,
    /// Not now, or not there: metadata should be asked again.
    Elsewhere(ClientError),
    Failed(ClientError),
}

/// Fetches from one node, with at most `max_bytes` in the answer unless one batch is larger.
pub(super) async fn call(
    channel: &Channel,
    config: &ConsumerConfig,
    view: &ClusterView,
    node: i32,
    wanted: &[Wanted],
    max_bytes: usize,
) -> Result<FetchResponse, ClientError> {
    let id_of = |topic: &str| view.topics.get(topic).map_or(Uuid::nil(), |topic| topic.id);
    let has_ids = wanted
        .iter()
        .all(|wanted| !id_of(&wanted.partition.topic).is_nil());
    let max_version = if has_ids { i16::MAX } else { NAMED_VERSION_MAX };
    let limit = config.request_timeout + config.fetch_max_wait;
    let build = |version: i16| {
        let mut topics: Vec<FetchTopic> = Vec::new();
        let mut positions: HashMap<Arc<str>, usize> = HashMap::new();
        for wanted in wanted {
            let name = &wanted.partition.topic;
            let position = *positions.entry(name.clone()).or_insert_with(|| {
                let mut topic = FetchTopic::default();
                if version > NAMED_VERSION_MAX {
                    topic.topic_id = id_of(name);
                } else {
                    topic.topic = name.to_string();
                }
                topics.push(topic);
                topics.len() - 1
            });
            let epoch = view
                .partition(&wanted.partition)
                .map_or(-1, |p| p.leader_epoch);
            if let Some(topic) = topics.get_mut(position) {
                topic.partitions.push(FetchPartition {
                    partition: wanted.partition.partition,
                    current_leader_epoch: epoch,
                    fetch_offset: wanted.offset,
                    partition_max_bytes: to_i32(config.max_partition_fetch_bytes),
                    ..FetchPartition::default()
                });
            }
        }
        FetchRequest {
            max_wait_ms: to_i32(config.fetch_max_wait.as_millis()),
            min_bytes: to_i32(config.fetch_min_bytes),
            max_bytes: to_i32(max_bytes),
            isolation_level: config.isolation_level.code(),
            topics,
            rack_id: config.client_rack.clone().unwrap_or_default(),
            ..FetchRequest::default()
        }
    };
    let response = channel
        .call(Target::Node(node), limit, max_version, build)
        .await?;
    let code = ErrorCode::from_code(response.error_code);
    if code != ErrorCode::None {
        return Err(ClientError::broker(
            format!("fetching from node {node}"),
            code,
        ));
    }
    Ok(response)
}

/// Bytes of records in an answer.
pub(super) fn bytes_in(response: &FetchResponse) -> usize {
    let topics = response.responses.iter();
    let partitions = topics.flat_map(|topic| &topic.partitions);
    partitions
        .filter_map(|partition| partition.records.as_ref())
        .map(bytes::Bytes::len)
        .sum()
}

fn to_i32(value: impl TryInto<i32>) -> i32 {
    value.try_into().unwrap_or(i32::MAX)
}

/// Sorts the answer out: one outcome for each partition wanted, in their order.
pub(super) fn outcomes(
    config: &ConsumerConfig,
    view: &ClusterView,
    wanted: &[Wanted],
    response: FetchResponse,
) -> Vec<Outcome> {
    let mut by_name: HashMap<(String, i32), PartitionData> = HashMap::new();
    let mut by_id: HashMap<(Uuid, i32), PartitionData> = HashMap::new();
    for topic in response.responses {
        for partition in topic.partitions {
            let index = partition.partition_index;
            if topic.topic_id.is_nil() {
                by_name.insert((topic.topic.clone(), index), partition);
            } else {
                by_id.insert((topic.topic_id, index), partition);
            }
        }
    }
    wanted
        .iter()
        .map(|wanted| {
            let TopicPartition { topic, partition } = &wanted.partition;
            let id = view.topics.get(topic).map_or(Uuid::nil(), |topic| topic.id);
            let data = by_id
                .remove(&(id, *partition))
                .or_else(|| by_name.remove(&(topic.to_string(), *partition)));
            match data {
                Some(data) => outcome(config, wanted, data),
                // Nothing new of it, as far as the node cares to say.
                None => Outcome::Elsewhere(ClientError::Protocol {
                    operation: format!("fetching {}", wanted.partition),
                    reason: "the response does not name it".to_owned(),
                }),
            }
        })
        .collect()
}

fn outcome(config: &ConsumerConfig, wanted: &Wanted, data: PartitionData) -> Outcome {
    let code = ErrorCode::from_code(data.error_code);
    match code {
        ErrorCode::None => match read(config, wanted, &data) {
            Ok(fetched) => {
                let watermarks = Watermarks {
                    log_start_offset: data.log_start_offset,
                    high_watermark: data.high_watermark,
                    last_stable_offset: if data.last_stable_offset >= 0 {
                        data.last_stable_offset
                    } else {
                        data.high_watermark
                    },
                };
                Outcome::Read {
                    fetched,
                    watermarks,
                }
            }
            Err((offset, error)) => Outcome::Failed(ClientError::CorruptBatch {
                partition: wanted.partition.clone(),
                offset,
                reason: error.to_string(),
            }),
        },
        ErrorCode::OffsetOutOfRange => Outcome::OutOfRange,
        code => {
            let error = ClientError::broker(format!("fetching {}", wanted.partition), code);
            let passes = code.is_retriable() || code == ErrorCode::UnknownServerError;
            // A damaged batch stays damaged however often it is asked for.
            if passes && code != ErrorCode::CorruptMessage {
                Outcome::Elsewhere(error)
            } else {
                Outcome::Failed(error)
            }
        }
    }
}

/// Splits the stretch into batches, checks them, and leaves out what nobody may see.
fn read(
    config: &ConsumerConfig,
    wanted: &Wanted,
    data: &PartitionData,
) -> Result<Vec<Fetched>, (i64, BatchError)> {
    let mut bytes = data.records.clone().unwrap_or_default();
    let aborted: &[AbortedTransaction] = data.aborted_transactions.as_deref().unwrap_or_default();
    let mut filter = match config.isolation_level {
        IsolationLevel::ReadCommitted => AbortedFilter::new(aborted),
        IsolationLevel::ReadUncommitted => AbortedFilter::new(&[]),
    };
    let mut fetched: Vec<Fetched> = Vec::new();
    let mut next_offset = wanted.offset;
    while let Some(batch) =
        RecordBatch::split_from(&mut bytes).map_err(|error| (next_offset, error))?
    {
        let base_offset = batch.header.base_offset;
        if config.check_crcs {
            batch.verify_crc().map_err(|error| (base_offset, error))?;
        }
        // A batch is returned whole, so the first may begin, or even end, before what was asked.
        let is_admitted = filter
            .admits(&batch)
            .map_err(|error| (base_offset, error))?;
        if batch.header.next_offset() <= wanted.offset {
            continue;
        }
        let start_offset = base_offset.max(next_offset);
        next_offset = batch.header.next_offset();
        if is_admitted && batch.header.record_count > 0 {
            let partition = wanted.partition.clone();
            let batch = FetchedBatch {
                partition,
                batch,
                start_offset,
            };
            fetched.push(Fetched {
                batch: Some(batch),
                next_offset,
            });
        } else {
            match fetched.last_mut().filter(|last| last.batch.is_none()) {
                Some(last) => last.next_offset = next_offset,
                None => fetched.push(Fetched {
                    batch: None,
                    next_offset,
                }),
            }
        }
    }
    Ok(fetched)
}

#[cfg(test)]
mod tests;
