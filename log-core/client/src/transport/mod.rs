//! How requests reach nodes: over TCP, or by a call into a node of this process.

mod channel;
mod connection;
mod frame;
mod local;
mod versions;

pub(crate) use channel::{Channel, Target};
pub use local::{LocalNode, LocalNodeError};
pub(crate) use versions::{Features, ServedVersions};
