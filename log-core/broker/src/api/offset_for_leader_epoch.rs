//! OffsetForLeaderEpoch: where a leadership ended, for clients that look for truncation (KIP-320).

use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition, OffsetForLeaderTopicResult,
};

use super::{Handler, Reply, check_leader_epoch};
use crate::context::RequestContext;
use crate::node::Node;
use crate::topics::TopicMap;

pub(crate) struct OffsetForLeaderEpoch;

impl Handler for OffsetForLeaderEpoch {
    type Request = OffsetForLeaderEpochRequest;

    fn start(
        node: &Arc<Node>,
        _context: &RequestContext,
        request: OffsetForLeaderEpochRequest,
    ) -> Reply<OffsetForLeaderEpochResponse> {
        let topics = node.topics.load();
        let answered = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter();
            OffsetForLeaderTopicResult {
                partitions: partitions
                    .map(|p| end_offset(&topics, &topic.topic, p))
                    .collect(),
                topic: topic.topic,
            }
        });
        Reply::Now(OffsetForLeaderEpochResponse {
            topics: answered.collect(),
            ..Default::default()
        })
    }
}

fn end_offset(topics: &TopicMap, topic: &str, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let found = topics
        .by_name(topic)
        .ok_or(ErrorCode::UnknownTopicOrPartition)
        .and_then(|topic| topic.locate(asked.partition))
        .and_then(|found| {
            check_leader_epoch(asked.current_leader_epoch, found.leader_epoch).map(|()| found)
        });
    let mut answer = EpochEndOffset {
        partition: asked.partition,
        ..Default::default()
    };
    match found {
        Err(error) => answer.error_code = error.code(),
        Ok(found) => {
            // A partition on one node has had one leadership, the current one, so that either
            // epoch asked for is it or there has been none.
            if asked.leader_epoch == found.leader_epoch {
                answer.leader_epoch = found.leader_epoch;
                answer.end_offset = found.log.durable_end_offset();
            }
        }
    }
    answer
}
