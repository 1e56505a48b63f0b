//! Transactions, as a producer's users see them.

use std::collections::HashMap;

use tokio::time::Instant;

use super::core::Transactional;
use super::producer::Producer;
use super::transaction::Ending;
use super::transactions;
use crate::consumer::ConsumerGroupMetadata;
use crate::error::ClientError;
use crate::{OffsetAndMetadata, TopicPartition};

impl Producer {
    fn transactional(&self) -> Result<&Transactional, ClientError> {
        self.core().transactional.as_ref().ok_or_else(|| {
            ClientError::IllegalState("transactions need a transactional.id".to_owned())
        })
    }

    /// Takes the transactional id over: ends whatever an earlier producer left open, fences it,
    /// and gets an epoch. To be called once, before the first transaction.
    ///
    /// # Errors
    /// A timeout after `max.block.ms`, after which it may be called again; or the coordinator's
    /// refusal, such as an invalid `transaction.timeout.ms`.
    pub async fn init_transactions(&self) -> Result<(), ClientError> {
        let core = self.core();
        let transactional = self.transactional()?;
        let _calls = transactional.calls.lock().await;
        let identity = match core.ask_identity(None, core.config().max_block).await {
            Ok(identity) => identity,
            Err(error) => {
                if !error.is_retriable() {
                    transactional.state.lock().fail_for_good(&error);
                }
                return Err(error);
            }
        };
        core.set_identity(identity);
        transactional.state.lock().initialized();
        core.update_gate();
        Ok(())
    }

    /// Begins a transaction: everything sent from now on belongs to it. Asks nobody.
    ///
    /// # Errors
    /// If the last one has not ended, or the producer has failed.
    pub fn begin_transaction(&self) -> Result<(), ClientError> {
        let transactional = self.transactional()?;
        let is_v2 = self.core().cluster.has_transactions_v2();
        transactional.state.lock().begin(is_v2)?;
        self.core().accumulator.take_failure();
        self.core().update_gate();
        Ok(())
    }

    /// Makes a consumer group's offsets part of the transaction: they are committed if it is.
    ///
    /// `group` fences: offsets of a member that has lost its partitions are refused (KIP-447). Take
    /// it from [`Consumer::group_metadata`](crate::Consumer::group_metadata).
    ///
    /// # Errors
    /// After any error but a timeout the transaction must be aborted; see
    /// [`ClientError::is_rebalanced`] and [`ClientError::is_fatal`]. After a timeout it may be called
    /// again; until that has worked, the transaction cannot be committed.
    pub async fn send_offsets_to_transaction(
        &self,
        offsets: &HashMap<TopicPartition, OffsetAndMetadata>,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), ClientError> {
        let core = self.core();
        let transactional = self.transactional()?;
        let _calls = transactional.calls.lock().await;
        transactional.state.lock().check_open()?;
        if offsets.is_empty() {
            return Ok(());
        }
        let sent = async {
            let is_v2 = {
                let mut state = transactional.state.lock();
                state.sending_offsets();
                state.is_v2()
            };
            if !is_v2 {
                transactions::add_offsets(core, &group.group_id).await?;
            }
            transactional.state.lock().offsets_added();
            transactions::commit_offsets(core, offsets, group).await?;
            transactional.state.lock().offsets_sent();
            Ok(())
        };
        sent.await.inspect_err(|error| self.call_failed(error))
    }

    /// Commits: sends what is left, waits until all of it is acknowledged, and has the coordinator
    /// commit. When it returns, the commit is decided and durable; consumers under read_committed
    /// see it a moment later.
    ///
    /// # Errors
    /// [`ClientError::TransactionMustAbort`] if a record could not be written;
    /// [`ClientError::IllegalState`] if sending offsets timed out and was not repeated; a timeout after
    /// `max.block.ms`, after which it may be called again; or what ends the producer.
    pub async fn commit_transaction(&self) -> Result<(), ClientError> {
        let core = self.core();
        let transactional = self.transactional()?;
        let started = Instant::now();
        let _calls = transactional.calls.lock().await;
        transactional.state.lock().begin_commit()?;
        core.update_gate();
        self.settle_all().await;
        self.partitions_added(transactional).await;
        let ending = {
            let mut state = transactional.state.lock();
            // Refused if a batch has failed meanwhile.
            state.begin_commit()?;
            state.ending()?
        };
        self.end(transactional, ending, true).await?;
        core.update_gate();
        core.accumulator
            .counters
            .transactions_committed
            .add(started.elapsed());
        Ok(())
    }

    /// Aborts: drops what was not sent yet, waits for what was, and has the coordinator abort.
    ///
    /// # Errors
    /// A timeout after `max.block.ms`, after which it may be called again; or what ends the
    /// producer.
    pub async fn abort_transaction(&self) -> Result<(), ClientError> {
        let core = self.core();
        let transactional = self.transactional()?;
        let started = Instant::now();
        let _calls = transactional.calls.lock().await;
        transactional.state.lock().begin_abort()?;
        core.update_gate();
        core.accumulator.wake.notify_one();
        self.settle_all().await;
        self.partitions_added(transactional).await;
        let ending = transactional.state.lock().ending()?;
        self.end(transactional, ending, false).await?;
        if ending.bump {
            let identity = *core.identity.lock();
            let asked = core.ask_identity(identity, core.config().max_block).await;
            core.set_identity(asked.inspect_err(|error| self.call_failed(error))?);
            transactional.state.lock().initialized();
        }
        core.accumulator.take_failure();
        core.update_gate();
        core.accumulator
            .counters
            .transactions_aborted
            .add(started.elapsed());
        Ok(())
    }

    /// Has the coordinator end the transaction, if it knows of it, and goes on in the epoch that it
    /// gives.
    async fn end(
        &self,
        transactional: &Transactional,
        ending: Ending,
        is_committed: bool,
    ) -> Result<(), ClientError> {
        if ending.tell {
            let ended = transactions::end(self.core(), is_committed).await;
            let next = ended.inspect_err(|error| self.call_failed(error))?;
            if let Some(identity) = next {
                self.core().set_identity(identity);
            }
        }
        transactional.state.lock().ended(ending);
        Ok(())
    }

    /// Waits for an AddPartitionsToTxn under way: it must not land in the next transaction.
    async fn partitions_added(&self, transactional: &Transactional) {
        loop {
            let changed = transactional.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if !transactional.state.lock().is_adding() {
                return;
            }
            changed.await;
        }
    }

    /// A transactional call failed. A timeout leaves the state as it is: the call may be repeated.
    fn call_failed(&self, error: &ClientError) {
        if !matches!(error, ClientError::Timeout { .. }) {
            self.core().fail_transaction(error, false);
        }
    }
}
