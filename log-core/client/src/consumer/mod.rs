//! Reading records: alone or in a group.
//!
//! - `consumer`: what users call, in the files `subscribe`, `commits`, `positions` and `lookup` too;
//!   `core`: what it shares with its tasks.
//! - `rebalance`, `group`: membership, under either protocol.
//! - `assigned`: positions and buffers, pure; `fetcher`, `findings`, `fetch`, `session`, `epochs`: the
//!   task that fills them.
//! - `aborted`: leaving out aborted transactions.
//! - [`assignor`]: who gets what, where members decide.
//! - `interceptor`, `metrics`: looking on.

mod aborted;
mod assigned;
pub mod assignor;
mod commits;
mod config;
#[expect(
    clippy::module_inception,
    reason = "the public face of the module bears its name"
)]
mod consumer;
mod core;
mod epochs;
mod fetch;
mod fetcher;
mod findings;
mod group;
mod group_metadata;
mod interceptor;
mod listener;
mod lookup;
mod metrics;
mod positions;
mod rebalance;
mod record;
mod session;
mod subscribe;
mod subscription;

pub use assignor::{Assignor, MemberAssignment, MemberSubscription, RebalanceProtocol};
pub use config::{AutoOffsetReset, ConsumerConfig, GroupProtocol, IsolationLevel};
pub use consumer::Consumer;
pub(crate) use group::protocol;
pub use group_metadata::ConsumerGroupMetadata;
pub use interceptor::ConsumerInterceptor;
pub use listener::RebalanceListener;
pub use metrics::ConsumerMetrics;
pub use record::{ConsumerRecord, FetchedBatch, FetchedBatches, OffsetAndTimestamp, Watermarks};
