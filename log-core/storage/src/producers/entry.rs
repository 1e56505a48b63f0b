//! One producer's last batches.

use headwater_wire::records::{BatchHeader, ControlMarker};

use crate::error::ProducerError;
use crate::partition::{AppendOrigin, ProducerSummary};

/// Epoch of a producer that has none.
pub(super) const NO_EPOCH: i16 = -1;
/// Batches remembered per producer: what Kafka's clients may have in flight.
pub(super) const BATCHES: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct BatchMark {
    pub(super) last_sequence: i32,
    /// Records minus one.
    pub(super) offset_delta: i32,
    pub(super) last_offset: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Producer {
    pub(super) epoch: i16,
    pub(super) coordinator_epoch: i32,
    /// Oldest first; the first `len` count.
    pub(super) batches: [BatchMark; BATCHES],
    pub(super) len: u8,
    pub(super) last_timestamp: i64,
    pub(super) transaction_start: Option<i64>,
}

impl Producer {
    pub(super) fn new(epoch: i16) -> Self {
        Self {
            epoch,
            coordinator_epoch: -1,
            batches: Default::default(),
            len: 0,
            last_timestamp: -1,
            transaction_start: None,
        }
    }

    pub(super) fn batches(&self) -> &[BatchMark] {
        self.batches
            .get(..usize::from(self.len))
            .unwrap_or_default()
    }

    fn last(&self) -> Option<&BatchMark> {
        self.batches().last()
    }

    pub(super) fn last_offset(&self) -> Option<i64> {
        self.last().map(|batch| batch.last_offset)
    }

    /// Offsets of the batch with the same sequence numbers.
    pub(super) fn find_duplicate(&self, header: &BatchHeader) -> Option<(i64, i64)> {
        if header.producer_epoch != self.epoch || header.base_sequence < 0 {
            return None;
        }
        let same = self.batches().iter().find(|batch| {
            batch.last_sequence == header.last_sequence()
                && batch.offset_delta == header.last_offset_delta
        })?;
        Some((
            same.last_offset - i64::from(same.offset_delta),
            same.last_offset,
        ))
    }

    pub(super) fn check_epoch(&self, producer_id: i64, found: i16) -> Result<(), ProducerError> {
        if found < self.epoch {
            return Err(ProducerError::EpochFenced {
                producer_id,
                found,
                current: self.epoch,
            });
        }
        Ok(())
    }

    pub(super) fn check_coordinator(
        &self,
        producer_id: i64,
        found: i32,
    ) -> Result<(), ProducerError> {
        if found < self.coordinator_epoch {
            return Err(ProducerError::CoordinatorFenced {
                producer_id,
                found,
                current: self.coordinator_epoch,
            });
        }
        Ok(())
    }

    pub(super) fn check_marker(
        &self,
        header: &BatchHeader,
        marker: ControlMarker,
        origin: AppendOrigin,
    ) -> Result<(), ProducerError> {
        // The last epoch of all cannot be told from the one before it.
        let ends_a_later_one = origin == AppendOrigin::CoordinatorV2
            && header.producer_epoch == self.epoch
            && self.epoch != i16::MAX
            && self.transaction_start.is_some();
        if ends_a_later_one {
            return Err(ProducerError::EpochFenced {
                producer_id: header.producer_id,
                found: header.producer_epoch,
                current: self.epoch,
            });
        }
        self.check_coordinator(header.producer_id, marker.coordinator_epoch)
    }

    /// A new epoch starts at 0, also that of a producer known only by markers. What is known under
    /// no epoch binds nobody.
    pub(super) fn check_sequence(&self, header: &BatchHeader) -> Result<(), ProducerError> {
        if self.epoch == NO_EPOCH {
            return Ok(());
        }
        let last = self.last().filter(|_| header.producer_epoch == self.epoch);
        let expected = last.map_or(0, |last| next_sequence(last.last_sequence));
        expect_sequence(header, expected)
    }

    /// Batches of an older epoch no longer count.
    pub(super) fn enter_epoch(&mut self, epoch: i16) {
        if epoch != self.epoch {
            self.epoch = epoch;
            self.len = 0;
        }
    }

    pub(super) fn note_batch(&mut self, header: &BatchHeader) {
        if header.base_sequence < 0 {
            return;
        }
        let mark = BatchMark {
            last_sequence: header.last_sequence(),
            offset_delta: header.last_offset_delta,
            last_offset: header.last_offset(),
        };
        self.push(mark);
    }

    pub(super) fn push(&mut self, mark: BatchMark) {
        if usize::from(self.len) == BATCHES {
            self.batches.rotate_left(1);
            self.len -= 1;
        }
        if let Some(slot) = self.batches.get_mut(usize::from(self.len)) {
            *slot = mark;
            self.len += 1;
        }
    }

    pub(super) fn summary(&self, producer_id: i64) -> ProducerSummary {
        ProducerSummary {
            producer_id,
            producer_epoch: self.epoch,
            last_sequence: self.last().map_or(-1, |batch| batch.last_sequence),
            last_timestamp: self.last_timestamp,
            coordinator_epoch: self.coordinator_epoch,
            transaction_start: self.transaction_start,
        }
    }
}

pub(super) fn expect_sequence(header: &BatchHeader, expected: i32) -> Result<(), ProducerError> {
    if header.base_sequence == expected {
        return Ok(());
    }
    Err(ProducerError::OutOfOrderSequence {
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        expected,
        found: header.base_sequence,
    })
}

/// Sequence numbers wrap from `i32::MAX` to 0.
pub(super) const fn next_sequence(sequence: i32) -> i32 {
    if sequence == i32::MAX {
        0
    } else {
        sequence + 1
    }
}
