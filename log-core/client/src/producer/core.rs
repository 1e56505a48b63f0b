//! What a producer's handles and its sender task share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use headwater_wire::ErrorCode;
use headwater_wire::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::accumulator::Accumulator;
use super::config::ProducerConfig;
use super::sequence::Identity;
use super::transaction::{Phase, Transaction};
use crate::cluster::Cluster;
use crate::coordinator::{Coordinator, CoordinatorKind};
use crate::error::ClientError;
use crate::retry::Retry;
use crate::transport::{Channel, Target};

/// Whether records are taken, readable without a lock on every append.
const OPEN: u8 = 0;
const SHUT: u8 = 1;

pub(crate) struct Core {
    pub(crate) cluster: Arc<Cluster>,
    /// For produce requests alone, which arrive in order because it is one connection per node.
    pub(crate) produce_channel: Channel,
    /// For everything else.
    pub(crate) channel: Channel,
    pub(crate) accumulator: Accumulator,
    pub(crate) transactional: Option<Transactional>,
    /// Given by the cluster to idempotent producers.
    pub(crate) identity: Mutex<Option<Identity>>,
    /// Flushes under way: nothing lingers while there are any.
    pub(crate) flushes: AtomicUsize,
    pub(crate) is_closing: AtomicBool,
    /// Ends a producer that is not transactional.
    pub(crate) fatal: Mutex<Option<ClientError>>,
    gate: AtomicU8,
}

/// What a producer with a transactional id has besides.
pub(crate) struct Transactional {
    pub(crate) id: String,
    pub(crate) state: Mutex<Transaction>,
    /// Told when the sender has added partitions, or could not.
    pub(crate) changed: Notify,
    pub(crate) coordinator: Coordinator,
    groups: Mutex<HashMap<String, Arc<Coordinator>>>,
    /// Held by the calls that begin and end transactions: one at a time.
    pub(crate) calls: tokio::sync::Mutex<()>,
}

impl Transactional {
    /// The coordinator of a consumer group whose offsets are committed.
    pub(crate) fn group(&self, group_id: &str) -> Arc<Coordinator> {
        let mut groups = self.groups.lock();
        let coordinator = groups
            .entry(group_id.to_owned())
            .or_insert_with(|| Arc::new(Coordinator::new(CoordinatorKind::Group, group_id)));
        coordinator.clone()
    }
}

impl Core {
    pub(crate) fn new(cluster: Arc<Cluster>, config: ProducerConfig) -> Self {
        let transactional = config.transactional_id.clone().map(|id| Transactional {
            state: Mutex::new(Transaction::new()),
            changed: Notify::new(),
            coordinator: Coordinator::new(CoordinatorKind::Transaction, id.clone()),
            groups: Mutex::default(),
            calls: tokio::sync::Mutex::new(()),
            id,
        });
        Self {
            produce_channel: Channel::new(cluster.clone()),
            channel: Channel::new(cluster.clone()),
            cluster,
            gate: AtomicU8::new(if transactional.is_some() { SHUT } else { OPEN }),
            transactional,
            accumulator: Accumulator::new(config),
            identity: Mutex::new(None),
            flushes: AtomicUsize::new(0),
            is_closing: AtomicBool::new(false),
            fatal: Mutex::new(None),
        }
    }

    pub(crate) fn config(&self) -> &ProducerConfig {
        &self.accumulator.config
    }

    /// Whether a record may be appended now.
    #[inline]
    pub(crate) fn check_gate(&self) -> Result<(), ClientError> {
        if self.gate.load(Ordering::Acquire) == OPEN {
            Ok(())
        } else {
            Err(self.refusal())
        }
    }

    #[cold]
    fn refusal(&self) -> ClientError {
        if self.is_closing.load(Ordering::Acquire) {
            return ClientError::Closed("the producer");
        }
        if let Some(error) = &*self.fatal.lock() {
            return ClientError::ProducerFailed(Arc::new(error.clone()));
        }
        match &self.transactional {
            Some(transactional) => match transactional.state.lock().check_open() {
                Err(error) => error,
                Ok(()) => ClientError::IllegalState("the transaction is just beginning".to_owned()),
            },
            None => ClientError::Closed("the producer"),
        }
    }

    /// Sets the gate from the state, after every change of it.
    pub(crate) fn update_gate(&self) {
        let is_shut = self.is_closing.load(Ordering::Acquire)
            || self.fatal.lock().is_some()
            || self
                .transactional
                .as_ref()
                .is_some_and(|transactional| transactional.state.lock().check_open().is_err());
        self.gate
            .store(if is_shut { SHUT } else { OPEN }, Ordering::Release);
    }

    /// Why batches that have never been sent will not be, if they will not.
    pub(crate) fn unsent_failure(&self) -> Option<ClientError> {
        if let Some(error) = &*self.fatal.lock() {
            return Some(ClientError::ProducerFailed(Arc::new(error.clone())));
        }
        match self.transactional.as_ref()?.state.lock().phase() {
            Phase::Aborting => Some(ClientError::TransactionAborted),
            Phase::MustAbort(cause) => Some(ClientError::TransactionMustAbort(cause.clone())),
            Phase::Failed(cause) => Some(ClientError::ProducerFailed(cause.clone())),
            _ => None,
        }
    }

    /// Whether the producer is done for: then nothing is tried again either.
    pub(crate) fn has_failed(&self) -> bool {
        self.fatal.lock().is_some()
            || self
                .transactional
                .as_ref()
                .is_some_and(|t| matches!(t.state.lock().phase(), Phase::Failed(_)))
    }

    /// Tells the transaction, if there is one, of an error.
    pub(crate) fn fail_transaction(&self, error: &ClientError, bump: bool) {
        if let Some(transactional) = &self.transactional {
            transactional.state.lock().fail(error, bump);
            self.update_gate();
            self.accumulator.wake.notify_one();
        }
    }

    /// Asks for a producer id, or for the next epoch of `current`.
    ///
    /// # Errors
    /// The broker's, or a timeout after `limit`.
    pub(crate) async fn ask_identity(
        &self,
        current: Option<Identity>,
        limit: Duration,
    ) -> Result<Identity, ClientError> {
        let timeout_ms = millis(self.config().transaction_timeout);
        let current = current.unwrap_or(Identity { id: -1, epoch: -1 });
        let id = self
            .transactional
            .as_ref()
            .map(|transactional| transactional.id.clone());
        let build = |version: i16| InitProducerIdRequest {
            transactional_id: id.clone(),
            transaction_timeout_ms: timeout_ms,
            producer_id: if version >= 3 { current.id } else { -1 },
            producer_epoch: if version >= 3 { current.epoch } else { -1 },
        };
        let operation = match &id {
            Some(id) => format!("initialising transactional id {id}"),
            None => "asking for a producer id".to_owned(),
        };
        let code = |response: &InitProducerIdResponse| ErrorCode::from_code(response.error_code);
        let mut retry = Retry::new(operation.clone(), limit, &self.cluster.config);
        loop {
            let response = match &self.transactional {
                Some(transactional) => {
                    let coordinator = &transactional.coordinator;
                    let call =
                        coordinator.call(&self.cluster, &self.channel, &mut retry, 5, build, code);
                    call.await?
                }
                None => {
                    let limit = retry.remaining().min(self.config().request_timeout);
                    match self.channel.call(Target::Any, limit, 5, build).await {
                        Ok(response) => response,
                        Err(error) => {
                            retry.pause(error).await?;
                            continue;
                        }
                    }
                }
            };
            match code(&response) {
                ErrorCode::None => {
                    return Ok(Identity {
                        id: response.producer_id,
                        epoch: response.producer_epoch,
                    });
                }
                // An earlier transaction of this id is just being ended.
                code @ ErrorCode::ConcurrentTransactions => {
                    retry
                        .pause_anyway(ClientError::broker(&operation, code))
                        .await?;
                }
                code => retry.pause(ClientError::broker(&operation, code)).await?,
            }
        }
    }

    /// Gives every queue a new identity, to begin at sequence 0. Nothing may be in flight.
    pub(crate) fn set_identity(&self, identity: Identity) {
        *self.identity.lock() = Some(identity);
        for queue in self.accumulator.queues() {
            let mut state = queue.state.lock();
            state.identity = Some(identity);
            state.sequences.restart();
            state.is_restarting = false;
        }
    }
}

/// Milliseconds for a field of 32 bits.
pub(crate) fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
