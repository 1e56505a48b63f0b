//! DescribeQuorum (KIP-595): the metadata quorum, under the name that Kafka's tools ask for.

use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, Listener, Node as QuorumNode, PartitionData,
    ReplicaState, TopicData, TopicRequest,
};

use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;
use crate::quorum::{QuorumMember, QuorumStatus};

pub(crate) struct DescribeQuorum;

/// Kafka's topic of metadata, which has one partition.
const CLUSTER_METADATA: &str = "__cluster_metadata";
/// First version that tells where the nodes are (KIP-853).
const NODES_FROM: i16 = 2;
/// Name of the one listener.
const LISTENER: &str = "PLAINTEXT";

impl Handler for DescribeQuorum {
    type Request = DescribeQuorumRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: DescribeQuorumRequest,
    ) -> Reply<DescribeQuorumResponse> {
        let mut response = DescribeQuorumResponse::default();
        if is_of_metadata(&request.topics) {
            let status = node.quorum.status();
            if context.version >= NODES_FROM {
                response.nodes = nodes(node, &status);
            }
            response.topics = vec![TopicData {
                topic_name: CLUSTER_METADATA.to_owned(),
                partitions: vec![quorum(node, &status)],
            }];
        } else {
            response.topics = request.topics.into_iter().map(unknown).collect();
        }
        Reply::Now(response)
    }
}

/// Whether exactly the metadata is asked for. Kafka knows no other quorum either.
fn is_of_metadata(topics: &[TopicRequest]) -> bool {
    match topics {
        [topic] if topic.topic_name == CLUSTER_METADATA => {
            matches!(topic.partitions.as_slice(), [only] if only.partition_index == 0)
        }
        _ => false,
    }
}

fn unknown(topic: TopicRequest) -> TopicData {
    let error = ErrorCode::UnknownTopicOrPartition;
    let partitions = topic.partitions.iter().map(|partition| PartitionData {
        partition_index: partition.partition_index,
        error_code: error.code(),
        error_message: Some(error.message().to_owned()),
        ..Default::default()
    });
    TopicData {
        partitions: partitions.collect(),
        topic_name: topic.topic_name,
    }
}

fn quorum(node: &Node, status: &QuorumStatus) -> PartitionData {
    let now = node.clock.wall().as_millis();
    let state = |member: &QuorumMember| {
        // Of the others nobody notes when they were last heard of.
        let last = if Some(member.id) == status.leader {
            now
        } else {
            -1
        };
        ReplicaState {
            replica_id: member.id,
            log_end_offset: member.log_end.map_or(-1, offset),
            last_fetch_timestamp: last,
            last_caught_up_timestamp: last,
            ..Default::default()
        }
    };
    PartitionData {
        leader_id: status.leader.unwrap_or(-1),
        leader_epoch: i32::try_from(status.term).unwrap_or(i32::MAX),
        high_watermark: offset(status.applied),
        current_voters: status.voters.iter().map(state).collect(),
        observers: status.learners.iter().map(state).collect(),
        ..Default::default()
    }
}

fn nodes(node: &Node, status: &QuorumStatus) -> Vec<QuorumNode> {
    let image = node.quorum.image();
    let known = status
        .voters
        .iter()
        .filter_map(|voter| Some((voter.id, image.brokers.get(&voter.id)?)));
    let listening = known.map(|(id, broker)| QuorumNode {
        node_id: id,
        listeners: vec![Listener {
            name: LISTENER.to_owned(),
            host: broker.host.clone(),
            port: broker.port,
        }],
    });
    listening.collect()
}

fn offset(end: u64) -> i64 {
    i64::try_from(end).unwrap_or(i64::MAX)
}
