//! Everything that a call of this crate can fail with.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use headwater_wire::ErrorCode;

use crate::TopicPartition;
use crate::config::ConfigError;

/// What went wrong, with Kafka's error code where the broker gave one.
///
/// Cheap to clone, because one failed batch fails every record in it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClientError {
    /// The broker answered with an error code.
    #[error("{operation} failed with {code:?}: {message}")]
    Broker {
        /// What was asked, naming topic, partition or group.
        operation: String,
        /// Kafka's code.
        code: ErrorCode,
        /// The broker's own message, or the code's.
        message: String,
    },
    /// The deadline passed. What was asked may still happen.
    #[error("{operation} was not done within {after:?}{}", cause_text(.cause))]
    Timeout {
        /// What was asked.
        operation: String,
        /// The time it was given.
        after: Duration,
        /// The last failure before the deadline, if there was one.
        cause: Option<Arc<ClientError>>,
    },
    /// No connection could be made.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// The address tried.
        address: String,
        /// Why.
        source: Arc<io::Error>,
    },
    /// No node was ever reached: whatever is wrong has been wrong from the start. Trying again helps
    /// once a node listens there.
    #[error(
        "none of the bootstrap servers {servers} could be reached within {after:.1?}; check bootstrap.servers and that a node listens there: {source}"
    )]
    Unreachable {
        /// The servers tried.
        servers: String,
        /// For how long.
        after: Duration,
        /// The last failure.
        source: Arc<ClientError>,
    },
    /// The connection was lost with the call under way. What was asked may have happened.
    #[error("connection to {address} was lost: {reason}")]
    Disconnected {
        /// The peer.
        address: String,
        /// Why.
        reason: String,
    },
    /// The cluster's metadata names no such node.
    #[error("node {0} is not in the cluster's metadata")]
    UnknownNode(i32),
    /// The peer serves no version of an API that this client speaks.
    #[error("{address} does not serve {api} in a version this client speaks ({wanted})")]
    UnsupportedVersion {
        /// The peer.
        address: String,
        /// The API.
        api: String,
        /// The versions this client would take.
        wanted: String,
    },
    /// A request or response could not be encoded or decoded, or a response does not answer its
    /// request.
    #[error("{operation}: {reason}")]
    Protocol {
        /// What was being encoded or decoded.
        operation: String,
        /// Why it failed.
        reason: String,
    },
    /// A fetched record batch is damaged.
    #[error("corrupt record batch in {partition} at offset {offset}: {reason}")]
    CorruptBatch {
        /// Where.
        partition: TopicPartition,
        /// The batch's base offset, or the offset it was asked at.
        offset: i64,
        /// Why it was refused.
        reason: String,
    },
    /// A record, or the batch of it alone, is larger than the limit.
    #[error(
        "record of {size} bytes for {partition} is over the limit of {limit} bytes; raise max.request.size or send less"
    )]
    RecordTooLarge {
        /// Where it was to go.
        partition: TopicPartition,
        /// Its encoded size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A partition has no committed offset, or an offset out of range, and `auto.offset.reset` is
    /// `none`.
    #[error("no valid offset for {partition} and auto.offset.reset is none; seek or commit one")]
    NoOffset {
        /// Which.
        partition: TopicPartition,
    },
    /// Records that were read are no longer in the log: its leader lost them (KIP-320), and
    /// `auto.offset.reset` is `none`. The position is back at the end that they share.
    #[error(
        "the log of {partition} ends at {end_offset} where it was read up to {offset}; what was read beyond is lost"
    )]
    LogTruncated {
        /// Which.
        partition: TopicPartition,
        /// The position before.
        offset: i64,
        /// The end of what was read and is still there.
        end_offset: i64,
    },
    /// The call does not fit the state, such as a commit without a begun transaction.
    #[error("{0}")]
    IllegalState(String),
    /// A configuration is not usable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The transaction has failed; abort it, then begin another.
    #[error("the transaction must be aborted: {0}")]
    TransactionMustAbort(#[source] Arc<ClientError>),
    /// The batch was dropped because its transaction was aborted.
    #[error("the transaction of this record was aborted")]
    TransactionAborted,
    /// The producer can do no more; close it and open another.
    #[error("the producer has failed for good: {0}")]
    ProducerFailed(#[source] Arc<ClientError>),
    /// A partition assignor failed.
    #[error("assignor {assignor}: {reason}")]
    Assignor {
        /// Its protocol name.
        assignor: String,
        /// Why.
        reason: String,
    },
    /// The producer, consumer or client is closed.
    #[error("{0} is closed")]
    Closed(&'static str),
    /// There is no tokio runtime to run on.
    #[error("the client needs a tokio runtime: create it inside one")]
    NoRuntime,
}

fn cause_text(cause: &Option<Arc<ClientError>>) -> String {
    cause
        .as_ref()
        .map(|cause| format!("; last failure: {cause}"))
        .unwrap_or_default()
}

impl ClientError {
    /// An error code from a response.
    pub(crate) fn broker(operation: impl Into<String>, code: ErrorCode) -> Self {
        Self::Broker {
            operation: operation.into(),
            code,
            message: code.message().to_owned(),
        }
    }

    /// An error code from a response that may bring its own message.
    pub(crate) fn broker_says(
        operation: impl Into<String>,
        code: ErrorCode,
        message: Option<String>,
    ) -> Self {
        let message = message.unwrap_or_else(|| code.message().to_owned());
        Self::Broker {
            operation: operation.into(),
            code,
            message,
        }
    }

    /// Kafka's error code, looking through wrappers, if a broker gave one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Broker { code, .. } => Some(*code),
            Self::Timeout {
                cause: Some(cause), ..
            } => cause.code(),
            Self::TransactionMustAbort(cause) | Self::ProducerFailed(cause) => cause.code(),
            _ => None,
        }
    }

    /// Whether the same call may succeed later without any change.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Broker { code, .. } => code.is_retriable(),
            Self::Timeout { .. }
            | Self::Connect { .. }
            | Self::Disconnected { .. }
            | Self::Unreachable { .. }
            | Self::UnknownNode(_) => true,
            _ => false,
        }
    }

    /// Whether no node of the cluster was ever reached, looking through wrappers.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Timeout {
                cause: Some(cause), ..
            } => cause.is_unreachable(),
            _ => false,
        }
    }

    /// Whether another instance has taken this one's place: its transactional id, its group
    /// membership or its `group.instance.id`.
    pub fn is_fenced(&self) -> bool {
        matches!(
            self.code(),
            Some(
                ErrorCode::ProducerFenced
                    | ErrorCode::InvalidProducerEpoch
                    | ErrorCode::FencedInstanceId
                    | ErrorCode::UnreleasedInstanceId
            )
        )
    }

    /// Whether the group no longer has this member in this generation, so that its commit was
    /// refused (Kafka's `CommitFailedException`).
    pub fn is_rebalanced(&self) -> bool {
        matches!(
            self.code(),
            Some(
                ErrorCode::UnknownMemberId
                    | ErrorCode::IllegalGeneration
                    | ErrorCode::RebalanceInProgress
                    | ErrorCode::FencedMemberEpoch
                    | ErrorCode::StaleMemberEpoch
            )
        )
    }

    /// Whether the object that gave this error can do no more and must be closed.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::ProducerFailed(_) | Self::Closed(_) | Self::NoRuntime => true,
            Self::Broker { code, .. } => matches!(
                code,
                ErrorCode::ProducerFenced
                    | ErrorCode::FencedInstanceId
                    | ErrorCode::UnreleasedInstanceId
                    | ErrorCode::UnsupportedAssignor
                    | ErrorCode::InvalidRegularExpression
                    | ErrorCode::GroupMaxSizeReached
                    | ErrorCode::TransactionalIdAuthorizationFailed
                    | ErrorCode::ClusterAuthorizationFailed
                    | ErrorCode::GroupAuthorizationFailed
                    | ErrorCode::InvalidTransactionTimeout
                    | ErrorCode::UnsupportedVersion
            ),
            _ => false,
        }
    }

    /// Whether the transaction must be aborted before anything else.
    pub fn needs_abort(&self) -> bool {
        matches!(self, Self::TransactionMustAbort(_))
    }
}
