//! One partition's part of a Produce request.

use std::sync::Arc;

use headwater_storage::{AppendError, AppendOrigin, Lsn, ProducerError, Unusable};
use headwater_wire::ErrorCode;
use headwater_wire::messages::produce::{PartitionProduceData, ProduceRequest};
use headwater_wire::records::{BatchHeader, RecordBatch};

use super::validate::{Refusal, validate};
use crate::api::Located;
use crate::context::RequestContext;
use crate::coordinators::TransactionalProduce;
use crate::internal_topics;
use crate::node::Node;
use crate::topics::Topic;

/// What became of one partition's records.
pub(super) enum Outcome {
    /// They are in the log, now or since an earlier try.
    Appended {
        base_offset: i64,
        /// In ms; -1 if the topic keeps the producer's times.
        log_append_time: i64,
        log_start: i64,
        position: Lsn,
    },
    /// Nothing was appended.
    Refused(Refusal),
}

impl Outcome {
    /// Position of the journal that must be durable before the outcome may be told.
    pub(super) fn position(&self) -> Option<Lsn> {
        match self {
            Self::Appended { position, .. } => Some(*position),
            Self::Refused(_) => None,
        }
    }
}

/// What the partitions of one request have in common.
pub(super) struct Appending<'a> {
    node: &'a Node,
    version: i16,
    acks: i16,
    transactional_id: Option<&'a str>,
    now: i64,
}

impl<'a> Appending<'a> {
    pub(super) fn new(
        node: &'a Node,
        context: &RequestContext,
        request: &'a ProduceRequest,
    ) -> Self {
        Self {
            node,
            version: context.version,
            acks: request.acks,
            transactional_id: request.transactional_id.as_deref(),
            now: node.clock.wall().as_millis(),
        }
    }

    /// Appends one partition's records to its topic, if that was found.
    pub(super) fn append(
        &self,
        topic: Result<&Arc<Topic>, ErrorCode>,
        data: &PartitionProduceData,
    ) -> Outcome {
        self.try_append(topic, data)
            .unwrap_or_else(Outcome::Refused)
    }

    fn try_append(
        &self,
        topic: Result<&Arc<Topic>, ErrorCode>,
        data: &PartitionProduceData,
    ) -> Result<Outcome, Refusal> {
        if !matches!(self.acks, -1..=1) {
            return Err(Refusal::new(
                ErrorCode::InvalidRequiredAcks,
                format!("acks is {}; it must be 0, 1 or -1", self.acks),
            ));
        }
        let located = topic
            .and_then(|topic| topic.locate(data.index))
            .map_err(Refusal::from)?;
        self.check_target(&located)?;
        let config = &located.topic.config;
        let batch = validate(config, data.records.as_ref(), self.version, self.now)?;
        if batch.header.is_transactional() {
            self.check_transaction(&located, data.index, &batch.header)?;
        }
        self.store(&located, data.index, &batch)
    }

    fn check_target(&self, located: &Located<'_>) -> Result<(), Refusal> {
        let image = &located.topic.image;
        if internal_topics::is_internal(&image.name) {
            return Err(Refusal::new(
                ErrorCode::InvalidTopicException,
                format!(
                    "topic {} is internal: clients do not write to it",
                    image.name
                ),
            ));
        }
        let needed = located.topic.config.min_insync_replicas as usize;
        let in_sync = located.in_sync_replicas;
        if self.acks == -1 && in_sync < needed {
            return Err(Refusal::new(
                ErrorCode::NotEnoughReplicas,
                format!("{in_sync} replicas are in sync; min.insync.replicas asks for {needed}"),
            ));
        }
        Ok(())
    }

    /// A record of a transaction is taken only into a transaction that goes on and that this
    /// partition was added to, so that one that arrives late cannot open it again (KIP-890).
    fn check_transaction(
        &self,
        located: &Located<'_>,
        index: i32,
        header: &BatchHeader,
    ) -> Result<(), Refusal> {
        if located.log.has_open_transaction(header.producer_id) {
            return Ok(());
        }
        let Some(transactional_id) = self.transactional_id else {
            return Err(Refusal::new(
                ErrorCode::InvalidRequest,
                "transactional records need the transactional id in the request",
            ));
        };
        let produce = TransactionalProduce {
            transactional_id,
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            topic: &located.topic.image.name,
            partition: index,
        };
        self.node.coordinators.verify_in_transaction(&produce).map_err(|code| {
            Refusal::new(
                code,
                format!("partition {index} is not part of an ongoing transaction of {transactional_id}"),
            )
        })
    }

    fn store(
        &self,
        located: &Located<'_>,
        index: i32,
        batch: &RecordBatch,
    ) -> Result<Outcome, Refusal> {
        let appended = located
            .log
            .append(std::slice::from_ref(batch), AppendOrigin::Client)
            .map_err(|error| {
                let code = code_of(&error);
                let topic = &located.topic.image.name;
                if code == ErrorCode::KafkaStorageError {
                    tracing::error!(%topic, partition = index, %error, "an append failed");
                }
                Refusal::new(code, error.to_string())
            })?;
        Ok(Outcome::Appended {
            base_offset: appended.base_offset,
            log_append_time: appended.log_append_time.unwrap_or(-1),
            log_start: appended.log_start_offset,
            position: appended.lsn,
        })
    }
}

/// The code clients act on, for each way in which the log refuses a batch.
pub(super) fn code_of(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::Producer(ProducerError::OutOfOrderSequence { .. }) => {
            ErrorCode::OutOfOrderSequenceNumber
        }
        AppendError::Producer(ProducerError::EpochFenced { .. }) => ErrorCode::InvalidProducerEpoch,
        AppendError::Producer(ProducerError::NotTransactional(_)) => ErrorCode::InvalidTxnState,
        AppendError::Producer(ProducerError::CoordinatorFenced { .. }) => {
            ErrorCode::TransactionCoordinatorFenced
        }
        AppendError::Empty => ErrorCode::InvalidRecord,
        AppendError::Batch(_) => ErrorCode::CorruptMessage,
        AppendError::TooLarge { .. } => ErrorCode::MessageTooLarge,
        AppendError::Unusable(Unusable::Deleted(_)) => ErrorCode::UnknownTopicOrPartition,
        AppendError::NotNext { .. }
        | AppendError::Unusable(Unusable::Quarantined { .. })
        | AppendError::File(_)
        | AppendError::NoRoom(_)
        | AppendError::Stopped(_) => ErrorCode::KafkaStorageError,
    }
}
