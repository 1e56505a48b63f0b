//! A node of the log: listener, request handlers, metadata quorum, and the shell around the
//! coordinators.
//!
//! A produced batch's way: [`listener`] reads a frame and starts its request in the connection's
//! order, [`api`] checks and appends it to a partition log of `headwater-storage`, and the answer
//! leaves once the journal has synced the position the append returned. [`Broker::handle`] is the
//! same from the second step on, for clients in the same process.
//!
//! - [`config`]: configuration of brokers and topics.
//! - [`metadata`]: what the cluster agrees on; [`quorum`]: how.
//! - [`coordinators`]: groups and transactions.
//! - [`loggers`]: what the process logs, as far as clients may change it.

mod api;
mod broker;
pub mod config;
mod context;
mod coordinators;
mod internal_topics;
mod jobs;
mod labor;
mod listener;
mod live_config;
pub mod loggers;
mod memory;
pub mod metadata;
mod node;
pub mod quorum;
mod topic_creation;
mod topics;

pub use broker::{Broker, Environment, NotServed, StartError};
pub use config::{BrokerConfig, BrokerSettings, parse_properties};
pub use context::RequestContext;
