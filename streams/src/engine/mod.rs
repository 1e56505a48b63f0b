//! Chunks, operators, topologies and tasks: what runs, without any input or output of its own.
//!
//! A [`Topology`] is a graph of sources, operators and sinks with the stores they use, cut into
//! sub-topologies wherever records pass through a topic. One [`Task`] runs one sub-topology on one
//! partition of its inputs. The unit that moves along an edge is a [`Chunk`]: an operator is called
//! once for a batch of records, and loops inside.
//!
//! The typed DSL and the SQL planner both build topologies from here; the runtime runs either.

mod batch;
mod chunk;
mod context;
mod describe;
mod error;
mod operator;
mod plan;
mod progress;
mod queue;
mod task;
mod topology;

pub(crate) use chunk::retain_flagged;
pub use chunk::{
    Chunk, ColumnarChunk, Header, Headers, RawChunk, RawColumn, RawColumnBuilder, RowMeta,
};
pub use context::{Counters, TaskContext, TaskId};
pub use error::EngineError;
pub use operator::{Operator, OperatorFactory, PassThrough, TimeKind};
pub use plan::{InternalTopic, Plan, changelog_topic};
pub use task::{InputPosition, Output, StoreChanges, Task, TaskConfig};
pub use topology::{
    Node, NodeId, NodeKind, OffsetReset, Partitioner, RepartitionSpec, SinkSpec, SourceRole,
    SourceSpec, SubTopology, TimestampExtractor, TopicRef, Topology, TopologyBuilder,
    TopologyError,
};
