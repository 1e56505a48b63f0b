//! Produce: appends record batches and answers when they are on disk.
//!
//! The whole of [`Handler::start`] runs in the order of the connection's requests: batches are
//! checked, appended as they came (one copy, into the page cache and the journal's buffer), and what
//! is left to wait for is one position of the journal. Only the first batch of a transaction may have
//! to wait before that, for the end of the one before it.
//!
//! A request with batches that have to be decompressed or compressed before they are appended is
//! handed back as laborious, and starts on a thread where that holds up nobody. To move it there
//! keeps the connection's order without a queue that every request would have to look at, which
//! appending it behind others in the transactions' manner would need; and who waits for a thread
//! takes none, unlike under `block_in_place`, which also panics on a runtime of one thread.
//!
//! Records that are not compressed are walked over, since one that cannot be read would stop every
//! consumer of the partition: 10 to 12 ns for a record of 100 bytes, beside 8 ns for its share of the
//! checksum (`produced_batch`, a benchmark of `headwater-wire`). Compressed ones are looked into only
//! for the keys of compacted topics and for a lower bound on timestamps: to decompress them all would
//! cost more than the rest of the append, and consumers are told of records that they cannot read.

mod append;
mod compression;
mod joining;
mod opened;
mod validate;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use headwater_storage::Lsn;
use headwater_wire::ErrorCode;
use headwater_wire::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceData, TopicProduceResponse,
};

use self::append::{Appending, Outcome};
use self::opened::is_laborious;
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::coordinators::NotJoined;
use crate::node::Node;
use crate::topics::TopicMap;

pub(crate) struct Produce;

/// Shortest time given to the disk, whatever the client says: in Kafka the time is for other
/// replicas, and without any the answer comes also to those who give none.
const DISK_TIME_MIN: Duration = Duration::from_secs(1);

impl Handler for Produce {
    type Request = ProduceRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: ProduceRequest,
    ) -> Reply<ProduceResponse> {
        let topics = node.topics.load();
        if is_laborious(&topics, &request, || node.clock.wall().as_millis()) {
            let (node, context) = (Arc::clone(node), context.clone());
            return Reply::Laborious(Box::new(move || {
                let topics = node.topics.load();
                start(&node, &context, &topics, request)
            }));
        }
        start(node, context, &topics, request)
    }
}

fn start(
    node: &Arc<Node>,
    context: &RequestContext,
    topics: &TopicMap,
    request: ProduceRequest,
) -> Reply<ProduceResponse> {
    if let Some(id) = request.transactional_id.as_deref()
        && node.coordinators.produces.is_awaited(id)
    {
        return append_later(node, context, request, None);
    }
    let joined = joining::join(node, context, topics, &request, Duration::ZERO);
    match joined {
        Ok(()) => append(node, context, topics, &request, Ok(())),
        Err(Ok(code)) => refuse(&request, code),
        Err(Err(NotJoined::Refused(code))) => append(node, context, topics, &request, Err(code)),
        Err(Err(NotJoined::Wait(joined))) => append_later(node, context, request, Some(joined)),
    }
}

type Joined = BoxFuture<'static, Result<(), ErrorCode>>;

/// Appends when the request has joined its transaction; without `joined` it is yet to ask, when
/// those before it are done.
fn append_later(
    node: &Arc<Node>,
    context: &RequestContext,
    request: ProduceRequest,
    joined: Option<Joined>,
) -> Reply<ProduceResponse> {
    let id = request.transactional_id.as_deref().unwrap_or_default();
    let mut turn = node.coordinators.produces.enter(id, node.clock.now());
    // With acks=0 nobody waits for what becomes of it, so nobody is told. Kafka's clients do not
    // send transactions so.
    let is_wanted = request.acks != 0;
    let (node, context) = (Arc::clone(node), context.clone());
    let appended = async move {
        turn.come().await;
        let joined = match joined {
            Some(joined) => joined.await,
            None => match joining::join(
                &node,
                &context,
                &node.topics.load(),
                &request,
                turn.waited(node.clock.now()),
            ) {
                Ok(()) => Ok(()),
                Err(Ok(code)) => return all(&request, |_| Outcome::refused(code)),
                Err(Err(NotJoined::Refused(code))) => Err(code),
                Err(Err(NotJoined::Wait(joined))) => joined.await,
            },
        };
        let timeout = timeout(&request);
        let (response, wait) = append_aside(&node, &context, request, joined).await;
        drop(turn);
        durable(&node, timeout, response, wait).await
    };
    if is_wanted {
        return Reply::later(appended);
    }
    Reply::Unheard(appended.boxed())
}

/// Appends from a task that shares its thread.
async fn append_aside(
    node: &Arc<Node>,
    context: &RequestContext,
    request: ProduceRequest,
    joined: Result<(), ErrorCode>,
) -> (ProduceResponse, Option<Lsn>) {
    let topics = node.topics.load();
    if !is_laborious(&topics, &request, || node.clock.wall().as_millis()) {
        return append_all(node, context, &topics, &request, joined);
    }
    let request = Arc::new(request);
    let appended = {
        let (node, context) = (Arc::clone(node), context.clone());
        let request = Arc::clone(&request);
        move || append_all(&node, &context, &topics, &request, joined)
    };
    node.labor.run(appended).await.unwrap_or_else(|_| {
        let refused = |_: At<'_>| Outcome::refused(ErrorCode::UnknownServerError);
        (all(&request, refused), None)
    })
}

fn append(
    node: &Arc<Node>,
    context: &RequestContext,
    topics: &TopicMap,
    request: &ProduceRequest,
    joined: Result<(), ErrorCode>,
) -> Reply<ProduceResponse> {
    let (response, wait) = append_all(node, context, topics, request, joined);
    match (request.acks, wait) {
        (0, _) => silent(response),
        (_, None) => Reply::Now(response),
        (_, Some(_)) => {
            let (node, timeout) = (Arc::clone(node), timeout(request));
            Reply::later(async move { durable(&node, timeout, response, wait).await })
        }
    }
}

fn timeout(request: &ProduceRequest) -> Duration {
    let asked = u64::try_from(request.timeout_ms).unwrap_or(0);
    Duration::from_millis(asked).max(DISK_TIME_MIN)
}

/// The answer, once the journal is durable up to `position`.
async fn durable(
    node: &Node,
    timeout: Duration,
    response: ProduceResponse,
    position: Option<Lsn>,
) -> ProduceResponse {
    let Some(position) = position else {
        return response;
    };
    match tokio::time::timeout(timeout, node.storage.wait_durable(position)).await {
        Ok(Ok(())) => response,
        Ok(Err(_)) => failed(response, ErrorCode::KafkaStorageError),
        Err(_) => failed(response, ErrorCode::RequestTimedOut),
    }
}

fn refuse(request: &ProduceRequest, code: ErrorCode) -> Reply<ProduceResponse> {
    let response = all(request, |_| Outcome::refused(code));
    match request.acks {
        0 => silent(response),
        _ => Reply::Now(response),
    }
}

/// What becomes of an answer that is not sent (`acks=0`).
fn silent(response: ProduceResponse) -> Reply<ProduceResponse> {
    let mut partitions = response
        .responses
        .iter()
        .flat_map(|topic| &topic.partition_responses);
    if partitions.any(|partition| partition.error_code != 0) {
        Reply::Unsaid(response)
    } else {
        Reply::Unwanted(response)
    }
}

/// Appends everything the request holds. Returns the answer and the position of the journal that
/// must be durable before it may leave.
fn append_all(
    node: &Node,
    context: &RequestContext,
    topics: &TopicMap,
    request: &ProduceRequest,
    joined: Result<(), ErrorCode>,
) -> (ProduceResponse, Option<Lsn>) {
    let appending = Appending::new(node, context, request, joined);
    let mut wait = None;
    let response = all(request, |at| {
        let found = topics.find(at.topic.topic_id, &at.topic.name);
        let outcome = appending.append(found, at.data);
        wait = wait.max(outcome.position());
        outcome
    });
    (response, wait)
}

/// One partition's place in a request.
struct At<'a> {
    topic: &'a TopicProduceData,
    data: &'a PartitionProduceData,
}

/// An answer with an outcome for every partition of the request.
fn all(request: &ProduceRequest, mut outcome: impl FnMut(At<'_>) -> Outcome) -> ProduceResponse {
    let responses = request.topic_data.iter().map(|topic| {
        let partitions = topic.partition_data.iter();
        TopicProduceResponse {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partition_responses: partitions
                .map(|data| response(data.index, outcome(At { topic, data })))
                .collect(),
        }
    });
    ProduceResponse {
        responses: responses.collect(),
        ..Default::default()
    }
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
        Outcome::Refused { refusal, log_start } => {
            response.log_start_offset = log_start;
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
