//! Ending a decided transaction in all its partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use headwater_coordination::groups;
use headwater_coordination::transactions::{Input, TransactionCoordinator, WriteMarkers};
use headwater_coordination::{Marker, Timestamp};
use headwater_storage::{AppendError, AppendOrigin, Lsn, PartitionLog, ProducerError, Unusable};
use headwater_wire::ErrorCode;
use tokio::sync::oneshot;

use super::COORDINATOR_EPOCH;
use super::batch;
use super::coordinator::arrival;
use super::partition::Partition;
use super::relaxed;
use super::rounds::Load;
use crate::internal_topics::CONSUMER_OFFSETS;
use crate::node::Node;

/// Pause before markers that could not be written are tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Writes the markers, however often it takes, and tells `coordinator` when they are durable. Ends
/// before that if the coordinator is loaded anew after `load`: it asks again then.
pub(super) fn write(
    node: &Arc<Node>,
    coordinator: &Arc<Partition<TransactionCoordinator>>,
    load: Load,
    wanted: WriteMarkers,
) {
    let (writer, coordinator) = (Arc::clone(node), Arc::clone(coordinator));
    node.spawn("transaction markers", async move {
        let mut left = wanted.clone();
        while let Some(round) = coordinator.rounds.begin(load).await {
            let written = write_once(&writer, &left).await;
            for (topic, index) in &written {
                if let Some(indexes) = left.partitions.get_mut(topic) {
                    indexes.remove(index);
                }
            }
            left.partitions.retain(|_, indexes| !indexes.is_empty());
            if left.partitions.is_empty() {
                coordinator.tell(Input::MarkersWritten {
                    transactional_id: wanted.transactional_id,
                    producer: wanted.marker.producer,
                    partitions: wanted.partitions,
                });
                return;
            }
            drop(round);
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    });
}

/// Tries every partition once and returns those that are done with.
async fn write_once(node: &Arc<Node>, wanted: &WriteMarkers) -> Vec<(String, i32)> {
    let mut done = Vec::new();
    let mut appended = Vec::new();
    let mut newest: Option<Lsn> = None;
    let mut groups = Vec::new();
    let mut relaxed = Vec::new();
    for (topic, indexes) in &wanted.partitions {
        if topic == CONSUMER_OFFSETS && node.topics.load().by_name(topic).is_some() {
            groups.extend(end_in_groups(node, wanted.marker, indexes));
            continue;
        }
        for &index in indexes {
            match append(node, topic, index, wanted) {
                Outcome::Appended(lsn) => {
                    newest = newest.max(Some(lsn));
                    appended.push((topic.clone(), index));
                    relaxed.extend(relaxed::log(node, topic, index));
                }
                Outcome::Done => done.push((topic.clone(), index)),
                Outcome::Again => {}
            }
        }
    }
    // One sync for all of them: the newest position covers the others.
    if let Some(lsn) = newest
        && node.storage.wait_durable(lsn).await.is_ok()
        && relaxed::sync(node, relaxed).await.is_ok()
    {
        done.append(&mut appended);
    }
    for (index, answer) in groups {
        match answer.await {
            groups::Response::MarkerWritten => done.push((CONSUMER_OFFSETS.to_owned(), index)),
            groups::Response::MarkerFenced => say_fenced(CONSUMER_OFFSETS, index, wanted),
            _ => {}
        }
    }
    done
}

/// Nothing ends the transaction there until its producer is forgotten, so somebody has to know.
fn say_fenced(topic: &str, index: i32, wanted: &WriteMarkers) {
    tracing::error!(
        topic,
        partition = index,
        transactional_id = wanted.transactional_id,
        producer_id = wanted.marker.producer.id,
        "a marker is refused because of one with a later coordinator epoch; trying again"
    );
}

type GroupAnswer = BoxFuture<'static, groups::Response>;

/// The group coordinators write their markers themselves, so that they know what they did.
fn end_in_groups(
    node: &Arc<Node>,
    marker: Marker,
    indexes: &BTreeSet<i32>,
) -> Vec<(i32, GroupAnswer)> {
    let Some(partitions) = node.coordinators.groups.partitions() else {
        return Vec::new();
    };
    indexes
        .iter()
        .filter_map(|&index| {
            let partition = partitions.get(usize::try_from(index).ok()?)?;
            let (reply, answer) = oneshot::channel();
            partition.submit(reply, |token| groups::Input::EndTransaction {
                token,
                marker,
            });
            Some((index, arrival(answer)))
        })
        .collect()
}

/// Ends a producer's transactions in partitions, by topic, whatever its coordinator thinks of them:
/// how an administrator ends those that hang (KIP-664). What became of each partition, once it is
/// durable.
pub(crate) async fn write_unasked(
    node: &Arc<Node>,
    marker: Marker,
    partitions: &BTreeMap<String, BTreeSet<i32>>,
) -> Vec<(String, i32, ErrorCode)> {
    let mut results = Vec::new();
    let mut appended = Vec::new();
    let mut newest: Option<Lsn> = None;
    let mut groups = Vec::new();
    let mut relaxed = Vec::new();
    for (topic, indexes) in partitions {
        for &index in indexes {
            match append_unasked(node, topic, index, &marker) {
                Err(code) => results.push((topic.clone(), index, code)),
                Ok(None) => groups.extend(end_in_groups(node, marker, &[index].into())),
                Ok(Some(lsn)) => {
                    newest = newest.max(Some(lsn));
                    appended.push((topic.clone(), index));
                    relaxed.extend(relaxed::log(node, topic, index));
                }
            }
        }
    }
    if let Some(lsn) = newest {
        let is_durable = node.storage.wait_durable(lsn).await.is_ok()
            && relaxed::sync(node, relaxed).await.is_ok();
        let code = if is_durable {
            ErrorCode::None
        } else {
            ErrorCode::KafkaStorageError
        };
        let places = appended.into_iter();
        results.extend(places.map(|(topic, index)| (topic, index, code)));
    }
    for (index, answer) in groups {
        let code = match answer.await {
            groups::Response::MarkerWritten => ErrorCode::None,
            groups::Response::MarkerFenced => ErrorCode::TransactionCoordinatorFenced,
            // As Kafka calls a group coordinator that is not ready.
            _ => ErrorCode::NotLeaderOrFollower,
        };
        results.push((CONSUMER_OFFSETS.to_owned(), index, code));
    }
    results
}

/// `None` is a partition of groups, which write their markers themselves.
fn append_unasked(
    node: &Node,
    topic: &str,
    index: i32,
    marker: &Marker,
) -> Result<Option<Lsn>, ErrorCode> {
    let topics = node.topics.load();
    let found = topics
        .by_name(topic)
        .ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let log = found.locate(index)?.log;
    // Kept with the producer, it would fence every marker of the coordinator that there is.
    if marker.coordinator_epoch > COORDINATOR_EPOCH {
        return Err(ErrorCode::TransactionCoordinatorFenced);
    }
    if topic == CONSUMER_OFFSETS {
        return Ok(None);
    }
    let at = Timestamp::from_millis(node.clock.wall().as_millis());
    let batch = batch::encode_marker(marker, at).map_err(|_| ErrorCode::InvalidRequest)?;
    match log.append(&[batch], origin(marker)) {
        Ok(appended) => Ok(Some(appended.lsn)),
        Err(AppendError::Unusable(Unusable::Deleted(_))) => Err(ErrorCode::UnknownTopicOrPartition),
        Err(AppendError::Producer(ProducerError::CoordinatorFenced { .. })) => {
            Err(ErrorCode::TransactionCoordinatorFenced)
        }
        Err(AppendError::Producer(_)) => Err(ErrorCode::InvalidProducerEpoch),
        Err(error) => {
            tracing::error!(topic, partition = index, %error, "a marker could not be written");
            Err(ErrorCode::KafkaStorageError)
        }
    }
}

fn origin(marker: &Marker) -> AppendOrigin {
    if marker.bumps_epoch {
        AppendOrigin::CoordinatorV2
    } else {
        AppendOrigin::Coordinator
    }
}

enum Outcome {
    Appended(Lsn),
    /// There is nothing to end (any more).
    Done,
    Again,
}

fn append(node: &Node, topic: &str, index: i32, wanted: &WriteMarkers) -> Outcome {
    let topics = node.topics.load();
    let log = topics
        .by_name(topic)
        .and_then(|topic| topic.logs.get(usize::try_from(index).ok()?));
    match log {
        // A topic that was deleted took the transaction's records with it.
        None => Outcome::Done,
        Some(log) => match append_to(node, log, &wanted.marker) {
            Err(AppendError::Producer(ProducerError::CoordinatorFenced { .. })) => {
                say_fenced(topic, index, wanted);
                Outcome::Again
            }
            Err(error) => {
                tracing::warn!(%error, "a transaction's marker could not be written, trying again");
                Outcome::Again
            }
            Ok(outcome) => outcome,
        },
    }
}

fn append_to(node: &Node, log: &PartitionLog, marker: &Marker) -> Result<Outcome, AppendError> {
    let at = Timestamp::from_millis(node.clock.wall().as_millis());
    let batch = batch::encode_marker(marker, at)?;
    match log.append(&[batch], origin(marker)) {
        Ok(appended) => Ok(Outcome::Appended(appended.lsn)),
        Err(AppendError::Unusable(Unusable::Deleted(_))) => Ok(Outcome::Done),
        // A later marker has been here: what this one would end has ended.
        Err(AppendError::Producer(ProducerError::EpochFenced { .. })) => Ok(Outcome::Done),
        Err(error) => Err(error),
    }
}
