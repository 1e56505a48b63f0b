//! Asking the coordinator of a transaction about a write, and appending it only if the transaction
//! did not end meanwhile (KIP-890).

use std::collections::BTreeMap;

use headwater_wire::records::RecordBatch;

use super::{AppendOrigin, Appended, PartitionLog};
use crate::error::{AppendError, ProducerError};

/// Ends of transactions in a partition while somebody verifies a write to it.
#[derive(Debug, Default)]
pub(super) struct Verifying {
    /// How many do.
    pending: usize,
    /// Markers seen meanwhile.
    markers: u64,
    /// Number of the latest of each producer. Empty while nobody verifies.
    ended: BTreeMap<i64, u64>,
}

impl Verifying {
    /// Notes a marker of a producer.
    pub(super) fn note_marker(&mut self, producer_id: i64) {
        if self.pending > 0 {
            self.markers += 1;
            self.ended.insert(producer_id, self.markers);
        }
    }

    /// # Errors
    /// [`ProducerError::TransactionEnded`] if a marker of the producer came after that number.
    pub(super) fn check(&self, producer_id: i64, since: u64) -> Result<(), ProducerError> {
        match self.ended.get(&producer_id) {
            Some(marker) if *marker > since => Err(ProducerError::TransactionEnded(producer_id)),
            _ => Ok(()),
        }
    }
}

/// A write that is being verified, from before its coordinator was asked.
#[derive(Debug)]
pub struct Verification<'a> {
    log: &'a PartitionLog,
    since: u64,
}

impl PartitionLog {
    /// Begins to verify a client's first write in a transaction. Ask the coordinator after this,
    /// then [append](Verification::append).
    pub fn begin_verification(&self) -> Verification<'_> {
        let verifying = &mut self.writer.lock().verifying;
        verifying.pending += 1;
        Verification {
            log: self,
            since: verifying.markers,
        }
    }
}

impl Verification<'_> {
    /// As [`PartitionLog::append`] for a client, but only if no transaction of the producers has
    /// ended in the partition since the verification began.
    ///
    /// # Errors
    /// [`AppendError`], with [`ProducerError::TransactionEnded`] for that.
    pub fn append(&self, batches: &[RecordBatch]) -> Result<Appended, AppendError> {
        self.log
            .append_since(batches, AppendOrigin::Client, Some(self.since))
    }
}

impl Drop for Verification<'_> {
    fn drop(&mut self) {
        let verifying = &mut self.log.writer.lock().verifying;
        verifying.pending = verifying.pending.saturating_sub(1);
        if verifying.pending == 0 {
            verifying.ended.clear();
        }
    }
}
