//! Whether a batch belongs to a transaction that goes on (KIP-890).

use headwater_wire::ErrorCode;

use super::coordinator::{Phase, TransactionCoordinator};
use super::transaction::State;
use crate::ProducerIdentity;

impl TransactionCoordinator {
    /// Checks that the producer's transaction is ongoing and has this partition, so that a batch
    /// that comes late does not open it again. Changes nothing and reveals nothing that is not in
    /// the log; the caller's own append follows it there.
    ///
    /// # Errors
    /// `COORDINATOR_LOAD_IN_PROGRESS` before the machine is loaded, `CONCURRENT_TRANSACTIONS`
    /// while a decided transaction completes, `INVALID_PRODUCER_ID_MAPPING` and `PRODUCER_FENCED`
    /// for another producer, `TRANSACTION_ABORTABLE` otherwise.
    pub fn verify(
        &self,
        transactional_id: &str,
        producer: ProducerIdentity,
        topic: &str,
        partition: i32,
    ) -> Result<(), ErrorCode> {
        if self.phase != Phase::Active {
            return Err(ErrorCode::CoordinatorLoadInProgress);
        }
        let transaction = self
            .transactions
            .get(transactional_id)
            .ok_or(ErrorCode::InvalidProducerIdMapping)?;
        transaction.check_producer(producer)?;
        match transaction.state {
            State::Ongoing if transaction.contains(topic, partition) => Ok(()),
            State::Prepare { .. } => Err(ErrorCode::ConcurrentTransactions),
            State::Ongoing | State::Empty | State::Complete { .. } => {
                Err(ErrorCode::TransactionAbortable)
            }
        }
    }
}
