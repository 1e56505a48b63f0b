//! What a transaction coordinator asks its caller to do.

use std::collections::{BTreeMap, BTreeSet};

use headwater_wire::ErrorCode;
use headwater_wire::messages::add_offsets_to_txn::AddOffsetsToTxnResponse;
use headwater_wire::messages::add_partitions_to_txn::AddPartitionsToTxnResponse;
use headwater_wire::messages::end_txn::EndTxnResponse;
use headwater_wire::messages::init_producer_id::InitProducerIdResponse;

use super::summary::TransactionSummary;
use crate::{Append, AppendId, Marker, Now, Token};

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
    /// End a transaction where it was; the decision is durable.
    WriteMarkers(WriteMarkers),
    /// Step with [`Input::Wake`](super::Input::Wake) at this time, which replaces the one asked
    /// for before; never, if `None`. Waking early or late does no harm.
    WakeAt(Option<Now>),
    /// Take a producer id that was never given out, and step with
    /// [`Input::ProducerId`](super::Input::ProducerId): an id's epochs are used up.
    ProducerIdWanted,
    /// This machine is ahead of its log and of no more use: load a new one. It answers every
    /// further request with `COORDINATOR_LOAD_IN_PROGRESS`.
    Failed,
}

/// Markers to be written, until it succeeds or the partition is gone, and reported with
/// [`Input::MarkersWritten`](super::Input::MarkersWritten), together or one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteMarkers {
    /// Whose transaction.
    pub transactional_id: String,
    /// The marker, the same for every partition.
    pub marker: Marker,
    /// Where it belongs, by topic. Partitions of `__consumer_offsets` are ended in their group
    /// coordinator, which writes the marker itself.
    pub partitions: BTreeMap<String, BTreeSet<i32>>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// InitProducerId.
    InitProducerId(InitProducerIdResponse),
    /// AddPartitionsToTxn.
    AddPartitions(AddPartitionsToTxnResponse),
    /// AddOffsetsToTxn.
    AddOffsets(AddOffsetsToTxnResponse),
    /// EndTxn.
    End(EndTxnResponse),
    /// Whether the partitions of a write are in the transaction: no error, or why not.
    Write(ErrorCode),
    /// Transactions as they stand, or why they cannot be told.
    Transactions(Result<Vec<TransactionSummary>, ErrorCode>),
}
