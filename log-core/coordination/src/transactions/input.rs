//! What a transaction coordinator is stepped with.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

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
        /// the producer keeps the id it has: one is kept for a producer whose epochs run out.
        fresh: i64,
    },
    /// AddPartitionsToTxn: to add, and from version 4 on also to ask whether a partition is part
    /// of an ongoing transaction (KIP-890). The caller has checked that the partitions exist.
    AddPartitions(AddPartitionsToTxnRequest),
    /// AddOffsetsToTxn.
    AddOffsets {
        /// The request.
        request: AddOffsetsToTxnRequest,
        /// The partition of `__consumer_offsets` that holds the group, which becomes part of the
        /// transaction.
        partition: i32,
    },
    /// EndTxn.
    End(EndTxnRequest),
    /// Produce or TxnOffsetCommit, whose partitions become part of the transaction before
    /// anything is written to them (KIP-890). The caller has checked that they exist.
    Write(WriteInTransaction),
    /// DescribeTransactions, for ids of this coordinator's partition.
    Describe(String),
    /// ListTransactions.
    List(TransactionFilter),
}

/// Partitions that a producer of transaction.version 2 writes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteInTransaction {
    /// The transaction's id.
    pub transactional_id: String,
    /// Who writes.
    pub producer: ProducerIdentity,
    /// Where, by topic.
    pub partitions: BTreeMap<String, BTreeSet<i32>>,
    /// How long it has waited for writes before it. Counts towards
    /// [`completion_wait`](super::TransactionConfig::completion_wait).
    pub waited: Duration,
}

/// Which transactions ListTransactions asks for (KIP-664, KIP-994).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionFilter {
    /// Names of states; all if there is none.
    pub states: BTreeSet<String>,
    /// Producer ids; all if there is none.
    pub producer_ids: BTreeSet<i64>,
    /// Only transactions that began longer ago than this many milliseconds; all if negative.
    pub duration_ms: i64,
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
    /// The producer id that [`Effect::ProducerIdWanted`](super::Effect::ProducerIdWanted) asked
    /// for; `None` if there is none to be had now.
    ProducerId(Option<i64>),
    /// The append, and all before it, are durable.
    Durable(AppendId),
    /// An append was refused or lost. The machine answers everything in flight with an error and
    /// ends with [`Effect::Failed`](super::Effect::Failed).
    AppendFailed,
    /// The time asked for with [`Effect::WakeAt`](super::Effect::WakeAt) has come.
    Wake,
}
