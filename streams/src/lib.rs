//! Topologies, state stores and the runtime of stream processing applications.
//!
//! | module | purpose | must not know |
//! | --- | --- | --- |
//! | [`codec`] | values to bytes and back | topics, operators |
//! | [`engine`] | chunks, operators, topologies, tasks: a state machine without I/O | the client, tokio, any storage engine |
//! | [`state`] | write-back caches, stores, backends | topics, operators |

pub mod codec;
pub mod engine;
pub mod state;
