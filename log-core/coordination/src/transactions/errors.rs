//! Answers that carry an error code, in the shape each API wants.

use headwater_wire::ErrorCode;
use headwater_wire::messages::add_offsets_to_txn::AddOffsetsToTxnResponse;
use headwater_wire::messages::add_partitions_to_txn::{
    AddPartitionsToTxnResponse, AddPartitionsToTxnResult,
};
use headwater_wire::messages::end_txn::EndTxnResponse;
use headwater_wire::messages::init_producer_id::InitProducerIdResponse;

use super::add_partitions;
use super::effect::Response;
use super::input::Request;
use super::parked::{Parked, Waiting};

/// From this version of InitProducerId on clients know `PRODUCER_FENCED` (KIP-588).
const INIT_KNOWS_FENCED_FROM: i16 = 4;
/// The same for AddPartitionsToTxn, AddOffsetsToTxn and EndTxn.
const KNOWS_FENCED_FROM: i16 = 2;
/// From this version on AddPartitionsToTxn names several transactions.
const BATCHED_FROM: i16 = 4;

/// What clients of the version call the error.
pub(super) fn fenced(version: i16, code: ErrorCode) -> ErrorCode {
    if code == ErrorCode::ProducerFenced && version < KNOWS_FENCED_FROM {
        ErrorCode::InvalidProducerEpoch
    } else {
        code
    }
}

pub(super) fn init_producer_id(version: i16, code: ErrorCode) -> Response {
    let code = if code == ErrorCode::ProducerFenced && version < INIT_KNOWS_FENCED_FROM {
        ErrorCode::InvalidProducerEpoch
    } else {
        code
    };
    Response::InitProducerId(InitProducerIdResponse {
        error_code: code.code(),
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    })
}

fn end(version: i16, code: ErrorCode) -> Response {
    Response::End(EndTxnResponse {
        error_code: fenced(version, code).code(),
        ..Default::default()
    })
}

/// The answer to a request that could wait.
pub(super) fn waiting(parked: &Parked, code: ErrorCode) -> Response {
    match &parked.request {
        Waiting::Init { .. } => init_producer_id(parked.version, code),
        Waiting::Add(add) => add_partitions::answer(add, fenced(parked.version, code)),
        Waiting::End { .. } => end(parked.version, code),
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
    match request {
        Request::Write(_) => Response::Write(code),
        Request::Describe { .. } | Request::List(_) => Response::Transactions(Err(code)),
        Request::InitProducerId { .. } => init_producer_id(version, code),
        Request::AddOffsets { .. } => Response::AddOffsets(AddOffsetsToTxnResponse {
            error_code: code.code(),
            ..Default::default()
        }),
        Request::End(_) => end(version, code),
        Request::AddPartitions(request) if version >= BATCHED_FROM => {
            let results_by_transaction = request
                .transactions
                .into_iter()
                .map(|wanted| AddPartitionsToTxnResult {
                    topic_results: add_partitions::results(&wanted.topics, |_, _| code),
                    transactional_id: wanted.transactional_id,
                })
                .collect();
            Response::AddPartitions(AddPartitionsToTxnResponse {
                results_by_transaction,
                ..Default::default()
            })
        }
        Request::AddPartitions(request) => Response::AddPartitions(AddPartitionsToTxnResponse {
            results_by_topic_v3_and_below: add_partitions::results(
                &request.v3_and_below_topics,
                |_, _| code,
            ),
            ..Default::default()
        }),
    }
}

/// Turns an answer that must not be given, because what it reveals was not written, into an error.
pub(super) fn fail_response(response: Response, code: ErrorCode) -> Response {
    match response {
        Response::Write(_) => Response::Write(code),
        Response::Transactions(_) => Response::Transactions(Err(code)),
        Response::InitProducerId(_) => Response::InitProducerId(InitProducerIdResponse {
            error_code: code.code(),
            producer_id: -1,
            producer_epoch: -1,
            ..Default::default()
        }),
        Response::AddPartitions(mut response) => {
            let batched = response
                .results_by_transaction
                .iter_mut()
                .flat_map(|it| &mut it.topic_results);
            for topic in response
                .results_by_topic_v3_and_below
                .iter_mut()
                .chain(batched)
            {
                for partition in &mut topic.results_by_partition {
                    partition.partition_error_code = code.code();
                }
            }
            Response::AddPartitions(response)
        }
        Response::AddOffsets(_) => Response::AddOffsets(AddOffsetsToTxnResponse {
            error_code: code.code(),
            ..Default::default()
        }),
        Response::End(_) => Response::End(EndTxnResponse {
            error_code: code.code(),
            ..Default::default()
        }),
    }
}
