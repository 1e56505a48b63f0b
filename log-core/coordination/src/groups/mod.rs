//! Consumer groups and committed offsets (KIP-134, KIP-211, KIP-345, KIP-394, KIP-447, KIP-848).
//!
//! One [`GroupCoordinator`] per partition of `__consumer_offsets` holds the groups whose id is
//! placed there: their members and generations, their committed offsets, and the offsets that
//! open transactions have pending.
//!
//! A classic group is `Empty`, `PreparingRebalance` (members are rejoining), `CompletingRebalance` (the
//! generation is decided and the leader's assignment awaited) or `Stable`. What survives a crash
//! is the last assignment that was synced and the offsets; a rebalance under way is begun anew by
//! the members, whose heartbeats and commits under an unfinished generation are refused.
//!
//! Groups of the consumer protocol, whose assignment the coordinator computes itself, are in
//! `consumer`. A group can change from one kind to the other with its members; its offsets stay.

mod config;
mod consumer;
mod coordinator;
mod effect;
mod errors;
mod expiry;
mod group;
mod heartbeat;
mod input;
mod join;
mod leave;
mod list;
mod load;
mod member;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offsets;
mod passing;
mod rebalance;
mod records;
mod refusal;
mod removal;
mod step;
mod subscription;
mod sync;
mod topics;
mod transactional;

pub use config::{GroupConfig, MigrationPolicy};
pub use consumer::assignors::Assignor;
pub use consumer::regex::TopicPattern;
pub use coordinator::GroupCoordinator;
pub use effect::{Effect, Response};
pub use input::{Client, Input, Request};
pub use load::LoadError;
pub use subscription::subscribed_topics;
pub use topics::{GroupSettings, Topics, TopicsView};
