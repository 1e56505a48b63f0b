//! Writing transaction markers, from coordinators to leaders.

use crate::Message;

/// Writes commit and abort markers into partitions.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = WriteTxnMarkers,
    response = WriteTxnMarkersResponse,
    versions = "1-2",
    flexible = "1+"
)]
pub struct WriteTxnMarkersRequest {
    /// Markers, one for each transaction.
    #[kafka(versions = "0+")]
    pub markers: Vec<WritableTxnMarker>,
}

/// The end of a transaction, and where to write it.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct WritableTxnMarker {
    /// Id of the producer.
    #[kafka(versions = "0+")]
    pub producer_id: i64,
    /// Epoch of the producer id.
    #[kafka(versions = "0+")]
    pub producer_epoch: i16,
    /// True for commit, false for abort.
    #[kafka(versions = "0+")]
    pub transaction_result: bool,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<WritableTxnMarkerTopic>,
    /// Epoch of the transaction coordinator.
    #[kafka(versions = "0+")]
    pub coordinator_epoch: i32,
    /// Transaction protocol of the marker: 0 and 1 the old one, 2 that of KIP-890.
    #[kafka(versions = "2+", ignorable)]
    pub transaction_version: i8,
}

/// Partitions of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct WritableTxnMarkerTopic {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Indexes of the partitions.
    #[kafka(versions = "0+")]
    pub partition_indexes: Vec<i32>,
}

/// What became of each marker.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "1-2", flexible = "1+")]
pub struct WriteTxnMarkersResponse {
    /// Markers, one for each transaction.
    #[kafka(versions = "0+")]
    pub markers: Vec<WritableTxnMarkerResult>,
}

/// Results of a transaction.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct WritableTxnMarkerResult {
    /// Id of the producer.
    #[kafka(versions = "0+")]
    pub producer_id: i64,
    /// Topics, one by one.
    #[kafka(versions = "0+")]
    pub topics: Vec<WritableTxnMarkerTopicResult>,
}

/// Results of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct WritableTxnMarkerTopicResult {
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub name: String,
    /// Partitions, one by one.
    #[kafka(versions = "0+")]
    pub partitions: Vec<WritableTxnMarkerPartitionResult>,
}

/// Result of a partition.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct WritableTxnMarkerPartitionResult {
    /// Index of the partition.
    #[kafka(versions = "0+")]
    pub partition_index: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
}
