//! What a partition knows of its producers: enough to refuse gaps, answer duplicates, fence old
//! epochs and tell open transactions (KIP-98, KIP-360).
//!
//! Pure: no files, no clock. The partition checks a batch, appends it and applies it; recovery
//! applies what it finds.

mod entry;
mod held_back;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet};

use headwater_wire::records::{BatchHeader, ControlMarker, TransactionResult};

use crate::error::ProducerError;
use crate::partition::{AbortedTransaction, AppendOrigin, ProducerSummary};
use entry::{NO_EPOCH, Producer, expect_sequence};
use held_back::HeldBack;

/// Producers that a partition remembers, at some 250 bytes each. Beyond that an eighth of them is
/// forgotten before its time, the longest silent first: a batch that one of these sends twice would
/// be appended twice.
const PRODUCERS_MAX: usize = 65_536;

/// What to do with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Append it.
    Append,
    /// It is in the log already, at these offsets.
    Duplicate { base_offset: i64, last_offset: i64 },
}

/// Producers of one partition, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ProducerStates {
    producers: BTreeMap<i64, Producer>,
    /// First offset and producer of each open transaction.
    open: BTreeSet<(i64, i64)>,
    /// Producers with batches that were held back because the partition was not seen to be in
    /// their transaction. Not kept over a restart.
    held_back: HeldBack,
}

impl ProducerStates {
    /// Judges one batch. `marker` is its marker if it is a control batch.
    ///
    /// # Errors
    /// [`ProducerError`] if the batch must not be appended.
    pub(crate) fn check(
        &self,
        header: &BatchHeader,
        marker: Option<ControlMarker>,
        origin: AppendOrigin,
    ) -> Result<Verdict, ProducerError> {
        if !header.has_producer_id() || origin == AppendOrigin::Replication {
            return Ok(Verdict::Append);
        }
        let is_client = origin.is_client();
        let Some(producer) = self.producers.get(&header.producer_id) else {
            if is_client {
                self.held_back.check(header)?;
            }
            if origin == AppendOrigin::FirstOfTransaction {
                expect_sequence(header, 0)?;
            }
            // A producer without an epoch is let in where nothing is known of it, as in Kafka.
            if header.producer_epoch < NO_EPOCH {
                return Err(ProducerError::EpochFenced {
                    producer_id: header.producer_id,
                    found: header.producer_epoch,
                    current: NO_EPOCH,
                });
            }
            return Ok(Verdict::Append);
        };
        if is_client && let Some((base_offset, last_offset)) = producer.find_duplicate(header) {
            return Ok(Verdict::Duplicate {
                base_offset,
                last_offset,
            });
        }
        producer.check_epoch(header.producer_id, header.producer_epoch)?;
        match marker {
            Some(marker) => producer.check_marker(header, marker, origin)?,
            None => {
                if is_client {
                    self.held_back.check(header)?;
                    producer.check_sequence(header)?;
                }
                if producer.transaction_start.is_some() && !header.is_transactional() {
                    return Err(ProducerError::NotTransactional(header.producer_id));
                }
            }
        }
        Ok(Verdict::Append)
    }

    /// Judges what a coordinator is about to write for a producer: records of its transaction, or,
    /// with a coordinator's epoch, the marker that ends it.
    pub(crate) fn check_coordinated(
        &self,
        producer_id: i64,
        epoch: i16,
        coordinator_epoch: Option<i32>,
    ) -> Result<(), ProducerError> {
        let Some(producer) = self.producers.get(&producer_id) else {
            return Ok(());
        };
        producer.check_epoch(producer_id, epoch)?;
        match coordinator_epoch {
            Some(found) => producer.check_coordinator(producer_id, found),
            None => Ok(()),
        }
    }

    /// Judges batches that are appended together, each as if those before it were appended.
    pub(crate) fn check_all<'a>(
        &self,
        batches: impl Iterator<Item = (&'a BatchHeader, Option<ControlMarker>)> + Clone,
        origin: AppendOrigin,
    ) -> Result<Verdict, ProducerError> {
        let mut rest = batches.clone();
        if let (Some((header, marker)), None) = (rest.next(), rest.next()) {
            return self.check(header, marker, origin);
        }
        let mut scratch = Self {
            held_back: self.held_back.clone(),
            ..Self::default()
        };
        for (header, marker) in batches {
            if let Some(producer) = self.producers.get(&header.producer_id) {
                scratch
                    .producers
                    .entry(header.producer_id)
                    .or_insert_with(|| producer.clone());
            }
            let verdict = scratch.check(header, marker, origin)?;
            if verdict != Verdict::Append {
                return Ok(verdict);
            }
            scratch.apply(header, marker, 0);
        }
        Ok(Verdict::Append)
    }

    /// Notes an appended batch, offsets assigned. `wall` is the time in ms, for expiry. Returns the
    /// transaction that it aborted.
    pub(crate) fn apply(
        &mut self,
        header: &BatchHeader,
        marker: Option<ControlMarker>,
        wall: i64,
    ) -> Option<AbortedTransaction> {
        if !header.has_producer_id() {
            return None;
        }
        let producer_id = header.producer_id;
        if self.producers.len() >= PRODUCERS_MAX && !self.producers.contains_key(&producer_id) {
            self.forget_silent();
        }
        let producer = self
            .producers
            .entry(producer_id)
            .or_insert_with(|| Producer::new(header.producer_epoch));
        producer.enter_epoch(header.producer_epoch);
        producer.last_timestamp = wall;
        match marker {
            Some(marker) => {
                producer.coordinator_epoch = marker.coordinator_epoch;
                let first_offset = producer.transaction_start.take()?;
                self.open.remove(&(first_offset, producer_id));
                (marker.result == TransactionResult::Abort).then_some(AbortedTransaction {
                    producer_id,
                    first_offset,
                    last_offset: header.last_offset(),
                })
            }
            None => {
                producer.note_batch(header);
                if header.is_transactional() && producer.transaction_start.is_none() {
                    producer.transaction_start = Some(header.base_offset);
                    self.open.insert((header.base_offset, producer_id));
                    self.held_back.forget(producer_id);
                }
                None
            }
        }
    }

    /// First offset of the earliest open transaction.
    pub(crate) fn first_open(&self) -> Option<i64> {
        self.open.first().map(|(offset, _)| *offset)
    }

    /// Whether the producer has an open transaction, under this epoch.
    pub(crate) fn has_open_transaction(&self, producer_id: i64, epoch: i16) -> bool {
        self.producers
            .get(&producer_id)
            .is_some_and(|p| p.transaction_start.is_some() && p.epoch == epoch)
    }

    /// Notes a batch that was not appended because the partition was not seen to be in its
    /// producer's transaction: later ones of the producer must not get before it.
    pub(crate) fn hold_back(&mut self, header: &BatchHeader, wall: i64) {
        self.held_back.note(header, wall);
    }

    /// Last offset of the producer's latest batch: compaction keeps that batch.
    pub(crate) fn last_offset(&self, producer_id: i64) -> Option<i64> {
        self.producers.get(&producer_id)?.last_offset()
    }

    /// Forgets producers that appended nothing since `before` (ms) and have no open transaction
    /// (KIP-854).
    pub(crate) fn expire(&mut self, before: i64) {
        self.producers
            .retain(|_, p| p.transaction_start.is_some() || p.last_timestamp >= before);
        self.held_back.expire(before);
    }

    fn forget_silent(&mut self) {
        const SURPLUS: usize = PRODUCERS_MAX / 8;
        let mut silent: Vec<(i64, i64)> = self
            .producers
            .iter()
            .filter(|(_, producer)| producer.transaction_start.is_none())
            .map(|(id, producer)| (producer.last_timestamp, *id))
            .collect();
        if silent.len() > SURPLUS {
            silent.select_nth_unstable(SURPLUS);
            silent.truncate(SURPLUS);
        }
        for (_, id) in silent {
            self.producers.remove(&id);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.producers.len()
    }

    pub(crate) fn summaries(&self) -> Vec<ProducerSummary> {
        self.producers
            .iter()
            .map(|(id, producer)| producer.summary(*id))
            .collect()
    }
}

#[cfg(test)]
mod tests;
