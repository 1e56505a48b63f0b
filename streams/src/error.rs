//! Everything that an application can fail with.

use headwater_client::ClientError;

use crate::codec::CodecError;
use crate::engine::{EngineError, TopologyError};
use crate::state::StateError;

/// Why an application could not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum StreamsError {
    /// The topology cannot run on the topics there are.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// An operator, a codec or a batch failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A state store failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// The log failed in a way that retrying does not mend.
    #[error("the log refused")]
    Client(#[from] ClientError),
    /// A key or value given to or read from a store or topic does not fit its codec.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A setting makes no sense.
    #[error("{setting}: {reason}")]
    Config {
        /// Name of the setting.
        setting: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The state directory cannot be used.
    #[error("state directory {path}: {action} failed")]
    StateDir {
        /// File or directory.
        path: String,
        /// What was being done.
        action: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// An internal topic is not as it must be.
    #[error("internal topic {topic} {reason}")]
    InternalTopic {
        /// Topic.
        topic: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// There is no such store, or none of its partitions is here.
    #[error("store {0} is not on this instance")]
    NoStore(String),
    /// A stream thread stopped without saying why.
    #[error("stream thread {0} stopped unexpectedly")]
    ThreadLost(String),
}
