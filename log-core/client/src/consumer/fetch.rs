//! The Fetch request: many partitions of one node, and what came of each.

use std::collections::HashMap;

use headwater_wire::ErrorCode;
use headwater_wire::messages::fetch::{
    AbortedTransaction, FetchPartition, FetchRequest, FetchResponse, FetchTopic, ForgottenTopic,
    PartitionData,
};
use headwater_wire::records::{BatchError, RecordBatch};
use uuid::Uuid;

use super::aborted::AbortedFilter;
use super::assigned::Fetched;
use super::config::{ConsumerConfig, IsolationLevel};
use super::record::{FetchedBatch, Watermarks};
use super::session::{Session, Told};
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
    /// Nothing new.
    Nothing,
    OutOfRange,
    /// Not now, or not there: metadata should be asked again.
    Elsewhere(ClientError),
    Failed(ClientError),
}

/// A node's answer.
pub(super) struct Answer {
    pub(super) response: FetchResponse,
    /// Whether partitions that it does not name have nothing new.
    pub(super) is_incremental: bool,
}

/// Fetches from one node, with at most `max_bytes` in the answer unless one batch is larger.
pub(super) async fn call(
    channel: &Channel,
    config: &ConsumerConfig,
    view: &ClusterView,
    node: i32,
    wanted: &[Wanted],
    max_bytes: usize,
    session: &mut Session,
) -> Result<Answer, ClientError> {
    let has_ids = wanted
        .iter()
        .all(|wanted| view.topic_id(&wanted.partition.topic).is_some());
    let max_version = if has_ids { i16::MAX } else { NAMED_VERSION_MAX };
    let limit = config.request_timeout + config.fetch_max_wait;
    loop {
        let build = |version| request(config, view, wanted, max_bytes, session, version);
        let called = channel.call(Target::Node(node), limit, max_version, build);
        let response = match called.await {
            Ok(response) => response,
            Err(error) => {
                session.failed();
                return Err(error);
            }
        };
        let code = ErrorCode::from_code(response.error_code);
        if code == ErrorCode::None {
            let is_incremental = session.answered(response.session_id);
            return Ok(Answer {
                response,
                is_incremental,
            });
        }
        if !session.refused(code) {
            let operation = format!("fetching from node {node}");
            return Err(ClientError::broker(operation, code));
        }
    }
}

fn request(
    config: &ConsumerConfig,
    view: &ClusterView,
    wanted: &[Wanted],
    max_bytes: usize,
    session: &mut Session,
    version: i16,
) -> FetchRequest {
    let has_ids = version > NAMED_VERSION_MAX;
    let told = |wanted: &Wanted| Told {
        topic_id: view.topic_id(&wanted.partition.topic).unwrap_or_default(),
        offset: wanted.offset,
        leader_epoch: view
            .partition(&wanted.partition)
            .map_or(-1, |p| p.leader_epoch),
    };
    let plan = session.plan(wanted, has_ids, told);
    let mut topics: Vec<FetchTopic> = Vec::new();
    let mut positions: HashMap<&str, usize> = HashMap::new();
    for wanted in plan.named.iter().filter_map(|index| wanted.get(*index)) {
        let now = told(wanted);
        let name = &wanted.partition.topic;
        let position = *positions.entry(name).or_insert_with(|| {
            topics.push(FetchTopic {
                topic: name.to_string(),
                topic_id: now.topic_id,
                ..FetchTopic::default()
            });
            topics.len() - 1
        });
        if let Some(topic) = topics.get_mut(position) {
            topic.partitions.push(FetchPartition {
                partition: wanted.partition.partition,
                current_leader_epoch: now.leader_epoch,
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
        session_id: plan.session_id,
        session_epoch: plan.session_epoch,
        topics,
        forgotten_topics_data: forgotten(plan.forgotten),
        rack_id: config.client_rack.clone().unwrap_or_default(),
        ..FetchRequest::default()
    }
}

fn forgotten(mut partitions: Vec<(TopicPartition, Uuid)>) -> Vec<ForgottenTopic> {
    partitions.sort_by(|a, b| (&a.1, &a.0).cmp(&(&b.1, &b.0)));
    let mut topics: Vec<ForgottenTopic> = Vec::new();
    for (partition, topic_id) in partitions {
        match topics
            .last_mut()
            .filter(|topic| topic.topic_id == topic_id && *topic.topic == *partition.topic)
        {
            Some(topic) => topic.partitions.push(partition.partition),
            None => topics.push(ForgottenTopic {
                topic: partition.topic.to_string(),
                topic_id,
                partitions: vec![partition.partition],
            }),
        }
    }
    topics
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
    answer: Answer,
) -> Vec<Outcome> {
    let Answer {
        response,
        is_incremental,
    } = answer;
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
                None if is_incremental => Outcome::Nothing,
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
