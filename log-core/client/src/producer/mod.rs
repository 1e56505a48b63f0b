//! Writing records, in transactions if need be.
//!
//! - `producer`: what users call, in the files `append` and `transactional` too; `core`: what it
//!   shares with the sender task.
//! - `accumulator`, `batch`, `memory`: records on their way into batches, without a wait.
//! - `sender`, `produce`, `settle`, `split`: batches on their way to the nodes and back.
//! - `sequence`, `transaction`: the decisions, as pure state machines.
//! - `transactions`: the requests of transactions.
//! - `interceptor`, `metrics`: looking on.

mod accumulator;
mod append;
mod batch;
mod config;
mod core;
mod delivery;
mod interceptor;
mod memory;
mod metrics;
mod partitioner;
mod produce;
#[expect(
    clippy::module_inception,
    reason = "the public face of the module bears its name"
)]
mod producer;
mod record;
mod sender;
mod sequence;
mod settle;
mod split;
mod transaction;
mod transactional;
mod transactions;

pub use append::{AppendGuard, PartitionAppender};
pub use config::{Acks, ProducerConfig};
pub use delivery::Delivery;
pub use interceptor::{AcknowledgedBatch, ProducerInterceptor};
pub use metrics::ProducerMetrics;
pub use partitioner::{murmur2, partition_for_key};
pub use producer::Producer;
pub use record::{AppendError, ProducerRecord, RecordMetadata};
