//! Describing the directories of a broker.

use crate::Message;

/// Asks what the directories of the broker hold.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = DescribeLogDirs,
    response = DescribeLogDirsResponse,
    versions = "1-5",
    flexible = "2+"
)]
pub struct DescribeLogDirsRequest {
    /// Topics to describe; null for all.
    #[kafka(versions = "0+", nullable = "0+")]
    pub topics: Option<Vec<DescribableLogDirTopic>>,
}

/// A topic to describe.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct DescribableLogDirTopic {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub topic: String,
    /// Indexes of the partitions.
    #[kafka(versions = "0+")]
    pub partitions: Vec<i32>,
}

/// The directories of the broker.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "1-5", flexible = "2+")]
pub struct DescribeLogDirsResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Error, 0 for none.
    #[kafka(versions = "3+", ignorable)]
    pub error_code: i16,
    /// Directories, one by one.
    #[kafka(versions = "0+")]
    pub results: Vec<DescribeLogDirsResult>,
}

/// A directory.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct DescribeLogDirsResult {
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// Absolute path of the directory.
    #[kafka(versions = "0+")]
    pub log_dir: String,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<DescribeLogDirsTopic>,
    /// Size of the volume in bytes, -1 if unknown.
    #[kafka(versions = "4+", default = -1, ignorable)]
    pub total_bytes: i64,
    /// Bytes of the volume that can still be used, -1 if unknown.
    #[kafka(versions = "4+", default = -1, ignorable)]
    pub usable_bytes: i64,
    /// Whether the directory takes no new partitions (KIP-1066).
    #[kafka(versions = "5+", ignorable)]
    pub is_cordoned: bool,
}

/// A topic in a directory.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct DescribeLogDirsTopic {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<DescribeLogDirsPartition>,
}

/// A partition in a directory.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct DescribeLogDirsPartition {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    /// Size of the segments in bytes.
    #[kafka(versions = "0+")]
    pub partition_size: i64,
    /// Records that the log lacks: up to the high watermark, or for a future log up to the end of
    /// the one it replaces.
    #[kafka(versions = "0+")]
    pub offset_lag: i64,
    /// Whether this log is being filled to replace the one in another directory.
    #[kafka(versions = "0+")]
    pub is_future_key: bool,
}
