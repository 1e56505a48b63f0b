//! What a group coordinator asks its caller to do.

use headwater_wire::messages::consumer_group_describe::ConsumerGroupDescribeResponse;
use headwater_wire::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatResponse;
use headwater_wire::messages::delete_groups::DeleteGroupsResponse;
use headwater_wire::messages::describe_groups::DescribeGroupsResponse;
use headwater_wire::messages::heartbeat::HeartbeatResponse;
use headwater_wire::messages::join_group::JoinGroupResponse;
use headwater_wire::messages::leave_group::LeaveGroupResponse;
use headwater_wire::messages::list_groups::ListGroupsResponse;
use headwater_wire::messages::offset_commit::OffsetCommitResponse;
use headwater_wire::messages::offset_delete::OffsetDeleteResponse;
use headwater_wire::messages::offset_fetch::OffsetFetchResponse;
use headwater_wire::messages::sync_group::SyncGroupResponse;
use headwater_wire::messages::txn_offset_commit::TxnOffsetCommitResponse;

use crate::{Append, AppendId, Now, Token};

/// One thing to do. Effects of a step are carried out in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Append to this coordinator's partition, after all earlier appends, and report it with
    /// [`Input::Durable`](super::Input::Durable) or [`Input::AppendFailed`](super::Input::AppendFailed).
    Append {
        /// Its name in the report.
        id: AppendId,
        /// One batch.
        append: Append,
    },
    /// Answer a request.
    Reply {
        /// The request.
        token: Token,
        /// Its answer; of the request's kind.
        response: Response,
    },
    /// Step with [`Input::Wake`](super::Input::Wake) at this time, which replaces the one asked
    /// for before; never, if `None`. Waking early or late does no harm.
    WakeAt(Option<Now>),
    /// This machine is ahead of its log and of no more use: load a new one. It answers every
    /// further request with `COORDINATOR_LOAD_IN_PROGRESS`.
    Failed,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// JoinGroup.
    Join(JoinGroupResponse),
    /// SyncGroup.
    Sync(SyncGroupResponse),
    /// Heartbeat.
    Heartbeat(HeartbeatResponse),
    /// LeaveGroup.
    Leave(LeaveGroupResponse),
    /// OffsetCommit.
    OffsetCommit(OffsetCommitResponse),
    /// TxnOffsetCommit.
    TxnOffsetCommit(TxnOffsetCommitResponse),
    /// OffsetFetch.
    OffsetFetch(OffsetFetchResponse),
    /// ConsumerGroupHeartbeat.
    ConsumerHeartbeat(ConsumerGroupHeartbeatResponse),
    /// ConsumerGroupDescribe.
    ConsumerDescribe(ConsumerGroupDescribeResponse),
    /// OffsetDelete.
    OffsetDelete(OffsetDeleteResponse),
    /// DescribeGroups.
    Describe(DescribeGroupsResponse),
    /// ListGroups.
    List(ListGroupsResponse),
    /// DeleteGroups.
    Delete(DeleteGroupsResponse),
    /// The end of a transaction is durable in this partition.
    MarkerWritten,
    /// The end of a transaction could not be written; it must be tried again.
    MarkerNotWritten,
    /// The partition has had a marker of a later transaction coordinator from the producer: this
    /// end of a transaction cannot be written.
    MarkerFenced,
}
