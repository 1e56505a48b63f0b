//! Reading records: alone or in a group.

pub mod assignor;
mod config;
mod group_metadata;
mod record;

pub use assignor::{Assignor, MemberAssignment, MemberSubscription};
pub use config::{AutoOffsetReset, ConsumerConfig, IsolationLevel};
pub use group_metadata::ConsumerGroupMetadata;
pub use record::{ConsumerRecord, FetchedBatch, FetchedBatches, Watermarks};
