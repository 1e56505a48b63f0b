//! ListOffsets: the ends of a partition, or the first offset at or after a time.

use std::collections::HashSet;
use std::sync::Arc;

use headwater_storage::PartitionLog;
use headwater_wire::ErrorCode;
use headwater_wire::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};

use super::{Handler, Reply, check_leader_epoch};
use crate::context::RequestContext;
use crate::node::Node;
use crate::topics::TopicMap;

pub(crate) struct ListOffsets;

/// First version whose answers carry the leader epoch.
const LEADER_EPOCH_FROM: i16 = 4;

/// What the negative timestamps of a request stand for.
mod asked {
    pub(super) const LATEST: i64 = -1;
    pub(super) const EARLIEST: i64 = -2;
    /// The record with the largest timestamp (KIP-734).
    pub(super) const MAX_TIMESTAMP: i64 = -3;
    /// The first offset that is on the broker's own disk (KIP-405); here all of them are.
    pub(super) const EARLIEST_LOCAL: i64 = -4;
    /// The last offset in tiered storage (KIP-1005), of which there is none.
    pub(super) const LATEST_TIERED: i64 = -5;
    /// The first offset to be moved to tiered storage (KIP-1023), of which there is none.
    pub(super) const EARLIEST_PENDING_UPLOAD: i64 = -6;
}

/// First version that knows each of the special timestamps but the two oldest.
const KNOWN_FROM: [(i64, i16); 4] = [
    (asked::MAX_TIMESTAMP, 7),
    (asked::EARLIEST_LOCAL, 8),
    (asked::LATEST_TIERED, 9),
    (asked::EARLIEST_PENDING_UPLOAD, 11),
];

/// An offset with its record's timestamp and leader epoch, -1 where there is none.
struct Found {
    offset: i64,
    timestamp: i64,
    leader_epoch: i32,
}

impl Handler for ListOffsets {
    type Request = ListOffsetsRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: ListOffsetsRequest,
    ) -> Reply<ListOffsetsResponse> {
        let looks_into_records = request
            .topics
            .iter()
            .flat_map(|topic| &topic.partitions)
            .any(|partition| {
                partition.timestamp >= 0 || partition.timestamp == asked::MAX_TIMESTAMP
            });
        let node = Arc::clone(node);
        let version = context.version;
        if !looks_into_records {
            return Reply::Now(answer(&node.topics.load(), request, version));
        }
        // Looking up a time reads and may decompress a batch of each partition.
        Reply::later(async move {
            let looked_up =
                tokio::task::spawn_blocking(move || answer(&node.topics.load(), request, version))
                    .await;
            looked_up.unwrap_or_else(|error| {
                tracing::error!(%error, "looking up offsets by time failed");
                ListOffsetsResponse::default()
            })
        })
    }
}

fn answer(topics: &TopicMap, request: ListOffsetsRequest, version: i16) -> ListOffsetsResponse {
    let committed = match request.isolation_level {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(ErrorCode::UnknownServerError),
    };
    let mut seen = HashSet::new();
    let mut doubled = HashSet::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            let key = (topic.name.as_str(), partition.partition_index);
            if !seen.insert(key) {
                doubled.insert(key);
            }
        }
    }
    let answered = request.topics.iter().map(|topic| {
        let mut told = HashSet::new();
        let partitions = topic.partitions.iter().filter_map(|partition| {
            let index = partition.partition_index;
            let found = if doubled.contains(&(topic.name.as_str(), index)) {
                // Named twice, it is answered once: clients key the answer by partition.
                if !told.insert(index) {
                    return None;
                }
                Err(ErrorCode::InvalidRequest)
            } else {
                committed
                    .and_then(|committed| find(topics, &topic.name, partition, committed, version))
            };
            Some(response(partition, found, version))
        });
        ListOffsetsTopicResponse {
            partitions: partitions.collect(),
            name: topic.name.clone(),
        }
    });
    ListOffsetsResponse {
        topics: answered.collect(),
        ..Default::default()
    }
}

fn response(
    partition: &ListOffsetsPartition,
    found: Result<Option<Found>, ErrorCode>,
    version: i16,
) -> ListOffsetsPartitionResponse {
    let mut response = ListOffsetsPartitionResponse {
        partition_index: partition.partition_index,
        ..Default::default()
    };
    match found {
        Ok(Some(found)) => {
            response.offset = found.offset;
            response.timestamp = found.timestamp;
            if version >= LEADER_EPOCH_FROM {
                response.leader_epoch = found.leader_epoch;
            }
        }
        Ok(None) => {}
        Err(error) => response.error_code = error.code(),
    }
    response
}

fn find(
    topics: &TopicMap,
    topic: &str,
    partition: &ListOffsetsPartition,
    committed: bool,
    version: i16,
) -> Result<Option<Found>, ErrorCode> {
    let known_from = KNOWN_FROM
        .iter()
        .find(|(timestamp, _)| *timestamp == partition.timestamp);
    let is_known = match known_from {
        Some((_, from)) => version >= *from,
        None => partition.timestamp >= asked::EARLIEST,
    };
    if !is_known {
        return Err(ErrorCode::UnsupportedVersion);
    }
    let topic = topics
        .by_name(topic)
        .ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let located = topic.locate(partition.partition_index)?;
    check_leader_epoch(partition.current_leader_epoch, located.leader_epoch)?;
    let log = located.log;
    let end = if committed {
        log.last_stable_offset()
    } else {
        log.durable_end_offset()
    };
    let leader_epoch = located.leader_epoch;
    let at = |offset| {
        Ok(Some(Found {
            offset,
            timestamp: -1,
            leader_epoch,
        }))
    };
    match partition.timestamp {
        asked::LATEST => at(end),
        asked::EARLIEST | asked::EARLIEST_LOCAL => at(log.log_start_offset()),
        asked::LATEST_TIERED | asked::EARLIEST_PENDING_UPLOAD => Ok(None),
        asked::MAX_TIMESTAMP => by_time(log, Lookup::Max, end, leader_epoch),
        timestamp if timestamp >= 0 => by_time(log, Lookup::From(timestamp), end, leader_epoch),
        _ => Err(ErrorCode::UnsupportedVersion),
    }
}

enum Lookup {
    Max,
    From(i64),
}

fn by_time(
    log: &PartitionLog,
    lookup: Lookup,
    end: i64,
    leader_epoch: i32,
) -> Result<Option<Found>, ErrorCode> {
    let found = match lookup {
        Lookup::Max => log.max_timestamp_offset(),
        Lookup::From(timestamp) => log.offset_for_timestamp(timestamp),
    };
    let found = found.map_err(|error| {
        tracing::error!(%error, "looking up an offset by time failed");
        ErrorCode::KafkaStorageError
    })?;
    // What is not committed, or not yet on disk, is not there for the caller.
    Ok(found.filter(|found| found.offset < end).map(|found| Found {
        offset: found.offset,
        timestamp: found.timestamp,
        leader_epoch,
    }))
}
