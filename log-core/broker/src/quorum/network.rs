//! The way to the other nodes of the quorum. A quorum of one has none, so every call says that the
//! peer cannot be reached; openraft calls it only when a membership names a second node.

use std::io;

use openraft::error::{InstallSnapshotError, RPCError, RaftError, Unreachable};
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};

use super::types::{NodeId, QuorumNode, Types};

/// Network of a node without peers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoPeers;

/// The road to one peer, which leads nowhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoPeer {
    target: NodeId,
}

impl NoPeer {
    fn unreachable<E: std::error::Error>(self) -> RPCError<NodeId, QuorumNode, E> {
        let text = format!(
            "node {} is no peer: this node is a quorum of one",
            self.target
        );
        RPCError::Unreachable(Unreachable::new(&io::Error::new(
            io::ErrorKind::NotConnected,
            text,
        )))
    }
}

impl RaftNetworkFactory<Types> for NoPeers {
    type Network = NoPeer;

    async fn new_client(&mut self, target: NodeId, _node: &QuorumNode) -> NoPeer {
        NoPeer { target }
    }
}

impl RaftNetwork<Types> for NoPeer {
    async fn append_entries(
        &mut self,
        _request: AppendEntriesRequest<Types>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<NodeId>, RPCError<NodeId, QuorumNode, RaftError<NodeId>>>
    {
        Err(self.unreachable())
    }

    async fn install_snapshot(
        &mut self,
        _request: InstallSnapshotRequest<Types>,
        _option: RPCOption,
    ) -> Result<
        InstallSnapshotResponse<NodeId>,
        RPCError<NodeId, QuorumNode, RaftError<NodeId, InstallSnapshotError>>,
    > {
        Err(self.unreachable())
    }

    async fn vote(
        &mut self,
        _request: VoteRequest<NodeId>,
        _option: RPCOption,
    ) -> Result<VoteResponse<NodeId>, RPCError<NodeId, QuorumNode, RaftError<NodeId>>> {
        Err(self.unreachable())
    }
}
