//! WriteTxnMarkers: a transaction is ended in some partitions. Between brokers it follows a decision
//! of the coordinator; here, on one node, an administrator ends with it what hangs (KIP-664).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headwater_coordination::{Marker, ProducerIdentity};
use headwater_wire::ErrorCode;
use headwater_wire::messages::write_txn_markers::{
    WritableTxnMarker, WritableTxnMarkerPartitionResult, WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult, WriteTxnMarkersRequest, WriteTxnMarkersResponse,
};

use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::coordinators::write_markers;
use crate::node::Node;

pub(crate) struct WriteTxnMarkers;

/// From this `transaction_version` on a marker's epoch is above that of the records it ends.
const BUMPS_FROM: i8 = 2;

/// What became of the markers, by producer, topic and partition.
type Results = BTreeMap<i64, BTreeMap<String, BTreeMap<i32, ErrorCode>>>;

impl Handler for WriteTxnMarkers {
    type Request = WriteTxnMarkersRequest;

    fn start(
        node: &Arc<Node>,
        _context: &RequestContext,
        request: WriteTxnMarkersRequest,
    ) -> Reply<WriteTxnMarkersResponse> {
        let node = Arc::clone(node);
        Reply::later(async move {
            let mut results = Results::new();
            for wanted in request.markers {
                let of_producer = results.entry(wanted.producer_id).or_default();
                for (topic, index, code) in write(&node, wanted).await {
                    of_producer.entry(topic).or_default().insert(index, code);
                }
            }
            response(results)
        })
    }
}

async fn write(node: &Arc<Node>, wanted: WritableTxnMarker) -> Vec<(String, i32, ErrorCode)> {
    let mut partitions: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    for topic in wanted.topics {
        let indexes = partitions.entry(topic.name).or_default();
        indexes.extend(topic.partition_indexes);
    }
    if wanted.producer_id < 0 || wanted.producer_epoch < 0 {
        let refuse = |(topic, indexes): (String, BTreeSet<i32>)| {
            let code = ErrorCode::InvalidProducerIdMapping;
            indexes
                .into_iter()
                .map(move |index| (topic.clone(), index, code))
        };
        return partitions.into_iter().flat_map(refuse).collect();
    }
    let marker = Marker {
        producer: ProducerIdentity {
            id: wanted.producer_id,
            epoch: wanted.producer_epoch,
        },
        coordinator_epoch: wanted.coordinator_epoch,
        committed: wanted.transaction_result,
        bumps_epoch: wanted.transaction_version >= BUMPS_FROM,
    };
    write_markers(node, marker, &partitions).await
}

fn response(results: Results) -> WriteTxnMarkersResponse {
    let partitions = |indexes: BTreeMap<i32, ErrorCode>| {
        let result = |(partition_index, code): (i32, ErrorCode)| WritableTxnMarkerPartitionResult {
            partition_index,
            error_code: code.code(),
        };
        indexes.into_iter().map(result).collect()
    };
    let topics = |topics: BTreeMap<String, BTreeMap<i32, ErrorCode>>| {
        let result = |(name, indexes)| WritableTxnMarkerTopicResult {
            name,
            partitions: partitions(indexes),
        };
        topics.into_iter().map(result).collect()
    };
    let result = |(producer_id, of_producer)| WritableTxnMarkerResult {
        producer_id,
        topics: topics(of_producer),
    };
    WriteTxnMarkersResponse {
        markers: results.into_iter().map(result).collect(),
    }
}
