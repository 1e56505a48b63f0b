//! Writing records, in transactions if need be.
//!
//! - `producer`: what users call; `core`: what it shares with the sender task.
//! - `accumulator`, `batch`, `memory`: records on their way into batches, without a wait.
//! - `sender`, `produce`: batches on their way to the nodes and back.
//! - `sequence`, `transaction`: the decisions, as pure state machines.
//! - `transactions`: the requests of transactions.

mod accumulator;
mod batch;
mod config;
mod core;
mod delivery;
mod memory;
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
mod transaction;
mod transactions;

pub use config::{Acks, ProducerConfig};
pub use delivery::Delivery;
pub use partitioner::{murmur2, partition_for_key};
pub use producer::{AppendGuard, PartitionAppender, Producer};
pub use record::{AppendError, ProducerRecord, RecordMetadata};
