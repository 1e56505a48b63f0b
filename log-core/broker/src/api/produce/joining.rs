//! The transaction that a Produce request is part of, as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use headwater_coordination::ProducerIdentity;
use headwater_wire::ErrorCode;
use headwater_wire::messages::produce::ProduceRequest;
use headwater_wire::records::BatchHeader;

use super::append::support;
use super::validate::only_batch;
use crate::context::RequestContext;
use crate::coordinators::{NotJoined, WriteSupport, Writer};
use crate::internal_topics;
use crate::node::Node;
use crate::topics::TopicMap;

/// What is transactional in a request.
#[derive(Default)]
struct Transactional {
    /// Whether a batch says that it is, with or without a producer.
    is_transactional: bool,
    writers: BTreeSet<(i64, i16)>,
    /// Partitions that have no part in the transaction yet, by topic.
    firsts: BTreeMap<String, BTreeSet<i32>>,
}

/// Checks what the batches of a request say of transactions, and has partitions that the request
/// is the first to write to added to its transaction, where the client leaves that to the write.
/// It has `waited` for others of its transaction.
///
/// # Errors
/// `Err(Ok(code))` refuses the whole request. `Err(Err(NotJoined))` is about the partitions that
/// were to be added.
pub(super) fn join(
    node: &Arc<Node>,
    context: &RequestContext,
    topics: &TopicMap,
    request: &ProduceRequest,
    waited: Duration,
) -> Result<(), Result<ErrorCode, NotJoined>> {
    let found = transactional(topics, request, context.version);
    let transactional_id = request.transactional_id.as_deref();
    if found.is_transactional && transactional_id.is_none() {
        // As for an id that the client has no right to.
        return Err(Ok(ErrorCode::TransactionalIdAuthorizationFailed));
    }
    let (Some((id, epoch)), Some(transactional_id)) =
        (found.writers.first().copied(), transactional_id)
    else {
        return Ok(());
    };
    if found.writers.len() > 1 {
        return Err(Ok(ErrorCode::InvalidProducerIdMapping));
    }
    let is_left_to_write = support(context.version) == WriteSupport::Add;
    if found.firsts.is_empty() || !is_left_to_write {
        return Ok(());
    }
    let writer = Writer {
        transactional_id,
        producer: ProducerIdentity { id, epoch },
    };
    node.coordinators
        .join_transaction(node, writer, found.firsts, waited)
        .map_err(Err)
}

fn transactional(topics: &TopicMap, request: &ProduceRequest, version: i16) -> Transactional {
    let mut found = Transactional::default();
    for topic in &request.topic_data {
        for data in &topic.partition_data {
            let header = data.records.as_deref().map(BatchHeader::parse);
            let Some(Ok(header)) = header else { continue };
            if !header.is_transactional() {
                continue;
            }
            found.is_transactional = true;
            // As in Kafka, what is no batch by itself takes no part, and what is found wrong with one
            // when it is laid before its log comes too late: its partition has joined by then.
            if !header.has_producer_id() || only_batch(data.records.as_ref(), version).is_err() {
                continue;
            }
            let (id, epoch) = (header.producer_id, header.producer_epoch);
            found.writers.insert((id, epoch));
            let Ok(topic) = topics.find(topic.topic_id, &topic.name) else {
                continue;
            };
            let Ok(located) = topic.locate(data.index) else {
                continue;
            };
            if located.log.has_open_transaction(id, epoch) {
                continue;
            }
            let name = topic.image.name.clone();
            // Clients do not write to them, and a marker would get past their coordinators.
            if internal_topics::is_internal(&name) {
                continue;
            }
            found.firsts.entry(name).or_default().insert(data.index);
        }
    }
    found
}
