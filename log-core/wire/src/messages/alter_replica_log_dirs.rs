//! Moving replicas between the directories of a broker.

use crate::Message;

/// Moves replicas to other directories of the broker.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = AlterReplicaLogDirs,
    response = AlterReplicaLogDirsResponse,
    versions = "1-2",
    flexible = "2+"
)]
pub struct AlterReplicaLogDirsRequest {
    /// Directories that shall take replicas, one by one.
    #[kafka(versions = "0+")]
    pub dirs: Vec<AlterReplicaLogDir>,
}

/// A directory that shall take replicas.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct AlterReplicaLogDir {
    /// Absolute path of the directory.
    #[kafka(versions = "0+")]
    pub path: String,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<AlterReplicaLogDirTopic>,
}

/// A topic to move.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct AlterReplicaLogDirTopic {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Indexes of the partitions.
    #[kafka(versions = "0+")]
    pub partitions: Vec<i32>,
}

/// What came of it, by partition.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "1-2", flexible = "2+")]
pub struct AlterReplicaLogDirsResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub results: Vec<AlterReplicaLogDirTopicResult>,
}

/// Results of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct AlterReplicaLogDirTopicResult {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub topic_name: String,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<AlterReplicaLogDirPartitionResult>,
}

/// Result of a partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct AlterReplicaLogDirPartitionResult {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
}
