//! ElectLeaders (KIP-460). On one node the preferred replica leads, so there is nothing to elect.

use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, PartitionResult, ReplicaElectionResult,
    TopicPartitions,
};

use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::metadata::PartitionImage;
use crate::node::Node;
use crate::topics::TopicMap;

pub(crate) struct ElectLeaders;

/// Elects the preferred replica.
const PREFERRED: i8 = 0;
/// Elects any replica that lives where none is in sync.
const UNCLEAN: i8 = 1;

impl Handler for ElectLeaders {
    type Request = ElectLeadersRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: ElectLeadersRequest,
    ) -> Reply<ElectLeadersResponse> {
        let kind = request.election_type;
        let topics = node.topics.load();
        let refused = match kind {
            PREFERRED | UNCLEAN if request.timeout_ms > 0 => None,
            PREFERRED | UNCLEAN => Some(ErrorCode::RequestTimedOut),
            _ => Some(ErrorCode::InvalidRequest),
        };
        let results = match request.topic_partitions {
            Some(wanted) => wanted
                .into_iter()
                .map(|wanted| results(&topics, wanted, kind, refused))
                .collect(),
            // Of all partitions only those where something happened are told.
            None => topics
                .in_name_order()
                .map(|topic| ReplicaElectionResult {
                    topic: topic.image.name.clone(),
                    ..Default::default()
                })
                .collect(),
        };
        Reply::Now(ElectLeadersResponse {
            // Version 0 has no place for it.
            error_code: refused
                .filter(|_| context.version > 0)
                .unwrap_or(ErrorCode::None)
                .code(),
            replica_election_results: results,
            ..Default::default()
        })
    }
}

fn results(
    topics: &TopicMap,
    wanted: TopicPartitions,
    kind: i8,
    refused: Option<ErrorCode>,
) -> ReplicaElectionResult {
    let topic = topics.by_name(&wanted.topic);
    let partitions = wanted.partitions.iter().map(|index| {
        let image = usize::try_from(*index)
            .ok()
            .and_then(|at| topic?.image.partitions.get(at));
        let (error, message) = match (refused, image) {
            (Some(error), _) => (error, format!("election type {kind} cannot be held")),
            (None, None) => (
                ErrorCode::UnknownTopicOrPartition,
                format!("there is no partition {}-{index}", wanted.topic),
            ),
            (None, Some(image)) => election(image, kind),
        };
        PartitionResult {
            partition_id: *index,
            error_code: error.code(),
            error_message: Some(message),
        }
    });
    ReplicaElectionResult {
        partition_result: partitions.collect(),
        topic: wanted.topic,
    }
}

/// What an election comes to: on one node a partition without a leader has none to give.
fn election(partition: &PartitionImage, kind: i8) -> (ErrorCode, String) {
    let led = partition.leader >= 0;
    let preferred = partition.replicas.first() == Some(&partition.leader);
    match kind {
        _ if led && (kind == UNCLEAN || preferred) => (
            ErrorCode::ElectionNotNeeded,
            "the partition has the leader it should have".to_owned(),
        ),
        PREFERRED => (
            ErrorCode::PreferredLeaderNotAvailable,
            "the preferred replica is not on this node".to_owned(),
        ),
        _ => (
            ErrorCode::EligibleLeadersNotAvailable,
            "no replica of the partition is on this node".to_owned(),
        ),
    }
}
