//! What a transaction coordinator is stepped with.

use std::collections::{BTreeMap, BTreeSet};

use headwater_wire::messages::add_offsets_to_txn::AddOffsetsToTxnRequest;
use headwater_wire::messages::add_partitions_to_txn::AddPartitionsToTxnRequest;
use headwater_wire::messages::end_txn::EndTxnRequest;
use headwater_wire::messages::init_producer_id::InitProducerIdRequest;

use crate::{AppendId, ProducerIdentity, Token};

/// A request for transactional ids of this coordinator's partition.
///
/// AddPartitionsToTxn names several ids from version 4 on and is split by the caller.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// InitProducerId. Without a transactional id any coordinator can answer.
    InitProducerId {
        /// The request.
        request: InitProducerIdRequest,
        /// A producer id from the node's block that was never given out. It is used up, also if
        /// the producer keeps the id it has.
        fresh: i64,
    },
    /// AddPartitionsToTxn: to add, and from version 4 on also to ask whether a partition is part
    /// of an ongoing transaction (KIP-890). The caller has checked that the partitions exist.
    AddPartitions(AddPartitionsToTxnRequest),
    /// AddOffsetsToTxn.
    AddOffsets(AddOffsetsToTxnRequest),
    /// EndTxn.
    End(EndTxnRequest),
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A request arrived.
    Request {
        /// Its name until the reply.
        token: Token,
        /// The version it was sent in.
        version: i16,
        /// The request.
        request: Request,
    },
    /// Markers asked for with [`Effect::WriteMarkers`](super::Effect::WriteMarkers) are durable,
    /// or their partitions no longer exist.
    MarkersWritten {
        /// Whose transaction.
        transactional_id: String,
        /// The producer in the markers.
        producer: ProducerIdentity,
        /// Where they are, by topic.
        partitions: BTreeMap<String, BTreeSet<i32>>,
    },
    /// The append, and all before it, are durable.
    Durable(AppendId),
    /// An append was refused or lost. The machine answers everything in flight with an error and
    /// ends with [`Effect::Failed`](super::Effect::Failed).
    AppendFailed,
    /// The time asked for with [`Effect::WakeAt`](super::Effect::WakeAt) has come.
    Wake,
}
