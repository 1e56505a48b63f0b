//! Produce: appends record batches and answers when they are on disk.
//!
//! The whole of [`Handler::start`] runs in the order of the connection's requests: batches are
//! checked by their headers, appended as they came (one copy, into the page cache and the
//! journal's buffer), and what is left to wait for is one position of the journal. Records are
//! looked into only for the keys of compacted topics and for a lower bound on timestamps.

mod append;
mod validate;

use std::sync::Arc;
use std::time::Duration;

use headwater_storage::Lsn;
use headwater_wire::ErrorCode;
use headwater_wire::messages::produce::{
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse,
};

use self::append::{Appending, Outcome};
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;

pub(crate) struct Produce;

impl Handler for Produce {
    type Request = ProduceRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: ProduceRequest,
    ) -> Reply<ProduceResponse> {
        let (response, wait) = append_all(node, context, &request);
        match (request.acks, wait) {
            (0, _) => Reply::Unwanted(response),
            (_, None) => Reply::Now(response),
            (_, Some(position)) => {
                let node = Arc::clone(node);
                let timeout = u64::try_from(request.timeout_ms).unwrap_or(0);
                let timeout = Duration::from_millis(timeout);
                Reply::later(async move {
                    let durable = node.storage.wait_durable(position);
                    match tokio::time::timeout(timeout, durable).await {
                        Ok(Ok(())) => response,
                        Ok(Err(_)) => failed(response, ErrorCode::KafkaStorageError),
                        Err(_) => failed(response, ErrorCode::RequestTimedOut),
                    }
                })
            }
        }
    }
}

/// Appends everything the request holds. Returns the answer and the position of the journal that
/// must be durable before it may leave.
fn append_all(
    node: &Node,
    context: &RequestContext,
    request: &ProduceRequest,
) -> (ProduceResponse, Option<Lsn>) {
    let topics = node.topics.load();
    let appending = Appending::new(node, context, request);
    let mut wait = None;
    let mut responses = Vec::with_capacity(request.topic_data.len());
    for topic in &request.topic_data {
        let found = topics.find(topic.topic_id, &topic.name);
        let mut partitions = Vec::with_capacity(topic.partition_data.len());
        for partition in &topic.partition_data {
            let outcome = appending.append(found, partition);
            wait = wait.max(outcome.position());
            partitions.push(response(partition.index, outcome));
        }
        responses.push(TopicProduceResponse {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partition_responses: partitions,
        });
    }
    (
        ProduceResponse {
            responses,
            ..Default::default()
        },
        wait,
    )
}

fn response(index: i32, outcome: Outcome) -> PartitionProduceResponse {
    let mut response = PartitionProduceResponse {
        index,
        base_offset: -1,
        ..Default::default()
    };
    match outcome {
        Outcome::Appended {
            base_offset,
            log_append_time,
            log_start,
            ..
        } => {
            response.base_offset = base_offset;
            response.log_append_time_ms = log_append_time;
            response.log_start_offset = log_start;
        }
        Outcome::Refused(refusal) => {
            response.error_code = refusal.code.code();
            response.error_message = Some(refusal.message);
            response.record_errors = refusal.records;
        }
    }
    response
}

/// What was appended may yet become durable, but not in the time the client gave, or not as far as
/// this process will know.
fn failed(mut response: ProduceResponse, error: ErrorCode) -> ProduceResponse {
    let partitions = response
        .responses
        .iter_mut()
        .flat_map(|topic| &mut topic.partition_responses);
    for partition in partitions.filter(|partition| partition.error_code == 0) {
        *partition = PartitionProduceResponse {
            index: partition.index,
            error_code: error.code(),
            base_offset: -1,
            ..Default::default()
        };
    }
    response
}
