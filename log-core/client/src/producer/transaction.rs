//! A transactional producer's state (KIP-98), as a pure state machine.
//!
//! ```text
//! Uninitialized -> Ready -> InTransaction -> Committing -> Ready
//!                             |    |             |
//!                             |    v             v
//!                             | MustAbort <------+
//!                             v    |
//!                           Aborting -> Ready           any -> Failed, for good
//! ```

use std::collections::HashSet;
use std::sync::Arc;

use headwater_wire::ErrorCode;

use crate::TopicPartition;
use crate::error::ClientError;

/// Where a transactional producer stands.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    Uninitialized,
    Ready,
    InTransaction,
    Committing,
    /// The transaction cannot be committed any more.
    MustAbort(Arc<ClientError>),
    Aborting,
    /// The producer cannot go on.
    Failed(Arc<ClientError>),
}

/// What ending a transaction takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    /// Whether the coordinator has to be told: it knows of the transaction.
    pub(crate) tell: bool,
    /// Whether a new epoch has to be asked for afterwards.
    pub(crate) bump: bool,
}

#[derive(Debug)]
pub(crate) struct Transaction {
    phase: Phase,
    /// Partitions the coordinator knows of.
    partitions: HashSet<TopicPartition>,
    /// Partitions that have batches and that it is to be told of.
    wanted: HashSet<TopicPartition>,
    /// Partitions it is being told of.
    adding: HashSet<TopicPartition>,
    has_offsets: bool,
    /// Whether offsets were sent and nobody knows whether they have arrived.
    is_missing_offsets: bool,
    /// Whether the coordinator lost the producer id: it would refuse to end the transaction.
    is_unmapped: bool,
    needs_bump: bool,
    /// Whether this transaction is of version 2 (KIP-890): what is written adds itself to it, and
    /// its end brings a new epoch.
    is_v2: bool,
}

impl Transaction {
    pub(crate) fn new() -> Self {
        Self {
            phase: Phase::Uninitialized,
            partitions: HashSet::new(),
            wanted: HashSet::new(),
            adding: HashSet::new(),
            has_offsets: false,
            is_missing_offsets: false,
            is_unmapped: false,
            needs_bump: false,
            is_v2: false,
        }
    }

    pub(crate) fn is_v2(&self) -> bool {
        self.is_v2
    }

    pub(crate) fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The producer id has been given.
    pub(crate) fn initialized(&mut self) {
        self.clear();
        self.phase = Phase::Ready;
    }

    /// Begins a transaction, of version 2 if the cluster has got that far.
    pub(crate) fn begin(&mut self, is_v2: bool) -> Result<(), ClientError> {
        match &self.phase {
            Phase::Ready => {
                self.is_v2 = is_v2;
                self.phase = Phase::InTransaction;
                Ok(())
            }
            other => Err(refused("begin a transaction", other)),
        }
    }

    /// Whether records and offsets may be added.
    pub(crate) fn check_open(&self) -> Result<(), ClientError> {
        match &self.phase {
            Phase::InTransaction => Ok(()),
            other => Err(refused("write", other)),
        }
    }

    /// Whether a batch of `partition` may be sent; if not, the partition is wanted from now on.
    pub(crate) fn may_send(&mut self, partition: &TopicPartition) -> bool {
        if self.partitions.contains(partition) {
            return true;
        }
        if self.is_v2 {
            self.partitions.insert(partition.clone());
            return true;
        }
        if !self.adding.contains(partition) && !self.wanted.contains(partition) {
            self.wanted.insert(partition.clone());
        }
        false
    }

    /// The partitions to tell the coordinator of, if it is not being told already.
    pub(crate) fn take_wanted(&mut self) -> Option<Vec<TopicPartition>> {
        let is_live = matches!(self.phase, Phase::InTransaction | Phase::Committing);
        if self.is_adding() || self.wanted.is_empty() || !is_live {
            return None;
        }
        self.adding = std::mem::take(&mut self.wanted);
        Some(self.adding.iter().cloned().collect())
    }

    /// The coordinator was told, or could not be.
    pub(crate) fn added(&mut self, is_known: bool) {
        let added = std::mem::take(&mut self.adding);
        if is_known {
            self.partitions.extend(added);
        }
    }

    /// Whether the coordinator is being told. The transaction must not end before: what arrived
    /// later would count for the next one.
    pub(crate) fn is_adding(&self) -> bool {
        !self.adding.is_empty()
    }

    /// Offsets are about to be sent.
    pub(crate) fn sending_offsets(&mut self) {
        self.is_missing_offsets = true;
    }

    /// The coordinator knows of offsets, or may.
    pub(crate) fn offsets_added(&mut self) {
        self.has_offsets = true;
    }

    /// The offsets have arrived.
    pub(crate) fn offsets_sent(&mut self) {
        self.is_missing_offsets = false;
    }

    /// A batch failed, or the coordinator said that the transaction cannot go on.
    ///
    /// Which errors end the producer, and which only the transaction, is Kafka's choice.
    pub(crate) fn fail(&mut self, error: &ClientError, bump: bool) {
        if matches!(self.phase, Phase::Failed(_)) {
            return;
        }
        if is_final(error) {
            self.phase = Phase::Failed(Arc::new(error.clone()));
            return;
        }
        self.needs_bump |= bump;
        if error.code() == Some(ErrorCode::InvalidProducerIdMapping) {
            self.is_unmapped = true;
            self.needs_bump = true;
        }
        if matches!(self.phase, Phase::InTransaction | Phase::Committing) {
            self.phase = Phase::MustAbort(Arc::new(error.clone()));
        }
    }

    /// The producer can do no more.
    pub(crate) fn fail_for_good(&mut self, error: &ClientError) {
        if !matches!(self.phase, Phase::Failed(_)) {
            self.phase = Phase::Failed(Arc::new(error.clone()));
        }
    }

    /// Begins to commit, or goes on with a commit that timed out.
    pub(crate) fn begin_commit(&mut self) -> Result<(), ClientError> {
        match &self.phase {
            // Without them, the records would count and be made again.
            Phase::InTransaction if self.is_missing_offsets => {
                Err(ClientError::IllegalState(MISSING_OFFSETS.to_owned()))
            }
            Phase::InTransaction | Phase::Committing => {
                self.phase = Phase::Committing;
                Ok(())
            }
            other => Err(refused("commit", other)),
        }
    }

    /// Begins to abort, or goes on with an abort that timed out.
    pub(crate) fn begin_abort(&mut self) -> Result<(), ClientError> {
        match &self.phase {
            Phase::InTransaction | Phase::MustAbort(_) | Phase::Aborting => {
                self.phase = Phase::Aborting;
                self.wanted.clear();
                Ok(())
            }
            other => Err(refused("abort", other)),
        }
    }

    /// What is left to do once every batch is settled.
    pub(crate) fn ending(&self) -> Result<Ending, ClientError> {
        match &self.phase {
            Phase::Committing | Phase::Aborting => {
                let is_known = !self.partitions.is_empty() || self.has_offsets;
                let tell = is_known && !self.is_unmapped;
                Ok(Ending {
                    tell,
                    // The end of a transaction of version 2 is a new epoch itself.
                    bump: self.needs_bump && !(tell && self.is_v2),
                })
            }
            other => Err(refused("end the transaction", other)),
        }
    }

    /// The coordinator has ended the transaction. The epoch may still have to be bumped.
    pub(crate) fn ended(&mut self, ending: Ending) {
        if matches!(self.phase, Phase::Committing | Phase::Aborting) {
            let needs_bump = ending.bump;
            self.clear();
            self.needs_bump = needs_bump;
            if !needs_bump {
                self.phase = Phase::Ready;
            }
        }
    }

    fn clear(&mut self) {
        self.partitions.clear();
        self.wanted.clear();
        self.has_offsets = false;
        self.is_missing_offsets = false;
        self.is_unmapped = false;
        self.needs_bump = false;
    }
}

/// Why a transaction whose offsets may not have arrived is not committed.
const MISSING_OFFSETS: &str =
    "cannot commit: sending offsets timed out; send them again, or abort the transaction";

/// Whether an error ends a transactional producer.
fn is_final(error: &ClientError) -> bool {
    matches!(error, ClientError::UnsupportedVersion { .. })
        || matches!(
            error.code(),
            Some(
                ErrorCode::ProducerFenced
                    | ErrorCode::ClusterAuthorizationFailed
                    | ErrorCode::TransactionalIdAuthorizationFailed
                    | ErrorCode::InvalidTxnState
                    | ErrorCode::InvalidTransactionTimeout
                    | ErrorCode::UnsupportedVersion
                    | ErrorCode::UnsupportedForMessageFormat
            )
        )
}

fn refused(what: &str, phase: &Phase) -> ClientError {
    let why = match phase {
        Phase::Uninitialized => "init_transactions has not been called",
        Phase::Ready => "no transaction has begun",
        Phase::InTransaction => "a transaction is under way",
        Phase::Committing => "the transaction is being committed",
        Phase::Aborting => "the transaction is being aborted",
        Phase::MustAbort(cause) => return ClientError::TransactionMustAbort(cause.clone()),
        Phase::Failed(cause) => return ClientError::ProducerFailed(cause.clone()),
    };
    ClientError::IllegalState(format!("cannot {what}: {why}"))
}

#[cfg(test)]
mod tests;
