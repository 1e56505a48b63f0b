//! Headwater: one log that speaks Kafka's protocol, and streams, connectors and continuous SQL
//! on it, in one process if you like.
//!
//! - [`client`]: producers, consumers and the admin client, over TCP or in process.
//! - [`streams`]: topologies with state, exactly once.
//! - [`connect`]: sources and sinks.
//! - [`sql`]: continuous queries and views.
//! - [`node`]: all of it composed into a running node, embedded or served.

// It panics when the reader has gone; see `stdout`.
#![deny(clippy::print_stdout)]

pub use headwater_client as client;
pub use headwater_connect as connect;
pub use headwater_sql as sql;
pub use headwater_streams as streams;

pub mod cli;
mod demo;
pub mod node;
mod stdout;
