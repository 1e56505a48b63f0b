//! AlterPartitionReassignments (KIP-455). One node has nowhere to move a partition to: that it
//! shall be where it is already is done at once, anything else names brokers that do not exist.

use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ReassignablePartition,
    ReassignablePartitionResponse, ReassignableTopicResponse,
};

use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;
use crate::topic_creation::TopicRefused;
use crate::topics::TopicMap;

pub(crate) struct AlterPartitionReassignments;

impl Handler for AlterPartitionReassignments {
    type Request = AlterPartitionReassignmentsRequest;

    fn start(
        node: &Arc<Node>,
        _context: &RequestContext,
        request: AlterPartitionReassignmentsRequest,
    ) -> Reply<AlterPartitionReassignmentsResponse> {
        let mut response = AlterPartitionReassignmentsResponse {
            allow_replication_factor_change: request.allow_replication_factor_change,
            error_message: None,
            ..Default::default()
        };
        let timed_out = request.timeout_ms <= 0;
        if timed_out {
            response.error_code = ErrorCode::RequestTimedOut.code();
        }
        let topics = node.topics.load();
        let answered = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| {
                let placed = if timed_out {
                    Err(TopicRefused::timed_out())
                } else {
                    place(node, &topics, &topic.name, partition)
                };
                result(partition.partition_index, placed)
            });
            ReassignableTopicResponse {
                partitions: partitions.collect(),
                name: topic.name,
            }
        });
        response.responses = answered.collect();
        Reply::Now(response)
    }
}

fn result(index: i32, placed: Result<(), TopicRefused>) -> ReassignablePartitionResponse {
    let refused = placed.err();
    ReassignablePartitionResponse {
        partition_index: index,
        error_code: refused
            .as_ref()
            .map_or(ErrorCode::None, |refused| refused.code)
            .code(),
        error_message: refused.map(|refused| refused.message),
    }
}

fn place(
    node: &Node,
    topics: &TopicMap,
    topic: &str,
    partition: &ReassignablePartition,
) -> Result<(), TopicRefused> {
    let index = partition.partition_index;
    let image = usize::try_from(index)
        .ok()
        .and_then(|at| topics.by_name(topic)?.image.partitions.get(at));
    let Some(image) = image else {
        return Err(TopicRefused::new(
            ErrorCode::UnknownTopicOrPartition,
            format!("there is no partition {topic}-{index}"),
        ));
    };
    let Some(wanted) = &partition.replicas else {
        return Err(TopicRefused::new(
            ErrorCode::NoReassignmentInProgress,
            format!("{topic}-{index} is not being reassigned"),
        ));
    };
    node.check_replicas(wanted)?;
    let is_there =
        wanted.len() == image.replicas.len() && wanted.iter().all(|id| image.replicas.contains(id));
    if is_there {
        Ok(())
    } else {
        Err(TopicRefused::new(
            ErrorCode::InvalidReplicaAssignment,
            format!(
                "{topic}-{index} cannot leave its replicas {:?}",
                image.replicas
            ),
        ))
    }
}
