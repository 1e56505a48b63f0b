//! Reading records: alone or in a group.
//!
//! - `consumer`: what users call; `core`: what it shares with its tasks.
//! - `assigned`: positions and buffers, pure; `fetcher` and `fetch`: the task that fills them.
//! - `aborted`: leaving out aborted transactions.
//! - `group`, `join`, `protocol`: membership, rebalances, heartbeats, commits.
//! - [`assignor`]: who gets what.

mod aborted;
mod assigned;
pub mod assignor;
mod config;
#[expect(
    clippy::module_inception,
    reason = "the public face of the module bears its name"
)]
mod consumer;
mod core;
mod fetch;
mod fetcher;
mod group;
mod group_metadata;
mod join;
mod listener;
pub(crate) mod protocol;
mod record;

pub use assignor::{Assignor, MemberAssignment, MemberSubscription};
pub use config::{AutoOffsetReset, ConsumerConfig, IsolationLevel};
pub use consumer::Consumer;
pub use group_metadata::ConsumerGroupMetadata;
pub use listener::RebalanceListener;
pub use record::{ConsumerRecord, FetchedBatch, FetchedBatches, OffsetAndTimestamp, Watermarks};
