//! The quorum that keeps the cluster's metadata (KIP-836).

use headwater_wire::messages::describe_quorum::{
    DescribeQuorumRequest, PartitionRequest, ReplicaState as WireState, TopicRequest,
};
use uuid::Uuid;

use super::Admin;
use super::drive::{checked, unanswered};
use crate::error::ClientError;
use crate::transport::Target;

const OPERATION: &str = "describing the metadata quorum";

/// The state of the metadata quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumInfo {
    /// The node that leads it; `None` while there is none.
    pub leader: Option<i32>,
    /// The leader's epoch.
    pub leader_epoch: i32,
    /// What most voters have.
    pub high_watermark: i64,
    /// The nodes that vote.
    pub voters: Vec<ReplicaState>,
    /// The nodes that follow without a vote.
    pub observers: Vec<ReplicaState>,
}

/// How far a node of the quorum is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaState {
    /// The node's id.
    pub replica_id: i32,
    /// The id of its directory (KIP-853); nil if not told.
    pub directory_id: Uuid,
    /// The end of its log; `None` if unknown.
    pub log_end_offset: Option<i64>,
    /// When it last asked the leader, in milliseconds since the epoch; `None` if unknown.
    pub last_fetch_timestamp: Option<i64>,
    /// When it last had all that the leader had, in milliseconds since the epoch; `None` if unknown.
    pub last_caught_up_timestamp: Option<i64>,
}

impl ReplicaState {
    fn new(state: WireState) -> Self {
        let known = |value: i64| Some(value).filter(|value| *value >= 0);
        Self {
            replica_id: state.replica_id,
            directory_id: state.replica_directory_id,
            log_end_offset: known(state.log_end_offset),
            last_fetch_timestamp: known(state.last_fetch_timestamp),
            last_caught_up_timestamp: known(state.last_caught_up_timestamp),
        }
    }
}

impl Admin {
    /// The leader, voters and observers of the quorum that keeps the metadata.
    ///
    /// # Errors
    /// The broker's, or a timeout.
    pub async fn describe_metadata_quorum(&self) -> Result<QuorumInfo, ClientError> {
        let mut retry = self.retry(OPERATION);
        let build = |_| DescribeQuorumRequest {
            topics: vec![TopicRequest {
                topic_name: "__cluster_metadata".to_owned(),
                partitions: vec![PartitionRequest { partition_index: 0 }],
            }],
        };
        loop {
            let response = self.ask(Target::Any, &mut retry, i16::MAX, build).await?;
            let operation = || OPERATION.to_owned();
            checked(response.error_code, response.error_message, operation)?;
            let topic = response.topics.into_iter().next();
            let Some(found) = topic.and_then(|topic| topic.partitions.into_iter().next()) else {
                return Err(unanswered(operation()));
            };
            if let Err(error) = checked(found.error_code, found.error_message, operation) {
                retry.pause(error).await?;
                continue;
            }
            let read = |states: Vec<WireState>| states.into_iter().map(ReplicaState::new).collect();
            return Ok(QuorumInfo {
                leader: Some(found.leader_id).filter(|leader| *leader >= 0),
                leader_epoch: found.leader_epoch,
                high_watermark: found.high_watermark,
                voters: read(found.current_voters),
                observers: read(found.observers),
            });
        }
    }
}
