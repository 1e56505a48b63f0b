//! What can go wrong while a task works.

use crate::codec::CodecError;
use crate::state::StateError;

/// A failure of a task. The runtime stops the application with it, unless a policy says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A key or value could not be decoded.
    #[error(
        "{node}: cannot decode the {part} of a record at offset {offset} of {topic}-{partition}"
    )]
    Decode {
        /// Node that read it.
        node: String,
        /// `key` or `value`.
        part: &'static str,
        /// Topic the task was reading.
        topic: String,
        /// Partition of that topic.
        partition: i32,
        /// Offset of the record, −1 if it was derived from state.
        offset: i64,
        /// Why.
        #[source]
        source: CodecError,
    },
    /// A key or value could not be encoded.
    #[error("{node}: cannot encode a {part}")]
    Encode {
        /// Node that wrote it.
        node: String,
        /// `key` or `value`.
        part: &'static str,
        /// Why.
        #[source]
        source: CodecError,
    },
    /// A state store failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// An operator got a chunk of another type than it was built for.
    #[error("{node}: expected a chunk of {expected}, got {found}")]
    WrongChunk {
        /// Node that got it.
        node: String,
        /// Type it works on.
        expected: &'static str,
        /// Type that came.
        found: &'static str,
    },
    /// An operator asked for a store it is not connected with.
    #[error("{node}: has no store at position {position}")]
    NoSuchStore {
        /// Node that asked.
        node: String,
        /// Position in the list of stores it was added with.
        position: usize,
    },
    /// An operator forwarded to a child it does not have.
    #[error("{node}: has no child at position {position}")]
    NoSuchChild {
        /// Node that forwarded.
        node: String,
        /// Position of the child.
        position: usize,
    },
    /// A batch of records could not be read.
    #[error("cannot read a batch of {topic}-{partition}: {reason}")]
    Batch {
        /// Topic it was fetched from.
        topic: String,
        /// Partition it was fetched from.
        partition: i32,
        /// What is wrong with it.
        reason: String,
    },
    /// Records came for a partition that the task does not read.
    #[error("task {task} does not read {topic}-{partition}")]
    UnknownPartition {
        /// Task, as `subtopology_partition`.
        task: String,
        /// Topic of the records.
        topic: String,
        /// Partition of the records.
        partition: i32,
    },
    /// An operator failed for a reason of its own.
    #[error("{node} failed")]
    Operator {
        /// Node that failed.
        node: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
