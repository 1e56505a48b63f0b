//! DeleteRecords: moves the start of a partition's log forward (KIP-107).

use std::collections::HashSet;
use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest,
    DeleteRecordsResponse, DeleteRecordsTopicResult,
};

use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::internal_topics;
use crate::node::Node;
use crate::topics::TopicMap;

pub(crate) struct DeleteRecords;

/// Stands for the high watermark: deletes everything a consumer could read.
const TO_HIGH_WATERMARK: i64 = -1;

impl Handler for DeleteRecords {
    type Request = DeleteRecordsRequest;

    fn start(
        node: &Arc<Node>,
        _context: &RequestContext,
        request: DeleteRecordsRequest,
    ) -> Reply<DeleteRecordsResponse> {
        let node = Arc::clone(node);
        Reply::later(async move {
            let mut topics = Vec::with_capacity(request.topics.len());
            for topic in request.topics {
                let mut partitions = Vec::with_capacity(topic.partitions.len());
                for partition in last_of_each(&topic.partitions) {
                    let deleted = delete(&node, &topic.name, partition).await;
                    partitions.push(result(partition.partition_index, deleted));
                }
                topics.push(DeleteRecordsTopicResult {
                    name: topic.name,
                    partitions,
                });
            }
            DeleteRecordsResponse {
                topics,
                ..Default::default()
            }
        })
    }
}

/// The partitions in their order. One that is listed twice counts as it stands last.
fn last_of_each(partitions: &[DeleteRecordsPartition]) -> Vec<&DeleteRecordsPartition> {
    let mut seen = HashSet::with_capacity(partitions.len());
    let mut kept: Vec<_> = partitions
        .iter()
        .rev()
        .filter(|partition| seen.insert(partition.partition_index))
        .collect();
    kept.reverse();
    kept
}

fn result(index: i32, deleted: Result<i64, ErrorCode>) -> DeleteRecordsPartitionResult {
    let (low_watermark, error) = match deleted {
        Ok(start) => (start, ErrorCode::None),
        Err(error) => (-1, error),
    };
    DeleteRecordsPartitionResult {
        partition_index: index,
        low_watermark,
        error_code: error.code(),
    }
}

async fn delete(
    node: &Node,
    topic: &str,
    partition: &DeleteRecordsPartition,
) -> Result<i64, ErrorCode> {
    let topics = node.topics.load();
    let log = deletable(&topics, topic, partition.partition_index)?;
    let end = log.durable_end_offset();
    let offset = if partition.offset == TO_HIGH_WATERMARK {
        end
    } else {
        partition.offset
    };
    if offset < 0 || offset > end {
        return Err(ErrorCode::OffsetOutOfRange);
    }

    let deleted = tokio::task::spawn_blocking(move || log.delete_records_before(offset));
    deleted
        .await
        .map_err(|_| ErrorCode::UnknownServerError)?
        .map_err(|error| {
            tracing::error!(topic, partition = partition.partition_index, %error, "deleting records failed");
            ErrorCode::KafkaStorageError
        })
}

fn deletable(
    topics: &TopicMap,
    name: &str,
    index: i32,
) -> Result<Arc<headwater_storage::PartitionLog>, ErrorCode> {
    let topic = topics
        .by_name(name)
        .ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if internal_topics::is_internal(name) {
        return Err(ErrorCode::InvalidTopicException);
    }
    let located = topic.locate(index)?;
    // Without deletion in its policy a topic's past is not the broker's to throw away.
    if !topic.config.log.cleanup.delete {
        return Err(ErrorCode::PolicyViolation);
    }
    Ok(Arc::clone(located.log))
}
