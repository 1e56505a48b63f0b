//! The metadata quorum: a replicated log of [`Command`]s and the [`ClusterImage`] they make.
//!
//! Everything above sees [`MetadataQuorum`] only. Behind it stands openraft; a single node is a
//! quorum of one. Raft's log and vote are fsynced files of their own, so the node's journal never
//! waits for them.

mod log_store;
mod network;
mod raft;
mod state_machine;
mod types;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::metadata::{ClusterImage, Command, Outcome};

pub use raft::{OpenQuorumError, QuorumFiles, RaftQuorum};

/// What a node needs from the quorum that decides about metadata.
#[async_trait]
pub trait MetadataQuorum: Send + Sync + 'static {
    /// Commits `command` and returns what it answered. On return the change is durable and this
    /// node's [`image`](Self::image) has it.
    ///
    /// # Errors
    /// [`QuorumError`] if the command was not committed as far as this node knows; it may still
    /// come to be, so only commands that can be repeated should be tried again blindly.
    async fn submit(&self, command: Command) -> Result<Outcome, QuorumError>;

    /// The image as of the last command applied on this node.
    fn image(&self) -> Arc<ClusterImage>;

    /// Follows the image. Images may be skipped, never reordered.
    fn watch(&self) -> watch::Receiver<Arc<ClusterImage>>;

    /// Waits until this node's image has everything that was committed before the call.
    ///
    /// # Errors
    /// [`QuorumError`] if no leader can be asked.
    async fn catch_up(&self) -> Result<(), QuorumError>;

    /// Node that leads the quorum, as far as this node knows.
    fn leader(&self) -> Option<i32>;

    /// What this node knows about the quorum itself.
    fn status(&self) -> QuorumStatus;

    /// Stops taking part. Nothing is lost by not calling it.
    async fn shutdown(&self);
}

/// The quorum as one of its nodes sees it. Offsets are positions in its log, one after the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumStatus {
    /// Node that leads, if known.
    pub leader: Option<i32>,
    /// Number of the current term.
    pub term: u64,
    /// Up to where this node has applied what was committed.
    pub applied: u64,
    /// Nodes that vote.
    pub voters: Vec<QuorumMember>,
    /// Nodes that only follow.
    pub learners: Vec<QuorumMember>,
}

/// A node of the quorum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumMember {
    /// `node.id`.
    pub id: i32,
    /// End of its log, if this node knows.
    pub log_end: Option<u64>,
}

/// Why a command was not committed or an image not brought up to date.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QuorumError {
    /// Another node leads.
    #[error("node {leader:?} leads the metadata quorum, not this one; ask it")]
    NotLeader {
        /// Who leads, if known.
        leader: Option<i32>,
    },
    /// Too few nodes of the quorum can be reached.
    #[error("the metadata quorum has no majority; start more of its nodes")]
    NoMajority,
    /// The quorum on this node has stopped, because of its disk or because it was told to.
    #[error("the metadata quorum on this node has stopped: {reason}")]
    Stopped {
        /// What it stopped on.
        reason: String,
    },
}
