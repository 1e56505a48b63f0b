//! Writing records, in transactions if need be.

mod config;
mod partitioner;
mod record;

pub use config::{Acks, ProducerConfig};
pub use partitioner::{murmur2, partition_for_key};
pub use record::{AppendError, ProducerRecord, RecordMetadata};
