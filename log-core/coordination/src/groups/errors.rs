//! Answers that carry an error instead of a result, in the shape each API wants.

use headwater_wire::ErrorCode;
use headwater_wire::messages::consumer_group_describe::{
    ConsumerGroupDescribeResponse, DescribedGroup as ConsumerGroupDescribed,
};
use headwater_wire::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatResponse;
use headwater_wire::messages::delete_groups::{DeletableGroupResult, DeleteGroupsResponse};
use headwater_wire::messages::describe_groups::{DescribeGroupsResponse, DescribedGroup};
use headwater_wire::messages::heartbeat::HeartbeatResponse;
use headwater_wire::messages::join_group::JoinGroupResponse;
use headwater_wire::messages::leave_group::LeaveGroupResponse;
use headwater_wire::messages::list_groups::ListGroupsResponse;
use headwater_wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
};
use headwater_wire::messages::offset_delete::OffsetDeleteResponse;
use headwater_wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResponseGroup,
    OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use headwater_wire::messages::sync_group::SyncGroupResponse;
use headwater_wire::messages::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
};

use super::effect::Response;
use super::input::Request;
use super::offset_fetch::BATCHED_FROM;
use super::refusal::Refusal;

/// From this version on a JoinGroup answer may lack a protocol name.
const NO_PROTOCOL_NAME_FROM: i16 = 7;
/// From this version on an OffsetFetch answer has an error for the whole group.
const GROUP_ERROR_FROM: i16 = 2;

pub(super) fn join(version: i16, code: ErrorCode, member_id: &str) -> JoinGroupResponse {
    JoinGroupResponse {
        error_code: code.code(),
        protocol_name: (version < NO_PROTOCOL_NAME_FROM).then(String::new),
        member_id: member_id.to_owned(),
        ..Default::default()
    }
}

pub(super) fn sync(code: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse {
        error_code: code.code(),
        ..Default::default()
    }
}

pub(super) fn consumer_heartbeat(refusal: &Refusal) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse {
        error_code: refusal.code.code(),
        error_message: Some(refusal.message.clone()),
        ..Default::default()
    }
}

pub(super) fn offset_commit(
    request: &OffsetCommitRequest,
    code: ErrorCode,
) -> OffsetCommitResponse {
    let topics = request
        .topics
        .iter()
        .map(|topic| OffsetCommitResponseTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions: topic
                .partitions
                .iter()
                .map(|partition| OffsetCommitResponsePartition {
                    partition_index: partition.partition_index,
                    error_code: code.code(),
                })
                .collect(),
        })
        .collect();
    OffsetCommitResponse {
        topics,
        ..Default::default()
    }
}

pub(super) fn txn_offset_commit(
    request: &TxnOffsetCommitRequest,
    code: ErrorCode,
) -> TxnOffsetCommitResponse {
    let topics = request
        .topics
        .iter()
        .map(|topic| TxnOffsetCommitResponseTopic {
            name: topic.name.clone(),
            partitions: topic
                .partitions
                .iter()
                .map(|partition| TxnOffsetCommitResponsePartition {
                    partition_index: partition.partition_index,
                    error_code: code.code(),
                })
                .collect(),
        })
        .collect();
    TxnOffsetCommitResponse {
        topics,
        ..Default::default()
    }
}

fn offset_fetch(request: OffsetFetchRequest, version: i16, code: ErrorCode) -> OffsetFetchResponse {
    if version >= BATCHED_FROM {
        let groups = request
            .groups
            .into_iter()
            .map(|group| OffsetFetchResponseGroup {
                group_id: group.group_id,
                error_code: code.code(),
                ..Default::default()
            })
            .collect();
        return OffsetFetchResponse {
            groups,
            ..Default::default()
        };
    }
    if version >= GROUP_ERROR_FROM {
        return OffsetFetchResponse {
            error_code: code.code(),
            ..Default::default()
        };
    }
    let topics = request
        .topics
        .unwrap_or_default()
        .into_iter()
        .map(|topic| OffsetFetchResponseTopic {
            name: topic.name,
            partitions: topic
                .partition_indexes
                .into_iter()
                .map(|partition_index| OffsetFetchResponsePartition {
                    partition_index,
                    committed_offset: -1,
                    metadata: Some(String::new()),
                    error_code: code.code(),
                    ..Default::default()
                })
                .collect(),
        })
        .collect();
    OffsetFetchResponse {
        topics,
        ..Default::default()
    }
}

impl Request {
    /// The answer to this request if it cannot be given to its coordinator, because of `code`.
    #[must_use]
    pub fn refused(self, version: i16, code: ErrorCode) -> Response {
        refusal(self, version, code)
    }
}

/// The answer to a request that is not even looked at.
pub(super) fn refusal(request: Request, version: i16, code: ErrorCode) -> Response {
    let error_code = code.code();
    match request {
        Request::Join { request, .. } => Response::Join(join(version, code, &request.member_id)),
        Request::Sync(_) => Response::Sync(sync(code)),
        // While a coordinator loads, nobody's session runs out: members need not know.
        Request::Heartbeat(_) if code == ErrorCode::CoordinatorLoadInProgress => {
            Response::Heartbeat(HeartbeatResponse::default())
        }
        Request::Heartbeat(_) => Response::Heartbeat(HeartbeatResponse {
            error_code,
            ..Default::default()
        }),
        Request::Leave(_) => Response::Leave(LeaveGroupResponse {
            error_code,
            ..Default::default()
        }),
        Request::OffsetCommit(request) => Response::OffsetCommit(offset_commit(&request, code)),
        Request::TxnOffsetCommit(request) => {
            Response::TxnOffsetCommit(txn_offset_commit(&request, code))
        }
        Request::OffsetFetch(request) => {
            Response::OffsetFetch(offset_fetch(request, version, code))
        }
        Request::OffsetDelete(_) => Response::OffsetDelete(OffsetDeleteResponse {
            error_code,
            ..Default::default()
        }),
        Request::ConsumerHeartbeat { .. } => {
            Response::ConsumerHeartbeat(ConsumerGroupHeartbeatResponse {
                error_code,
                ..Default::default()
            })
        }
        Request::ConsumerDescribe(request) => {
            Response::ConsumerDescribe(ConsumerGroupDescribeResponse {
                groups: request
                    .group_ids
                    .into_iter()
                    .map(|group_id| ConsumerGroupDescribed {
                        group_id,
                        error_code,
                        ..Default::default()
                    })
                    .collect(),
                ..Default::default()
            })
        }
        Request::Describe(request) => Response::Describe(DescribeGroupsResponse {
            groups: request
                .groups
                .into_iter()
                .map(|group_id| DescribedGroup {
                    group_id,
                    error_code,
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        }),
        Request::List(_) => Response::List(ListGroupsResponse {
            error_code,
            ..Default::default()
        }),
        Request::Delete(request) => Response::Delete(DeleteGroupsResponse {
            results: request
                .groups_names
                .into_iter()
                .map(|group_id| DeletableGroupResult {
                    group_id,
                    error_code,
                })
                .collect(),
            ..Default::default()
        }),
    }
}

/// Turns an answer that must not be given, because what it reveals was not written, into an error.
pub(super) fn fail_response(response: Response, code: ErrorCode) -> Response {
    let error_code = code.code();
    match response {
        Response::Join(mut response) => {
            // Versions below 7 need a protocol name, so the one that is there stays.
            response.error_code = error_code;
            response.members.clear();
            response.skip_assignment = false;
            Response::Join(response)
        }
        Response::Sync(_) => Response::Sync(sync(code)),
        Response::Heartbeat(_) => Response::Heartbeat(HeartbeatResponse {
            error_code,
            ..Default::default()
        }),
        Response::Leave(_) => Response::Leave(LeaveGroupResponse {
            error_code,
            ..Default::default()
        }),
        Response::OffsetCommit(mut response) => {
            for partition in response
                .topics
                .iter_mut()
                .flat_map(|topic| &mut topic.partitions)
            {
                partition.error_code = error_code;
            }
            Response::OffsetCommit(response)
        }
        Response::TxnOffsetCommit(mut response) => {
            for partition in response
                .topics
                .iter_mut()
                .flat_map(|topic| &mut topic.partitions)
            {
                partition.error_code = error_code;
            }
            Response::TxnOffsetCommit(response)
        }
        Response::OffsetFetch(mut response) => {
            // The versions cannot be told apart here. Each encodes the fields it has: the error
            // of a group from version 8 on, of the request from 2 to 7, of partitions in 1.
            if response.groups.is_empty() {
                response.error_code = error_code;
            }
            for group in &mut response.groups {
                group.error_code = error_code;
                group.topics.clear();
            }
            for partition in response
                .topics
                .iter_mut()
                .flat_map(|topic| &mut topic.partitions)
            {
                partition.committed_offset = -1;
                partition.committed_leader_epoch = -1;
                partition.metadata = Some(String::new());
                partition.error_code = error_code;
            }
            Response::OffsetFetch(response)
        }
        Response::OffsetDelete(_) => Response::OffsetDelete(OffsetDeleteResponse {
            error_code,
            ..Default::default()
        }),
        Response::ConsumerHeartbeat(_) => {
            Response::ConsumerHeartbeat(ConsumerGroupHeartbeatResponse {
                error_code,
                ..Default::default()
            })
        }
        Response::ConsumerDescribe(mut response) => {
            for group in &mut response.groups {
                *group = ConsumerGroupDescribed {
                    group_id: std::mem::take(&mut group.group_id),
                    error_code,
                    ..Default::default()
                };
            }
            Response::ConsumerDescribe(response)
        }
        Response::Describe(mut response) => {
            for group in &mut response.groups {
                *group = DescribedGroup {
                    group_id: std::mem::take(&mut group.group_id),
                    error_code,
                    ..Default::default()
                };
            }
            Response::Describe(response)
        }
        Response::List(_) => Response::List(ListGroupsResponse {
            error_code,
            ..Default::default()
        }),
        Response::Delete(mut response) => {
            for result in &mut response.results {
                result.error_code = error_code;
            }
            Response::Delete(response)
        }
        Response::MarkerWritten | Response::MarkerNotWritten | Response::MarkerFenced => {
            Response::MarkerNotWritten
        }
    }
}
