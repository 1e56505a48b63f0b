//! What the storage's operations can fail with.

use std::io;
use std::path::PathBuf;

use headwater_wire::records::BatchError;

use crate::id::TopicPartitionId;

/// An operation on a file failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct FileError {
    /// What was tried.
    pub action: &'static str,
    /// On which file or directory.
    pub path: PathBuf,
    /// What the medium said.
    #[source]
    pub source: io::Error,
}

impl FileError {
    pub(crate) fn new(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self {
            action,
            path,
            source,
        }
    }

    /// Whether the disk had no room left.
    pub fn is_out_of_space(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }
}

/// Bytes that were synced once are not what was written.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{} is damaged at byte {position}: {reason}; restore it from a copy, nothing was cut", path.display())]
pub struct Corruption {
    /// The damaged file.
    pub path: PathBuf,
    /// Where the damage was noticed, in bytes.
    pub position: u64,
    /// What is wrong.
    pub reason: String,
}

/// The storage was stopped: by a failed sync, or by shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("storage is stopped; restart the node")]
pub struct Stopped;

/// Why a partition's log cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It was deleted.
    #[error("partition {0} was deleted")]
    Deleted(TopicPartitionId),
    /// Its files are damaged or gave an error; what can be read still is.
    #[error("partition {id} takes no appends: {reason}")]
    Quarantined {
        /// The partition.
        id: TopicPartitionId,
        /// What happened to it.
        reason: String,
    },
}

/// Why a data directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("data directory {} is in use by another process; stop it, or choose another directory", .0.display())]
    Locked(PathBuf),
    /// It belongs to another node or cluster.
    #[error("data directory {} belongs to {what} {found}, not {expected}; choose another directory", path.display())]
    WrongOwner {
        /// The directory.
        path: PathBuf,
        /// `cluster` or `node`.
        what: &'static str,
        /// Its owner.
        found: String,
        /// Who tried to open it.
        expected: String,
    },
    /// A file is of a newer format.
    #[error("{} has format version {found}, this build knows up to {known}; use a newer build", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Newest version known.
        known: u32,
    },
    /// The options contradict themselves.
    #[error("storage options are invalid: {0}")]
    Options(&'static str),
    /// The journal or a file beside it is damaged: acknowledged records may be lost if the node
    /// went on.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// An operation on a file failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// It was stopped meanwhile.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A thread could not be started.
    #[error("cannot start thread {name}")]
    Thread {
        /// The thread.
        name: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Why a batch does not fit its producer's earlier ones (KIP-98, KIP-360).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProducerError {
    /// A sequence number was left out. Kafka's `OUT_OF_ORDER_SEQUENCE_NUMBER`.
    #[error(
        "producer {producer_id} epoch {producer_epoch} sent sequence {found} where {expected} was due"
    )]
    OutOfOrderSequence {
        /// The producer.
        producer_id: i64,
        /// Its epoch.
        producer_epoch: i16,
        /// Sequence that would have been right.
        expected: i32,
        /// Sequence of the batch.
        found: i32,
    },
    /// A producer with a newer epoch took over. Kafka's `INVALID_PRODUCER_EPOCH`.
    #[error("producer {producer_id} sent epoch {found}, but epoch {current} took over")]
    EpochFenced {
        /// The producer.
        producer_id: i64,
        /// Epoch of the batch.
        found: i16,
        /// Epoch that took over.
        current: i16,
    },
    /// A plain batch inside a transaction of the same producer. Kafka's `INVALID_TXN_STATE`.
    #[error("producer {0} sent a batch outside its open transaction")]
    NotTransactional(i64),
    /// The transaction ended while a write in it was verified. Kafka's `INVALID_TXN_STATE`.
    #[error("the transaction of producer {0} ended before its batch could be appended")]
    TransactionEnded(i64),
    /// A marker of a coordinator that was replaced. Kafka's `TRANSACTION_COORDINATOR_FENCED`.
    #[error(
        "marker for producer {producer_id} has coordinator epoch {found}, but {current} took over"
    )]
    CoordinatorFenced {
        /// The producer.
        producer_id: i64,
        /// Coordinator epoch of the marker.
        found: i32,
        /// Coordinator epoch that took over.
        current: i32,
    },
}

/// Why an append was refused. Nothing of it is in the log then.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The batch does not fit its producer's earlier ones.
    #[error(transparent)]
    Producer(#[from] ProducerError),
    /// There is no batch.
    #[error("nothing to append")]
    Empty,
    /// A batch is malformed.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A replicated batch does not follow the log's end.
    #[error("batch at offset {found} does not follow the end of {id} at {expected}")]
    NotNext {
        /// The partition.
        id: TopicPartitionId,
        /// Its end.
        expected: i64,
        /// The batch's base offset.
        found: i64,
    },
    /// The batches together are larger than the journal or a segment can take.
    #[error("{bytes} bytes are too large for one append, the limit is {limit}")]
    TooLarge {
        /// Their size.
        bytes: u64,
        /// Largest size accepted.
        limit: u64,
    },
    /// The log takes no appends.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// The segment could not be written; without room on the disk appends work again once there is.
    #[error(transparent)]
    File(#[from] FileError),
    /// There was no room in the journal for [`JournalOptions::room_wait`](crate::JournalOptions);
    /// nothing was appended.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// The storage is stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// The journal stayed full: checkpoints, which make room in it, cannot be written or are late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal is full; try again, and see the log for why checkpoints are late")]
pub struct NoRoom;

/// Why a read was refused.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The offset is not in the log. Kafka's `OFFSET_OUT_OF_RANGE`.
    #[error("offset {requested} of {id} is outside {log_start}..={end}")]
    OutOfRange {
        /// The partition.
        id: TopicPartitionId,
        /// What was asked for.
        requested: i64,
        /// First offset.
        log_start: i64,
        /// Durable end.
        end: i64,
    },
    /// What was synced once is damaged; the log is quarantined.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// The log was deleted.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// An operation on a file failed.
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<crate::raft::RegisterError> for ChangeError {
    fn from(error: crate::raft::RegisterError) -> Self {
        match error {
            crate::raft::RegisterError::File(error) => Self::File(error),
            crate::raft::RegisterError::Stopped(stopped) => Self::Stopped(stopped),
        }
    }
}

/// Why a log could not be cut, moved, cleaned or deleted.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The offset is not in the log.
    #[error("offset {requested} of {id} is outside {log_start}..={end}")]
    OutOfRange {
        /// The partition.
        id: TopicPartitionId,
        /// What was asked for.
        requested: i64,
        /// First offset.
        log_start: i64,
        /// Largest offset that would do.
        end: i64,
    },
    /// There is no such partition.
    #[error("there is no partition {0} on this node")]
    Unknown(TopicPartitionId),
    /// The log takes no changes.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// What was synced once is damaged; the log is quarantined.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// An operation on a file failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The journal stayed full; nothing was changed.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// The storage is stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}
