//! What a group coordinator is stepped with.

use std::collections::BTreeSet;

use headwater_wire::messages::consumer_group_describe::ConsumerGroupDescribeRequest;
use headwater_wire::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest;
use headwater_wire::messages::delete_groups::DeleteGroupsRequest;
use headwater_wire::messages::describe_groups::DescribeGroupsRequest;
use headwater_wire::messages::heartbeat::HeartbeatRequest;
use headwater_wire::messages::join_group::JoinGroupRequest;
use headwater_wire::messages::leave_group::LeaveGroupRequest;
use headwater_wire::messages::list_groups::ListGroupsRequest;
use headwater_wire::messages::offset_commit::OffsetCommitRequest;
use headwater_wire::messages::offset_delete::OffsetDeleteRequest;
use headwater_wire::messages::offset_fetch::OffsetFetchRequest;
use headwater_wire::messages::sync_group::SyncGroupRequest;
use headwater_wire::messages::txn_offset_commit::TxnOffsetCommitRequest;
use uuid::Uuid;

use super::consumer::regex::TopicPattern;
use super::effect::Response;
use super::topics::Topics;
use crate::{AppendId, Marker, Token};

/// Who sent a JoinGroup, for `DescribeGroups` and for the names of new members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The client id of the request header.
    pub id: String,
    /// The address it came from, as Kafka shows it: `/127.0.0.1`.
    pub host: String,
}

/// A request for groups of this coordinator's partition.
///
/// Requests that name several groups (DescribeGroups, ConsumerGroupDescribe, DeleteGroups,
/// OffsetFetch from version 8) are split by the caller, so that each coordinator sees only groups placed in its partition.
/// Topics are known by name here: the caller resolves topic ids to names, leaves both in the
/// request, and answers for ids it does not know.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// JoinGroup.
    Join {
        /// The request.
        request: JoinGroupRequest,
        /// Its sender.
        client: Client,
        /// A random id, used if a member id has to be made up.
        fresh: Uuid,
    },
    /// SyncGroup.
    Sync(SyncGroupRequest),
    /// Heartbeat.
    Heartbeat(HeartbeatRequest),
    /// LeaveGroup.
    Leave(LeaveGroupRequest),
    /// OffsetCommit.
    OffsetCommit(OffsetCommitRequest),
    /// TxnOffsetCommit. The caller has checked with the transaction coordinator that the
    /// transaction is open, or relies on the client for it (transaction.version 1).
    TxnOffsetCommit(TxnOffsetCommitRequest),
    /// OffsetFetch.
    OffsetFetch(OffsetFetchRequest),
    /// ConsumerGroupHeartbeat.
    ConsumerHeartbeat {
        /// The request.
        request: ConsumerGroupHeartbeatRequest,
        /// Its sender.
        client: Client,
        /// Its pattern of topics, if it has one. Where it does not come along it is compiled while the
        /// coordinator is stepped.
        pattern: Option<TopicPattern>,
        /// A random id, used if a member id has to be made up.
        fresh: Uuid,
    },
    /// ConsumerGroupDescribe. Authorized operations are the caller's to fill in.
    ConsumerDescribe(ConsumerGroupDescribeRequest),
    /// OffsetDelete.
    OffsetDelete(OffsetDeleteRequest),
    /// DescribeGroups. Authorized operations are the caller's to fill in.
    Describe(DescribeGroupsRequest),
    /// ListGroups; sent to the coordinators of all partitions.
    List(ListGroupsRequest),
    /// DeleteGroups.
    Delete(DeleteGroupsRequest),
}

impl Request {
    /// Whether it comes from outside of its group, and not from a member that may be about to say
    /// that it is still there.
    pub(super) fn is_of_an_onlooker(&self) -> bool {
        match self {
            Self::ConsumerDescribe(_)
            | Self::OffsetDelete(_)
            | Self::Describe(_)
            | Self::List(_)
            | Self::Delete(_) => true,
            Self::Join { .. }
            | Self::Sync(_)
            | Self::Heartbeat(_)
            | Self::Leave(_)
            | Self::OffsetCommit(_)
            | Self::TxnOffsetCommit(_)
            | Self::OffsetFetch(_)
            | Self::ConsumerHeartbeat { .. } => false,
        }
    }
}

/// One thing that happened.
#[allow(
    clippy::large_enum_variant,
    reason = "nearly every input is a request, and inputs are not kept"
)]
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A request arrived.
    Request {
        /// Its name until the reply.
        token: Token,
        /// The version it was sent in.
        version: i16,
        /// The topics at the time of the request.
        topics: Topics,
        /// The request.
        request: Request,
    },
    /// A transaction that may have committed offsets here has ended. Answered with
    /// [`Response::MarkerWritten`](super::Response::MarkerWritten) once the marker is durable.
    EndTransaction {
        /// Its name until the reply.
        token: Token,
        /// Whose transaction, and how it ended.
        marker: Marker,
    },
    /// A request that the log would refuse to have written, as the caller saw: it changes nothing,
    /// and is answered so once all before it is durable.
    Fenced {
        /// Its name until the reply.
        token: Token,
        /// The answer.
        response: Response,
    },
    /// These topics no longer exist; their offsets are dropped (KAFKA-2000).
    TopicsDeleted(BTreeSet<String>),
    /// The append, and all before it, are durable.
    Durable(AppendId),
    /// An append was refused or lost. The machine answers everything in flight with an error and
    /// ends with [`Effect::Failed`](super::Effect::Failed).
    AppendFailed,
    /// The time asked for with [`Effect::WakeAt`](super::Effect::WakeAt) has come.
    Wake,
}
