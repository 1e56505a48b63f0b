//! One transactional id: its producer and its transaction.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use headwater_wire::ErrorCode;

use super::parked::Parked;
use crate::{AppendId, Marker, ProducerIdentity, Timestamp};

pub(super) type TransactionalId = Arc<str>;

/// Partitions by topic.
pub(super) type Partitions = BTreeMap<String, BTreeSet<i32>>;

/// The epoch of a producer that has never been initialised.
pub(super) const NO_EPOCH: i16 = -1;
/// No producer id.
pub(super) const NO_PRODUCER_ID: i64 = -1;

/// How a client and its coordinator end transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// One epoch for all transactions of a producer (KIP-98).
    V1,
    /// Each transaction has an epoch of its own (KIP-890).
    V2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Empty,
    Ongoing,
    /// Decided; markers are being written.
    Prepare {
        commit: bool,
    },
    /// Every marker is written.
    Complete {
        commit: bool,
    },
}

#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) id: TransactionalId,
    pub(super) producer_id: i64,
    /// The producer id before the last change, or -1: another than now only right after a change
    /// of the id, when a producer may still retry under the old one.
    pub(super) previous_producer_id: i64,
    /// Once decided: the id that takes over when the transaction is complete, because the epochs
    /// of the present one are used up; otherwise [`NO_PRODUCER_ID`].
    pub(super) next_producer_id: i64,
    pub(super) epoch: i16,
    /// The epoch before the last bump that the producer itself asked for, or that ended its
    /// transaction; [`NO_EPOCH`] if another instance did, so that a producer that was fenced
    /// cannot pass for one that retries (KIP-360). Not written down: after a restart a retry
    /// counts as fenced.
    pub(super) last_epoch: i16,
    /// What the last to begin or end a transaction spoke.
    pub(super) protocol: Protocol,
    pub(super) timeout_ms: i32,
    pub(super) state: State,
    /// In the transaction, and, once it is decided, still without a marker.
    pub(super) partitions: Partitions,
    pub(super) started: Option<Timestamp>,
    pub(super) updated: Timestamp,
    /// The append that holds the latest state; answers that reveal it wait for it.
    pub(super) written: AppendId,
    /// Requests that wait for the transaction to complete, in the order they came.
    pub(super) parked: VecDeque<Parked>,
}

impl Transaction {
    pub(super) fn new(id: TransactionalId, producer_id: i64, at: Timestamp) -> Self {
        Self {
            id,
            producer_id,
            previous_producer_id: NO_PRODUCER_ID,
            next_producer_id: NO_PRODUCER_ID,
            epoch: NO_EPOCH,
            last_epoch: NO_EPOCH,
            protocol: Protocol::V1,
            timeout_ms: 0,
            state: State::Empty,
            partitions: Partitions::new(),
            started: None,
            updated: at,
            written: AppendId::default(),
            parked: VecDeque::new(),
        }
    }

    pub(super) fn producer(&self) -> ProducerIdentity {
        ProducerIdentity {
            id: self.producer_id,
            epoch: self.epoch,
        }
    }

    /// Who may go on once the decided transaction is complete.
    pub(super) fn producer_to_be(&self) -> ProducerIdentity {
        if self.next_producer_id == NO_PRODUCER_ID {
            self.producer()
        } else {
            ProducerIdentity {
                id: self.next_producer_id,
                epoch: 0,
            }
        }
    }

    /// Whether the epoch cannot grow for another producer instance. The very last one is kept for
    /// fencing.
    pub(super) fn is_epoch_exhausted(&self) -> bool {
        is_exhausted(self.epoch)
    }

    /// When the transaction, if one is ongoing, has taken too long.
    pub(super) fn times_out_at(&self) -> Option<Timestamp> {
        let timeout = Duration::from_millis(u64::try_from(self.timeout_ms).unwrap_or(0));
        match self.state {
            State::Ongoing => self.started.map(|started| started.after(timeout)),
            _ => None,
        }
    }

    /// The marker of a decided transaction.
    pub(super) fn marker(&self, coordinator_epoch: i32) -> Option<Marker> {
        match self.state {
            State::Prepare { commit } => Some(Marker {
                producer: self.producer(),
                coordinator_epoch,
                committed: commit,
                bumps_epoch: self.protocol == Protocol::V2,
            }),
            _ => None,
        }
    }

    /// Fences a request of a producer.
    ///
    /// # Errors
    /// `INVALID_PRODUCER_ID_MAPPING` for another producer id, `PRODUCER_FENCED` for another epoch.
    pub(super) fn check_producer(&self, producer: ProducerIdentity) -> Result<(), ErrorCode> {
        if producer.id != self.producer_id {
            Err(ErrorCode::InvalidProducerIdMapping)
        } else if producer.epoch != self.epoch {
            Err(ErrorCode::ProducerFenced)
        } else {
            Ok(())
        }
    }

    pub(super) fn contains(&self, topic: &str, partition: i32) -> bool {
        self.partitions
            .get(topic)
            .is_some_and(|partitions| partitions.contains(&partition))
    }
}

pub(super) fn is_exhausted(epoch: i16) -> bool {
    epoch >= i16::MAX - 1
}
