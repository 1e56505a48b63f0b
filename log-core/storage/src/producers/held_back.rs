//! Batches that were not appended because the partition was not seen to be in their producer's
//! transaction. They are sent again, and until then those behind them must wait (KIP-890).

use std::collections::BTreeMap;

use headwater_wire::records::BatchHeader;

use crate::error::ProducerError;

/// Producers remembered at a time, 32 bytes each. Beyond that a producer whose batches overtake
/// each other in the very moment its transaction begins is not noticed, as none was before KIP-890.
const PRODUCERS_MAX: usize = 1_024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct First {
    epoch: i16,
    /// Lowest sequence held back.
    sequence: i32,
    /// When, in ms of wall time.
    at: i64,
}

/// The first batch that each producer has to send again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct HeldBack {
    first: BTreeMap<i64, First>,
}

impl HeldBack {
    pub(super) fn note(&mut self, header: &BatchHeader, wall: i64) {
        let is_known = self.first.contains_key(&header.producer_id);
        if header.base_sequence < 0 || (!is_known && self.first.len() >= PRODUCERS_MAX) {
            return;
        }
        let found = First {
            epoch: header.producer_epoch,
            sequence: header.base_sequence,
            at: wall,
        };
        let first = self.first.entry(header.producer_id).or_insert(found);
        let is_earlier = found.epoch == first.epoch && found.sequence < first.sequence;
        if found.epoch > first.epoch || is_earlier {
            *first = found;
        }
    }

    /// # Errors
    /// [`ProducerError::OutOfOrderSequence`] for a batch behind one that is still to come.
    pub(super) fn check(&self, header: &BatchHeader) -> Result<(), ProducerError> {
        match self.first.get(&header.producer_id) {
            Some(first) if header.base_sequence > first.sequence => {
                Err(ProducerError::OutOfOrderSequence {
                    producer_id: header.producer_id,
                    producer_epoch: header.producer_epoch,
                    expected: first.sequence,
                    found: header.base_sequence,
                })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn forget(&mut self, producer_id: i64) {
        self.first.remove(&producer_id);
    }

    pub(super) fn expire(&mut self, before: i64) {
        self.first.retain(|_, first| first.at >= before);
    }
}
