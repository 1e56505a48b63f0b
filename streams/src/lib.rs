//! Topologies, state stores and the runtime of stream processing applications.
//!
//! | module | purpose | must not know |
//! | --- | --- | --- |
//! | [`codec`] | values to bytes and back | topics, operators |
//! | [`dsl`] | streams, tables, joins, windows, typed | the client, tokio |
//! | [`engine`] | chunks, operators, topologies, tasks: a state machine without I/O | the client, tokio, any storage engine |
//! | [`runtime`] | threads, commits, restores, on the client | what users' types are |
//! | [`state`] | write-back caches, stores, backends | topics, operators |
//! | [`test`] | a topology driven by hand, crashes included | the client |

pub mod codec;
pub mod dsl;
pub mod engine;
mod error;
pub mod runtime;
pub mod state;
pub mod test;

pub use error::StreamsError;
pub use runtime::{RunningStreams, StreamsConfig, StreamsState};
