//! What a partition log answers.

use crate::lsn::Lsn;

/// Who appends, which decides what is checked and who assigns offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendOrigin {
    /// A client's produce request: producer state is checked, offsets are assigned.
    Client,
    /// As [`Client`](Self::Client), for the first batch of a producer's transaction here, under
    /// transaction.version 2: a producer of which nothing is known begins at sequence 0, because
    /// its epoch began with the transaction (KIP-890).
    FirstOfTransaction,
    /// A coordinator: also transaction markers, whose coordinator epoch is checked.
    Coordinator,
    /// As [`Coordinator`](Self::Coordinator), under transaction.version 2: a marker's epoch is one
    /// that none of the transaction's records has (KIP-890).
    CoordinatorV2,
    /// Another replica: offsets and epochs are as the leader assigned them.
    Replication,
}

impl AppendOrigin {
    /// Whether the batches come from a client.
    pub(crate) fn is_client(self) -> bool {
        matches!(self, Self::Client | Self::FirstOfTransaction)
    }
}

/// A finished append. It is durable once the journal is durable up to `lsn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Offset of the last record.
    pub last_offset: i64,
    /// Time in ms that the records were stamped with, if the topic says `LogAppendTime`.
    pub log_append_time: Option<i64>,
    /// First offset of the log.
    pub log_start_offset: i64,
    /// What the answer must wait for.
    pub lsn: Lsn,
    /// Whether the batch had been appended before; the offsets are then those of that time.
    pub duplicate: bool,
}

/// How far a log may be read: what is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurableState {
    /// Offset behind the last durable record: the high watermark on a single node.
    pub end: i64,
    /// Offset of the first record of the earliest transaction that is still open, or `end`.
    pub last_stable: i64,
}

/// A record found by its timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampOffset {
    /// The record's offset.
    pub offset: i64,
    /// Its timestamp in ms.
    pub timestamp: i64,
    /// Epoch of the leader that appended it.
    pub leader_epoch: i32,
}

/// An aborted transaction, as a fetch response lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Its producer.
    pub producer_id: i64,
    /// Its first offset in the partition.
    pub first_offset: i64,
    /// Offset of its marker.
    pub last_offset: i64,
}

/// What is known of a producer, for DescribeProducers and the tools of KIP-664.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerSummary {
    /// The producer's id.
    pub producer_id: i64,
    /// Its latest epoch.
    pub producer_epoch: i16,
    /// Its last sequence number, -1 if none.
    pub last_sequence: i32,
    /// When it last appended, in ms of wall time.
    pub last_timestamp: i64,
    /// Coordinator epoch of its last marker, -1 if none.
    pub coordinator_epoch: i32,
    /// First offset of its open transaction.
    pub transaction_start: Option<i64>,
}
