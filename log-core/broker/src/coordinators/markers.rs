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

/// Pause before markers that could not be written are tried again, twice as long each time.
const AGAIN_AFTER: Duration = Duration::from_millis(100);
/// The longest. Somebody has to mend the partition by then, and it may take hours.
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(5);

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
        let mut pause = AGAIN_AFTER;
        while let Some(round) = coordinator.rounds.begin(load).await {
            let is_first = pause == AGAIN_AFTER;
            let written = write_once(&writer, &left, is_first).await;
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
            if is_first {
                tracing::error!(
                    transactional_id = left.transactional_id,
                    partitions = ?left.partitions,
                    "a transaction cannot be ended here yet; it is tried until it can"
                );
            }
            tokio::time::sleep(pause).await;
            pause = AGAIN_AFTER_MAX.min(pause * 2);
        }
    });
}

/// Tries every partition once and returns those that are done with. Why others are not is told the
/// first time.
async fn write_once(node: &Arc<Node>, wanted: &WriteMarkers, is_first: bool) -> Vec<(String, i32)> {
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
                Outcome::Failed(error) if is_first => {
                    tracing::error!(topic, index, %error, "a marker could not be written");
                }
                Outcome::Failed(_) => {}
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
        if answer.await == groups::Response::MarkerWritten {
            done.push((CONSUMER_OFFSETS.to_owned(), index));
        }
    }
    done
}

/// The marker with which the coordinator that there is ends a transaction although its log knows a
/// marker of a later coordinator: none was ever elected, so that one was sent by somebody else, and
/// would shut the producer's transactions out for good. `None` for the marker of a former
/// coordinator, which stays refused.
pub(super) fn overruling(marker: Marker, found: i32) -> Option<Marker> {
    (marker.coordinator_epoch >= COORDINATOR_EPOCH).then(|| {
        let producer_id = marker.producer.id;
        tracing::warn!(
            producer_id,
            coordinator_epoch = found,
            "a foreign marker is overruled"
        );
        Marker {
            coordinator_epoch: found,
            ..marker
        }
    })
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
    if is_foreign(log, marker) {
        return Err(ErrorCode::TransactionCoordinatorFenced);
    }
    if topic == CONSUMER_OFFSETS {
        return Ok(None);
    }
    match append_marker(node, log, marker) {
        Ok(lsn) => Ok(Some(lsn)),
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

/// Whether no coordinator can have written the marker. Kept with the producer, its epoch would fence
/// every marker of the one that there is. One that is kept already does no more harm, and is what
/// DescribeProducers tells who wants to end a transaction.
fn is_foreign(log: &PartitionLog, marker: &Marker) -> bool {
    let (producer, found) = (marker.producer, marker.coordinator_epoch);
    let known = log.check_coordinated(producer.id, producer.epoch, Some(COORDINATOR_EPOCH));
    let is_kept = matches!(
        known,
        Err(ProducerError::CoordinatorFenced { current, .. }) if found <= current
    );
    found > COORDINATOR_EPOCH && !is_kept
}

fn append_marker(node: &Node, log: &PartitionLog, marker: &Marker) -> Result<Lsn, AppendError> {
    let at = Timestamp::from_millis(node.clock.wall().as_millis());
    let origin = if marker.bumps_epoch {
        AppendOrigin::CoordinatorV2
    } else {
        AppendOrigin::Coordinator
    };
    let append = |marker: &Marker| {
        let batch = batch::encode_marker(marker, at)?;
        Ok(log.append(&[batch], origin)?.lsn)
    };
    let appended = append(marker);
    if let Err(AppendError::Producer(ProducerError::CoordinatorFenced { current, .. })) = appended
        && let Some(overruling) = overruling(*marker, current)
    {
        return append(&overruling);
    }
    appended
}

enum Outcome {
    Appended(Lsn),
    /// There is nothing to end (any more).
    Done,
    Failed(AppendError),
}

fn append(node: &Node, topic: &str, index: i32, wanted: &WriteMarkers) -> Outcome {
    let topics = node.topics.load();
    let log = topics
        .by_name(topic)
        .and_then(|topic| topic.logs.get(usize::try_from(index).ok()?));
    match log {
        // A topic that was deleted took the transaction's records with it.
        None => Outcome::Done,
        Some(log) => match append_marker(node, log, &wanted.marker) {
            Ok(lsn) => Outcome::Appended(lsn),
            Err(AppendError::Unusable(Unusable::Deleted(_))) => Outcome::Done,
            // A later marker has been here: what this one would end has ended.
            Err(AppendError::Producer(ProducerError::EpochFenced { .. })) => Outcome::Done,
            Err(error) => Outcome::Failed(error),
        },
    }
}
