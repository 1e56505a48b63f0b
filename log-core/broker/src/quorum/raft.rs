//! The quorum on openraft.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use headwater_storage::{Log, Register};
use openraft::error::{CheckIsLeaderError, ClientWriteError, Fatal, RaftError};
use openraft::{Config, Raft, SnapshotPolicy};
use tokio::sync::watch;

use super::log_store::LogStore;
use super::network::NoPeers;
use super::state_machine::StateMachine;
use super::types::{NodeId, QuorumNode, Types};
use super::{MetadataQuorum, QuorumError, QuorumMember, QuorumStatus};
use crate::metadata::{ClusterImage, Command, Outcome};

/// Entries between two snapshots. A few hundred bytes each, they are also kept in memory.
const SNAPSHOT_EVERY: u64 = 2_000;
/// Entries kept behind a snapshot, so that a follower a little behind need not fetch it.
const KEEP_BEHIND_SNAPSHOT: u64 = 200;
/// How long a quorum of one may take to elect itself, which it does without waiting.
const ELECTION_WAIT: Duration = Duration::from_secs(10);

/// A member of the metadata quorum.
pub struct RaftQuorum {
    node_id: NodeId,
    raft: Raft<Types>,
    image: watch::Receiver<Arc<ClusterImage>>,
}

/// The durable parts of a member: two registers and a log.
pub struct QuorumFiles {
    /// Entries.
    pub log: Log,
    /// Vote, and how far the log has been purged.
    pub vote: Register,
    /// Snapshot.
    pub snapshot: Register,
}

/// Why the quorum did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenQuorumError {
    /// Its files do not read back.
    #[error(
        "cannot read the metadata log; restore it from a copy, or start with an empty data directory"
    )]
    Files(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// `node.id` is negative.
    #[error("node id {0} is negative; choose one from 0")]
    NodeId(i32),
    /// openraft refused to start.
    #[error("the metadata quorum does not start: {0}")]
    Start(String),
}

impl RaftQuorum {
    /// Opens the member and, if its log is empty, founds a quorum of one. On return the member
    /// leads and its image has everything its log holds.
    ///
    /// # Errors
    /// [`OpenQuorumError`].
    pub async fn open(node_id: i32, files: QuorumFiles) -> Result<Self, OpenQuorumError> {
        let node_id = NodeId::try_from(node_id).map_err(|_| OpenQuorumError::NodeId(node_id))?;
        let log_store = LogStore::open(files.log, files.vote).map_err(unreadable)?;
        let last_index = log_store.last_index();
        let state_machine = StateMachine::open(files.snapshot).map_err(unreadable)?;
        let image = state_machine.watch();
        let config = Config {
            cluster_name: "headwater".to_owned(),
            // Nobody competes for the leadership of a quorum of one: these only pace idle ticks.
            heartbeat_interval: 500,
            election_timeout_min: 1_500,
            election_timeout_max: 3_000,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(SNAPSHOT_EVERY),
            max_in_snapshot_log_to_keep: KEEP_BEHIND_SNAPSHOT,
            ..Config::default()
        };
        let config = config
            .validate()
            .map_err(|error| OpenQuorumError::Start(error.to_string()))?;
        let raft = Raft::new(node_id, Arc::new(config), NoPeers, log_store, state_machine)
            .await
            .map_err(|error| OpenQuorumError::Start(error.to_string()))?;
        let quorum = Self {
            node_id,
            raft,
            image,
        };
        quorum.found_or_resume(last_index).await?;
        Ok(quorum)
    }

    /// Founds the quorum on a fresh node. A node that led when it stopped leads again at once;
    /// one that had not finished its election is made to hold it now. Returns once everything up
    /// to `last_index` is applied: in a quorum of one what is in the log is committed.
    async fn found_or_resume(&self, last_index: Option<u64>) -> Result<(), OpenQuorumError> {
        let start = |error: &dyn std::fmt::Display| OpenQuorumError::Start(error.to_string());
        if !self
            .raft
            .is_initialized()
            .await
            .map_err(|error| start(&error))?
        {
            let members = BTreeMap::from([(self.node_id, QuorumNode::default())]);
            self.raft
                .initialize(members)
                .await
                .map_err(|error| start(&error))?;
        }
        if self.raft.current_leader().await.is_none() {
            self.raft
                .trigger()
                .elect()
                .await
                .map_err(|error| start(&error))?;
        }
        let wait = self.raft.wait(Some(ELECTION_WAIT));
        let ready = wait.metrics(
            |metrics| {
                let applied = metrics.last_applied.map(|id| id.index);
                metrics.current_leader.is_some() && applied >= last_index
            },
            "a leader that has applied its log",
        );
        ready.await.map_err(|error| start(&error))?;
        Ok(())
    }
}

#[async_trait]
impl MetadataQuorum for RaftQuorum {
    async fn submit(&self, command: Command) -> Result<Outcome, QuorumError> {
        match self.raft.client_write(command).await {
            Ok(written) => Ok(written.data),
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward))) => {
                Err(not_leader(forward.leader_id))
            }
            Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(error))) => {
                Err(QuorumError::Stopped {
                    reason: error.to_string(),
                })
            }
            Err(RaftError::Fatal(fatal)) => Err(stopped(&fatal)),
        }
    }

    fn image(&self) -> Arc<ClusterImage> {
        Arc::clone(&self.image.borrow())
    }

    fn watch(&self) -> watch::Receiver<Arc<ClusterImage>> {
        self.image.clone()
    }

    async fn catch_up(&self) -> Result<(), QuorumError> {
        match self.raft.ensure_linearizable().await {
            Ok(_) => Ok(()),
            Err(RaftError::APIError(CheckIsLeaderError::ForwardToLeader(forward))) => {
                Err(not_leader(forward.leader_id))
            }
            Err(RaftError::APIError(CheckIsLeaderError::QuorumNotEnough(_))) => {
                Err(QuorumError::NoMajority)
            }
            Err(RaftError::Fatal(fatal)) => Err(stopped(&fatal)),
        }
    }

    fn leader(&self) -> Option<i32> {
        let leader = self.raft.server_metrics().borrow().current_leader;
        leader.and_then(|id| i32::try_from(id).ok())
    }

    fn status(&self) -> QuorumStatus {
        let metrics = self.raft.metrics().borrow().clone();
        let end = |index: Option<u64>| index.map_or(0, |index| index.saturating_add(1));
        let member = |id: NodeId| {
            let matched = metrics.replication.as_ref().and_then(|all| all.get(&id));
            let log_end = if id == self.node_id {
                Some(end(metrics.last_log_index))
            } else {
                matched.map(|log_id| end(log_id.map(|log_id| log_id.index)))
            };
            let id = i32::try_from(id).unwrap_or(-1);
            QuorumMember { id, log_end }
        };
        let membership = metrics.membership_config.membership();
        QuorumStatus {
            leader: metrics.current_leader.and_then(|id| i32::try_from(id).ok()),
            term: metrics.current_term,
            applied: end(metrics.last_applied.map(|id| id.index)),
            voters: membership.voter_ids().map(member).collect(),
            learners: membership.learner_ids().map(member).collect(),
        }
    }

    async fn shutdown(&self) {
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(%error, "the metadata quorum did not stop in order");
        }
    }
}

fn not_leader(leader: Option<NodeId>) -> QuorumError {
    QuorumError::NotLeader {
        leader: leader.and_then(|id| i32::try_from(id).ok()),
    }
}

fn stopped(fatal: &Fatal<NodeId>) -> QuorumError {
    QuorumError::Stopped {
        reason: fatal.to_string(),
    }
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> OpenQuorumError {
    OpenQuorumError::Files(Box::new(error))
}
