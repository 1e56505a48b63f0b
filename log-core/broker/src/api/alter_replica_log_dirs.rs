//! AlterReplicaLogDirs: moves replicas between a broker's directories (KIP-113). There is one, so
//! that a replica can only be told to be where it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::alter_replica_log_dirs::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult, AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
};

use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;

pub(crate) struct AlterReplicaLogDirs;

impl Handler for AlterReplicaLogDirs {
    type Request = AlterReplicaLogDirsRequest;

    fn start(
        node: &Arc<Node>,
        _context: &RequestContext,
        request: AlterReplicaLogDirsRequest,
    ) -> Reply<AlterReplicaLogDirsResponse> {
        let topics = node.topics.load();
        let log_dir = node.log_dir();
        let mut results: BTreeMap<String, Vec<AlterReplicaLogDirPartitionResult>> = BTreeMap::new();
        for dir in request.dirs {
            for topic in dir.topics {
                let count = topics
                    .by_name(&topic.name)
                    .map_or(0, |topic| topic.image.partition_count());
                let move_to = |partition: i32| {
                    let error = if dir.path != log_dir {
                        ErrorCode::LogDirNotFound
                    } else if (0..count).contains(&partition) {
                        ErrorCode::None
                    } else {
                        ErrorCode::UnknownTopicOrPartition
                    };
                    AlterReplicaLogDirPartitionResult {
                        partition_index: partition,
                        error_code: error.code(),
                    }
                };
                let partitions = topic.partitions.into_iter().map(move_to);
                results.entry(topic.name).or_default().extend(partitions);
            }
        }
        let results =
            results
                .into_iter()
                .map(|(topic_name, partitions)| AlterReplicaLogDirTopicResult {
                    topic_name,
                    partitions,
                });
        Reply::Now(AlterReplicaLogDirsResponse {
            results: results.collect(),
            ..Default::default()
        })
    }
}
