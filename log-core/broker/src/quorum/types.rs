//! The types openraft is built over.

use std::fmt;
use std::io::Cursor;

use serde::{Deserialize, Serialize};

use crate::metadata::{Command, Outcome};

/// `node.id` as openraft has it. Node ids are never negative.
pub(crate) type NodeId = u64;

/// Address of a node of the quorum.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct QuorumNode {
    /// Where the node listens for the others; empty in a quorum of one, where nobody asks.
    pub(crate) address: String,
}

impl fmt::Display for QuorumNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

openraft::declare_raft_types!(
    /// Commands in, outcomes out.
    pub(crate) Types:
        D = Command,
        R = Outcome,
        NodeId = NodeId,
        Node = QuorumNode,
        Entry = openraft::Entry<Types>,
        SnapshotData = Cursor<Vec<u8>>,
);

pub(crate) type Entry = openraft::Entry<Types>;
pub(crate) type LogId = openraft::LogId<NodeId>;
pub(crate) type Vote = openraft::Vote<NodeId>;
pub(crate) type StorageError = openraft::StorageError<NodeId>;
pub(crate) type StoredMembership = openraft::StoredMembership<NodeId, QuorumNode>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<NodeId, QuorumNode>;
