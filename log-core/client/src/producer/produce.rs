//! The Produce request: batches to one node, and what it answers for each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater_wire::ErrorCode;
use headwater_wire::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceData,
};

use super::accumulator::PartitionQueue;
use super::batch::Batch;
use super::config::Acks;
use super::core::{Core, millis};
use super::delivery::Appended;
use super::sequence::Identity;
use crate::TopicPartition;
use crate::error::ClientError;
use crate::metadata::ClusterView;
use crate::transport::Target;

/// The last version before transactions of version 2 (KIP-890), in which producing adds the
/// partition to the transaction by itself.
const V1_VERSION_MAX: i16 = 11;

/// The last version that names topics; later ones have ids (KIP-516).
const NAMED_VERSION_MAX: i16 = 12;

/// A batch to go into a request.
pub(super) struct ToSend {
    pub(super) queue: Arc<PartitionQueue>,
    pub(super) batch: Batch,
    pub(super) identity: Option<Identity>,
}

/// What a node says of one batch.
pub(super) struct Answer {
    pub(super) result: Result<Appended, ClientError>,
}

/// Sends batches to `node` and waits for its answers, all within `limit`. They come in the order
/// of `parts`; there are none with `acks=0`, which waits until the request is on its way.
pub(super) async fn call(
    core: &Core,
    node: i32,
    parts: Vec<(TopicPartition, Bytes)>,
    limit: Duration,
) -> Result<Option<Vec<Answer>>, ClientError> {
    let config = core.config();
    let partitions: Vec<TopicPartition> = parts
        .iter()
        .map(|(partition, _)| partition.clone())
        .collect();
    let view = core.cluster.view();
    let request = request(core, &view, parts);
    let is_v1 = core
        .transactional
        .as_ref()
        .is_some_and(|transactional| !transactional.state.lock().is_v2());
    let has_ids = request
        .topic_data
        .iter()
        .all(|topic| !topic.topic_id.is_nil());
    let version_max = match (is_v1, has_ids) {
        (true, _) => V1_VERSION_MAX,
        (false, false) => NAMED_VERSION_MAX,
        (false, true) => i16::MAX,
    };
    let target = Target::Node(node);
    if config.acks == Acks::None {
        // A node that does not read would keep it for ever.
        let cast = core.produce_channel.cast(target, version_max, |_| request);
        let sent = tokio::time::timeout(limit, cast).await;
        return sent
            .unwrap_or_else(|_| {
                Err(ClientError::Timeout {
                    operation: format!("sending batches to node {node}"),
                    after: limit,
                    cause: None,
                })
            })
            .map(|()| None);
    }
    let response = core
        .produce_channel
        .call(target, limit, version_max, |_| request)
        .await?;
    Ok(Some(answers(&view, &partitions, response)))
}

fn request(core: &Core, view: &ClusterView, parts: Vec<(TopicPartition, Bytes)>) -> ProduceRequest {
    let config = core.config();
    let mut topics: Vec<TopicProduceData> = Vec::new();
    let mut positions: HashMap<Arc<str>, usize> = HashMap::new();
    for (partition, records) in parts {
        let position = *positions.entry(partition.topic.clone()).or_insert_with(|| {
            topics.push(TopicProduceData {
                name: partition.topic.to_string(),
                topic_id: view.topic_id(&partition.topic).unwrap_or_default(),
                ..TopicProduceData::default()
            });
            topics.len() - 1
        });
        if let Some(topic) = topics.get_mut(position) {
            topic.partition_data.push(PartitionProduceData {
                index: partition.partition,
                records: Some(records),
            });
        }
    }
    ProduceRequest {
        transactional_id: config.transactional_id.clone(),
        acks: config.acks.code(),
        timeout_ms: millis(config.request_timeout),
        topic_data: topics,
    }
}

/// Finds each partition's answer, wherever the node has put it.
fn answers(
    view: &ClusterView,
    partitions: &[TopicPartition],
    response: ProduceResponse,
) -> Vec<Answer> {
    let mut by_topic: HashMap<String, HashMap<i32, PartitionProduceResponse>> = HashMap::new();
    for topic in response.responses {
        let answers = topic
            .partition_responses
            .into_iter()
            .map(|answer| (answer.index, answer));
        let name = match view.topic_names.get(&topic.topic_id) {
            Some(name) => name.to_string(),
            None => topic.name,
        };
        by_topic.entry(name).or_default().extend(answers);
    }
    let find = |partition: &TopicPartition| {
        let answers = by_topic.get(&*partition.topic)?;
        answers.get(&partition.partition)
    };
    partitions
        .iter()
        .map(|partition| match find(partition) {
            Some(answer) => Answer {
                result: result(partition, answer),
            },
            None => Answer {
                result: Err(unanswered(partition)),
            },
        })
        .collect()
}

fn result(
    partition: &TopicPartition,
    answer: &PartitionProduceResponse,
) -> Result<Appended, ClientError> {
    let code = ErrorCode::from_code(answer.error_code);
    let known = |value: i64| Some(value).filter(|value| *value >= 0);
    let is_known_duplicate = code == ErrorCode::DuplicateSequenceNumber && answer.base_offset >= 0;
    if code == ErrorCode::None || is_known_duplicate {
        return Ok(Appended {
            base_offset: known(answer.base_offset),
            log_append_time: known(answer.log_append_time_ms),
            parts: None,
        });
    }
    let of_record = answer.record_errors.first().and_then(|record| {
        let text = record.batch_index_error_message.as_ref()?;
        Some(format!(
            "record {} of the batch: {text}",
            record.batch_index
        ))
    });
    let message = of_record.or_else(|| answer.error_message.clone());
    Err(ClientError::broker_says(
        format!("producing to {partition}"),
        code,
        message,
    ))
}

/// The node answered, but not for this partition.
pub(super) fn unanswered(partition: &TopicPartition) -> ClientError {
    ClientError::Protocol {
        operation: format!("producing to {partition}"),
        reason: "the response does not name it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use headwater_wire::messages::produce::TopicProduceResponse;

    use super::*;

    #[test]
    fn answers_are_matched_by_name_and_gaps_are_errors() {
        let answer = |index, code: ErrorCode, base_offset| PartitionProduceResponse {
            index,
            error_code: code.code(),
            base_offset,
            ..PartitionProduceResponse::default()
        };
        let response = ProduceResponse {
            responses: vec![
                TopicProduceResponse {
                    name: "u".to_owned(),
                    partition_responses: vec![answer(0, ErrorCode::None, 9)],
                    ..TopicProduceResponse::default()
                },
                TopicProduceResponse {
                    name: "t".to_owned(),
                    partition_responses: vec![
                        answer(1, ErrorCode::MessageTooLarge, -1),
                        answer(0, ErrorCode::None, 4),
                    ],
                    ..TopicProduceResponse::default()
                },
            ],
            ..ProduceResponse::default()
        };
        let asked = [("t", 0), ("t", 1), ("u", 0), ("u", 1)];
        let asked = asked.map(|(topic, partition)| TopicPartition::new(topic, partition));
        let got: Vec<Option<i64>> = answers(&ClusterView::default(), &asked, response)
            .into_iter()
            .map(|answer| answer.result.ok().and_then(|appended| appended.base_offset))
            .collect();
        assert_eq!(got, [Some(4), None, Some(9), None]);
    }
}
